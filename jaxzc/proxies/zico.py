"""ZiCo: inverse coefficient of variation of the gradients over batches."""

import math
from collections.abc import Sequence

import jax.numpy as jnp
import numpy as np

from jaxzc.definitions.facts import proxy
from jaxzc.numerics.layers import sum_over_layers
from jaxzc.numerics.linalg import deviation, largest, smallest, total
from jaxzc.proxies.swap import swap
from jaxzc.types import Array, JaxzcError


def layer_terms(grads: Array, gate: Array | None = None, std_of: str = "signed") -> Array:
    """log sum_w mean|g| / std(g) for each layer, `[layers]`, of gradients `[batches, layers, n]`; weights whose gradient is the same in
    every batch are left out, and a layer with nothing left gives 0."""
    if std_of not in ("signed", "abs"):
        raise JaxzcError(f"std_of={std_of!r}: expected 'signed' (the authors' code) or 'abs' (the paper's eq. 15)")
    size = jnp.abs(grads)
    spread = grads if std_of == "signed" else size
    std = deviation(spread, 0)
    same = (largest(spread, 0)[0] <= smallest(spread, 0)[0]) | (std == 0)
    keep = ~same if gate is None else ~same & gate
    ratio = jnp.where(keep, total(size, 0)[0] / len(size) / jnp.where(same, 1, std), 0).sum(-1)
    return jnp.where(ratio != 0, jnp.log(jnp.where(ratio != 0, ratio, 1)), 0)


@proxy(direction="higher", labels=True, init="torch", norm="batch", over_layers="terms")
def zico(batch_grads: Sequence[Array], *, std_of: str = "signed") -> Array:
    """Sum over layers of the log of the summed inverse coefficient of variation of the gradients.

    Definition: sum_l log( sum_w E_i |g_w(X_i)| / sqrt(Var_i g_w(X_i)) ) over batches i (two in the paper), g the loss gradient.
    Source: Li et al., ZiCo, ICLR 2023, eq. 15.
    Authors' code: as here: population standard deviation of the signed gradient, weights with zero deviation left out, a layer without any
        left contributes 0. The paper's formula has the deviation of |g|: `std_of="abs"` (6 to 14 % larger, nearly the same ranking); its
        weights are Kaiming's.
    Weights: convolution and linear kernels.
    Fails: heavy-tailed: a single weight with nearly equal gradients can supply most of a layer's sum; needs two batches at least.
    """
    return sum_over_layers(lambda g: layer_terms(g, std_of=std_of), batch_grads)


@proxy(direction="higher", labels=True, init="torch", norm="batch")
def zico_bc(
    batch_grads: Sequence[Array], active: Sequence[Array], map_positions: Sequence[int], channels: Sequence[int], *, beta: float = 1.0
) -> Array:
    """ZiCo with the bias towards thin and deep networks taken off.

    Definition: zico - beta sum_l log( H_l W_l / sqrt(C_l) ), H_l W_l the positions and C_l the channels of convolution l's output.
    Source: Bhardwaj et al., ZiCo-BC: A Bias Corrected Zero-Shot NAS for Vision Tasks, ICCV Workshops 2023, eq. 2.
    Authors' code: not published; beta 1 for classification and detection, 2 for segmentation.
    Weights: convolution and linear kernels.
    Fails: as zico; made for searches among repeated blocks of one input size.
    """

    def bias(on: Array, positions: int, c: int) -> Array:
        return jnp.where(on, math.log(positions / c**0.5) if positions > 1 else 0.0, 0.0)  # linear layers have one position

    return zico(batch_grads) - beta * sum_over_layers(bias, active, map_positions, channels)


@proxy(direction="higher", labels=True, init="torch", redrawn="normal", norm="batch")
def l_swag(
    batch_grads: Sequence[Array], swap_counts: Array, cells: Sequence[np.ndarray], *, depth: tuple[float, float] = (0.0, 1.0)
) -> Array:
    """Inverse deviation of the gradients' sizes over batches, times the number of sample-wise activation patterns.

    Definition: ( sum_l log sum_w 1 / sqrt(Var_i |g_w(X_i)|) ) x swap, over the layers whose cell lies between two fractions of the depth.
    Source: Casarin, Escalera & Lanz, L-SWAG: Layer-Sample Wise Activation with Gradients information for Zero-Shot NAS on Vision
        Transformers, CVPR 2025, eq. 4.
    Authors' code: not read. The paper picks the layers once for each benchmark, where the deviations of 1,000 networks spike; here all of
        them, or `depth=(low, high)`. Its patterns are of the network's own weights; here those of swap.
    Weights: convolution and linear kernels.
    Fails: as zico and swap; the first factor may be negative, which turns the second one round.
    """
    low, high = depth
    if not 0 <= low < high <= 1:
        raise JaxzcError(f"depth={depth!r}: expected (low, high) with 0 <= low < high <= 1")
    last = max(int(c.max()) for c in cells)

    def terms(grads: Array, cell: np.ndarray) -> Array:
        size = jnp.abs(grads)
        std = deviation(size, 0)
        same = (largest(size, 0)[0] <= smallest(size, 0)[0]) | (std == 0)
        inverse = jnp.where(same, 0, 1 / jnp.where(same, 1, std)).sum(-1)
        # The stem and the head belong to no cell, and count where the whole depth does.
        inside = (low * last <= cell) & (cell <= high * last) if (low, high) != (0, 1) else np.ones(len(cell), bool)
        usable = (inverse > 0) & inside
        return jnp.where(usable, jnp.log(jnp.where(usable, inverse, 1)), 0)

    total = sum_over_layers(terms, batch_grads, cells)
    return total * swap(swap_counts).astype(total.dtype)
