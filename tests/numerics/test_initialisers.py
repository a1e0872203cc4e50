"""Bounds, variances and fans of the initialisers."""

import math
import os
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxzc.numerics.initialisers import INITIALISERS, draw, embeddings, initialiser
from jaxzc.types import JaxzcError, LayerGroup

KEY = jax.random.key(0)
# A stack of three convolutions (fan-in 180, fan-out 450), a depthwise one (9, 36000) and a linear layer (300, 70).
GROUPS = [
    LayerGroup("conv", (3, 3, 20, 50), 180, 50, (0, 1, 2)),
    LayerGroup("depthwise", (3, 3, 1, 4000), 9, 4000),
    LayerGroup("head", (300, 70), 300, 70),
]
FANS = [(180, 450), (9, 36_000), (300, 70)]
UNIFORM = {
    "torch": lambda fan_in, fan_out: fan_in**-0.5,
    "kaiming_uniform_fan_in": lambda fan_in, fan_out: math.sqrt(6 / fan_in),
    "xavier_uniform": lambda fan_in, fan_out: math.sqrt(6 / (fan_in + fan_out)),
}
NORMAL = {
    "kaiming_normal_fan_in": lambda fan_in, fan_out: math.sqrt(2 / fan_in),
    "kaiming_normal_fan_out": lambda fan_in, fan_out: math.sqrt(2 / fan_out),
    "normal": lambda fan_in, fan_out: 1.0,
    "normal_0.02": lambda fan_in, fan_out: 0.02,
}


def test_names() -> None:
    assert set(INITIALISERS) == {*UNIFORM, *NORMAL}
    with pytest.raises(JaxzcError, match=rf"unknown initialiser 'kaiming': expected one of {', '.join(INITIALISERS)}"):
        initialiser("kaiming")
    with pytest.raises(JaxzcError, match="unknown initialiser 'kaiming'"):
        draw("kaiming", KEY, GROUPS)


@pytest.mark.parametrize("name", UNIFORM)
def test_uniform_bounds(name: str) -> None:
    for kernel, group, fans in zip(draw(name, KEY, GROUPS)[0], GROUPS, FANS, strict=True):
        assert kernel.shape == (len(group.cells), *group.kernel)
        bound = UNIFORM[name](*fans)
        for layer in np.asarray(kernel):
            assert 0.999 * bound < np.abs(layer).max() <= bound * (1 + 1e-6)
            assert layer.std() == pytest.approx(bound / math.sqrt(3), rel=0.02)
            assert abs(layer.mean()) < 0.02 * bound


@pytest.mark.parametrize("name", NORMAL)
def test_normal_deviations(name: str) -> None:
    for kernel, fans in zip(draw(name, KEY, GROUPS)[0], FANS, strict=True):
        deviation = NORMAL[name](*fans)
        for layer in np.asarray(kernel):
            assert layer.std() == pytest.approx(deviation, rel=0.02)
            assert np.abs(layer).max() > 3.5 * deviation  # not truncated
            assert abs(layer.mean()) < 0.03 * deviation


def test_embeddings_have_a_deviation_of_their_own() -> None:
    first, second = embeddings(KEY, [(4000,), (50, 80)])
    assert (first.shape, second.shape) == ((4000,), (50, 80))
    assert np.std(first) == pytest.approx(0.02, rel=0.05)
    assert abs(np.corrcoef(first, np.ravel(second))[0, 1]) < 0.1
    assert embeddings(KEY, []) == []


def test_biases() -> None:
    for name in INITIALISERS:
        _, biases = draw(name, KEY, GROUPS[2:], [(5000, 64), (3, 1)])
        assert [bias.shape for bias in biases] == [(5000,), (3,)]
        wide = np.asarray(biases[0])
        if name == "torch":
            assert 0.999 / 8 < np.abs(wide).max() <= 1 / 8
            assert wide.std() == pytest.approx(1 / 8 / math.sqrt(3), rel=0.03)
        else:
            assert not wide.any()


@pytest.mark.parametrize("name", ["torch", "kaiming_normal_fan_in"])
def test_numbers_are_float32_not_repeated_and_the_same_in_any_program(name: str) -> None:
    kernels, biases = draw(name, KEY, GROUPS, [(7, 36)])
    assert {leaf.dtype for leaf in (*kernels, *biases)} == {np.dtype(np.float32)}
    first = np.concatenate([np.asarray(layer).ravel()[:5] / np.abs(layer).max() for kernel in kernels for layer in kernel])
    assert len(np.unique(first)) == len(first)
    compiled = jax.jit(partial(draw, name, groups=GROUPS, biases=[(7, 36)]))(KEY)
    jax.tree.map(partial(np.testing.assert_allclose, rtol=1e-6, atol=1e-7), compiled, (kernels, biases))
    with jax.enable_x64(True):
        wide = draw(name, KEY, GROUPS, [(7, 36)])
        assert wide[0][0].dtype == jnp.float32
        jax.tree.map(partial(np.testing.assert_allclose, rtol=1e-6, atol=1e-7), wide, (kernels, biases))
    assert (np.asarray(draw(name, jax.random.key(1), GROUPS)[0][0]) != np.asarray(kernels[0])).mean() > 0.99


@pytest.mark.parametrize("name", INITIALISERS)
@pytest.mark.parametrize("by_counters", [True, False])
def test_traced_and_concrete_keys_give_the_same_numbers(name: str, by_counters: bool) -> None:
    with jax.threefry_partitionable(by_counters):
        concrete = draw(name, KEY, GROUPS, [(7, 3)])
        traced = jax.jit(lambda key: draw(name, key, GROUPS, [(7, 3)]))(KEY)
    # Compiled as users' programs are, the numbers are the same; the other emitter (see conftest) rounds otherwise.
    rounding = 0 if os.environ.get("JAXZC_AS_USERS", "0") != "0" else 2e-6
    jax.tree.map(partial(np.testing.assert_allclose, rtol=rounding), concrete, traced)
    assert all(a.dtype == np.float32 for a in jax.tree.leaves(concrete))
