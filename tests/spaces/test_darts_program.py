"""The program of DARTS, genotype as data, equals the discrete network of the authors' structure: logits, derivatives, taps and proxies."""

from functools import cache
from operator import attrgetter
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jaxzc_spaces.core.layers import depthwise as discrete_depthwise
from jaxzc_spaces.core.passes import Pass
from jaxzc_spaces.darts import steps
from jaxzc_spaces.darts.space import OPS, Darts
from jaxzc_spaces.darts.steps import depthwise, grouped

from jaxzc._compile.pieces import Pieced
from jaxzc.definitions.signatures import needs
from jaxzc.ingredients import RESOLVER
from jaxzc.ingredients.examples import example_grads
from jaxzc.ingredients.maps import map_shapes
from jaxzc.proxies import PROXIES
from jaxzc.scoring.compute import compute_scores, traced_proxies
from jaxzc.scoring.results import to_float
from jaxzc.scoring.space import SpaceScorer
from jaxzc.tasks import classification, cross_entropy
from jaxzc.types import Batch, InputSpec, JaxzcError, Tap
from tests.support.by_hand import slopes
from tests.support.counted import Counted

SIZE: dict[str, Any] = {"channels": 2, "classes": 3, "inputs": (8, 8, 3)}
SMALL: Any = Darts(cells=3, **SIZE)  # a cell, and two reductions
DEEPER = Darts(cells=6, affine=False, **SIZE)  # the first two cells are one run
MIXED = "max_pool_3x3,0 sep_conv_5x5,1 sep_conv_3x3,0 none,2 dil_conv_5x5,3 skip_connect,1 dil_conv_3x3,0 dil_conv_3x3,0"


def cell(text: str) -> list[int]:
    return [number for edge in text.split() for number in (OPS.index(edge.split(",")[0]), int(edge.split(",")[1]))]


WITH_NONE = cell(MIXED) + cell(MIXED)
CONVOLUTIONS = cell(
    "sep_conv_3x3,0 dil_conv_5x5,1 sep_conv_5x5,2 dil_conv_3x3,1 sep_conv_3x3,3 sep_conv_5x5,0 dil_conv_3x3,4 avg_pool_3x3,1"
) + cell("sep_conv_5x5,0 dil_conv_5x5,1 skip_connect,0 sep_conv_3x3,1 avg_pool_3x3,0 max_pool_3x3,2 dil_conv_3x3,1 dil_conv_5x5,4")
WITHOUT_RELU = cell("skip_connect,0 max_pool_3x3,1 avg_pool_3x3,2 skip_connect,1 none,0 none,1 max_pool_3x3,4 skip_connect,3") + cell(
    "skip_connect,0 skip_connect,1 skip_connect,2 none,1 none,0 none,1 avg_pool_3x3,1 max_pool_3x3,0"
)
GENOTYPES: dict[str, Any] = {"none and repeats": WITH_NONE, "convolutions": CONVOLUTIONS, "no convolution": WITHOUT_RELU}


@cache
def params_of(space: Darts) -> Any:
    """Float64 parameters of the program, scales and biases away from 1 and 0, so that every one takes part."""
    drawn, rng = jax.device_get(space.program().init(jax.random.key(0))), np.random.default_rng(0)
    return jax.tree.map(lambda a: a.astype(np.float64) + 0.1 * rng.standard_normal(a.shape), drawn)


def batches(space: Darts) -> list[Batch]:
    rng = np.random.default_rng(1)
    return [Batch(rng.standard_normal((4, *space.inputs.shape)), np.array([0, 2, 1, 1])) for _ in range(2)]


def quantities(network: Any, params: Any, batch: Batch, second: bool) -> dict[str, Any]:
    """Logits and gradients of all parameters and images in train mode; with `second`, a Hessian-vector product."""

    def loss(params: Any, images: Any) -> Any:
        logits = network.forward(params, images, norm="batch").outputs
        return cross_entropy(logits, batch.targets), logits

    def gradient(params: Any) -> Any:
        (grads, input_grads), logits = jax.grad(loss, (0, 1), has_aux=True)(params, jnp.asarray(batch.inputs))
        return grads, {"input gradients": input_grads, "logits": logits}

    if not second:
        grads, others = gradient(params)
        return {"gradients": grads, **others}
    grads, pull, others = jax.vjp(gradient, params, has_aux=True)
    return {"gradients": grads, "curvature": pull(grads)[0], **others}


@cache
def program_of(space: Darts, second: bool) -> Any:
    return Counted(lambda genes, params, batch: quantities(space.program().network(genes), params, batch, second))


def agree(space: Darts, name: str, second: bool) -> None:
    genes, batch, program = tuple(GENOTYPES[name]), batches(space)[0], program_of(space, second)
    with jax.enable_x64(True):
        params = params_of(space)
        ours = program(jnp.asarray(genes, jnp.int32), params, batch)
        assert program.compilations == 1, "one program for every genotype"
        discrete = Pieced(lambda params, batch: quantities(space.network(genes), params, batch, second))
        theirs = discrete(space.program().discrete_params(params, genes), batch)
        for quantity in {"gradients", "curvature"} & theirs.keys():  # of parameters; those that the genotype has not get none
            sizes = [sum(float(jnp.abs(a).sum()) for a in jax.tree.leaves(made[quantity])) for made in (ours, theirs)]
            np.testing.assert_allclose(*sizes, rtol=1e-9)
            ours[quantity] = space.program().discrete_params(ours[quantity], genes)
    assert jax.tree.structure(ours) == jax.tree.structure(theirs)
    for quantity, value in theirs.items():
        for a, b in zip(jax.tree.leaves(ours[quantity]), jax.tree.leaves(value), strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-8, atol=1e-11, err_msg=quantity)


@pytest.mark.parametrize("name", GENOTYPES)
def test_logits_and_gradients_equal_those_of_the_discrete_network(name: str) -> None:
    agree(SMALL, name, second=False)


@pytest.mark.slow
@pytest.mark.parametrize("name", GENOTYPES)
def test_second_derivatives_do_too(name: str) -> None:
    agree(DEEPER, name, second=True)


SIZES = {
    "runs of three cells": Darts(cells=9, **SIZE),
    "without scales": DEEPER,
    "imagenet": Darts(cells=2, stem="imagenet", channels=2, classes=3, inputs=InputSpec((32, 32, 3))),
    "auxiliary": Darts(cells=3, auxiliary=True, channels=2, classes=3),
    "one cell": Darts(cells=1, **SIZE),
}


@pytest.mark.parametrize("size", [pytest.param(s, marks=() if s == "one cell" else pytest.mark.slow) for s in SIZES])
def test_norm_modes_and_taps_equal_those_of_the_discrete_network(size: str) -> None:
    """What exists is as many layers, ReLUs, normalisations and maps as the discrete network has, with the same values, in the same cells;
    what does not exist keeps zeros."""
    space, images = SIZES[size], batches(SIZES[size])[0].inputs
    size_of = lambda x: jnp.square(x).sum()  # noqa: E731
    tap = Tap(layer=lambda y, _: (y, size_of(y)), cell=lambda y, _: (y, size_of(y)), activation=size_of, norm=size_of)

    def run(network: Any, params: Any) -> Any:
        read = network.forward(params, images, norm="batch", tap=tap)
        logits = {norm: attrgetter("outputs", "exponent")(network.forward(params, images, norm=norm)) for norm in ("init", "none")}
        return read, logits, network.active(), network.activation_counts()

    with jax.enable_x64(True):
        params = params_of(space)
        program = Counted(lambda genes, params: run(space.program().network(genes), params))
        for genes in GENOTYPES.values():
            ours, modes, there, counts = jax.device_get(program(jnp.asarray(genes, jnp.int32), params))
            network = space.network(genes)
            discrete = Pieced(lambda params, network=network: run(network, params))
            theirs, their_modes, _, their_counts = jax.device_get(discrete(space.program().discrete_params(params, genes)))
            on = np.concatenate(there)
            cells = np.concatenate([group.cells for group in space.program().groups])
            assert on.sum() == space.counts(np.array(genes)).layers[0]
            assert sorted(cells[on]) == sorted(c for group in network.groups for c in group.cells)
            np.testing.assert_allclose(ours.outputs, theirs.outputs, rtol=1e-9, atol=1e-12)
            np.testing.assert_allclose(modes["init"][0], their_modes["init"][0], rtol=1e-9, atol=1e-12)
            np.testing.assert_allclose(*(np.ldexp(m["none"][0], m["none"][1]) for m in (modes, their_modes)), rtol=1e-9)
            there, at = space.program().network(jnp.asarray(genes)), lambda kept: np.concatenate(list(kept.values()))
            assert list(ours.layers) == [group.name for group in there.groups]
            assert list(ours.activations) == list(counts) == [group.name for group in there.activations]
            last = ours.activations.pop("last_relu")
            for mine, other in ((ours.activations, theirs.activations), (ours.norms, theirs.norms)):
                values = at(mine)
                np.testing.assert_allclose(np.sort(values[values != 0]), np.sort(at(other)), rtol=1e-9)
            np.testing.assert_allclose(np.sort(at(ours.layers)[on]), np.sort(at(theirs.layers)), rtol=1e-9)
            np.testing.assert_allclose(at(ours.cells), at(theirs.cells), rtol=1e-9)
            np.testing.assert_allclose(last[-1], theirs.activations[network.activations[-1].name][-1], rtol=1e-9)
            assert not counts.pop("last_relu").any()
            for weigh in (lambda way: 1, len):  # each ReLU once, and with the blocks around it
                mine, other = (
                    {group.name: c[group.name] @ [weigh(way) for way in group.modules] for group in n.activations if group.name in c}
                    for n, c in ((there, counts), (network, their_counts))
                )
                assert at(mine).sum() == at(other).sum()
                weighed = [
                    sum((c[name] * kept[name]).sum() for name in c) for c, kept in ((mine, ours.activations), (other, theirs.activations))
                ]
                np.testing.assert_allclose(*weighed, rtol=1e-9)
        assert program.compilations == 1


BY_GROUP = {"meco_opt"}
"""Proxies that draw channels for each group of layers, which the two networks have others of."""
# Logarithms of determinants and eigenvalues lose digits, as do thresholds; everything else agrees nearly to the last bit.
RTOL = {"jacob_cov": 1e-6, "ntk_condition": 1e-5, "ntk_condition_init": 1e-5, "vkdnw": 1e-5, "epe_nas": 1e-6}
SIGNS = {"gradsign", "grad_conflict", "sweet_gradsign"}
"""Proxies that count signs of single examples' gradients, zeros that were rounded among them: the mean of a normalised map is its bias, so
the head gives the last cell's kernels no gradient from a batch of one."""


def rounded_zeros(network: Any, params: Any, batch: Batch) -> int:
    """How many single examples' gradients are zero but for rounding."""
    made = example_grads(network, params, (batch,), classification, "batch", wanted=frozenset(["example_grads"]))
    return sum(int(((g != 0) & (jnp.abs(g) < 1e-12)).sum()) for g in made["example_grads"])


@pytest.mark.slow
@pytest.mark.parametrize("name", ["convolutions", "none and repeats"])
def test_every_proxy_equals_that_of_the_discrete_network(name: str) -> None:
    """Kernels and probes that proxies draw anew are drawn once and given to both."""
    space, genes, root = SMALL, tuple(GENOTYPES[name]), jax.random.key(7)
    chosen = {n: f for n, f in PROXIES.items() if n not in BY_GROUP}
    size = np.float64(space.counts(np.array(genes)).params[0])

    def scores(network: Any, params: Any, batches: Any, given: Any) -> Any:
        return compute_scores(traced_proxies(chosen), network, params, batches, key=root, fixed={"param_count": size, **given})

    with jax.enable_x64(True):
        params, data, traced = params_of(space), batches(space), jnp.asarray(genes, jnp.int32)
        network, fresh = space.program().network(traced), {}
        for name, function in RESOLVER.functions.items():
            if name.endswith("_params"):
                given = {"network": network, "params": params, "key": root}
                fresh[name] = function(*(given[need] for need in needs(function)))
        cut = lambda p: space.program().discrete_params(p, genes)  # noqa: E731
        given = {n: jax.vmap(cut)(p) if n == "swap_params" else cut(p) for n, p in fresh.items()}
        discrete, rng = space.network(genes), np.random.default_rng(2)
        for each, to in ((network, fresh), (discrete, given)):
            rng = np.random.default_rng(2)
            shapes = map_shapes(each, fresh["az_params"] if each is network else given["az_params"], data[0].inputs, "batch")
            to["az_probes"] = [
                jnp.asarray(np.stack([rng.choice([-1.0, 1.0], s.shape[1:]) for _ in range(len(s))])) for s in shapes.values()
            ]
        ours = jax.jit(lambda g, p, b, f: scores(space.program().network(g), p, b, f))(traced, params, data, fresh)
        theirs = jax.jit(lambda p, b, f: scores(discrete, p, b, f))(cut(params), data, given)
        atol = dict.fromkeys(SIGNS, 2.0 * rounded_zeros(discrete, cut(params), data[0]))
    wrong = [
        f"{n}: {to_float(ours[n])!r} != {to_float(theirs[n])!r}"
        for n in theirs
        if not np.allclose(to_float(ours[n]), to_float(theirs[n]), rtol=RTOL.get(n, 1e-8), atol=atol.get(n, 1e-12), equal_nan=True)
    ]
    assert not wrong, "\n".join(wrong)


def test_perturbations_reach_their_layers() -> None:
    """The derivative by a shift of every layer's output is that of the discrete network, and zero where there is no layer."""
    genes, images = GENOTYPES["none and repeats"], batches(SMALL)[0].inputs
    with jax.enable_x64(True):
        params, traced = params_of(SMALL), jnp.asarray(genes, jnp.int32)
        ours, there = jax.jit(lambda g, p: (slopes(n := SMALL.program().network(g), p, images), n.active()))(traced, params)
        discrete = Pieced(lambda params: slopes(SMALL.network(genes), params, images))
        theirs = discrete(SMALL.program().discrete_params(params, genes))
    ours, on = np.concatenate(ours), np.concatenate(there)
    assert not ours[~on].any()
    np.testing.assert_allclose(np.sort(ours[on]), np.sort(np.concatenate(theirs)), rtol=1e-8, atol=1e-12)


@pytest.mark.parametrize(("reach", "dilation"), [(1, 1), (2, 1), (1, 2), (2, 2)])
def test_depthwise_convolutions_and_their_gradients(reach: int, dilation: int) -> None:
    """As sums of shifted images, and as a grouped convolution, against the discrete network's."""
    rng, size = np.random.default_rng(0), 2 * reach + 1
    with jax.enable_x64(True):
        x, w = jnp.asarray(rng.standard_normal((2, 6, 7, 3))), jnp.asarray(rng.standard_normal((size, size, 1, 3)))

        def program(op: Any) -> Any:
            def run(x: jax.Array, w: jax.Array) -> jax.Array:
                return op(x, jnp.pad(w, ((2 - reach,) * 2, (2 - reach,) * 2, (0, 0), (0, 0)))[:, :, 0])

            return run

        ours = program(lambda x, w: depthwise(x, w, jnp.int32(reach), jnp.int32(dilation)))
        accelerators = program(lambda x, w: grouped(x, w, jnp.int32(dilation)))

        def derivatives(op: Any) -> Any:
            def loss(x: jax.Array, w: jax.Array) -> jax.Array:
                return jnp.sin(op(x, w)).sum()

            def run(x: jax.Array, w: jax.Array) -> Any:
                grads, pull = jax.vjp(jax.grad(loss, (0, 1)), x, w)
                return op(x, w), grads, pull(grads)

            return jax.jit(run)(x, w)

        reference = derivatives(lambda x, w: discrete_depthwise(x, w, Pass(), 1, dilation))
        for op in (ours, accelerators):
            for a, b in zip(jax.tree.leaves(derivatives(op)), jax.tree.leaves(reference), strict=True):
                np.testing.assert_allclose(a, b, rtol=1e-10, atol=1e-12)


@jax.jit
def forms(x: jax.Array, w: jax.Array, ct: jax.Array, *plan: jax.Array) -> Any:
    """Values and kernels' gradients, each in both forms."""
    return (
        (steps.grouped(x, w, plan[1]), steps._taps(x, w, *plan)),
        (steps.grouped_kernel(x, ct, *plan), steps._taps_kernel(x, ct, *plan)),
    )


@pytest.mark.parametrize("turned", [1, -1])
@pytest.mark.parametrize(("reach", "dilation"), [(1, 1), (2, 2)])
def test_forms_for_accelerators_equal_those_for_cpus(reach: int, dilation: int, turned: int) -> None:
    rng = np.random.default_rng(0)
    x, ct = (jnp.asarray(rng.standard_normal((2, 6, 7, 3)), jnp.float32) for _ in range(2))
    inner = (np.abs(np.arange(5) - 2) <= reach).astype(np.float32)
    w = jnp.asarray(rng.standard_normal((5, 5, 3)), jnp.float32) * inner[:, None, None] * inner[None, :, None]
    values, kernels = forms(x, w, ct, jnp.int32(reach), jnp.int32(turned * dilation))
    np.testing.assert_allclose(*values, rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(*kernels, rtol=1e-4, atol=1e-4)


def test_one_compilation_scores_every_genotype() -> None:
    archs = np.array(list(GENOTYPES.values()), np.int32)
    scorer = SpaceScorer(SMALL, (np.float32(batches(SMALL)[0].inputs), np.array([0, 2, 1, 1])), ["l2_norm"])
    rows = scorer.many(archs)
    assert SMALL.program_keys(archs).shape == (3, 0)
    assert scorer.compilations == 1
    assert scorer.programs(archs[0]).draw.compilations == 1  # type: ignore[attr-defined]
    assert len({row["l2_norm"] for row in rows}) == 3
    assert scorer.one(archs[1]) == rows[1]


@pytest.mark.slow
def test_the_memory_of_a_pass_does_not_grow_with_the_cells_of_a_run() -> None:
    """But by their own kernels and outputs: a cell's states are held once."""

    def temporaries(cells: int) -> int:
        space = Darts(cells=cells, **SIZE)
        genes = jax.ShapeDtypeStruct((32,), jnp.int32)
        params = jax.eval_shape(space.program().init, jax.random.key(0))
        run = jax.jit(lambda g, p, x: space.program().network(g).forward(p, x, norm="batch").outputs)
        images = jax.ShapeDtypeStruct((64, 8, 8, 3), jnp.float32)
        plan: Any = run.lower(genes, params, images).compile().memory_analysis()
        return plan.temp_size_in_bytes

    assert temporaries(12) < 1.2 * temporaries(6)


def test_parameters_are_of_the_program_and_are_cut_for_one_genotype() -> None:
    program, arch = SMALL.program(), np.array(WITH_NONE)
    params = jax.eval_shape(program.init, jax.random.key(0))
    assert "runs" in params
    own = jax.eval_shape(lambda p: program.discrete_params(p, arch), params)
    assert "cell0" in own
    assert jax.tree.structure(own) == jax.tree.structure(jax.eval_shape(SMALL.network(arch).init, jax.random.key(0)))


def test_genes_of_any_kind_give_the_same_networks() -> None:
    """What a network is does not depend on the kind of array that holds its genes, or on who holds it."""
    for genes in (WITH_NONE, tuple(WITH_NONE), np.array(WITH_NONE), jnp.asarray(WITH_NONE)):
        assert SMALL.network(genes).blueprint is SMALL.network(WITH_NONE).blueprint
        assert [group.name for group in SMALL.program().network(genes).groups] == [group.name for group in SMALL.program().groups]
    with pytest.raises(JaxzcError, match=r"genes of type \w+ are no integers; expected 32 of them, and where genes are traced"):
        jax.eval_shape(SMALL.network, jax.ShapeDtypeStruct((32,), jnp.int32))
