"""Convolutions of several architectures side by side, as GPUs run them: interpreted on a CPU, against XLA's own convolutions."""

from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax
from jaxzc_spaces.cells import side_by_side as room
from jaxzc_spaces.cells.conv3x3 import plain
from jaxzc_spaces.nasbench201 import NasBench201

import jaxzc
from jaxzc._compile.platforms import traced_for
from jaxzc.planning.gpus import abstract
from jaxzc.types import InputSpec

SHAPES = [(3, 8, 8, 4, 16), (2, 7, 5, 12, 20), (1, 3, 3, 80, 96)]
"""(B, H, W, C, D): fewer channels than a block has and more than one block; pixels that fill no block, and more than one."""


@pytest.fixture(autouse=True)
def interpreted(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(room, "INTERPRETED", True)
    yield
    jax.clear_caches()  # programs that were traced as interpreted


def arrays(shape: Any, lanes: int = 3) -> list[jax.Array]:
    """For each lane x, both kernels and a cotangent, all small integers, so that any order of additions gives the same floats."""
    b, h, w, c, d = shape
    rng = np.random.default_rng(0)
    shapes = (b, h, w, c), (1, 1, c, d), (3, 3, c, d), (b, h, w, d)
    return [jnp.asarray(rng.integers(-3, 4, (lanes, *each)), jnp.float32) for each in shapes]


def chosen(which: int, x: jax.Array, w1: jax.Array, w3: jax.Array) -> jax.Array:
    """The convolution of one lane, as XLA computes it."""
    return {0: lambda: x @ w1[0, 0], 1: lambda: plain(x, w3)}.get(which, lambda: jnp.zeros((*x.shape[:3], w1.shape[-1])))()


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_every_lane_has_its_own_convolution_and_gradients(shape: Any) -> None:
    *inputs, ct = arrays(shape)
    which = jnp.array([1, -1, 0], jnp.int32)

    def gradients(of: Any, which: Any, ct: jax.Array, *inputs: jax.Array) -> Any:
        y, pull = jax.vjp(lambda *inputs: of(which, *inputs), *inputs)
        return y, pull(ct)

    ours = jax.jit(jax.vmap(lambda *arguments: gradients(room.convolution, *arguments)))(which, ct, *inputs)
    for lane, number in enumerate(which.tolist()):
        expected = gradients(chosen, number, ct[lane], *(each[lane] for each in inputs))
        jax.tree.map(np.testing.assert_array_equal, jax.tree.map(lambda each, lane=lane: each[lane], ours), expected)


def test_second_derivatives() -> None:
    *inputs, ct = arrays((2, 4, 4, 4, 6), lanes=2)

    def second(of: Any, which: Any, ct: jax.Array, *inputs: jax.Array) -> Any:
        def pulled(ct: jax.Array, *inputs: jax.Array) -> Any:
            return jax.vjp(lambda *inputs: of(which, *inputs), *inputs)[1](ct)

        first, pull = jax.vjp(pulled, ct, *inputs)
        return pull(jax.tree.map(jnp.square, first))

    for number in (0, 1):
        one = [each[number] for each in (ct, *inputs)]
        jax.tree.map(np.testing.assert_array_equal, second(room.convolution, jnp.int32(number), *one), second(chosen, number, *one))


@pytest.mark.parametrize(("kind", "has"), [("NVIDIA H100 80GB HBM3", True), ("NVIDIA L4", True), ("Tesla T4", False), (None, False)])
def test_gpus_that_have_it(kind: str | None, has: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Triton refuses GPUs before Ampere, such as Colab's T4; and it has to know which GPU it compiles for."""
    monkeypatch.setattr(room, "INTERPRETED", False)
    device = None if kind is None else abstract(kind, 1)
    with jax.sharding.use_abstract_mesh(jax.sharding.AbstractMesh((), (), abstract_device=device)):
        assert room.has_triton() == has
    for capability, expected in (("7.5", False), ("8.0", True), ("12.1", True), ("gfx942", False)):
        monkeypatch.setattr(jax, "devices", lambda capability=capability: [SimpleNamespace(platform="gpu", compute_capability=capability)])
        assert room.has_triton() == expected


def test_kernels_it_does_not_serve() -> None:
    x, w1, w3, _ = (each[0] for each in arrays((1, 2, 2, 3, 3)))
    assert room.serves(x, (w1, w3))
    assert not room.serves(x.astype(np.float16), (w1, w3))
    assert not room.serves(x, (w3, w3))
    wide = room.MOST_CHANNELS + 1
    assert not room.serves(x, (jnp.zeros((1, 1, 3, wide)), jnp.zeros((3, 3, 3, wide))))


@pytest.mark.parametrize("proxies", ["grad_norm", pytest.param("grasp,jacob_cov,synflow,ntk_trace,fisher", marks=pytest.mark.slow)])
def test_a_space_has_the_scores_of_a_cpu(proxies: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A GPU's program of several architectures side by side."""
    space = NasBench201(classes=3, inputs=InputSpec((8, 8, 3)), channels=4, cells=1)
    rng = np.random.default_rng(0)
    batch = jaxzc.Batch(rng.standard_normal((16, 8, 8, 3)).astype(np.float32), rng.integers(0, 3, 16).astype(np.int32))
    archs = np.array([[0, 1, 2, 3, 4, 3], [3, 3, 3, 3, 3, 2], [2, 0, 4, 0, 1, 2]])
    expected = jaxzc.SpaceScorer(space, [batch] * 2, proxies).many(archs)
    called, programs = [], []
    for name in ("value", "pull", "kernels_of", "convolution"):
        program = getattr(room, name)
        monkeypatch.setattr(room, name, lambda *inputs, name=name, program=program: (programs.append(name), program(*inputs))[1])
    monkeypatch.setattr("jaxzc.scoring.space.dispatch.traced_for", lambda platform: (called.append(platform), traced_for("gpu"))[1])
    scores = jaxzc.SpaceScorer(space, [batch] * 2, proxies, chunk=3, lanes=3).many(archs)
    assert called == ["cpu"]
    assert {"value", "pull", "kernels_of"} <= set(programs)
    assert ("convolution" in programs) == ("grasp" in proxies)  # second derivatives
    for ours, one in zip(scores, expected, strict=True):
        for label, value in one.items():
            np.testing.assert_allclose(ours[label], value, rtol=1e-4, err_msg=label)


def test_the_three_products_of_a_float32(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a GPU's tensor cores are told, by JAX's precision."""
    monkeypatch.setattr(room, "INTERPRETED", False)
    for precision, preset in (("highest", lax.DotAlgorithmPreset.TF32_TF32_F32_X3), ("default", lax.DotAlgorithmPreset.TF32_TF32_F32)):
        with jax.default_matmul_precision(precision):
            traced = jax.make_jaxpr(room._dot)(jnp.zeros((16, 16)), jnp.zeros((16, 16)))
        (eqn,) = (eqn for eqn in traced.eqns if eqn.primitive.name == "dot_general")
        assert eqn.params["precision"] == preset
