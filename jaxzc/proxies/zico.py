"""ZiCo: inverse coefficient of variation of the gradients over batches."""

from collections.abc import Sequence

import jax.numpy as jnp

from jaxzc.numerics import deviation
from jaxzc.types import Array, JaxzcError


def layer_terms(grads: Array, gate: Array | None = None, std_of: str = "signed") -> Array:
    """log sum_w mean|g| / std(g) for each layer, `[layers]`, of gradients `[batches, layers, n]`; weights whose gradient is the same in
    every batch are left out, and a layer with nothing left gives 0."""
    if std_of not in ("signed", "abs"):
        raise JaxzcError(f"std_of={std_of!r}: expected 'signed' (the authors' code) or 'abs' (the paper's eq. 15)")
    size = jnp.abs(grads)
    spread = grads if std_of == "signed" else size
    std = deviation(spread, 0)
    same = (spread.max(0) <= spread.min(0)) | (std == 0)
    keep = ~same if gate is None else ~same & gate
    ratio = jnp.where(keep, size.mean(0) / jnp.where(same, 1, std), 0).sum(-1)
    return jnp.where(ratio != 0, jnp.log(jnp.where(ratio != 0, ratio, 1)), 0)


def zico(batch_grads: Sequence[Array], *, std_of: str = "signed") -> Array:
    """Sum over layers of the log of the summed inverse coefficient of variation of the gradients.

    Definition: sum_l log( sum_w E_i |g_w(X_i)| / sqrt(Var_i g_w(X_i)) ) over batches i (two in the paper), g the loss gradient.
    Source: Li et al., ZiCo, ICLR 2023, eq. 15.
    Authors' code: as here: population standard deviation of the signed gradient, weights with zero deviation left out, a layer without any
        left contributes 0. The paper's formula has the deviation of |g|: `std_of="abs"` (6 to 14 % larger, nearly the same ranking).
    Labels: yes.
    Init: PyTorch default (the paper: Kaiming).
    Norm mode: batch.
    Weights: convolution and linear kernels.
    Direction: higher is better.
    Fails: heavy-tailed: a single weight with nearly equal gradients can supply most of a layer's sum; needs two batches at least.
    """
    return sum((layer_terms(g, std_of=std_of).sum() for g in batch_grads), jnp.zeros(()))
