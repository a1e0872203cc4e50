"""Networks of Accel-NASBench's own code against ours: logits, counts and every stored score, in float64.

Set JAXZC_GOLDEN_SPACES to a directory of the same form (default ../shared/golden_spaces).
"""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jaxzc_spaces.mnasnet.encoding import to_string
from jaxzc_spaces.mnasnet.space import MnasNet

from jaxzc._compile.pieces import Pieced
from jaxzc.catalogue.selection import select
from jaxzc.scoring.compute import compute_scores, traced_proxies
from jaxzc.scoring.results import to_float
from jaxzc.types import InputSpec
from tests.support.golden_named_networks import Stored, batches, read

PROXIES = {name: name for name in ("grad_norm", "snip", "plain", "l2_norm", "zico", "jacob_cov", "synflow")}
PROXIES |= {"naswot": "naswot(once=True)"}


def built(config: dict[str, Any]) -> tuple[MnasNet, np.ndarray]:
    space = MnasNet(
        config["in_channels"][0],
        tuple(config["out_channels"]),
        config["last_channels"],
        config["activation"],
        classes=config["classes"],
        inputs=InputSpec((config["resolution"], config["resolution"], 3)),
    )
    parts = zip(config["expansion"], config["kernel"], config["layers"], config["se"], strict=True)
    return space, space.parse("-".join(f"e{e}k{k}l{layers}s{int(s)}" for e, k, layers, s in parts))


@pytest.mark.parametrize("index", [pytest.param(2, marks=pytest.mark.slow), 5])
def test_logits_equal_the_authors_code(index: int) -> None:
    """Smooth gates, and hard ones, which are slow, as are the scores of all networks."""
    networks, _, inputs = read("mnasnet_accel")
    stored = networks[index]
    space, arch = built(stored.config)
    network = space.network(arch)
    with jax.enable_x64(True):
        images = batches(inputs, jnp.float64)[0].inputs
        forward = jax.jit(lambda params: [network.forward(params, images, norm=norm).outputs for norm in ("batch", "init")])
        same(forward(stored.params(network, jnp.float64)), stored)


def same(logits: list[Any], stored: Stored) -> None:
    for name, ours in zip(("logits_train", "logits_eval"), logits, strict=True):
        theirs = stored.arrays[name]
        np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-5 * np.abs(theirs).max(), err_msg=name)


@pytest.mark.slow
@pytest.mark.parametrize("index", range(6))
def test_logits_and_scores_equal_the_authors_code(index: int) -> None:
    networks, scores, inputs = read("mnasnet_accel")
    stored = networks[index]
    space, arch = built(stored.config)
    network = space.network(arch)
    rectified = stored.config["activation"] == "relu"
    chosen = select([label for name, label in PROXIES.items() if rectified or name != "naswot"])
    with jax.enable_x64(True):

        def program(params: Any, b: Any) -> Any:
            logits = [network.forward(params, b[0].inputs, norm=norm).outputs for norm in ("batch", "init")]
            return compute_scores(traced_proxies(chosen), network, params, b), logits

        made, logits = jax.device_get(Pieced(program)(stored.params(network, jnp.float64), batches(inputs, jnp.float64)))
    same(logits, stored)
    for name, label in PROXIES.items():
        entry = scores["proxies"][name]
        if label in made:
            # Hard sigmoids of their framework are 3e-8 off, which its own float64 is compared with.
            rtol = max(1e-9, 10 * entry["rel_f64_vs_ref"])
            np.testing.assert_allclose(to_float(made[label]), entry["values_f64"][index], rtol=rtol, err_msg=name)
        else:
            assert np.isnan(entry["values_f64"][index])


def test_counts_equal_the_authors_code() -> None:
    for stored in read("mnasnet_accel")[0]:
        space, arch = built(stored.config)
        counts, network = space.counts(arch), space.network(arch)
        assert counts.params.item() == stored.facts["params"]
        assert counts.flops.item() == stored.facts["macs"]
        assert counts.layers.item() == len(stored.arrays["layers"]) == sum(len(group.cells) for group in network.groups)
        rectified = [group.name for group in network.activations if group.kind == "relu"]
        assert sum(len(network.activation_counts()[name]) for name in rectified) == stored.facts["relus"]
        assert to_string(arch).count("s1") == sum(stored.config["se"])
