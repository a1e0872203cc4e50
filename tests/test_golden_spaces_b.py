"""Networks of the authors' own code against ours: logits and every stored score, in float64.

Set JAXZC_GOLDEN_SPACES to a directory of the same form (default ../shared/golden_spaces).
"""

import json
from collections.abc import Callable
from functools import cache
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from golden_spaces_b import Stored, batches, read
from jaxzc_spaces.darts import Darts
from jaxzc_spaces.discrete import DiscreteNetwork
from jaxzc_spaces.nasbench_macro import NasBenchMacro
from jaxzc_spaces.nds import NdsAmoeba, NdsDarts, NdsEnas, NdsNasnet, NdsPnas

from jaxzc.scoring import evaluate_proxies, to_float
from jaxzc.selection import select
from jaxzc.types import Counts

INTERVAL = "interval=(1e-3,5e-3)"
PROXIES = {
    "grad_norm": "grad_norm",
    "snip": "snip",
    "synflow": "synflow",
    "jacob_cov": "jacob_cov",
    "naswot": "naswot(once=True)",
    "zico": "zico",
    "effective_capacity": f"sweetimator({INTERVAL})",
    "effective_snip": f"sweet_snip({INTERVAL})",
    "effective_ntktrace": f"sweet_ntk({INTERVAL})",
}
"""Name in scores.json -> ours."""

NOISE = 1e-11
"""A Jacobian of the summed logits below this is zero but for rounding (batch statistics); jacob_cov is stored as NaN there."""


def macro(config: dict[str, Any]) -> tuple[DiscreteNetwork, Counts]:
    space = NasBenchMacro(config["init_channels"])
    arch = space.parse(config["arch"])
    return space.network(arch), space.counts(arch)


def darts(config: dict[str, Any]) -> tuple[DiscreteNetwork, Counts]:
    space = Darts(config["C"], config["layers"], image_shape=(16, 16, 3))
    arch = space.parse("Genotype({})".format(", ".join(f"{k}={config[k]}" for k in ("normal", "normal_concat", "reduce", "reduce_concat"))))
    return space.network(arch), space.counts(arch)


def nds(config: dict[str, Any]) -> tuple[DiscreteNetwork, Counts]:
    space = NDS[config["space"]](config["stem"], config["C"], config["layers"])
    genotype = {name: config[name] for name in ("normal", "normal_concat", "reduce", "reduce_concat")}
    arch = space.parse(json.dumps({"width": 16, "depth": 4, "genotype": genotype}))
    return space.network(arch), space.counts(arch)


NDS = {"darts": NdsDarts, "enas": NdsEnas, "pnas": NdsPnas, "nasnet": NdsNasnet, "amoeba": NdsAmoeba}

BUILDERS: dict[str, Callable[[dict[str, Any]], tuple[DiscreteNetwork, Counts]]] = {
    "nas_bench_macro": macro,
    "darts": darts,
    "nds": nds,
}
"""Golden directory -> from a config to our network and its counts at the stored image size."""

FAST: dict[str, tuple[int, ...]] = {"nas_bench_macro": (3,), "darts": (6,), "nds": (5,)}
"""The networks of eight that the ordinary suite compiles; `pytest -m slow` does the others."""
CASES = [pytest.param(space, index, marks=() if index in FAST[space] else pytest.mark.slow) for space in BUILDERS for index in range(8)]


class Made(NamedTuple):
    stored: Stored
    scores: dict[str, float]
    jacobian: float
    train: np.ndarray
    eval: np.ndarray


@cache
def made(space: str, index: int) -> Made:
    networks, _, inputs = read(space)
    stored = networks[index]
    network, _ = BUILDERS[space](stored.config)
    chosen = {
        **select(list(PROXIES.values())),
        "logits": lambda logits: logits,
        "jacobian": lambda input_grads: jnp.max(jnp.abs(input_grads)),
    }
    with jax.enable_x64(True):

        def program(params: Any, b: Any) -> Any:
            return evaluate_proxies(chosen, network, params, b), network.forward(params, b[0].images, norm="init").logits

        out, eval_mode = jax.device_get(jax.jit(program)(stored.params(network, jnp.float64), batches(inputs, jnp.float64)))
    return Made(
        stored,
        {name: to_float(out[label]) for name, label in PROXIES.items()},
        float(out["jacobian"]),
        out["logits"],
        eval_mode,
    )


@pytest.mark.parametrize(("space", "index"), CASES)
def test_logits_and_scores_equal_the_authors_code(space: str, index: int) -> None:
    ours = made(space, index)
    for name, logits in (("logits_train", ours.train), ("logits_eval", ours.eval)):
        theirs = ours.stored.arrays[name]
        np.testing.assert_allclose(logits, theirs, rtol=1e-4, atol=1e-4 * max(np.abs(theirs).max(), 1e-30), err_msg=name)
    for name in PROXIES:
        entry = read(space)[1]["proxies"][name]
        theirs = entry["values_f64"][index]
        if name == "jacob_cov" and ours.stored.facts["input_jacobian_max_abs"] < NOISE:
            assert np.isnan(theirs)
            assert ours.jacobian < NOISE
        else:
            rtol = max(1e-6, 10 * entry["rel_f64_vs_ref"])
            np.testing.assert_allclose(ours.scores[name], theirs, rtol=rtol, atol=1e-12, err_msg=name)


@pytest.mark.parametrize("space", list(BUILDERS))
def test_counts_are_exact(space: str) -> None:
    for stored in read(space)[0]:
        network, counts = BUILDERS[space](stored.config)
        assert counts.params.item() == stored.facts["params"]
        assert counts.flops.item() == stored.facts["macs"]
        assert counts.layers.item() == len(stored.arrays["layers"]) == sum(len(group.cells) for group in network.groups)
        assert len(network.blueprint.hooks) == stored.facts["relus"]
