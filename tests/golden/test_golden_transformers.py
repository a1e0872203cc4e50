"""Vision transformers of the authors' own code against ours: logits, counts and every stored score, in float64.

Set JAXZC_GOLDEN_SPACES to a directory of the same form (default ../shared/golden_spaces).
"""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jaxzc_spaces.autoformer.space import AutoFormer

from jaxzc.catalogue.selection import select
from jaxzc.ingredients.maps import map_shapes
from jaxzc.numerics.linalg import singular_values
from jaxzc.scoring.compute import compute_scores
from jaxzc.scoring.results import to_float
from jaxzc.types import Scaled
from tests.support.golden_named_networks import Stored, batches, read
from tests.support.golden_transformers import az_probes, built

NETWORKS = {"autoformer": 8, "pit": 6}
EVERY = [(space, index) for space, count in NETWORKS.items() for index in range(count)]
PROXIES = {name: name for name in ("grad_norm", "snip", "l2_norm", "jacob_cov", "zico", "dss", "az_expressivity", "az_trainability")}
PROXIES |= {"synflow": "synflow_bn", "nwot": "naswot_gelu"}
"""What is stored -> our name. (Their synflow keeps layer normalisation.)"""


def their_dss(config: dict[str, Any]) -> Any:
    """DSS with what the authors' code takes for attention (see the card)."""
    fixed, twice = (
        config.get("change_qkv") is False and config["variant"] == "cream",
        config["classes"] == 1000 and config["variant"] == "cream",
    )

    def dss(network: Any, weights: Any, synflow_bn_grads: Any, synflow_bn_exponent: Any) -> Any:
        total = jnp.zeros(())
        for group, w, g in zip(network.groups, weights, synflow_bn_grads, strict=True):
            if len(group.kernel) == 2:
                attends = (group.role in ("attention", "join") and not (fixed and "qkv" in group.name)) or group.kernel[0] == group.kernel[
                    1
                ]
                nuclear = [singular_values(a.reshape(-1, *group.kernel)).sum(-1) for a in (jnp.abs(w), g)]
                times = 2 if twice and group.name == "head/kernel" else 1
                total = total + ((nuclear[0] * nuclear[1]).sum() if attends else times * jnp.abs(w * g).sum())
        return Scaled(total, synflow_bn_exponent)

    return dss


def ours_is_theirs(config: dict[str, Any]) -> bool:
    """Whether they take for attention what it is."""
    if config["variant"] == "pit":
        return len({*config["num_heads"][:2]}) + len({*config["num_heads"][1:]}) == 4
    return config["variant"] == "autoprox" or (config["change_qkv"] and config["classes"] != 1000)


@pytest.mark.parametrize(("space_name", "index"), [("autoformer", 0), ("autoformer", 5), ("pit", 1)])
def test_logits_equal_the_authors_code(space_name: str, index: int) -> None:
    """Relative positions; queries, keys and values of a width of their own; pools. The others are for `pytest -m slow`."""
    stored = read(space_name)[0][index]
    space, arch = built(stored.config)
    network = space.network(arch)
    with jax.enable_x64(True):
        images = batches(read(space_name)[2], jnp.float64)[0].inputs
        logits = jax.jit(lambda p: network.forward(p, images, norm="batch").outputs)(stored.params(network, jnp.float64))
    np.testing.assert_allclose(logits, stored.arrays["logits_f64"], rtol=1e-12, atol=1e-12)


def scores(space_name: str, index: int) -> tuple[Stored, dict[str, Any], Any]:
    """Stored network, our scores of its parameters, and logits."""
    networks, _, inputs = read(space_name)
    stored = networks[index]
    space, arch = built(stored.config)
    network = space.network(arch)
    names = [name for name in PROXIES if space_name == "autoformer" or name != "az_trainability"]
    chosen = select([*(PROXIES[name] for name in names), ("their_dss", their_dss(stored.config))])
    with jax.enable_x64(True):
        params, both = stored.params(network, jnp.float64), batches(inputs, jnp.float64)
        given: dict[str, Any] = {"az_params": params, "az_images": both[0].inputs}
        if space_name == "autoformer":
            shapes = map_shapes(network, params, both[0].inputs, "batch", noise=both[0].inputs)
            given["az_probes"] = az_probes(stored, list(shapes.values()), jnp.float64)

        def run(params: Any, given: Any) -> Any:
            made = compute_scores(chosen, network, params, both, key=jax.random.key(0), fixed=given, unavailable="error")
            return made, network.forward(params, both[0].inputs, norm="init").outputs

        made, logits = jax.device_get(jax.jit(run)(params, given))
    ours = {name: to_float(made[PROXIES[name]]) for name in names}
    return stored, ours | {"their_dss": to_float(made["their_dss"])}, logits


@pytest.mark.slow
@pytest.mark.parametrize(("space_name", "index"), EVERY)
def test_logits_and_scores_equal_the_authors_code(space_name: str, index: int) -> None:
    stored, ours, logits = scores(space_name, index)
    np.testing.assert_allclose(logits, stored.arrays["logits_f64"], rtol=1e-12, atol=1e-12)
    theirs = read(space_name)[1]["proxies"]
    own, ours["dss"] = ours["dss"], ours.pop("their_dss")
    assert (own == pytest.approx(ours["dss"], rel=1e-9)) == ours_is_theirs(stored.config)
    wrong = []
    for name, value in ours.items():
        if name == "az_expressivity" and space_name == "pit":
            expected = sum(theirs["az_expressivity_stage"]["values_f64"][index])
        else:
            expected = theirs[name]["values_f64"][index]
        if not np.isclose(value, expected, rtol=1e-9, atol=1e-12):
            wrong.append(f"{name}: {value} and not {expected}")
    assert not wrong, f"{stored.config}\n" + "\n".join(wrong)


@pytest.mark.parametrize("space_name", list(NETWORKS))
def test_counts_equal_the_authors_code(space_name: str) -> None:
    for stored in read(space_name)[0]:
        space, arch = built(stored.config)
        counts, network, facts = space.counts(arch), space.network(arch), stored.facts
        params = jax.eval_shape(network.init, jax.random.key(0))
        assert counts.params.item() == facts["params"] == sum(leaf.size for leaf in jax.tree.leaves(params))
        assert counts.flops.item() == facts["macs"]
        assert np.asarray(counts.products).item() == facts["macs_attention"] + facts["macs_relpos"]
        assert counts.layers.item() == len(stored.arrays["layers"]) == sum(len(group.cells) for group in network.groups)
        complexity = facts.get("code_complexity", np.nan)
        if isinstance(space, AutoFormer) and np.isfinite(complexity):
            assert space.own_counts["cream_flops"](arch).item() == complexity
