"""Tests in which JAX may broadcast an array over axes that it does not have (`RANKS`) or mix dtypes (`RANKS` and `DTYPES`).

In all others both are errors, so that what jaxzc adds to every example has its axes, and a dtype changes where a line says so. What is
listed for a reason is not jaxzc's code: the same lines of ours run in tests that are not."""

RANKS = {
    "a model, loss or proxy as users write it: a bias added to many examples, statistics taken from a batch, a mask that multiplies": (
        "compile/test_widening_integers.py",
        "networks/test_adversarial.py",
        "networks/test_entry.py",
        "networks/test_integers.py",
        "networks/test_kernels.py",
        "networks/test_networks.py",
        "networks/test_nonlinear.py",
        "networks/test_normalisation.py",
        "networks/test_normalisation_spellings.py",
        "networks/test_operations.py",
        "networks/test_recognised.py",
        "networks/test_zoo.py",
        "scoring/test_model_calls.py",
        "scoring/test_own_normalisation.py",
        "scoring/test_score.py",
        "scoring/test_scorer.py",
        "scoring/test_unavailable.py::test_complex_kernels_have_the_scores_that_are_defined_for_them",
    ),
    "not run under these settings so far": (
        "benchmarks/",
        "catalogue/",
        "cli/",
        "docs/",
        "embedded/",
        "evaluation/",
        "experiments/",
        "golden/test_golden.py",
        "golden/test_golden_flexibert.py",
        "golden/test_golden_mnasnet.py",
        "golden/test_golden_nasbench_asr.py",
        "golden/test_golden_nasbench_nlp.py",
        "golden/test_golden_newest.py",
        "golden/test_golden_noise.py",
        "golden/test_golden_spaces.py",
        "golden/test_golden_transformers.py",
        "jobs/",
        "planning/",
        "report/",
        "spaces/test_cell_isomorphism.py",
        "spaces/test_conv3x3.py",
        "spaces/test_darts_program.py",
        "spaces/test_discrete",
        "spaces/test_flexibert.py",
        "spaces/test_layers.py",
        "spaces/test_macro_darts_nds_zen.py",
        "spaces/test_mnasnet.py",
        "spaces/test_module.py",
        "spaces/test_nasbench101",
        "spaces/test_nasbench201_encoding.py",
        "spaces/test_nasbench_",
        "spaces/test_published.py",
        "spaces/test_repeated.py",
        "spaces/test_source.py",
        "spaces/test_space_properties.py",
        "spaces/test_third_party_space.py",
        "spaces/test_vision_transformers.py",
    ),
}
"""Why -> how the ids of the tests begin, below tests/."""

DTYPES = {
    "Optax compares its count of steps, an integer, with the steps of a schedule, a float": (
        "training/test_econas.py",
        "training/test_training.py",
    ),
    "Flax divides the sums of an average pooling by the numbers of their terms, integers": ("training/test_export.py",),
    "not run with strict dtypes so far": ("golden/test_golden_named_networks.py", "spaces/test_nasbench201_network.py"),
}
"""As `RANKS`."""


def may_promote(node: str) -> tuple[bool, bool]:
    """Whether a test, by its id, may broadcast over missing axes, and whether it may mix dtypes."""
    within = node.removeprefix("tests/")
    ranks, dtypes = (any(within.startswith(begin) for names in kinds.values() for begin in names) for kinds in (RANKS, DTYPES))
    return ranks, ranks or dtypes
