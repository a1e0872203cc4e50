"""MeCo: how far the channels of each feature map are from depending on each other."""

from collections.abc import Sequence

from jaxzc.definitions.facts import proxy
from jaxzc.numerics.layers import sum_over_layers
from jaxzc.types import Array


@proxy(direction="higher", labels=False, version=2, init="torch", norm="batch")
def meco(meco_minima: Sequence[Array]) -> Array:
    """Smallest eigenvalues of the channels' correlation matrices, summed over layers.

    Definition: sum_l lambda_min(P_l), P_l the Pearson correlation between the channels of convolution l's output, on one image of standard
        normal noise of 64 x 64 pixels.
    Source: Jiang et al., MeCo: Zero-Shot NAS with One Data and Single Forward Pass via Minimum Eigenvalue of Correlation, NeurIPS 2023,
        eq. 7.
    Authors' code: every module is hooked, containers too, so that one map counts up to four times and normalised and rectified maps count
        as well; here each convolution's output counts once.
    Weights: none; feature maps.
    Fails: 0 for maps with fewer positions than channels; negatively correlated where width varies, which is what meco_opt is for.
    """
    return sum_over_layers(lambda least: least, meco_minima)


@proxy(direction="higher", labels=False, version=2, init="torch", norm="batch")
def meco_opt(meco_sampled_minima: Sequence[Array], channels: Sequence[int]) -> Array:
    """MeCo of a few sampled channels, weighted by the number of channels.

    Definition: sum_l (c_l / n) lambda_min of the correlation of n = 8 channels drawn at random, c_l the channels of convolution l's output.
    Source: Jiang et al., MeCo, NeurIPS 2023, eq. 13.
    Authors' code: as meco's.
    Weights: none; feature maps.
    Fails: depends on which channels are drawn.
    """
    return sum_over_layers(lambda least, c: least * (c / min(c, 8)), meco_sampled_minima, channels)
