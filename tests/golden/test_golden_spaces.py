"""Every stored score of the authors' own code against ours in float64: NATS-Bench sizes, TransNAS-Bench-101, NAS-Bench-101.

Set JAXZC_GOLDEN_SPACES to a directory of the same form (default ../shared/golden_spaces).
"""

from functools import lru_cache
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import tests.support.golden_spaces as golden_spaces
from jaxzc._compile.pieces import Pieced
from jaxzc.catalogue.selection import select
from jaxzc.scoring.compute import compute_scores, traced_proxies
from jaxzc.scoring.results import to_float
from jaxzc.spacekit import key_of
from tests.support.golden_spaces import PROXIES

SPACES = ("nats_sss", "transnas101_micro", "transnas101_macro", "nasbench101")
QUICK = {
    # Cells that share a program: every operation, and none at all.
    **{f"transnas101_micro/dev/{number:02d}": () for number in (3, 6, 8)},
    "nats_sss/dev/02": (),
    "transnas101_macro/dev/04": ("synflow", "jacob_cov"),
    # Every operation, and an edge from the input to the output.
    "nasbench101/dev/05": ("snip", "zico"),
}
"""What every change is tried on: one program of a space, which would take half a minute to compile with all scores, and a share of these,
so that every kind of pass is tried on some space; logits only of nats_sss, whose scores own_scores.json has, and of TransNAS micro, whose
cells are NAS-Bench-201's operations. All of them are for `pytest -m slow`."""
RTOL = 1e-6


@lru_cache(maxsize=1)  # the programs of 20 networks take more memory mappings than a process has
def _program(space: Any, key: tuple[int, ...], genes: tuple[int, ...] | None, names: tuple[str, ...]) -> Any:
    """Scores and logits of both modes: of the program with this key, compiled once; with genes, of their discrete network."""
    chosen = {
        **(select([PROXIES[name] for name in names]) if names else {}),
        "logits": lambda logits: logits,
        "loss": lambda loss_value: loss_value,
    }
    if "jacob_cov" in names:
        chosen["input_grads"] = lambda input_grads: input_grads

    def program(params: Any, arch: Any, batches: Any) -> Any:
        network = space.program(key).network(arch) if genes is None else space.network(genes)
        made = compute_scores(traced_proxies(chosen), network, params, batches)
        return made, network.forward(params, batches[0].inputs, norm="init").outputs

    return jax.jit(program) if genes is None else Pieced(program)


def _cases() -> list[Any]:
    every, all_names = golden_spaces.cases(SPACES), tuple(PROXIES)
    quick = [(case, QUICK.get(case, all_names)) for case in every if case in QUICK or case.count("/") == 0]
    return [*quick, *(pytest.param(case, all_names, marks=pytest.mark.slow) for case in every if case.count("/"))]


@pytest.mark.parametrize(("case", "names"), _cases())
def test_scores_and_logits_equal_the_authors_code(case: str, names: tuple[str, ...]) -> None:
    try:
        golden = golden_spaces.read(case)
    except FileNotFoundError as error:
        pytest.skip(str(error))
    with jax.enable_x64(True):
        key = key_of(golden.space, golden.arch)
        if key:
            _agree(golden, key, tuple(golden.arch.tolist()), golden.params(jnp.float64), names)
        else:  # one program for all of them
            _agree(golden, key, None, golden.shared_params(jnp.float64), names)


@pytest.mark.slow
@pytest.mark.parametrize("case", golden_spaces.cases(("nasbench101",)))
def test_shared_programs_equal_the_authors_code(case: str) -> None:
    """As above, through the program that a cell shares with all of its key; it is given the stored weights, and zeros elsewhere."""
    try:
        golden = golden_spaces.read(case)
    except FileNotFoundError as error:
        pytest.skip(str(error))
    with jax.enable_x64(True):
        _agree(golden, key_of(golden.space, golden.arch), None, golden.shared_params(jnp.float64), tuple(PROXIES))


def _agree(golden: Any, key: tuple[int, ...], genes: tuple[int, ...] | None, params: Any, names: tuple[str, ...]) -> None:
    batches = jax.tree.map(lambda a: jnp.asarray(a, jnp.float64 if a.dtype.kind == "f" else None), golden.batches)
    made, eval_mode = _program(golden.space, key, genes, names)(params, jnp.asarray(golden.arch, jnp.int32), batches)
    for mode, ours in (("train", made.pop("logits")), ("eval", eval_mode)):
        theirs = golden.arrays[f"logits_{mode}"]
        np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-5 * np.abs(theirs).max(), err_msg=mode)
    ours = {name: to_float(made[PROXIES[name]]) for name in names} | {"loss": to_float(made["loss"])}
    if "jacob_cov" in names and np.isnan(golden.scores["jacob_cov"]["values_f64"]):
        # Normalised last by the batch, the logits' sum does not depend on the images: their Jacobian is rounding, its correlation noise.
        assert np.abs(made["input_grads"]).max() < 1e-10
        del ours["jacob_cov"]
    wrong = list(golden_spaces.mismatches(ours, golden, {}, RTOL))
    assert not wrong, f"{golden.row['config']}\n" + "\n".join(wrong)


@pytest.mark.parametrize("case", golden_spaces.cases(SPACES))
def test_counts_equal_the_authors_code(case: str) -> None:
    try:
        golden = golden_spaces.read(case)
    except FileNotFoundError as error:
        pytest.skip(str(error))
    counts = golden.space.counts(golden.arch)
    assert counts.params[0] == golden.row["params"]
    assert counts.flops[0] == golden.row["macs"]
    assert counts.layers[0] == len(golden.arrays["layers"])
