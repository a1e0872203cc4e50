"""GradSign and its relatives: whether single examples pull a weight the same way."""

from collections.abc import Sequence

import jax.numpy as jnp

from jaxzc.definitions.facts import proxy
from jaxzc.numerics.layers import sum_over_layers
from jaxzc.types import Array, JaxzcError


@proxy(direction="higher", labels=True, init="torch", norm="batch")
def gradsign(sign_sums: Sequence[Array], active: Sequence[Array], *, reduce: str = "sum") -> Array:
    """Agreement of the signs of single examples' gradients.

    Definition: sum over weights of |sum_n sign(dL_n/dw)|, L_n the loss of example n, a batch of one.
    Source: Zhang & Jia, GradSign: Model Performance Inference with Theoretical Insights, ICLR 2022, algorithm 1.
    Authors' code: the sum on NDS, as here; on NAS-Bench-201 the mean, of networks that keep all candidate operations, whose weights without
        a gradient count as zeros: every network is divided by the same number, so it ranks as the sum. `reduce="mean"` is over the weights
        that the network has, which is another proxy: without the network's size in it, hardly correlated with accuracy.
    Weights: convolution and linear kernels.
    Fails: grows with the batch size; mostly a count of weights; one backward pass for each example. Where a cell ends in normalisation and
        the head is a mean (DARTS, NDS), a batch of one gives the last cell's kernels a gradient of zero, and the signs of its rounding are
        counted: another compiler or device gives another score.
    """
    if reduce not in ("mean", "sum"):
        raise JaxzcError(f"reduce={reduce!r}: expected 'sum' (the paper) or 'mean' (for the average weight of the network)")
    total = grad_conflict(sign_sums)
    if reduce == "sum":
        return total
    return total / sum_over_layers(lambda signs, on: on.astype(total.dtype) * signs.shape[1], sign_sums, active)


@proxy(direction="higher", labels=True, init="torch", norm="batch")
def grad_conflict(sign_sums: Sequence[Array]) -> Array:
    """GradSign under its name in the zero-cost-nas family.

    Definition: sum over weights of |sum_n sign(dL_n/dw)|, L_n the loss of example n, a batch of one.
    Source: Zhang & Jia, GradSign, ICLR 2022; in the code of Yang et al., Sweet Gradient Matters, 2023, as `grad_conflict`.
    Authors' code: as here.
    Weights: convolution and linear kernels.
    Fails: as gradsign; mostly a count of weights.
    """
    return sum_over_layers(jnp.abs, sign_sums)


@proxy(direction="higher", labels=True, init="torch", norm="batch")
def grad_angle(unit_mean: Sequence[Array]) -> Array:
    """How much the directions of single examples' gradients agree.

    Definition: mean_n cos(g_n, m), m = mean_n g_n / |g_n|, g_n the gradient of example n as a batch of one; this is |m|.
    Source: a measure of the zero-cost-nas family (`grad_angle`), in the code of Yang et al., Sweet Gradient Matters, 2023.
    Authors' code: the mean of cosines, which equals the length of m.
    Weights: convolution and linear kernels.
    Fails: NaN where an example's gradient is zero; one backward pass for each example.
    """
    return jnp.sqrt(sum_over_layers(jnp.square, unit_mean))
