"""Cells that are the same network: what is merged, what is not, and equal scores once their weights are in the same places."""

from itertools import permutations
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jaxzc_spaces.cells import isomorphism as isomorphism
from jaxzc_spaces.nasbench201.encoding import CHOICES, CONV1, CONV3, EDGES, NONE, POOL, SKIP
from jaxzc_spaces.nasbench201.space import NasBench201
from jaxzc_spaces.transnas101.micro import TransNasMicro

from jaxzc.proxies import PROXIES
from jaxzc.scoring.compute import compute_scores
from jaxzc.scoring.results import to_floats
from jaxzc.spacekit.vectors import enumerate_vectors
from jaxzc.tasks import classification
from jaxzc.types import Batch, InputSpec
from tests.support.one_stage import OneStage

SPACE = NasBench201(channels=4, cells=1, inputs=InputSpec((8, 8, 3)))
SCORED = OneStage(channels=4, cells=1, inputs=InputSpec((8, 8, 3)))
"""Of whose cells scores are compared: all stages have the same."""
CELLS = enumerate_vectors(CHOICES)
KINDS = [[isomorphism.NOTHING, isomorphism.IDENTITY, isomorphism.LAYER, isomorphism.LAYER, isomorphism.POOLING]] * 6
MICRO = TransNasMicro(channels=2, classes=10, inputs=InputSpec((33, 33, 3)))
COMPARED = ("grad_norm", "snip", "fisher", "jacob_cov", "synflow", "l2_norm", "zico", "sweet_snip", "tcet_snip", "lnwot", "naswot")

EQUAL = {
    "nodes 1 and 2 change places": ([CONV3, CONV1, NONE, POOL, SKIP, CONV1], [CONV1, CONV3, NONE, POOL, CONV1, SKIP], [1, 0, 2, 3, 5, 4]),
    "a node behind a skip connection": ([CONV3, NONE, NONE, NONE, SKIP, NONE], [NONE, NONE, NONE, CONV3, NONE, NONE], [3, 1, 2, 0, 4, 5]),
    "dead convolutions of one input": ([CONV3, NONE, NONE, SKIP, NONE, NONE], [NONE, CONV3, NONE, SKIP, NONE, NONE], [1, 0, 2, 3, 4, 5]),
    "convolutions of zero": ([NONE, NONE, CONV3, CONV1, NONE, NONE], [NONE, NONE, NONE, CONV1, CONV3, NONE], [0, 1, 4, 3, 2, 5]),
    "a dead pooling": ([POOL, NONE, NONE, CONV1, NONE, NONE], [NONE, NONE, NONE, CONV1, NONE, NONE], [0, 1, 2, 3, 4, 5]),
}
"""Two cells, and for each edge of the first the edge of the second that has its weights."""

APART = {
    "one convolution read twice, and two": ([CONV3, NONE, NONE, SKIP, SKIP, NONE], [CONV3, NONE, NONE, CONV3, SKIP, NONE]),
    "a dead convolution of the input, and one of zero": ([CONV3, NONE, NONE, CONV1, NONE, NONE], [NONE, NONE, CONV3, CONV1, NONE, NONE]),
    "a dead convolution, and none": ([CONV3, NONE, NONE, CONV1, NONE, NONE], [NONE, NONE, NONE, CONV1, NONE, NONE]),
    "one convolution read twice beside another": ([CONV3, SKIP, SKIP, CONV3, SKIP, SKIP], [CONV3, CONV3, SKIP, SKIP, NONE, SKIP]),
    "what a pooling reads": ([CONV3, NONE, NONE, POOL, SKIP, NONE], [CONV3, NONE, NONE, SKIP, POOL, NONE]),
}


@pytest.fixture(scope="module")
def networks() -> np.ndarray:
    return SPACE.same_network(CELLS)


def test_classes_of_nasbench201(networks: np.ndarray) -> None:
    assert networks.dtype == np.int32
    assert len(np.unique(networks, axis=0)) == 6410
    np.testing.assert_array_equal(SPACE.same_network(networks), networks)
    for own, shared in zip(SPACE.counts(CELLS), SPACE.counts(networks), strict=True):
        np.testing.assert_array_equal(own, shared)
    assert SPACE.same_network(CELLS[:0]).shape == (0, 6)


def test_interior_nodes_that_are_not_joined_may_change_places(networks: np.ndarray) -> None:
    free = CELLS[:, 2] == NONE
    np.testing.assert_array_equal(SPACE.same_network(CELLS[free][:, [1, 0, 2, 3, 5, 4]]), networks[free])


def test_members_of_a_class_differ_in_the_order_of_their_operations_alone(networks: np.ndarray) -> None:
    """By trying every order, for cells drawn at random from classes of several."""
    members = np.flatnonzero((networks != CELLS).any(1))
    for row in np.random.default_rng(0).choice(members, 300, replace=False):
        graphs = [isomorphism._graph(cell.tolist(), EDGES, KINDS) for cell in (CELLS[row], networks[row])]
        assert any(_equal(graphs[0], graphs[1], order) for order in permutations(graphs[1][2])), CELLS[row]


def _equal(one: Any, other: Any, order: tuple[int, ...]) -> bool:
    (vertices, output, kept), (others, other_output, _) = one, other
    to = {isomorphism.INPUT: isomorphism.INPUT, **dict(zip(kept, order, strict=True))}
    moved = lambda sums: {to[v]: times for v, times in sums.items() if times}  # noqa: E731
    return moved(output) == {v: n for v, n in other_output.items() if n} and all(
        vertices[v].op == others[to[v]].op and moved(vertices[v].reads) == others[to[v]].reads for v in kept
    )


@pytest.mark.parametrize("name", EQUAL)
def test_scores_are_equal_once_weights_are_in_the_same_places(name: str) -> None:
    one, other, edges = EQUAL[name]
    np.testing.assert_array_equal(*SPACE.same_network(np.array([one, other])))
    with jax.enable_x64(True):
        params = jax.tree.map(lambda x: x.astype(jnp.float64), SCORED.program().init(jax.random.key(0)))
        moved = {**params, "stages": jax.tree.map(lambda x: x[:, np.argsort(edges)], params["stages"])}
        mine, theirs = _scores(np.array(one), params), _scores(np.array(other), moved)
    assert np.isfinite(list(mine.values())).all()
    for proxy, score in mine.items():
        np.testing.assert_allclose(theirs[proxy], score, rtol=1e-8, err_msg=proxy)


@pytest.mark.parametrize("name", APART)
def test_what_is_not_merged(name: str) -> None:
    one, other = SPACE.same_network(np.array(APART[name]))
    assert (one != other).any()


def test_dead_convolutions_count_in_naswot() -> None:
    """Why two cells that the benchmark merges, with equal counts, are not the same network."""
    reading, starved = APART["a dead convolution of the input, and one of zero"]
    np.testing.assert_array_equal(*SPACE.canonical(np.array([reading, starved])))
    with jax.enable_x64(True):  # as above, so that the program is compiled once
        params = jax.tree.map(lambda x: x.astype(jnp.float64), SCORED.program().init(jax.random.key(0)))
        assert _scores(np.array(reading), params)["naswot"] > 1.01 * _scores(np.array(starved), params)["naswot"]


def _scores(arch: np.ndarray, params: Any) -> dict[str, float]:
    return to_floats(_evaluate(params, jnp.asarray(arch)), COMPARED)


@jax.jit
def _evaluate(params: Any, arch: Any) -> Any:
    rng = np.random.default_rng(1)
    batches = [
        Batch(jnp.asarray(rng.standard_normal((6, 8, 8, 3)), jax.tree.leaves(params)[0].dtype), jnp.asarray(rng.integers(0, 10, 6)))
        for _ in range(2)
    ]
    chosen = {proxy: PROXIES[proxy] for proxy in COMPARED}
    return compute_scores(chosen, SCORED.program().network(arch), params, batches, classification, "batch", jax.random.key(2), {})


def test_classes_of_transnas101_micro() -> None:
    cells = MICRO.enumerate()
    networks = MICRO.same_network(cells)
    assert len(np.unique(networks, axis=0)) == 2132
    for own, shared in zip(MICRO.counts(cells), MICRO.counts(networks), strict=True):
        np.testing.assert_array_equal(own, shared)


def test_a_skip_connection_that_halves_the_image_is_a_layer() -> None:
    """One of two reductions that are summed is not one reduction read twice, nor is a dead one nothing."""
    twice, two, dead, none = (MICRO.parse(f"64-41414-{cell}") for cell in ("1_01_011", "1_00_110", "1_00_100", "0_00_100"))
    assert len(np.unique(MICRO.same_network(np.stack([twice, two, dead, none])), axis=0)) == 4
