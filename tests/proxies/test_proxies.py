"""Every proxy as a function of arrays written by hand; the expected values are the closed formulas beside them."""

import math
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxzc import proxies
from jaxzc.proxies.sweet import NAS_BENCH_201
from jaxzc.scoring.results import to_float
from jaxzc.types import Counts, JaxzcError, Scaled
from tests.support.by_hand import group, value

NAN, INF = float("nan"), float("inf")
ON = [jnp.array([True])]


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


def batches(*grads: Any) -> list[jax.Array]:
    """Gradients of one layer in several batches, `[batches, 1, n]`."""
    return [jnp.array(grads, jnp.float32)[:, None]]


def test_zico_of_two_batches() -> None:
    # (1, 3): mean 2, deviation 1; (-1, 1): mean of |g| 1, deviation 1; (2, 2) is equal and left out
    grads = batches([1, -1, 2], [3, 1, 2])
    assert value(proxies.zico, grads) == pytest.approx(math.log(2 / 1 + 1 / 1))
    assert value(proxies.zico, grads, std_of="abs") == pytest.approx(math.log(2 / 1))
    assert value(proxies.zico, grads + batches([1], [2])) == pytest.approx(math.log(3) + math.log(1.5 / 0.5))


def test_zico_of_three_batches() -> None:
    # signed: mean of |g| 3 in both; deviations of (1, 2, 6) and (-1, 2, 6)
    grads = batches([1, -1], [2, 2], [6, 6])
    spread, signed = math.sqrt((4 + 1 + 9) / 3), math.sqrt((1 + 4 + 36) / 3 - (7 / 3) ** 2)
    assert value(proxies.zico, grads) == pytest.approx(math.log(3 / spread + 3 / signed))
    assert value(proxies.zico, grads, std_of="abs") == pytest.approx(math.log(3 / spread + 3 / spread))


def test_zico_layers_with_nothing_left_count_nothing() -> None:
    # the mean of three times 0.1 is not 0.1 in float32, and yet nothing varies
    assert value(proxies.zico, batches([0.1, 0], [0.1, 0], [0.1, 0])) == 0
    assert value(proxies.zico, batches([0, 0], [0, 0]) + batches([1], [3])) == pytest.approx(math.log(2))


@pytest.mark.parametrize("scale", [1e-25, 1e-18, 1e25])
def test_zico_does_not_depend_on_the_scale(scale: float) -> None:
    grads = [g * jnp.float32(scale) for g in batches([1, -1, 2], [3, 1, 2])]
    assert value(proxies.zico, grads) == pytest.approx(math.log(3))
    assert value(proxies.sweet_zico, grads, ON, interval=(0, 1e30), zeroed=True) == pytest.approx(math.log(3))


@pytest.mark.parametrize("size", [1e-38, 1e-40, 1e-45])
def test_gradients_below_the_normal_numbers_of_float32_make_no_nan(size: float) -> None:
    """They may be flushed to zero or not; next to ordinary gradients they count 0, or as much as their ratio."""
    tiny, other = np.float32(size), np.float32(2 * size)
    assert value(proxies.zico, batches([tiny, 1], [other, 3])) in (
        pytest.approx(math.log(2)),
        pytest.approx(math.log(2 + 1.5 / 0.5), rel=0.3),
    )
    assert math.isfinite(value(proxies.snr_snip, group([tiny, other, tiny], [1, 2, 3]), group([1, 1, 1], [1, 1, 1])))


def test_zico_keeps_the_digits_of_nearly_equal_gradients() -> None:
    a, b = np.float32(0.3), np.nextafter(np.float32(0.3), np.float32(1))
    expected = math.log((float(a) + float(b)) / (float(b) - float(a)))
    assert value(proxies.zico, batches([a], [b])) == pytest.approx(expected, rel=1e-6)


def test_broken_gradients_stay_nan() -> None:
    assert math.isnan(value(proxies.zico, batches([1, 2], [3, NAN])))
    assert math.isnan(value(proxies.zico, batches([NAN], [NAN]) + batches([1], [3])))
    assert math.isnan(value(proxies.tcet_snip, group([1, 2]), group([NAN, 1]), [KERNEL]))
    for proxy in (proxies.snip, proxies.plain, proxies.grasp, proxies.snr_snip, proxies.snr_synflow):
        assert math.isnan(value(proxy, group([1, 2]), group([NAN, 1])))
    assert math.isnan(value(proxies.jacob_cov, jnp.array([[1.0, NAN, 2.0], [3.0, 4.0, 1.0]])))


# Powers of two are exact, so that a gradient can lie on the edges: in at t1, out at t2.
EDGES = (0.25, 0.5)
SWEET = [*group([0.25, 0.5, -0.25, 0.375, 0.125], [0.25, 0.25, 0.25, 0.25, 0.25]), *group([-0.375])]
EXISTS = [jnp.array([True, False]), jnp.array([True])]
WEIGHTS = [*group([1, 2, -3, 4, 5], [1, 1, 1, 1, 1]), *group([-8])]


def test_sweetimator() -> None:
    assert value(proxies.sweetimator, SWEET, EXISTS, interval=EDGES) == 3 + 0 + 1
    assert value(proxies.sweetimator, SWEET, EXISTS, interval=(0, 1)) == 5 + 0 + 1
    assert value(proxies.sweetimator, SWEET, EXISTS) == 0


def test_the_interval_of_the_papers_is_half_open_in_float32() -> None:
    low, high = (np.float32(edge) for edge in NAS_BENCH_201)
    below, above = np.nextafter(low, np.float32(0)), np.nextafter(high, np.float32(0))
    assert value(proxies.sweetimator, group([low, high]), ON) == 1
    assert value(proxies.sweetimator, group([-low, -below, above, -high]), ON) == 2
    with jax.enable_x64(True):
        assert value(proxies.sweetimator, group([low, high]), ON) == 1


def test_sweet_snip_and_sweet_ntk() -> None:
    assert value(proxies.sweet_snip, WEIGHTS, SWEET, EXISTS, interval=EDGES) == 0.25 + 0.75 + 4 * 0.375 + 8 * 0.375
    assert value(proxies.sweet_ntk, SWEET, EXISTS, interval=EDGES) == 2 * 0.25**2 + 2 * 0.375**2


def test_sweet_zico() -> None:
    grads = batches([0.25, 0.375, 0.5], [0.75, -0.375, 9])
    # the second "batch" is g1 + g2: (.25, 1) and (.375, 0), means .625 and .1875, deviations .375 and .1875
    assert value(proxies.sweet_zico, grads, ON, interval=EDGES) == pytest.approx(math.log(0.625 / 0.375 + 1))
    # each batch's own: (.25, .75) and (.375, -.375), means .5 and .375, deviations .25 and .375
    assert value(proxies.sweet_zico, grads, ON, interval=EDGES, zeroed=True) == pytest.approx(math.log(2 + 1))
    off = [jnp.array([False])]
    assert value(proxies.sweet_zico, grads + batches([0.25], [1]), ON + off, interval=EDGES) == pytest.approx(math.log(8 / 3))
    assert value(proxies.sweet_zico, grads, ON, interval=(10, 20)) == 0


def test_sweet_gradsign() -> None:
    signs = [*group([-3, 8, 2, 4, 8], [1, 1, 1, 1, 1]), *group([-5])]
    assert value(proxies.sweet_gradsign, SWEET, signs, EXISTS, interval=EDGES) == 3 + 4
    assert value(proxies.sweet_gradsign, SWEET, signs, EXISTS, interval=EDGES, signed_gate=False) == 3 + 2 + 4 + 5


@pytest.mark.parametrize("interval", [(0.5, 0.25), (0.1, 0.1), (-1, 1), (NAN, 1), (0, NAN), (1,), (1, 2, 3), 5, "abc", "ab", (None, 1)])
def test_bad_intervals(interval: Any) -> None:
    with pytest.raises(JaxzcError, match=r"interval=.*: expected \(t1, t2\) with 0 <= t1 < t2"):
        proxies.sweetimator(SWEET, EXISTS, interval=interval)


def test_other_bad_settings() -> None:
    with pytest.raises(JaxzcError, match=r"std_of='std': expected 'signed' .* or 'abs'"):
        proxies.zico(batches([1], [2]), std_of="std")
    for proxy in (proxies.tcet_snip, proxies.tcet_synflow):
        with pytest.raises(JaxzcError, match=r"compress='sqrt': expected 'log' .*, 'log1p' or 'none'"):
            proxy(group([1, 2]), group([1, 1]), [KERNEL], compress="sqrt")


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
