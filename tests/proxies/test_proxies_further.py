"""The proxies beyond the founding ones as functions of arrays written by hand; the expected values are the closed formulas beside them."""

import math
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxzc import proxies
from jaxzc.scoring.results import to_float
from jaxzc.types import JaxzcError
from tests.support.by_hand import group, value

INF = float("inf")


@pytest.mark.parametrize("proxy", [proxies.ntk_condition, proxies.ntk_condition_init])
def test_condition_number(proxy: Any) -> None:
    assert value(proxy, jnp.array([[2.0, 1], [1, 2]])) == pytest.approx(3)  # eigenvalues 3 and 1
    assert math.isnan(value(proxy, jnp.zeros((3, 3))))
    assert math.isnan(value(proxy, jnp.array([[1.0, np.inf], [np.inf, 1]])))
    singular = value(proxy, jnp.ones((2, 2)))
    assert singular == pytest.approx(1 / (2 * np.finfo(np.float32).eps), rel=1e-4)  # what float32 can tell from singular


def test_traces_and_means() -> None:
    theta = jnp.array([[2.0, 1], [1, 4]])
    assert value(proxies.ntk_trace, theta) == 6
    assert value(proxies.knas, theta) == 2
    assert value(proxies.nasi, [*group([1, -2], [0, 3]), *group([2])]) == 1 + 4 + 9 + 4
    assert value(proxies.jacob_trace, jnp.array([[1.0, 2], [3, 0]])) == (5 + 9) / 2


def test_synaptic_scores() -> None:
    assert value(proxies.synaptic_diversity, [jnp.array([1.0, 2]), jnp.array([6.0])]) == 9
    assert value(proxies.synaptic_diversity, [jnp.array([1.0, 2]), jnp.array([6.0])], mean=True) == 3
    weights, grads = [*group([1, -2], [3, 0]), *group([5])], [*group([2, 4], [-1, 7]), *group([1])]
    assert value(lambda w, g: proxies.synaptic_saliency(w, g, [True, False]), weights, grads) == 2 + 8 + 3
    assert value(lambda w, g: proxies.synaptic_saliency(w, g, [True, True], mean=True), weights, grads) == (10 + 3 + 5) / 3


def test_counts_are_handed_on() -> None:
    assert value(proxies.linear_regions, jnp.int32(7)) == 7
    assert value(proxies.swap, jnp.array([3, 4], jnp.int32)) == 3.5


def test_swap_regularised() -> None:
    made = value(proxies.swap_regularised, jnp.array([10], jnp.int32), jnp.float32(3000), mu=1.0, sigma=8.0)
    assert made == pytest.approx(10 * math.exp(-4 / 8))
    with jax.enable_x64(True):  # a count of float32 does not round what float64 says
        wide = proxies.swap_regularised(jnp.array([10], jnp.float32), jnp.float64(3000.1), mu=1.0, sigma=8.0)
        assert float(wide) == pytest.approx(10 * math.exp(-(2.0001**2) / 8), rel=1e-12)


def test_gradsign_and_its_relatives() -> None:
    signs, active = [*group([3, -1], [0, 0]), *group([-2])], [jnp.array([True, False]), jnp.array([True])]
    assert value(proxies.grad_conflict, signs) == 6
    assert value(proxies.gradsign, signs, active) == 6
    assert value(proxies.gradsign, signs, active, reduce="mean") == 6 / 3  # the layer that is not there has no weights
    assert value(proxies.grad_angle, [*group([3, 0]), *group([4])]) == 5
    with pytest.raises(JaxzcError, match="reduce='max': expected 'sum'"):
        proxies.gradsign(signs, active, reduce="max")


def test_epe_nas() -> None:
    # two examples of class 5 with correlation -1/2, one of class 2; a further class of two, correlation 1
    grads = jnp.array([[1.0, 0, -1], [-1, 1, 0], [3, 1, 2], [1, 2, 3], [2, 4, 6]])
    labels = jnp.array([5, 5, 2, 9, 9])
    one, half = math.log(1 + 1e-5), math.log(0.5 + 1e-5)
    of_class = {5: 2 * one + 2 * half, 2: one, 9: 4 * one}
    assert value(proxies.epe_nas, grads, labels) == pytest.approx(sum(map(abs, of_class.values())), rel=1e-5)
    difference = abs(of_class[5] / 2 - of_class[9] / 2)
    assert value(proxies.epe_nas, grads, labels, many_classes=True) == pytest.approx(2 * difference / 2, rel=1e-5)
    assert math.isnan(value(proxies.epe_nas, grads.at[0].set(1), labels))
    with pytest.raises(JaxzcError, match="at least 2 examples"):
        proxies.epe_nas(grads[:1], labels[:1])


def test_zen() -> None:
    change = jnp.array([[[3.0, -4]], [[0, 5]]])
    variances, exists = jnp.array([[4.0, 9, 0], [2, 1, 0]]), jnp.array([True, True, False])
    running = [0.81 + 0.09 * 4 + 0.1 * 2, 0.81 + 0.09 * 9 + 0.1 * 1]
    assert value(proxies.zen, change, variances, exists) == pytest.approx(math.log((7 + 5) / 2) + sum(map(math.log, running)) / 2)
    assert value(proxies.zen, change, variances, exists, form="paper") == pytest.approx(math.log(5) + math.log(2 * 3))
    assert value(proxies.zen, 0 * change, variances, exists) == -INF
    with pytest.raises(JaxzcError, match="form='mean': expected 'code'"):
        proxies.zen(change, variances, exists, form="mean")


def test_az_nas() -> None:
    entropies = jnp.array([1.0, 3, 2.5, 4])
    assert value(proxies.az_expressivity, entropies) == 10.5
    assert value(proxies.az_progressivity, entropies) == -0.5
    assert value(proxies.az_expressivity, entropies.at[1].set(jnp.nan)) == -INF
    assert value(proxies.az_progressivity, entropies.at[1].set(jnp.nan)) == -INF
    gains, no = jnp.array([1.0, 2]), jnp.array([False, False])
    expected = np.mean([-s - 1 / (s + 1e-6) + 2 for s in (1, 2)])
    assert value(proxies.az_trainability, gains, no) == pytest.approx(expected, abs=1e-6)
    assert value(proxies.az_trainability, gains, jnp.array([True, False])) == -INF


def test_meco() -> None:
    minima = [jnp.array([0.5, 0.0]), jnp.array([0.25])]
    assert value(proxies.meco, minima) == 0.75
    # 16 channels of which 8 were drawn, and 4, all of them
    assert to_float(proxies.meco_opt(minima, [16, 4])) == 0.5 * 2 + 0.25


def test_logsynflow() -> None:
    weights, grads = [*group([1, -2], [0, 0]), *group([3])], [*group([4, 0], [1, 0]), *group([1])]
    expected = math.log(1 + 8) + 3 * math.log(1 + 2)
    assert value(proxies.logsynflow, weights, grads, jnp.int32(1)) == pytest.approx(expected)
    # beyond float32: log(1 + g 2^e) is log g + e log 2
    assert value(proxies.logsynflow, group([1.0]), group([1.0]), jnp.int32(500)) == pytest.approx(500 * math.log(2))


def test_nwot_outputs() -> None:
    kernels = [jnp.array([[[2.0, 1], [1, 2]], [[1, 0], [0, 1]]]), jnp.array([[[1.0, 1], [1, 1]]])]
    assert value(proxies.nwot_outputs, kernels) == pytest.approx(math.log(4 * 4 - 2 * 2))
    assert value(proxies.nwot_outputs, [jnp.ones((1, 2, 2))]) == 0


def test_sweet_grad_norm() -> None:
    grads, active = group([0.5, -1, 2], [1, 1, 1]), [jnp.array([True, False])]
    assert value(proxies.sweet_grad_norm, grads, active, interval=(0.5, 2)) == 1.5


def test_zico_bc() -> None:
    # one weight, gradients 1 and 3: mean 2, deviation 1
    grads, active = [jnp.array([[[1.0]], [[3.0]]]), jnp.array([[[1.0]], [[3.0]]])], [jnp.array([True]), jnp.array([True])]
    made = to_float(proxies.zico_bc(grads, active, [64, 1], [16, 10], beta=2.0))
    assert made == pytest.approx(2 * math.log(2) - 2 * math.log(64 / 4))  # the linear layer has no map


def test_l_swag() -> None:
    # deviations of the sizes: 1 (weights 1, -3) and, in the deeper cell, 2
    grads = [jnp.array([[[1.0, 5]], [[-3.0, 5]]]), jnp.array([[[1.0]], [[5.0]]])]
    cells, counts = [np.array([0]), np.array([4])], jnp.array([10, 20], jnp.int32)
    assert to_float(proxies.l_swag(grads, counts, cells)) == pytest.approx(15 * (math.log(1) + math.log(0.5)))
    assert to_float(proxies.l_swag(grads, counts, cells, depth=(0.0, 0.5))) == pytest.approx(0)
    with pytest.raises(JaxzcError, match=r"depth=\(1, 0\): expected"):
        proxies.l_swag(grads, counts, cells, depth=(1, 0))


def test_wrcor() -> None:
    correlations = jnp.array([[[1.0, 0.5], [0.5, 1]], [[1, 0.25], [0.25, 1]]])
    total = np.array([[1, 0.5], [0.5, 1]]) + 2 * np.array([[1, 0.25], [0.25, 1]])
    assert value(proxies.wrcor, correlations) == pytest.approx(math.log(np.linalg.det(total)), rel=1e-5)
    assert math.isnan(value(proxies.wrcor, correlations.at[0].set(jnp.nan)))
    with pytest.raises(JaxzcError, match="at least 2 examples"):
        proxies.wrcor(correlations[:, :1, :1])


def test_vkdnw() -> None:
    values = np.arange(1.0, 12)  # 11 layers: the deciles are 2, 3 ... 10
    fisher = jnp.diag(jnp.array([0, *values, 0], jnp.float32))
    active = [jnp.array([False, *[True] * 11]), jnp.array([False])]
    q = np.arange(2, 11) / np.arange(2, 11).sum()
    entropy = -(q * np.log(q)).sum()
    assert value(proxies.vkdnw, fisher, active) == pytest.approx(entropy, rel=1e-5)
    assert value(proxies.vkdnw_single, fisher, active) == pytest.approx(11 + entropy / math.log(9), rel=1e-5)
    assert value(proxies.vkdnw, 0 * fisher, active) == 0


def test_dextr() -> None:
    spread, bend = math.log(1 + 3.5), math.log(1 + 2)
    conditions = [jnp.array([0.5, 1.0]), jnp.array([2.0])]
    assert value(proxies.dextr, conditions, jnp.float32(2)) == pytest.approx(spread * bend / (spread + bend))
    assert value(proxies.dextr, conditions, jnp.float32(np.nan)) == pytest.approx(spread)  # no output changes: the first part alone


def test_near() -> None:
    assert value(proxies.near, [jnp.array([[2.0, 1], [3, 0.5]]), jnp.array([[1.0, 1]])]) == 8.5


def test_intrain() -> None:
    participation = [jnp.array([[1.5, 1], [0.5, 1]]), jnp.array([[2.0, 1]])]
    grads = [jnp.array([[3.0, -3, 3, -3], [0, 0, 0, 0]]), jnp.array([[1.0, 0]])]  # as even as can be; absent; 0.5 / 1
    assert value(proxies.intrain, participation, grads) == pytest.approx(4 * (1 + 1 + 0.5) / math.log(4))


def test_w_pca() -> None:
    components = [jnp.array([2.0, 3]), jnp.array([1.0])]
    assert value(proxies.v_pca, components) == 6
    assert value(proxies.w_pca, components, jnp.float32(10)) == 60
