"""WRCor: how differently a network answers to different images, the deeper the more it counts."""

import jax.numpy as jnp
import numpy as np

from jaxzc._compile.float64 import in_float64
from jaxzc.definitions.facts import proxy
from jaxzc.types import Array, JaxzcError


@proxy(direction="higher", labels=True, init="torch", norm="batch")
def wrcor(response_correlations: Array) -> Array:
    """log determinant of the depth-weighted correlations of images' feature maps and gradients.

    Definition: log |det sum_i 2^i ( |corr(a_i)| + |corr(dL/da_i)| )|, a_i the output of cell i (0: the stem), corr the Pearson correlation
        between images, [B, B].
    Source: Jing et al., Zero-Shot Neural Architecture Search with Weighted Response Correlation, Neurocomputing 2025, arXiv 2507.08841.
    Authors' code: reads the inputs of the ReLUs inside each cell; here the outputs of cells, which are what the next cell's first ReLUs
        read.
    Weights: none; feature maps and their gradients.
    Fails: NaN where a map or gradient is constant (disconnected networks); needs a network with cells; the last cells decide.
    """
    if response_correlations.shape[1] < 2:
        raise JaxzcError(f"needs at least 2 examples in the batch and got {response_correlations.shape[1]}: it correlates their answers")

    def run(correlations: Array) -> Array:
        weights = 2.0 ** np.arange(1 - len(correlations), 1)  # of the last cell 1, put right below
        size = correlations.shape[1]
        total = jnp.tensordot(jnp.asarray(weights, correlations.dtype), correlations, 1)
        return jnp.linalg.slogdet(total)[1] + size * (len(correlations) - 1) * jnp.log(2.0)

    return in_float64(run)(response_correlations)
