"""Sweet gradients: scores that count only weights whose loss gradient lies in an interval."""

from collections.abc import Callable, Sequence

import jax.numpy as jnp

from jaxzc.definitions.facts import OverLayers, proxy
from jaxzc.numerics.layers import sum_over_layers
from jaxzc.proxies.zico import layer_terms
from jaxzc.types import Array, JaxzcError

Interval = tuple[float, float]
NAS_BENCH_201: Interval = (1e-4, 5e-4)
"""The authors' interval for NAS-Bench-201 on CIFAR-10; `jaxzc.sweet_interval` finds one without training."""


def inside(grads: Array, active: Array, interval: Interval, signed: bool = False) -> Array:
    """t1 <= |g| < t2 (or t1 <= g < t2), for layers that exist; bool, shape of `grads [layers, n]`."""
    low, high = _edges(interval)
    size = grads if signed else jnp.abs(grads)
    return (size >= low) & (size < high) & active[:, None]


def _edges(interval: Interval) -> Interval:
    try:
        low, high = interval
        if 0 <= low < high:
            return low, high
    except (TypeError, ValueError):  # not two, or not numbers
        pass
    raise JaxzcError(f"interval={interval!r}: expected (t1, t2) with 0 <= t1 < t2")


def _over_layers(interval: Interval) -> OverLayers | None:
    """A weight of zero counts where the interval begins at 0."""
    try:
        return "terms" if _edges(interval)[0] > 0 else None
    except JaxzcError:
        return None  # the score itself says what is wrong


def _gated_sum(
    term: Callable[..., Array], interval: Interval, grads: Sequence[Array], active: Sequence[Array], *groups: Sequence[Array]
) -> Array:
    """Sum of `term(g, *values of the other groups)` over the weights whose gradient g is sweet."""
    return sum_over_layers(lambda g, on, *values: jnp.where(inside(g, on, interval), term(g, *values), 0), grads, active, *groups)


@proxy(direction="higher", labels=True, init="torch", norm="batch", over_layers=_over_layers)
def sweetimator(loss_grads: Sequence[Array], active: Sequence[Array], *, interval: Interval = NAS_BENCH_201) -> Array:
    """Number of weights whose gradient is sweet.

    Definition: #{ w : t1 <= |dL/dw| < t2 }, L the mean cross-entropy of one batch.
    Source: Yang et al., Sweet Gradient Matters, Neural Networks 168, 2023.
    Authors' code: as here (`effective_capacity`).
    Weights: convolution and linear kernels.
    Fails: the interval belongs to a space, data and initialiser; find it with `jaxzc sweet-interval`.
    """
    return _gated_sum(jnp.ones_like, interval, loss_grads, active)


@proxy(direction="higher", labels=True, init="torch", norm="batch", over_layers=_over_layers)
def sweet_snip(
    weights: Sequence[Array], loss_grads: Sequence[Array], active: Sequence[Array], *, interval: Interval = NAS_BENCH_201
) -> Array:
    """SNIP of the weights whose gradient is sweet.

    Definition: sum over { t1 <= |g| < t2 } of |w g|.
    Source: Yang et al., Sweet Gradient Matters, 2023.
    Authors' code: the difference of two sums (|g| >= t1 minus |g| >= t2), which cancels in float32; the gated sum here does not.
    Weights: convolution and linear kernels.
    Fails: as sweetimator.
    """
    return _gated_sum(lambda g, w: jnp.abs(w * g), interval, loss_grads, active, weights)


@proxy(direction="higher", labels=True, init="torch", norm="batch", over_layers=_over_layers)
def sweet_ntk(loss_grads: Sequence[Array], active: Sequence[Array], *, interval: Interval = NAS_BENCH_201) -> Array:
    """Squared norm of the sweet gradients.

    Definition: sum over { t1 <= |g| < t2 } of g^2 (a gated trace of the neural tangent kernel of the loss).
    Source: Yang et al., Sweet Gradient Matters, 2023.
    Authors' code: the difference of two sums (`effective_ntktrace`), off by up to 5 % in float32; the gated sum here is not.
    Weights: convolution and linear kernels.
    Fails: as sweetimator.
    """
    return _gated_sum(jnp.square, interval, loss_grads, active)


@proxy(direction="higher", labels=True, init="torch", norm="batch", over_layers=_over_layers)
def sweet_zico(batch_grads: Sequence[Array], active: Sequence[Array], *, interval: Interval = NAS_BENCH_201, zeroed: bool = False) -> Array:
    """ZiCo of the weights whose gradient on the first batch is sweet.

    Definition: sum_l log sum over { t1 <= |g_1| < t2 } of mean|g| / std(g) over batches.
    Source: Yang et al., Sweet Gradient Matters, 2023.
    Authors' code: as here: it never zeroes the gradients between the batches, so the i-th "batch" is g_1 + ... + g_i. `zeroed=True` is the
        intended score, with each batch's own gradient.
    Weights: convolution and linear kernels.
    Fails: as zico and sweetimator.
    """

    def terms(grads: Array, on: Array) -> Array:
        return layer_terms(grads if zeroed else jnp.cumsum(grads, 0), inside(grads[0], on, interval))

    return sum_over_layers(terms, batch_grads, active)


@proxy(direction="higher", labels=True, init="torch", norm="batch")
def sweet_gradsign(
    loss_grads: Sequence[Array],
    sign_sums: Sequence[Array],
    active: Sequence[Array],
    *,
    interval: Interval = NAS_BENCH_201,
    signed_gate: bool = True,
) -> Array:
    """GradSign of the weights whose batch gradient is sweet.

    Definition: sum over { t1 <= g < t2 } of |sum_n sign(dL_n/dw)|, L_n the loss of one example (a batch of one).
    Source: Yang et al., Sweet Gradient Matters, 2023; Zhang & Jia, GradSign, ICLR 2022.
    Authors' code: as here: the gate takes the signed gradient, so negative gradients never count. `signed_gate=False` gates by |g|
        (1.5 to 2.5 times larger).
    Weights: convolution and linear kernels.
    Fails: as sweetimator; costs one backward pass per example.
    """

    def agreement(grads: Array, signs: Array, on: Array) -> Array:
        return jnp.where(inside(grads, on, interval, signed_gate), jnp.abs(signs), 0)

    return sum_over_layers(agreement, loss_grads, sign_sums, active)


@proxy(direction="higher", labels=True, init="torch", norm="batch", over_layers=_over_layers)
def sweet_grad_norm(loss_grads: Sequence[Array], active: Sequence[Array], *, interval: Interval = NAS_BENCH_201) -> Array:
    """Sum of the sizes of the sweet gradients.

    Definition: sum over { t1 <= |g| < t2 } of |g|.
    Source: Yang et al., Sweet Gradient Matters, 2023.
    Authors' code: the difference of two sums (`effective_gradnorm`), which cancels in float32; the gated sum here does not. A 1-norm,
        unlike grad_norm.
    Weights: convolution and linear kernels.
    Fails: as sweetimator.
    """
    return _gated_sum(jnp.abs, interval, loss_grads, active)
