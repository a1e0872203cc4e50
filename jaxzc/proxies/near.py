"""NEAR: how many directions a network's activations really use."""

from collections.abc import Sequence

from jaxzc.definitions.facts import proxy
from jaxzc.numerics.layers import sum_over_layers
from jaxzc.types import Array


@proxy(direction="higher", labels=False, init="torch", norm="batch")
def near(effective_ranks: Sequence[Array]) -> Array:
    """Effective ranks of pre- and post-activations, summed over activation functions.

    Definition: sum_l erank(Z_l) + erank(phi(Z_l)), Z_l the inputs of activation function phi as a square matrix of channels by consecutive
        rows (examples and positions, from a random one on); erank(A) = exp(H(p)), p the singular values over their sum.
    Source: NEAR: A Training-Free Pre-Estimator of Machine Learning Model Performance, ICLR 2025, arXiv 2408.08776.
    Authors' code: takes the output of every module that has a weight, normalisations too, so that values before an activation function
        count for the convolution and again for the normalisation; appends batches until there are as many rows as channels, where here a
        small batch gives fewer rows; averages over networks drawn anew, which here is what several seeds are for.
    Weights: none; activations.
    Fails: grows with width and with the number of activation functions; not compared with the authors' code, of which no values are stored;
        undefined where an activation function has a parameter of its own.
    """
    return sum_over_layers(lambda ranks: ranks, effective_ranks)
