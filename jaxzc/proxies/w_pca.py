"""W-PCA: how many principal components a network's values before its activation functions have, and the same times its size."""

from collections.abc import Sequence

from jaxzc.definitions.facts import proxy
from jaxzc.numerics.dtypes import wider
from jaxzc.numerics.layers import sum_over_layers
from jaxzc.types import Array


@proxy(direction="higher", labels=False, init="torch", norm="batch")
def v_pca(principal_components: Sequence[Array]) -> Array:
    """Principal components before activation functions, summed.

    Definition: sum over activation functions of the number of leading principal components of their inputs whose part of the variance
        exceeds 0.99; rows are examples and positions.
    Source: W-PCA, ICLR 2025, arXiv 2504.15983, where it is defined on the feed-forward layers of transformers.
    Authors' code: divides by the number of layers and averages three batches; another script of theirs divides by width. How stacks of
        feed-forward layers count is not known; here every activation function counts, in convolutional networks too, which is ours.
    Weights: none; values before activation functions.
    Fails: a whole number, so that small networks tie; capped by width and by the number of rows, so that tiny batches saturate it and wide
        networks win.
    """
    return sum_over_layers(lambda count: count, principal_components)


@proxy(direction="higher", labels=False, init="torch", norm="batch")
def w_pca(principal_components: Sequence[Array], param_count: Array) -> Array:
    """V-PCA times the number of parameters.

    Definition: params * v_pca.
    Source: W-PCA, ICLR 2025, arXiv 2504.15983.
    Authors' code: as v_pca's.
    Weights: their number.
    Fails: a size count in part: where networks differ in size, params decides most of its order.
    """
    components, params = wider(v_pca(principal_components), param_count)
    return params * components
