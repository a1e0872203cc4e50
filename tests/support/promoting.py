"""Tests in which JAX may broadcast an array over axes that it does not have (`RANKS`) or mix dtypes (`RANKS` and `DTYPES`).

In all others both are errors, so that what jaxzc adds to every example has its axes, and a dtype changes where a line says so. What is
listed for a reason is not jaxzc's code: the same lines of ours run in tests that are not."""

RANKS = {
    "a model, loss or proxy as users write it: a bias added to many examples, statistics taken from a batch, a mask that multiplies": (
        "compile/test_widening_integers.py",
        "networks/normalisation/",
        "networks/test_adversarial.py",
        "networks/test_entry.py",
        "networks/test_integers.py",
        "networks/test_kernels.py",
        "networks/test_networks.py",
        "networks/test_nonlinear.py",
        "networks/test_operations.py",
        "networks/test_recognised.py",
        "networks/test_unreadable.py::test_mistakes_are_explained",
        "networks/test_zoo.py",
        "scoring/test_model_calls.py",
        "scoring/test_own_normalisation.py",
        "scoring/test_kept_programs.py::test_what_a_model_closes_over_is_read_at_every_call",
        "scoring/test_score.py",
        "scoring/test_score_arguments.py::test_a_loss_of_your_own_returns_one_number",
        "scoring/test_score_arguments.py::test_proxies_of_your_own_are_scored_beside_others",
        "scoring/test_scorer.py",
        "spaces/test_third_party_space.py",
        "scoring/test_unavailable.py::test_complex_kernels_have_the_scores_that_are_defined_for_them",
    ),
}
"""Why -> how the ids of the tests begin, below tests/."""

DTYPES = {
    "Optax computes with its count of steps, an integer, and floats, in optimisers and schedules": (
        "docs/test_examples.py::test_the_examples_run[searching.md]",
        "docs/test_notebook.py::test_its_code_runs[search_and_train]",
        "embedded/test_train_benchmark.py",
        "experiments/test_searches.py::test_a_good_proxy_helps[reinforce",
        "experiments/test_searches.py::test_no_network_is_trained_twice_and_seeds_differ[reinforce",
        "experiments/test_predictor.py::test_the_predictor_learns_the_order",
        "experiments/test_predictor.py::test_the_predictor_search_finds_good_networks",
        "spaces/core/test_discrete_networks.py::test_networks_that_are_programs_of_their_own_are_trained",
        "test_library.py::test_training",
        "training/test_econas.py",
        "training/test_training.py",
    ),
    "Optax's CTC loss counts frames in 32 and in 64 bits, where both exist": ("golden/test_golden_nasbench_asr.py",),
    "Flax divides the sums of an average pooling by the numbers of their terms, integers": (
        "docs/test_notebook.py::test_its_code_runs[quickstart]",
        "spaces/core/test_source.py::test_logits_are_the_modules",
        "training/test_export.py",
    ),
}
"""As `RANKS`."""


def may_promote(node: str) -> tuple[bool, bool]:
    """Whether a test, by its id, may broadcast over missing axes, and whether it may mix dtypes."""
    within = node.removeprefix("tests/")
    ranks, dtypes = (any(within.startswith(begin) for names in kinds.values() for begin in names) for kinds in (RANKS, DTYPES))
    return ranks, ranks or dtypes
