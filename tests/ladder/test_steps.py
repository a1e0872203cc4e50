"""Networks in steps of padded widths against the discrete networks that they stand for."""

import pickle
from collections import OrderedDict
from itertools import islice
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jaxzc_spaces.core.discrete import DiscreteNetwork
from jaxzc_spaces.nasbench_macro import NasBenchMacro
from jaxzc_spaces.nats_sss import NatsSizeSpace
from jaxzc_spaces.nds import NdsAmoeba, NdsDarts, NdsEnas, NdsNasnet, NdsPnas
from jaxzc_spaces.superblocks.blocks import parse_blocks
from jaxzc_spaces.superblocks.network import plainnet_steps
from jaxzc_spaces.superblocks.space import plainnet_blueprint
from jaxzc_spaces.transnas101 import TransNasMacro

import jaxzc
from jaxzc._compile.pieces import Pieced
from jaxzc.ladder import generation
from jaxzc.ladder.passes import StepPasses
from jaxzc.ladder.program import StepsProgram
from jaxzc.ladder.store import PIECES, Pieces
from jaxzc.ladder.terms import form
from jaxzc.ladder.weights import Weights, draw, existing, fold_in, grouped
from jaxzc.proxies.naswot import naswot
from jaxzc.proxies.synflow import synflow
from jaxzc.proxies.tcet import layer_snr
from jaxzc.proxies.zico import zico
from jaxzc.scoring.compute import compute_scores
from jaxzc.scoring.keys import fold_in as one_by_one
from jaxzc.scoring.results import to_float
from jaxzc.scoring.space import SpaceScorer, programs
from jaxzc.scoring.space.warm import walk, warm
from jaxzc.spacekit.steps import rung
from jaxzc.tasks import classification
from jaxzc.tasks.losses import cross_entropy
from jaxzc.types import Batch, InputSpec, JaxzcError, Tap

CHAIN = "SuperConvK3BNRELU(3,5,1,1)SuperResIDWE2K3(5,7,2,5,1)SuperConvK1BNRELU(7,9,1,1)"
SIZE = (6, 6, 3)


NATS = NatsSizeSpace(unit=3, classes=4, inputs=InputSpec((8, 8, 3)))
SMALL = {"classes": 4, "inputs": InputSpec((8, 8, 3))}
SPACES: Any = {
    "nats": (NATS, "8:24:16:16:40"),  # widths 3, 9, 6, 6, 15: cells with and without a projection in the shortcut
    "transnas101_macro": (TransNasMacro(channels=6, **SMALL), "64-1234-basic"),  # every kind of layer
    "nasbench_macro": (NasBenchMacro(channels=3, head=10, **SMALL), "01202012"),  # every kind at the head of a stage and behind it
    **{space.name: (space(width=6, depth=3, **SMALL), None) for space in (NdsDarts, NdsEnas, NdsPnas, NdsNasnet, NdsAmoeba)},
    "imagenet stem": (NdsEnas(stem="imagenet", width=6, depth=3, classes=4, inputs=InputSpec((32, 32, 3))), None),
}


def of_every_operation(space):
    """Genes of a genotype with every operation, in a normal cell whose older input no node reads."""
    encoding = space.encoding
    genes, edges = np.zeros(len(encoding.choices), int), 2 * encoding.nodes
    for cell in range(2):
        for edge in range(edges):
            place = len(encoding.leading) + 2 * (cell * edges + edge)
            genes[place] = (cell * 3 + edge) % len(encoding.ops)
            genes[place + 1] = 2 + edge % (edge // 2) if edge >= 8 else edge % 2 if cell else 1
    return genes


def made(name):
    """steps, discrete network, weights of both, batch"""
    if name == "chain":
        blocks = tuple(parse_blocks(CHAIN, 3))
        steps, network = plainnet_steps(blocks, 4, SIZE), DiscreteNetwork(plainnet_blueprint(blocks, 4, SIZE, False))
    else:
        space, arch = SPACES[name]
        genes = of_every_operation(space) if arch is None else space.parse(arch)
        steps, network = space.steps(genes), space.network(genes)
    key, size = jax.random.key(3), SIZE if name == "chain" else SPACES[name][0].inputs.shape
    rng = np.random.default_rng(0)
    batch = Batch(rng.standard_normal((4, *size)), rng.integers(0, 4, 4))
    return steps, network, draw(steps, key, "torch"), network.init(key, "torch"), batch


@pytest.fixture(scope="module")
def chain():
    return made("chain")


QUICK = ("chain", "nds_amoeba")


@pytest.fixture(scope="module", params=[*QUICK, *(pytest.param(name, marks=pytest.mark.slow) for name in SPACES if name not in QUICK)])
def setup(request):
    return made(request.param)


def true(step, flat):
    """The true entries of a padded kernel, or of its gradient, flattened."""
    return np.asarray(flat)[existing(step)]


def pairs(steps, of_steps, groups):
    """(step, its entry, the entry of the discrete network's layer), from the layers' stacked arrays."""
    for numbers, stacked in zip(grouped(steps).values(), groups, strict=True):
        yield from ((steps[number], of_steps[number], value) for number, value in zip(numbers, stacked, strict=True))


def test_ladder():
    assert [rung(width) for width in (1, 3, 5, 8, 9, 40, 49, 100, 1000)] == [1, 3, 6, 8, 12, 48, 64, 128, 1024]
    rungs = {rung(width) for width in range(1, 6145)}
    assert all(rung(r) == r for r in rungs)
    assert all(width <= rung(width) <= 1.5 * width for width in range(1, 6145))


def test_weights_are_those_of_the_discrete_network(setup):
    steps, network, weights, params, _ = setup
    for step, flat, kernel in pairs(steps, weights.kernels, network.weights(params)):
        np.testing.assert_array_equal(true(step, flat), np.ravel(kernel))
        assert not np.asarray(flat)[~existing(step)].any()
    (bias,) = [leaf for path, leaf in jax.tree_util.tree_leaves_with_path(params) if leaf.shape == (4,) and "bias" in str(path[-1])]
    np.testing.assert_array_equal(weights.biases[-1], bias)


def test_gradients_and_codes_are_those_of_the_discrete_network(setup):
    steps, network, weights, params, batch = setup
    with jax.enable_x64(True):
        wide = jax.tree.map(lambda a: jnp.asarray(a, jnp.float64), params)
        inputs, targets = jnp.asarray(batch.inputs, jnp.float64), jnp.asarray(batch.targets)

        def discrete(ws):
            def value(ws):
                return cross_entropy(network.forward(network.with_weights(wide, ws), inputs, norm="batch").outputs, targets)

            tap = Tap(layer=lambda y, _: (y, (y > 0).reshape(len(y), -1)))
            return jax.grad(value)(ws), list(network.forward(wide, inputs, norm="init", tap=tap).layers.values())

        expected, codes = Pieced(discrete)(network.weights(wide))  # whose layers repeat
        flat = Weights(*([None if a is None else jnp.asarray(a, jnp.float64) for a in part] for part in weights))
        passes = StepPasses(Pieces(), steps, flat)
        grads, _ = passes.gradients(Batch(inputs, targets), classification, "batch")
        results = passes.kernels(inputs, "init", layers=True)
    for step, mine, theirs in pairs(steps, grads, expected):
        np.testing.assert_allclose(true(step, mine), np.ravel(theirs), rtol=1e-9, atol=1e-13)
        assert not np.asarray(mine)[~existing(step)].any()
    for _, result, code in pairs(steps, results, codes):
        agree = (np.asarray(code)[:, None] == np.asarray(code)[None]).sum(-1)
        np.testing.assert_array_equal(result["layer_kernel"], agree)


def test_naswot_and_synflow_are_those_of_the_discrete_network(setup):
    """Naswot: every ReLU counts as often as the authors' hooks count it, also one that several operations share here."""
    steps, network, weights, params, batch = setup
    batches = (Batch(jnp.asarray(batch.inputs, jnp.float32), jnp.asarray(batch.targets)),)
    proxies = {"naswot": naswot, "synflow": synflow}
    mine = StepsProgram(steps, proxies, "torch", classification, "batch", True)(weights, None, batches, None, None)
    theirs = Pieced(lambda params: compute_scores(proxies, network, params, batches))(params)
    for label in proxies:
        assert to_float(mine[label]) == pytest.approx(to_float(theirs[label]), rel=1e-5)


def test_synflow_of_positive_weights_is_the_same_in_every_layer():
    """Synflow is conserved along a chain: sum w dR/dw is R in every layer, where there are no biases before the layer."""
    steps = plainnet_steps(parse_blocks(CHAIN, 3), 4, SIZE)
    weights = draw(steps, jax.random.key(0), "torch")
    grads, exponent = StepPasses(Pieces(), steps, weights).synflow(SIZE)
    flows = [
        float((np.abs(np.asarray(w, np.float64)) * np.asarray(g)).sum()) * 2.0 ** int(exponent)
        for w, g in zip(weights.kernels, grads, strict=True)
    ]
    np.testing.assert_allclose(flows, flows[0], rtol=1e-5)


def test_signal_to_noise_ratio_leaves_out_what_does_not_exist():
    values = jnp.asarray([[1.0, 4.0, 0.0, 2.5, 0.0]])
    there = jnp.asarray([[True, True, False, True, False]])
    np.testing.assert_allclose(layer_snr(values, there), 7.5 / np.std([1, 4, 2.5], ddof=1), rtol=1e-6)
    np.testing.assert_allclose(layer_snr(values * 0 + 2 * there.astype(values.dtype), there), 6)  # equal values have no deviation


def test_key_of_an_architecture():
    genes, key = jnp.asarray([3, 0, 7], jnp.int32), jax.random.key(1)
    assert (jax.random.key_data(fold_in(key, genes)) == jax.random.key_data(one_by_one(key, genes))).all()


PROXIES = {name: proxy for name, proxy in jaxzc.PROXIES.items() if form(proxy) is not None}


def test_a_proxy_of_the_users_own_says_what_it_is_over_layers():
    @jaxzc.proxy(direction="higher", over_layers=lambda power: "terms" if power > 0 else None)
    def largest(loss_grads, *, power=1.0):
        return sum((jnp.abs(g).max(1) ** power).sum() for g in loss_grads)

    @jaxzc.proxy(direction="higher", over_layers="terms")
    def of_the_whole_network(logits):
        return jnp.abs(logits).sum()

    assert form(largest) == "terms"
    assert form(jaxzc.with_settings(largest, power=0.0)) is None
    assert form(of_the_whole_network) is None  # steps have no logits to give
    with pytest.raises(JaxzcError, match="over_layers='sum': expected 'terms' or 'kernels'"):
        jaxzc.proxy(over_layers="sum")  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def scores(chain):
    """Label -> (in steps, discrete)."""
    steps, network, weights, params, batch = chain
    batches = [Batch(jnp.asarray(x, jnp.float32), jnp.asarray(batch.targets)) for x in (batch.inputs, batch.inputs[::-1] ** 2)]
    program = StepsProgram(steps, PROXIES, "torch", classification, "batch", True)
    mine = jax.device_get(program(weights, None, batches, None, None))
    theirs = jax.device_get(jax.jit(lambda p, b: compute_scores(PROXIES, network, p, b))(params, batches))
    return {label: (to_float(mine[label]), to_float(theirs[label])) for label in PROXIES}


@pytest.mark.parametrize("label", PROXIES)
def test_scores_are_those_of_the_discrete_network(scores, label):
    mine, theirs = scores[label]
    size = abs(scores["snip"][1]) if label == "plain" else abs(theirs)  # plain is a difference of large sums
    assert np.isfinite(theirs)
    assert mine == pytest.approx(theirs, abs=size * (3e-3 if "zico" in label else 1e-4))


def test_a_scorer_is_the_same_in_another_process():
    batch = Batch(np.random.default_rng(0).standard_normal((4, 8, 8, 3)).astype(np.float32), np.arange(4))
    scorer = SpaceScorer(NATS, batch, "l2_norm,params")
    other = pickle.loads(pickle.dumps(scorer))
    assert other.dispatcher.programs.takes_steps
    assert other.dispatcher.programs is not scorer.dispatcher.programs
    assert scorer.with_batches(batch).dispatcher.programs is scorer.dispatcher.programs
    arch = NATS.parse("8:24:16:16:40")
    assert other.one(arch, 3) == scorer.one(arch, 3)


def doubled():
    return lambda x: 2 * x


def test_a_dry_run_knows_what_is_held_at_a_time():
    pieces, size = Pieces(), 4 * 8 * 4
    value = jax.ShapeDtypeStruct((4, 8), jnp.float32)
    for _ in range(5):
        value = pieces(doubled, (), value)  # the one before is let go of when the next is there
    assert (pieces.live, pieces.most) == (size, 2 * size)
    kept = [pieces.on_host(jax.ShapeDtypeStruct((4, 8), jnp.float32)) for _ in range(5)]
    assert (pieces.live, pieces.most) == (6 * size, 6 * size)
    del kept, value
    assert (pieces.live, len(pieces.needed)) == (0, 1)


def planned(chain):
    """The pieces that a chain needs, without compiling them."""
    pieces = Pieces()
    steps = plainnet_steps(parse_blocks(chain, 3), 4, SIZE)
    batch = Batch(jax.ShapeDtypeStruct((4, *SIZE), jnp.float32), jax.ShapeDtypeStruct((4,), jnp.int32))
    StepsProgram(steps, {"zico": zico, "naswot": naswot}, "torch", classification, "batch", True, pieces).plan((batch, batch))
    return set(pieces.needed)


def test_other_widths_and_depths_need_no_new_pieces():
    first = planned("SuperConvK3BNRELU(3,6,1,1)SuperResIDWE2K3(6,8,2,6,2)SuperConvK1BNRELU(8,9,1,1)")
    other = planned("SuperConvK3BNRELU(3,5,1,1)SuperResIDWE2K3(5,7,2,6,4)SuperConvK1BNRELU(7,11,1,1)")
    assert other <= first
    assert planned("SuperConvK3BNRELU(3,9,1,1)SuperConvK1BNRELU(9,9,1,1)") - first


@pytest.mark.parametrize(
    ("proxies", "space", "options", "expected"),
    [
        ("zico,naswot,tcet_snip,synflow,params", {}, {}, True),
        ("zico", {"residual": True}, {}, False),
        ("zico", {}, {"norm": "init"}, False),
        ("zico", {}, {"pieces": True}, False),
        ("zico,zen", {}, {}, False),
        ("synflow(log=True)", {}, {}, False),
        ("sweet_snip(interval=(0,1e-3))", {}, {}, False),
        ("sweet_snip(interval=(1e-4,1e-3))", {}, {}, True),
    ],
)
def test_what_is_scored_in_steps(proxies, space, options, expected):
    resnet: Any = jaxzc.space("resnet_zen", classes=4, inputs=SIZE, **space)
    batch = np.ones((2, *SIZE), np.float32), np.arange(2)
    scorer = SpaceScorer(resnet, [batch, batch], proxies, **options)
    assert (scorer.dispatcher.programs.in_steps(tuple(resnet.initial.tolist())) is not None) == expected


def test_a_generation_side_by_side_has_the_scores_of_one_after_another(monkeypatch: pytest.MonkeyPatch) -> None:
    """More architectures than programs in the cache, one of them twice; in threads that know of the flags of this one."""
    monkeypatch.setattr(generation, "processors", lambda: 3)
    monkeypatch.setattr(programs, "MOST_IN_PIECES", 2)
    rng = np.random.default_rng(0)
    batch = rng.standard_normal((4, 8, 8, 3)).astype(np.float32), np.arange(4)
    archs = np.pad([[0, 0], [0, 1], [1, 1], [0, 1]], ((0, 0), (0, 3)))
    with jax.default_matmul_precision("highest"):
        scorer = SpaceScorer(NATS, [batch], "naswot,params")
        together, compiled, plans = scorer.many(archs, seed=1), set(PIECES.executables), scorer.compilations
        assert together == [SpaceScorer(NATS, [batch], "naswot,params").one(arch, seed=1) for arch in archs]
        assert set(PIECES.executables) == compiled
    assert plans == len(np.unique(archs, axis=0))
    assert together[1] == together[3] != together[0]
    assert list(scorer.each(archs, seed=1)) == together
    assert scorer.width == scorer.chunk > 1


def test_pieces_are_compiled_ahead_and_stored(tmp_path, monkeypatch):
    for name, empty in (("executables", OrderedDict()), ("shapes", {}), ("stored", {})):
        monkeypatch.setattr(PIECES, name, empty)
    space = jaxzc.space("resnet_zen", classes=4, inputs=SIZE)
    batch = np.ones((2, *SIZE), np.float32), np.arange(2)
    archs = np.stack(list(islice(walk(space, np.random.default_rng(0), lambda archs: space.counts(archs).params < 2e5), 3)))
    assert (space.counts(archs).params < 2e5).all()
    before = jax.config.jax_compilation_cache_dir  # pyright: ignore[reportAttributeAccessIssue]
    try:
        jax.config.update("jax_compilation_cache_dir", str(tmp_path))
        (state,) = warm(SpaceScorer(space, [batch, batch], "l2_norm"), archs)
    finally:
        jax.config.update("jax_compilation_cache_dir", before)
    assert state.architectures == 3
    assert state.pieces == state.stored == len(list((tmp_path / "programs").iterdir())) > 0
    assert state.bytes > 0
    with pytest.raises(JaxzcError, match="no pieces to compile ahead"):
        next(warm(SpaceScorer(space, [batch, batch], "zen"), archs))


@pytest.mark.parametrize(
    ("proxies", "batches", "images", "match"),
    [
        ("zico", 1, 2, "zico: needs the gradients of at least 2 batches and got 1"),
        ("naswot", 1, 1, "naswot: needs at least 2 examples in the batch and got 1"),
        ("tcet_snip(compress='sqrt')", 1, 2, r"tcet_snip\(compress='sqrt'\): compress='sqrt'"),
    ],
)
def test_what_cannot_be_scored_is_said_as_elsewhere(proxies, batches, images, match):
    resnet: Any = jaxzc.space("resnet_zen", classes=4, inputs=SIZE)
    batch = np.ones((images, *SIZE), np.float32), np.arange(images)
    scorer = SpaceScorer(resnet, [batch] * batches, proxies)
    with pytest.raises(JaxzcError, match=match):
        scorer.one(resnet.initial)
    assert scorer.dispatcher.programs.in_steps(tuple(resnet.initial.tolist())) is not None
