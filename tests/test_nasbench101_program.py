"""NAS-Bench-101's programs with edges and operations as arguments equal the discrete networks: logits, derivatives, every proxy."""

import json
from functools import cache
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jaxzc_spaces.nasbench101 import NasBench101
from jaxzc_spaces.nasbench101_encoding import CHOICES, CONV1, CONV3, EDGES, POOL

from jaxzc.ingredients import RESOLVER, drawn
from jaxzc.proxies import PROXIES
from jaxzc.scoring import cross_entropy, evaluate_proxies, to_float
from jaxzc.space_scoring import SpaceScorer
from jaxzc.types import Batch, JaxzcError, Keyed, Tap


def cell(edges: list[tuple[int, int]], ops: list[int]) -> np.ndarray:
    genes = np.zeros(len(CHOICES), np.int8)
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
QUICK = {"two", "two, pools"}
SPACE = NasBench101(8, 1, 3, (8, 8, 3))
DEEPER = NasBench101(6, 2, 3, (8, 8, 3))


def key_of(space: NasBench101, arch: np.ndarray) -> tuple[int, ...]:
    return tuple(space.program_keys(arch[None])[0].tolist())


def test_the_benchmark_has_nine_programs() -> None:
    archs = NasBench101().enumerate()
    for channels, count in ((128, 9), (16, 9), (96, 4)):
        keys, members = np.unique(NasBench101(channels).program_keys(archs), axis=0, return_counts=True)
        assert len(keys) == count
        assert members.sum() == 423_624
        assert keys[0].tolist() == [1, *[channels] * 5, *[2 * channels] * 5, *[4 * channels] * 5]


def test_keys_are_the_widths() -> None:
    keys = SPACE.program_keys(np.stack(list(CELLS.values())))
    assert dict(zip(CELLS, keys[:, 0].tolist(), strict=True))["three"] == 3
    assert keys[list(CELLS).index("three")].tolist() == [3, 3, 3, 3, 2, 2, 6, 6, 5, 5, 5, 11, 11, 11, 10, 10]
    assert len({tuple(row) for row, name in zip(keys.tolist(), CELLS, strict=True) if name in ("chain", "skip", "dead", "none")}) == 1
    with pytest.raises(JaxzcError, match="no path leads from the input to the output of the cell"):
        SPACE.program_keys(np.zeros((2, 26), int))
    with pytest.raises(JaxzcError, match="init needs the architecture"):
        SPACE.init(jax.random.key(0))


@cache
def params_of(space: NasBench101, key: tuple[int, ...]) -> Any:
    """Float64 parameters of a program, scales and shifts away from 1 and 0, so that every parameter takes part."""
    rng = np.random.default_rng(0)
    drawn = jax.device_get(space.program(key).init(jax.random.key(0)))
    return jax.tree.map(lambda a: a.astype(np.float64) + 0.1 * rng.standard_normal(a.shape), drawn)


def batches(space: NasBench101) -> tuple[Batch, Batch]:
    rng = np.random.default_rng(1)
    return tuple(Batch(jnp.asarray(rng.standard_normal((4, *space.image_shape))), jnp.asarray([0, 2, 1, 2])) for _ in range(2))  # type: ignore[return-value]


def quantities(network: Any, params: Any, batch: Batch) -> dict[str, Any]:
    """Logits of the norm modes, and of train mode the gradients of all parameters and images, and a Hessian-vector product."""

    def loss(params: Any, images: Any) -> Any:
        return cross_entropy(network.forward(params, images, norm="batch").logits, batch.labels)

    def gradient(params: Any) -> Any:
        return jax.grad(loss, (0, 1))(params, batch.images)

    (grads, input_grads), pull = jax.vjp(gradient, params)
    (curvature,) = pull((grads, jnp.zeros_like(input_grads)))
    modes = {norm: network.forward(params, batch.images, norm=norm)[::3] for norm in ("batch", "init", "none")}
    return {"logits": modes, "input gradients": input_grads, "gradients": grads, "curvature": curvature}


@cache
def program_of(space: NasBench101, key: tuple[int, ...]) -> Any:
    return jax.jit(lambda genes, params, batch: quantities(space.network(Keyed(genes, key)), params, batch))


def cases() -> list[Any]:
    every = [(SPACE, name) for name in CELLS] + [(DEEPER, "chain"), (DEEPER, "three")]
    marks = [() if space is SPACE and name in QUICK else pytest.mark.slow for space, name in every]
    names = [f"{name}, {space.modules}" for space, name in every]
    return [pytest.param(*case, marks=mark, id=name) for case, mark, name in zip(every, marks, names, strict=True)]


@pytest.mark.parametrize(("space", "name"), cases())
def test_program_equals_discrete_network(space: NasBench101, name: str) -> None:
    arch, key = CELLS[name], key_of(space, CELLS[name])
    with jax.enable_x64(True):
        params, batch = params_of(space, key), batches(space)[0]
        program = program_of(space, key)
        ours = program(jnp.asarray(arch, jnp.int32), params, batch)
        assert program._cache_size() == 1, "one program for every cell of the key"
        theirs = quantities(space.network(arch), space.discrete_params(params, arch), batch)
        for quantity in ("gradients", "curvature"):  # by every parameter; those that the cell has not get none
            sizes = [float(jnp.square(a).sum()) for a in jax.tree.leaves(ours[quantity])]
            np.testing.assert_allclose(sum(sizes), sum(float(jnp.square(a).sum()) for a in jax.tree.leaves(theirs[quantity])), rtol=1e-9)
            ours[quantity] = space.discrete_params(ours[quantity], arch)
    for quantity, value in theirs.items():
        for a, b in zip(jax.tree.leaves(ours[quantity]), jax.tree.leaves(value), strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-8, atol=1e-11, err_msg=quantity)
