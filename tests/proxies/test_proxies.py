"""The founding proxies as functions of arrays written by hand; the expected values are the closed formulas beside them."""

import math
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxzc import proxies
from jaxzc.scoring.results import to_float
from jaxzc.types import Counts, JaxzcError, Scaled
from tests.support.by_hand import NAN, ON, batches, group, value

INF = float("inf")


def test_grad_norm() -> None:
    assert value(proxies.grad_norm, group([3, 4])) == 5
    assert value(proxies.grad_norm, [*group([3, 4, 0], [0, 5, 12]), *group([-1])]) == 5 + 13 + 1
    assert math.isnan(value(proxies.grad_norm, group([NAN, 4])))


def test_l2_norm() -> None:
    assert value(proxies.l2_norm, [*group([3, 4], [0, 0]), *group([2, 2, 1])]) == 5 + 0 + 3


def test_snip_and_plain() -> None:
    weights, grads = [*group([1, -2]), *group([3], [1])], [*group([3, 4]), *group([-1], [0.5])]
    assert value(proxies.snip, weights, grads) == 3 + 8 + 3 + 0.5
    assert value(proxies.plain, weights, grads) == 3 - 8 - 3 + 0.5


def test_grasp() -> None:
    assert value(proxies.grasp, [*group([1, -2]), *group([3])], [*group([3, 4]), *group([2])]) == -(3 - 8 + 6)


def test_fisher() -> None:
    # One group of two layers, two examples and two channels; the second layer does not exist, whatever its saliency says.
    saliency = jnp.array([[[1.0, 2], [3, 4]], [[5, NAN], [7, 8]]])
    first = 0.5 * ((1 + 9) / 2 + (4 + 16) / 2)
    assert value(proxies.fisher, [saliency], [3], [jnp.array([True, False])]) == 3 * first
    assert value(proxies.fisher, [saliency], [3], [jnp.array([True, False])], per_channel=True) == first
    head = jnp.array([[[2.0], [2.0]]])
    assert value(proxies.fisher, [saliency[:1], head], [3, 10], ON * 2) == 3 * first + 10 * 0.5 * 4
    assert value(proxies.fisher, [saliency[:1], head], [3, 10], ON * 2, per_channel=True) == first + 0.5 * 4
    assert math.isnan(value(proxies.fisher, [saliency], [3], [jnp.array([True, True])]))


def test_broken_gradients_stay_nan() -> None:
    assert math.isnan(value(proxies.zico, batches([1, 2], [3, NAN])))
    assert math.isnan(value(proxies.zico, batches([NAN], [NAN]) + batches([1], [3])))
    assert math.isnan(value(proxies.tcet_snip, group([1, 2]), group([NAN, 1]), [KERNEL]))
    for proxy in (proxies.snip, proxies.plain, proxies.grasp, proxies.snr_snip, proxies.snr_synflow):
        assert math.isnan(value(proxy, group([1, 2]), group([NAN, 1])))
    assert math.isnan(value(proxies.jacob_cov, jnp.array([[1.0, NAN, 2.0], [3.0, 4.0, 1.0]])))


def test_jacob_cov() -> None:
    eps = 1e-5

    def formula(*eigenvalues: float, eps: float = eps) -> float:
        return -sum(math.log(v + eps) + 1 / (v + eps) for v in eigenvalues)

    orthogonal = jnp.array([[1.0, -1, 0, 0], [0, 0, 2, -2], [3, 3, -3, -3]])
    assert value(proxies.jacob_cov, orthogonal) == pytest.approx(formula(1, 1, 1))
    assert value(proxies.jacob_cov, orthogonal, eps=0.5) == pytest.approx(formula(1, 1, 1, eps=0.5))
    # a row and three times that row plus one: correlation 1; its negative: -1
    row = np.array([1.0, 4, 2, 7])
    assert value(proxies.jacob_cov, jnp.stack([row, 3 * row + 1])) == pytest.approx(formula(0, 2), rel=1e-5)
    assert value(proxies.jacob_cov, jnp.stack([row, row, -row])) == pytest.approx(formula(0, 0, 3), rel=1e-5)
    # (1, 0, -1) and (1, -1, 0) have correlation 1/2
    assert value(proxies.jacob_cov, jnp.array([[1.0, 0, -1], [1, -1, 0]])) == pytest.approx(formula(0.5, 1.5))


@pytest.mark.parametrize("constant", [0.0, 0.1, -7.3])
@pytest.mark.parametrize("n", [3, 49, 1000])
def test_jacob_cov_of_a_constant_row_is_nan(constant: float, n: int) -> None:
    rows = np.stack([np.full(n, constant), np.cos(np.arange(n))])
    assert math.isnan(value(proxies.jacob_cov, jnp.asarray(rows, jnp.float32)))
    with jax.enable_x64(True):
        assert math.isnan(value(proxies.jacob_cov, jnp.asarray(rows)))


KERNEL = jnp.array([[[3.0, 1], [1, 3]]])  # determinant 8
SINGULAR = jnp.array([[[2.0, 2], [2, 2]]])


def test_naswot() -> None:
    kernels, once, hooks = [KERNEL, 2 * jnp.eye(2)[None]], [jnp.array([1.0]), jnp.array([1.0])], [jnp.array([2.0]), jnp.array([1.0])]
    assert value(proxies.naswot, kernels, once, hooks) == pytest.approx(math.log((2 * 3 + 2) ** 2 - 2**2))
    assert value(proxies.naswot, kernels, once, hooks, once=True) == pytest.approx(math.log((3 + 2) ** 2 - 1))
    # a group of two ReLUs, of which only the first exists
    pair = [jnp.concatenate([KERNEL, 100 * SINGULAR])]
    assert value(proxies.naswot, pair, [jnp.array([1.0, 0.0])], [jnp.array([1.0, 0.0])]) == pytest.approx(math.log(8))
    assert value(proxies.naswot, [SINGULAR], ONE, ONE) == -INF


ONE = [jnp.array([1.0])]


def test_lnwot() -> None:
    layers = [jnp.concatenate([KERNEL, SINGULAR]), 2 * KERNEL, jnp.zeros((1, 2, 2))]
    assert value(proxies.lnwot, layers) == pytest.approx(math.log(8) + 0 + math.log(32) + 0)


def test_signal_to_noise_ratio() -> None:
    weights, grads = [*group([1, -3], [2, 2], [0, 0]), *group([5])], [*group([1, 1], [1, 1], [1, 1]), *group([-1])]
    # sum 4 over the deviation sqrt(((1-2)^2 + (3-2)^2) / (2 - 1)); where nothing varies, the sum itself
    expected = 4 / math.sqrt(2) + 4 + 0 + 5
    assert value(proxies.snr_snip, weights, grads) == pytest.approx(expected)
    assert value(proxies.snr_synflow, weights, grads) == pytest.approx(expected)


@pytest.mark.parametrize("n", [3, 7, 10, 1000])
def test_signal_to_noise_ratio_of_equal_saliencies_is_their_sum(n: int) -> None:
    assert value(proxies.snr_snip, group([0.1] * n), group([1.0] * n)) == pytest.approx(0.1 * n)


@pytest.mark.parametrize("scale", [1e-30, 1e-18, 1e18, 1e30])
def test_signal_to_noise_ratio_does_not_depend_on_the_scale(scale: float) -> None:
    assert value(proxies.snr_snip, group([1, 3]), group([scale, scale])) == pytest.approx(4 / math.sqrt(2))


@pytest.mark.parametrize("proxy", [proxies.tcet_snip, proxies.tcet_synflow])
def test_tcet(proxy: Any) -> None:
    # ratios 4 / sqrt(2), 0 and (one weight) 5; log determinants log 8, log 8 and 0 (singular)
    weights, grads = [*group([1, -3], [0, 0]), *group([5])], [*group([1, 1], [1, 1]), *group([-1])]
    kernels, ratio = [jnp.concatenate([KERNEL, KERNEL]), SINGULAR], 4 / math.sqrt(2)
    assert value(proxy, weights, grads, kernels) == pytest.approx(math.log(ratio) * math.log(8))
    assert value(proxy, weights, grads, kernels, compress="log1p") == pytest.approx(math.log1p(ratio) * math.log(8))
    assert value(proxy, weights, grads, kernels, compress="none") == pytest.approx(ratio * math.log(8))


@pytest.mark.parametrize("proxy", [proxies.synflow, proxies.synflow_bn])
def test_synflow(proxy: Any) -> None:
    weights, grads, exponent = [*group([1, -2]), *group([3])], [*group([0.5, 0.25]), *group([0.125])], jnp.int32(100)
    made = proxy(weights, grads, exponent)
    assert isinstance(made, Scaled)
    assert to_float(made) == (0.5 + 0.5 + 0.375) * 2.0**100
    assert value(proxy, weights, grads, exponent, log=True) == pytest.approx(math.log(1.375) + 100 * math.log(2))


def test_synflow_beyond_float64() -> None:
    weights, grads = group([1.0]), group([0.5])
    assert value(proxies.synflow, weights, grads, jnp.int32(1000)) == 2.0**999
    assert value(proxies.synflow, weights, grads, jnp.int32(5000)) == INF
    assert value(proxies.synflow, weights, grads, jnp.int32(5000), log=True) == pytest.approx(4999 * math.log(2))
    assert value(proxies.synflow, weights, grads, jnp.int32(-5000)) == 0
    assert value(proxies.synflow, group([0.0]), grads, jnp.int32(3), log=True) == -INF


def test_sizes_are_exact_integers() -> None:
    counts = Counts(np.int64(2**40 + 1), np.int64(2**52 + 3), np.int64(7))
    assert to_float(proxies.params(counts)) == 2**40 + 1
    assert to_float(proxies.flops(counts)) == 2**52 + 3
    assert to_float(proxies.flops(counts, linear_bias=10)) == 2**52 + 13
    assert to_float(proxies.layers(counts)) == 7
    many = Counts(np.array([2**31, 2**31 + 1]), np.array([1, 2]), np.array([3, 4]))
    assert np.asarray(proxies.params(many)).tolist() == [2**31, 2**31 + 1]


def test_settings_that_are_none_are_refused() -> None:
    with pytest.raises(JaxzcError, match=r"std_of='std': expected 'signed' .* or 'abs'"):
        proxies.zico(batches([1], [2]), std_of="std")
    for proxy in (proxies.tcet_snip, proxies.tcet_synflow):
        with pytest.raises(JaxzcError, match=r"compress='sqrt': expected 'log' .*, 'log1p' or 'none'"):
            proxy(group([1, 2]), group([1, 1]), [KERNEL], compress="sqrt")


def test_a_single_example_is_refused() -> None:
    """For those who call the function itself; the command line says it before anything is traced."""
    with pytest.raises(JaxzcError, match="needs at least 2 examples in the batch and got 1"):
        proxies.jacob_cov(np.ones((1, 4)))  # type: ignore[arg-type]
