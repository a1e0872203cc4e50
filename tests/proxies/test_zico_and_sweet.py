"""ZiCo and the proxies of sweet gradients, of arrays written by hand beside their closed formulas."""

import math
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxzc import proxies
from jaxzc.proxies.sweet import NAS_BENCH_201
from jaxzc.types import JaxzcError
from tests.support.by_hand import NAN, ON, batches, group, value


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


@pytest.mark.mistyped
@pytest.mark.parametrize("interval", [(0.5, 0.25), (0.1, 0.1), (-1, 1), (NAN, 1), (0, NAN), (1,), (1, 2, 3), 5, "abc", "ab", (None, 1)])
def test_bad_intervals(interval: Any) -> None:
    with pytest.raises(JaxzcError, match=r"interval=.*: expected \(t1, t2\) with 0 <= t1 < t2"):
        proxies.sweetimator(SWEET, EXISTS, interval=interval)
