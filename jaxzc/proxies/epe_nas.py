"""EPE-NAS: correlation of input gradients within each class."""

import jax.numpy as jnp

from jaxzc._compile.float64 import in_float64
from jaxzc.definitions.facts import proxy
from jaxzc.numerics.linalg import correlation
from jaxzc.types import Array, JaxzcError


@proxy(direction="higher", labels=True, init="torch", norm="batch")
def epe_nas(input_grads: Array, labels: Array, *, many_classes: bool = False, eps: float = 1e-5) -> Array:
    """How correlated the input gradients of examples of one class are.

    Definition: sum over classes c of |s_c|, s_c = sum over pairs i, j of class c of log(|corr_ij| + eps), corr the Pearson correlation of
        d(sum of logits)/dx.
    Source: Lopes, Alirezazadeh & Alexandre, EPE-NAS: Efficient Performance Estimation Without Training for NAS, ICANN 2021.
    Authors' code: as here for up to 100 classes. For more it takes sum_cc' |s_c/n_c - s_c'/n_c'| over classes with two examples or more,
        divided by their number (`many_classes=True`).
    Weights: none.
    Fails: depends on how the batch spreads over classes: keep it fixed; NaN where an input gradient is constant.
    """
    if len(input_grads) < 2:
        raise JaxzcError(f"needs at least 2 examples in the batch and got {len(input_grads)}: it correlates the gradients of examples")

    def run(grads: Array) -> Array:
        logs = jnp.log(jnp.abs(correlation(grads)) + eps)
        same = (labels[:, None] == labels[None, :]).astype(grads.dtype)
        count = same.sum(1)  # examples of the class, for each example
        sums = ((same @ logs) * same).sum(1)  # s of the class, for each example
        if not many_classes:
            return (jnp.abs(sums) / count).sum()
        weight = jnp.where(count > 1, 1 / count, 0)  # so that every class weighs one
        mean = sums / count
        differences = jnp.abs(mean[None, :] - mean[:, None])
        return (jnp.outer(weight, weight) * differences).sum() / weight.sum()

    return in_float64(run)(input_grads)
