"""TE-NAS: how well conditioned the neural tangent kernel is, and how many linear regions the network has."""

import jax.numpy as jnp

from jaxzc._compile.float64 import in_float64
from jaxzc.definitions.facts import proxy
from jaxzc.numerics.linalg import eigenvalues
from jaxzc.types import Array


def condition_number(matrix: Array) -> Array:
    """Largest over smallest eigenvalue of a positive semi-definite matrix `[n, n]`; NaN where it is zero or not finite. The smallest is at
    least what rounding of the matrix leaves: an exactly singular matrix of float32 has some 1e6."""
    floor = float(jnp.finfo(matrix.dtype).eps) * len(matrix)

    def run(matrix: Array) -> Array:
        finite = jnp.isfinite(matrix).all()
        values = eigenvalues(jnp.where(finite, matrix, 0))
        usable = finite & (values[-1] > 0)
        return jnp.where(usable, values[-1] / jnp.maximum(values[0], floor * jnp.where(usable, values[-1], 1)), jnp.nan)

    return in_float64(run)(matrix)


@proxy(direction="lower", labels=False, init="torch", norm="batch")
def ntk_condition(ntk: Array) -> Array:
    """Condition number of the neural tangent kernel of the summed logits.

    Definition: lambda_max / lambda_min of Theta_ij = <d(sum of logits of image i)/dw, d(sum of logits of image j)/dw>, w every parameter
        but biases, over 16 images that pass as one batch.
    Source: Chen, Gong & Wang, TE-NAS, ICLR 2021, section 3.1.1.
    Authors' code: as here; the batch has 72 images on NAS-Bench-201 (`images=72`), 14 to 24 elsewhere, the weights are Kaiming (fan-out),
        and it averages 3 draws. NaN (a zero kernel) becomes 100000 there and stays NaN here. ZenNAS and AZ-NAS report the negative.
    Weights: all parameters but biases, normalisation scales included.
    Fails: NaN where the network is disconnected; one backward pass for each image, over all images; noisy from draw to draw.
    """
    return condition_number(ntk)


@proxy(direction="lower", labels=False, init="torch", norm="init")
def ntk_condition_init(ntk_init: Array) -> Array:
    """Condition number of the neural tangent kernel with fresh running statistics.

    Definition: as ntk_condition, batch normalisation with mean 0 and variance 1, so that images do not see each other.
    Source: Chen, Gong & Wang, TE-NAS, ICLR 2021.
    Authors' code: as here (`train_mode=False`), on Kaiming weights (fan-out); their search does not use it.
    Weights: all parameters but biases, normalisation scales included.
    Fails: activations fade with depth without batch statistics, and the kernel with them, to a matrix of nearly equal entries.
    """
    return condition_number(ntk_init)


@proxy(direction="higher", labels=False, redrawn="kaiming_normal_fan_in", norm="batch")
def linear_regions(region_count: Array) -> Array:
    """Number of linear regions that a sample of small crops falls into.

    Definition: number of different sign patterns of all ReLU inputs among 3 batches of 1,000 crops of 4 x 4 pixels, of a network one
        channel wide with weights of its own.
    Source: Chen, Gong & Wang, TE-NAS, ICLR 2021, section 3.1.2; Xiong et al., On the number of linear regions of convolutional neural
        networks, ICML 2020.
    Authors' code: crops of 3 x 3, and one cell for each stage; here all cells, and 4 x 4, which two halvings need. It sums
        1 / multiplicity in half precision, so that equal counts may differ in the sixth digit. Give `region_params` and
        `region_images` to count on other weights and images.
    Weights: none; signs of ReLU inputs.
    Fails: counts no more than there are crops, and in wide or deep networks nearly every crop has a region of its own.
    """
    return region_count
