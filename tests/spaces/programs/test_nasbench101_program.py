"""NAS-Bench-101's programs with edges and operations as arguments equal the discrete networks: logits, derivatives, every proxy."""

from functools import cache
from operator import attrgetter
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jaxzc_spaces.core.passes import Pass
from jaxzc_spaces.nasbench101.encoding import CHOICES, CONV1, CONV3, EDGES, POOL
from jaxzc_spaces.nasbench101.network import max_pool2x2
from jaxzc_spaces.nasbench101.space import NasBench101

from jaxzc._compile.pieces import Pieced
from jaxzc.ingredients import RESOLVER
from jaxzc.proxies import PROXIES
from jaxzc.scoring.compute import compute_scores, traced_proxies
from jaxzc.scoring.space import SpaceScorer
from jaxzc.spacekit import key_of
from jaxzc.tasks import cross_entropy
from jaxzc.types import Batch, InputSpec, JaxzcError, Tap
from tests.support.against_discrete import BY_GROUP, assert_equal_scores, drawn_anew
from tests.support.by_hand import slopes
from tests.support.counted import Counted


def cell(edges: list[tuple[int, int]], ops: list[int]) -> np.ndarray:
    genes = np.zeros(len(CHOICES), np.int32)
    genes[[EDGES.index(edge) for edge in edges]] = 1
    genes[len(EDGES) :][: len(ops)] = ops
    return genes


CELLS = {
    # Two vertices lead to the output; in the first also the input does.
    "two": cell([(0, 1), (1, 2), (0, 3), (2, 4), (3, 4), (4, 6), (2, 6), (0, 6)], [CONV3, POOL, CONV1, CONV3]),
    "two, pools": cell([(0, 2), (2, 5), (0, 5), (2, 6), (5, 6)], [CONV3, POOL, CONV3, CONV3, POOL]),
    "chain": cell([(0, 1), (1, 2), (2, 3), (3, 4), (4, 5), (5, 6), (0, 3), (1, 4)], [CONV3, CONV1, POOL, CONV3, CONV1]),
    "skip": cell([(0, 1), (1, 6), (0, 6)], [CONV1]),
    # Vertex 2 leads nowhere, nothing leads to vertex 3.
    "dead": cell([(0, 1), (0, 2), (3, 5), (1, 5), (5, 6)], [CONV3, CONV3, CONV1, CONV3, POOL]),
    "none": cell([(0, 6)], []),
    # 8 = 3 + 3 + 2 channels, vertex 2 as wide as what it feeds; and a vertex that gives a narrower one its first channels.
    "three": cell([(0, 1), (1, 2), (0, 3), (0, 4), (2, 6), (3, 6), (4, 6)], [CONV3, CONV1, CONV3, POOL]),
    "three, narrower": cell([(0, 1), (1, 2), (1, 3), (1, 6), (2, 6), (3, 6), (2, 3)], [CONV1, CONV3, CONV3]),
    "four": cell([(0, 1), (0, 2), (0, 3), (1, 4), (1, 6), (2, 6), (3, 6), (4, 6)], [CONV3, CONV1, CONV3, POOL]),
}
SPACE: Any = NasBench101(8, 1, 3, InputSpec((8, 8, 3)))
DEEPER: Any = NasBench101(6, 2, 3, InputSpec((8, 8, 3)))


@pytest.mark.slow
def test_the_benchmark_has_nine_programs() -> None:
    archs = NasBench101().enumerate()
    keys, members = np.unique(NasBench101().program_keys(archs), axis=0, return_counts=True)
    assert len(keys) == 9
    assert keys[0].tolist() == [1, *[128] * 5, *[256] * 5, *[512] * 5]
    assert members[:2].tolist() == [120_934, 201_441]
    assert len(np.unique(NasBench101(96).program_keys(archs[::7]), axis=0)) == 4, "96 channels divide by 2, 3 and 4"


def test_keys_are_the_widths() -> None:
    keys = SPACE.program_keys(np.stack(list(CELLS.values())))
    assert dict(zip(CELLS, keys[:, 0].tolist(), strict=True))["three"] == 3
    assert keys[list(CELLS).index("three")].tolist() == [3, 3, 3, 3, 2, 2, 6, 6, 5, 5, 5, 11, 11, 11, 10, 10]
    assert len({tuple(row) for row, name in zip(keys.tolist(), CELLS, strict=True) if name in ("chain", "skip", "dead", "none")}) == 1
    with pytest.raises(JaxzcError, match="no path leads from the input to the output of the cell"):
        SPACE.program_keys(np.zeros((2, 26), int))
    with pytest.raises(JaxzcError, match=r"the key \(\): expected 16 numbers, a row of space.program_keys"):
        SPACE.program(())


@cache
def params_of(space: NasBench101, key: tuple[int, ...]) -> Any:
    """Float64 parameters of a program, scales and shifts away from 1 and 0, so that every parameter takes part."""
    rng = np.random.default_rng(0)
    drawn = jax.device_get(space.program(key).init(jax.random.key(0)))
    return jax.tree.map(lambda a: a.astype(np.float64) + 0.1 * rng.standard_normal(a.shape), drawn)


def batches(space: NasBench101) -> tuple[Batch, Batch]:
    rng = np.random.default_rng(1)
    return tuple(Batch(jnp.asarray(rng.standard_normal((4, *space.inputs.shape))), jnp.asarray([0, 2, 1, 2])) for _ in range(2))  # type: ignore[return-value]


def quantities(network: Any, params: Any, batch: Batch, everything: bool) -> dict[str, Any]:
    """Logits and the gradients of all parameters and images in train mode; with `everything`, logits of all norm modes and a Hessian-vector
    product."""

    def loss(params: Any, images: Any) -> Any:
        return cross_entropy(network.forward(params, images, norm="batch").outputs, batch.targets)

    def gradient(params: Any) -> Any:
        return jax.grad(loss, (0, 1))(params, batch.inputs)

    if not everything:
        grads, input_grads = gradient(params)
        return {"logits": network.forward(params, batch.inputs, norm="batch").outputs, "input gradients": input_grads, "gradients": grads}
    (grads, input_grads), pull = jax.vjp(gradient, params)
    (curvature,) = pull((grads, jnp.zeros_like(input_grads)))
    modes = {
        norm: attrgetter("outputs", "exponent")(network.forward(params, batch.inputs, norm=norm)) for norm in ("batch", "init", "none")
    }
    return {"logits": modes, "input gradients": input_grads, "gradients": grads, "curvature": curvature}


@cache
def program_of(space: NasBench101, key: tuple[int, ...], everything: bool) -> Any:
    return Counted(lambda genes, params, batch: quantities(space.program(key).network(genes), params, batch, everything))


def agree(space: NasBench101, name: str, everything: bool) -> None:
    arch, key = CELLS[name], key_of(space, CELLS[name])
    with jax.enable_x64(True):
        params, batch = params_of(space, key), batches(space)[0]
        program = program_of(space, key, everything)
        ours = program(jnp.asarray(arch, jnp.int32), params, batch)
        assert program.compilations == 1, "one program for every cell of the key"
        discrete = Pieced(lambda params, batch: quantities(space.network(arch), params, batch, everything))
        theirs = discrete(space.program(key).discrete_params(params, arch), batch)
        for quantity in {"gradients", "curvature"} & theirs.keys():  # of parameters; those that the cell has not get none
            squares = [sum(float(jnp.square(a).sum()) for a in jax.tree.leaves(made[quantity])) for made in (ours, theirs)]
            np.testing.assert_allclose(*squares, rtol=1e-9)
            ours[quantity] = space.program(key).discrete_params(ours[quantity], arch)
    for quantity, value in theirs.items():
        for a, b in zip(jax.tree.leaves(ours[quantity]), jax.tree.leaves(value), strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-8, atol=1e-12 * max(1, np.abs(b).max()), err_msg=quantity)


@pytest.mark.parametrize("name", ["two", "two, pools"])
def test_logits_and_gradients_equal_those_of_the_discrete_network(name: str) -> None:
    agree(SPACE, name, everything=False)


def test_pools_have_their_derivatives_where_a_compiler_computes_their_input_twice() -> None:
    """XLA at the lowest level, the suite's, does so here, and does not round both times alike."""
    arch, key = CELLS["two"], key_of(SPACE, CELLS["two"])
    with jax.enable_x64(True):
        module = SPACE.network(arch).module(SPACE.program(key).discrete_params(params_of(SPACE, key), arch)).stacks[1][0]
        x = jnp.asarray(np.random.default_rng(6).standard_normal((4, 4, 4, 8)))
        gradient = jax.grad(lambda x: jnp.sin(max_pool2x2(module(x, Pass("batch")))).sum())
        compiled = jax.jit(gradient)(x)
        with jax.disable_jit():
            np.testing.assert_allclose(compiled, gradient(x), rtol=1e-9, atol=1e-12)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("space", "name"), [*((SPACE, name) for name in CELLS), (DEEPER, "chain"), (DEEPER, "three")], ids=lambda v: getattr(v, "modules", v)
)
def test_second_derivatives_and_all_norm_modes_do_too(space: NasBench101, name: str) -> None:
    agree(space, name, everything=True)


MAPS = {"map_entropies", "map_gains", "map_identities", "response_correlations"}
"""Ingredients that this space does not offer."""


@pytest.mark.slow
@pytest.mark.parametrize("name", ["two", "three"])
@pytest.mark.filterwarnings("ignore::jaxzc.UnavailableWarning")
def test_every_proxy_equals_that_of_the_discrete_network(name: str) -> None:
    """Kernels that proxies draw anew are drawn for the program and given to the discrete network."""
    arch, key = CELLS[name], key_of(SPACE, CELLS[name])
    chosen = {n: f for n, f in PROXIES.items() if not MAPS & RESOLVER.wanted({n: f}).keys() and n not in BY_GROUP}
    size = np.float64(SPACE.counts(arch).params[0])
    root = jax.random.key(7)

    def scores(network: Any, params: Any, batches: Any, given: Any) -> Any:
        return compute_scores(traced_proxies(chosen), network, params, batches, key=root, fixed={"param_count": size, **given})

    with jax.enable_x64(True):
        params, data = params_of(SPACE, key), batches(SPACE)
        shared = lambda genes: SPACE.program(key).network(genes)  # noqa: E731
        fresh = drawn_anew(shared(jnp.asarray(arch, jnp.int32)), params, root, without=frozenset({"az_params"}))
        ours = jax.jit(lambda g, p, b, f: scores(shared(g), p, b, f))(jnp.asarray(arch, jnp.int32), params, data, fresh)
        cut = lambda p: SPACE.program(key).discrete_params(p, arch)  # noqa: E731
        given = {n: jax.vmap(cut)(p) if n == "swap_params" else cut(p) for n, p in fresh.items()}
        theirs = jax.jit(lambda p, b, f: scores(SPACE.network(arch), p, b, f))(cut(params), data, given)
    assert_equal_scores(ours, theirs)


def test_taps_see_the_layers_of_the_discrete_network() -> None:
    """What exists is as many layers, ReLUs and normalisations as the discrete network has, in the same cells, with the same values; what
    does not exist keeps zeros."""
    name = "two"
    arch, key = CELLS[name], key_of(SPACE, CELLS[name])
    tap = Tap(layer=lambda y, _: (y, jnp.square(y).sum()), activation=lambda x: jnp.square(x).sum(), norm=lambda x: jnp.square(x).sum())
    params, images = params_of(SPACE, key), np.asarray(batches(SPACE)[0].inputs)
    discrete = SPACE.network(arch)
    shared = jax.jit(lambda genes, p: (SPACE.program(key).network(genes).forward(p, images, norm="batch", tap=tap), active(genes)))

    def active(genes: Any) -> Any:
        network = SPACE.program(key).network(genes)
        return network.active(), network.activation_counts()

    ours, (there, counts) = shared(jnp.asarray(arch, jnp.int32), params)
    run = Pieced(lambda params: discrete.forward(params, images, norm="batch", tap=tap))
    theirs: Any = run(SPACE.program(key).discrete_params(params, arch))
    on = np.concatenate(there)
    at = lambda kept: np.concatenate(list(kept.values()))  # noqa: E731
    assert on.sum() == len(at(theirs.layers)) == SPACE.counts(arch).layers[0]
    cells = np.concatenate([np.asarray(group.cells) for group in SPACE.program(key).groups])
    assert sorted(cells[on]) == sorted(c for group in discrete.groups for c in group.cells)
    # A compiled function gives the tap's mappings back in their order.
    assert list(ours.layers) == [group.name for group in SPACE.program(key).groups]
    for mine, other in ((ours.layers, theirs.layers), (ours.activations, theirs.activations), (ours.norms, theirs.norms)):
        values = at(mine)
        values = values[on] if mine is ours.layers else values[values != 0]
        np.testing.assert_allclose(np.sort(values), np.sort(at(other)), rtol=1e-4)
    assert list(counts) == list(ours.activations)
    assert at(counts).sum() == at(theirs.activations).size
    mine, other = ([*kept.activations.values()][-1][-1] for kept in (ours, theirs))
    np.testing.assert_allclose(mine, other, rtol=1e-4)  # the last ReLU is the last


@pytest.mark.slow  # every change tries it on DARTS, and here every proxy's quantities
def test_perturbations_reach_their_layers() -> None:
    """The derivative by a shift of every layer's output is that of the discrete network, and zero where there is no layer."""
    arch, key = CELLS["two"], key_of(SPACE, CELLS["two"])
    images = np.asarray(batches(SPACE)[0].inputs, np.float32)
    params = jax.tree.map(lambda a: np.asarray(a, np.float32), params_of(SPACE, key))
    ours, there = jax.jit(lambda g, p: (slopes(n := SPACE.program(key).network(g), p, images), n.active()))(
        jnp.asarray(arch, jnp.int32), params
    )
    discrete = Pieced(lambda params: slopes(SPACE.network(arch), params, images))
    theirs = discrete(SPACE.program(key).discrete_params(params, arch))
    ours, on = np.concatenate(ours), np.concatenate(there)
    assert not ours[~on].any()
    np.testing.assert_allclose(np.sort(ours[on]), np.sort(np.concatenate(theirs)), rtol=1e-3, atol=1e-5)


def test_cells_of_one_key_share_a_compilation() -> None:
    archs = np.stack([CELLS["two"], CELLS["chain"], CELLS["two, pools"]])
    scorer = SpaceScorer(SPACE, (np.asarray(batches(SPACE)[0].inputs, np.float32), np.array([0, 2, 1, 2])), ["l2_norm"])
    rows = scorer.many(archs)
    assert scorer.compilations == 2
    assert scorer.programs(archs[0]) is scorer.programs(archs[2])
    assert len({row["l2_norm"] for row in rows}) == 3
    assert scorer.one(archs[2]) == rows[2]
    assert [call.places.tolist() for call in scorer.dispatcher.calls(archs)] == [[1], [0], [2]]
