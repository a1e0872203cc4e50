"""Networks of the authors' own code against ours: logits and every stored score, in float64.

Set JAXZC_GOLDEN_SPACES to a directory of the same form (default ../shared/golden_spaces).
"""

import json
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jaxzc_spaces.core.discrete import DiscreteNetwork
from jaxzc_spaces.core.passes import Pass
from jaxzc_spaces.darts.space import Darts
from jaxzc_spaces.genotypes.counts import as_counts
from jaxzc_spaces.genotypes.counts import network_tally as network_tally_of
from jaxzc_spaces.genotypes.encoding import Cell, Genotype
from jaxzc_spaces.nasbench_macro import NasBenchMacro
from jaxzc_spaces.nds import NdsAmoeba, NdsDarts, NdsEnas, NdsNasnet, NdsPnas
from jaxzc_spaces.superblocks.blocks import parse_blocks
from jaxzc_spaces.superblocks.counts import code_counts, network_tally
from jaxzc_spaces.superblocks.space import plainnet_blueprint

from jaxzc._compile.pieces import Pieced
from jaxzc.catalogue.selection import select
from jaxzc.scoring.compute import compute_scores, traced_proxies
from jaxzc.scoring.results import to_float
from jaxzc.tasks import cross_entropy
from jaxzc.types import Counts, InputSpec
from tests.support.golden_named_networks import Stored, batches, directory, read
from tests.support.golden_spaces import PROXIES

NOISE = 1e-11
"""A Jacobian of the summed logits below this is zero but for rounding (batch statistics); jacob_cov is stored as NaN there."""


def macro(config: dict[str, Any]) -> tuple[DiscreteNetwork, Counts]:
    space = NasBenchMacro(config["init_channels"])
    arch = space.parse(config["arch"])
    return space.network(arch), space.counts(arch)


def darts_string(config: dict[str, Any]) -> str:
    return "Genotype({})".format(", ".join(f"{k}={config[k]}" for k in ("normal", "normal_concat", "reduce", "reduce_concat")))


def darts(config: dict[str, Any], image_shape: tuple[int, int, int] = (16, 16, 3)) -> tuple[DiscreteNetwork, Counts]:
    space = Darts(config["C"], config["layers"], inputs=InputSpec(image_shape))
    arch = space.parse(darts_string(config))
    network = space.network(arch)
    assert isinstance(network, DiscreteNetwork)
    return network, space.counts(arch)


def nds(config: dict[str, Any]) -> tuple[DiscreteNetwork, Counts]:
    space = NDS[config["space"]](config["stem"], config["C"], config["layers"])
    genotype = {name: config[name] for name in ("normal", "normal_concat", "reduce", "reduce_concat")}
    arch = space.parse(json.dumps({"width": 16, "depth": 4, "genotype": genotype}))
    return space.network(arch), space.counts(arch)


NDS = {"darts": NdsDarts, "enas": NdsEnas, "pnas": NdsPnas, "nasnet": NdsNasnet, "amoeba": NdsAmoeba}


def plainnet(config: dict[str, Any]) -> tuple[DiscreteNetwork, Counts]:
    blocks, residual = tuple(parse_blocks(config["struct"], 3)), not config["no_reslink"]
    network = DiscreteNetwork(plainnet_blueprint(blocks, 10, (32, 32, 3), residual))
    return network, as_counts([network_tally(blocks, 10, (32, 32), residual)])


BUILDERS: dict[str, Callable[[dict[str, Any]], tuple[DiscreteNetwork, Counts]]] = {
    "nas_bench_macro": macro,
    "darts": darts,
    "nds": nds,
    "zen_plainnet": plainnet,
}
"""Golden directory -> from a config to our network and its counts at the stored image size."""

QUICK: list[Any] = [
    ("nas_bench_macro", 3, ()),
    ("darts", 6, ("grad_norm", "naswot")),
    ("zen_plainnet", 4, ()),
]
"""Networks that every change is tried on, and scores of theirs, but where own_scores.json has some; all scores of the eight of each space
are for `pytest -m slow`."""
CASES = [*QUICK, *(pytest.param(space, index, tuple(PROXIES), marks=pytest.mark.slow) for space in BUILDERS for index in range(8))]


class Made(NamedTuple):
    stored: Stored
    scores: dict[str, float]
    jacobian: float
    """NaN where jacob_cov is not asked for."""
    train: np.ndarray
    eval: np.ndarray


def made(space: str, index: int, names: tuple[str, ...]) -> Made:
    networks, _, inputs = read(space)
    stored = networks[index]
    network, _ = BUILDERS[space](stored.config)
    chosen = {**(select([PROXIES[name] for name in names]) if names else {}), "logits": lambda logits: logits}
    if "jacob_cov" in names:
        chosen["jacobian"] = lambda input_grads: jnp.max(jnp.abs(input_grads))
    with jax.enable_x64(True):

        def program(params: Any, b: Any) -> Any:
            return compute_scores(traced_proxies(chosen), network, params, b), network.forward(params, b[0].inputs, norm="init").outputs

        out, eval_mode = jax.device_get(Pieced(program)(stored.params(network, jnp.float64), batches(inputs, jnp.float64)))
    return Made(
        stored,
        {name: to_float(out[PROXIES[name]]) for name in names},
        float(out.get("jacobian", np.nan)),
        out["logits"],
        eval_mode,
    )


@pytest.mark.parametrize(("space", "index", "names"), CASES)
def test_logits_and_scores_equal_the_authors_code(space: str, index: int, names: tuple[str, ...]) -> None:
    ours = made(space, index, names)
    for name, logits in (("logits_train", ours.train), ("logits_eval", ours.eval)):
        theirs = ours.stored.arrays[name]
        np.testing.assert_allclose(logits, theirs, rtol=1e-4, atol=1e-4 * max(np.abs(theirs).max(), 1e-30), err_msg=name)
    for name in names:
        entry = read(space)[1]["proxies"][name]
        theirs = entry["values_f64"][index]
        if name == "jacob_cov" and ours.stored.facts["input_jacobian_max_abs"] < NOISE:
            assert np.isnan(theirs)
            assert ours.jacobian < NOISE
        else:
            rtol = max(1e-6, 10 * entry["rel_f64_vs_ref"])
            np.testing.assert_allclose(ours.scores[name], theirs, rtol=rtol, atol=1e-12, err_msg=name)


@pytest.mark.parametrize("whole", [pytest.param(False, id="quick"), pytest.param(True, id="whole", marks=pytest.mark.slow)])
@pytest.mark.parametrize("space", list(BUILDERS))
def test_counts_are_exact(space: str, whole: bool) -> None:
    networks = read(space)[0]
    for stored in networks if whole else networks[::3]:
        network, counts = BUILDERS[space](stored.config)
        assert counts.params.item() == stored.facts["params"]
        assert counts.flops.item() == stored.facts["macs"]
        assert counts.layers.item() == len(stored.arrays["layers"]) == sum(len(group.cells) for group in network.groups)
        assert sum(map(len, network.blueprint.activated)) == stored.facts["relus"]


def test_code_counts_of_plainnets_are_exact() -> None:
    for stored in read("zen_plainnet")[0]:
        made = code_counts(parse_blocks(stored.config["struct"], 3), 10, 32, not stored.config["no_reslink"])
        assert made == tuple(stored.facts[f"code_get_{name}"] for name in ("FLOPs_32", "model_size", "num_layers"))


def genotype(config: dict[str, Any]) -> Genotype:
    return Genotype(*(Cell(tuple((op, state) for op, state in config[n]), tuple(config[f"{n}_concat"])) for n in ("normal", "reduce")))


def full_size(space: str) -> list[dict[str, Any]]:
    return json.loads((directory("full_size_counts.json")).read_text())["counts"][space]


@pytest.mark.parametrize("space", ["darts", "nds"])
def test_full_size_genotype_networks(space: str) -> None:
    for entry in full_size(space):
        config, size = entry["config"], (entry["resolution"], entry["resolution"], 3)
        made = network_tally_of(genotype(config), config["C"], config["layers"], 10, size, config.get("stem", "cifar"))
        assert (made.params, made.flops) == (entry["params"], entry["macs"]), config["name"]


def test_full_size_plainnets() -> None:
    for entry in full_size("zen_plainnet"):
        blocks, residual, size = parse_blocks(entry["config"]["struct"], 3), not entry["config"]["no_reslink"], entry["resolution"]
        made = network_tally(blocks, 1000, (size, size), residual)
        assert (made.params, made.flops) == (entry["params"], entry["macs"])
        code = code_counts(blocks, 1000, size, residual)
        assert (code.flops, code.model_size) == (entry["code_get_FLOPs"], entry["code_get_model_size"])


def test_full_size_nasbench_macro() -> None:
    for entry in full_size("nas_bench_macro"):
        space = NasBenchMacro(entry["config"]["init_channels"])
        counts = space.counts(space.parse(entry["config"]["arch"]))
        assert (counts.params.item(), counts.flops.item()) == (entry["params"], entry["macs"])


@pytest.mark.slow
@pytest.mark.parametrize("index", [0, 1])
def test_auxiliary_classifier_of_darts(index: int) -> None:
    """Losses of both classifiers, and gradient norms over the weights of the network and of the auxiliary classifier."""
    networks, _, inputs = read("darts_aux")
    stored = networks[index]
    facts, config = stored.facts, stored.config
    space = Darts(config["C"], config["layers"], auxiliary=True)
    plain, counts = darts(config, (32, 32, 3))
    arch = space.parse(darts_string(config))
    network = space.network(arch)
    assert isinstance(network, DiscreteNetwork)
    assert counts.params.item() == facts["params"]
    assert counts.flops.item() == facts["macs_eval"]
    both = space.counts(arch)
    assert both.params.item() == facts["params"] + facts["params_auxiliary"]
    assert both.flops.item() == facts["macs_train"]
    assert sum(map(len, network.blueprint.activated)) == facts["relus_train"]
    with jax.enable_x64(True):
        params = stored.params(network, jnp.float64)
        for name, offset, shape, scale in (
            ("conv0", 1, (1, 1, facts["channels_into_aux"], 128), 0.1),
            ("conv1", 2, (2, 2, 128, 768), 0.03),
            ("linear", 3, (768, 10), 0.05),
        ):
            drawn = (np.random.RandomState(facts["aux_seed"] + offset).standard_normal(shape) * scale).astype(np.float32)
            if name == "linear":
                params["auxiliary"]["linear"] = {"kernel": jnp.asarray(drawn, jnp.float64), "bias": jnp.zeros(10)}
            else:
                params["auxiliary"][name] = jnp.asarray(drawn, jnp.float64)
        images, labels = jnp.asarray(inputs["x1"], jnp.float64), jnp.asarray(inputs["y1"])

        def losses(params: Any) -> tuple[Any, tuple[Any, Any]]:
            main, auxiliary = (cross_entropy(logits, labels) for logits in network.module(params).both(images, Pass("batch")))
            return main + 0.4 * auxiliary, (main, auxiliary)

        (total, (main, auxiliary)), grads = jax.device_get(jax.jit(jax.value_and_grad(losses, has_aux=True))(params))
    np.testing.assert_allclose([main, auxiliary, total], [facts[f"loss_{n}_f64"] for n in ("main", "aux", "total_0p4")], rtol=1e-9)
    norms = {"main": 0.0, "aux": 0.0}
    for group, gradient in zip(network.groups, network.weights(grads), strict=True):
        norms["aux" if group.name.startswith("auxiliary") else "main"] += sum(float(np.linalg.norm(g)) for g in np.asarray(gradient))
    np.testing.assert_allclose([norms["main"], norms["aux"]], [facts["grad_norm_main_f64"], facts["grad_norm_aux_f64"]], rtol=1e-6)
    assert len(plain.groups) < len(network.groups)
