"""Scores of transformers' layers: how confident attention's projections are, and how much the loss depends on them and on the others."""

from collections.abc import Sequence

import jax.numpy as jnp

from jaxzc.definitions.facts import proxy
from jaxzc.numerics.layers import sum_over_layers
from jaxzc.types import Array


@proxy(direction="higher", labels=False, init="normal_0.02", norm="batch")
def attention_confidence(confidences: Sequence[Array], *, mean: bool = False) -> Array:
    """How far the largest outputs of attention's projections stand out.

    Definition: sum, or mean, over the layers that make queries, keys and values (and those that a Fourier or cosine transform takes) of the
        mean, over examples and features, of the largest output over the tokens.
    Source: Serianni & Kalita, Training-free Neural Architecture Search for RNNs and Transformers, ACL 2023 (attention confidence); after
        Voita et al., ACL 2019.
    Authors' code: as here, with dropout; their normalised form is `mean`.
    Weights: none.
    Fails: needs a network that says which layers are attention's (the spaces of transformers do). The sum grows with the number of layers.
        Queries, keys and values that one layer makes count once.
    """
    values = jnp.concatenate([*confidences])
    return values.mean() if mean else values.sum()


@proxy(direction="higher", labels=False, init="normal_0.02", norm="batch")
def softmax_confidence(softmaxes: Sequence[Array], *, mean: bool = False) -> Array:
    """How much weight attention's most confident head gives.

    Definition: sum, or mean, over attentions of the mean, over examples and pairs of tokens, of the largest of the heads' weights.
    Source: Serianni & Kalita, Training-free Neural Architecture Search for RNNs and Transformers, ACL 2023 (softmax confidence).
    Authors' code: as here, with dropout; their normalised form is `mean`. Layers that mix tokens by a Fourier or cosine transform count as
        well: their code takes a softmax of each head's outputs over the head's width, which their network does not use.
    Weights: none.
    Fails: needs a network that offers what attention makes weights of (the spaces of transformers do). At the start weights are nearly one
        over the number of tokens whatever the network is; outputs of transforms are large, so that one such layer counts for several
        attentions. The sum grows with the number of layers.
    """
    values = jnp.stack([*softmaxes])
    return values.mean() if mean else values.sum()


@proxy(direction="higher", labels=True, init="normal_0.02", norm="batch")
def head_importance(weights: Sequence[Array], loss_grads: Sequence[Array], mixing_layers: Sequence[bool]) -> Array:
    """SNIP of the layers that make what is mixed across tokens.

    Definition: sum |w dL/dw| over the layers that make queries, keys and values, what a transform takes, and the values of windows.
    Source: Serianni & Kalita, ACL 2023 (attention head importance); after Michel et al., Are sixteen heads really better than one?,
        NeurIPS 2019.
    Authors' code: differentiates the sum of the last hidden states in the place of the loss. Their networks end in layer normalisation,
        whose sum at the start is constant: that gradient is zero but for rounding, and with it the published scores. Ours is of the loss.
    Weights: kernels of these layers.
    Fails: needs a network that says which layers these are (the spaces of transformers do); grows with size.
    """
    chosen = [(w, g) for w, g, on in zip(weights, loss_grads, mixing_layers, strict=True) if on]
    return sum_over_layers(lambda w, g: jnp.abs(w * g), *map(list, zip(*chosen, strict=True)))


@proxy(direction="higher", labels=True, init="normal_0.02", norm="batch")
def synaptic_diversity(mixing_diversities: Sequence[Array], *, mean: bool = False) -> Array:
    """How large the singular values of attention's kernels and of their gradients are.

    Definition: sum, or mean, of ||W||_* ||dL/dW||_*, ||.||_* the sum of singular values, over the layers that make queries, keys, values,
        what a transform takes, and the values and weights of windows, and those that join what was mixed.
    Source: Zhou et al., Training-free Transformer Architecture Search, CVPR 2022 (eq. 3 to 5), for attention; with transforms and
        windows Serianni & Kalita, ACL 2023.
    Authors' code: Serianni and Kalita differentiate the sum of the last hidden states in the place of the loss. Their networks end in layer
        normalisation, whose sum at the start is constant: that gradient is zero but for rounding, and with it the published scores. Ours is
        of the loss. Zhou et al. take |W| and synaptic flow: the first term of `dss`. Both: as here else; their normalised form is `mean`.
    Weights: kernels of these layers.
    Fails: needs a network that says which layers these are (the spaces of transformers do). Nuclear norms are of the size of
        (layers x width)^1.5 and more: it grows with size. Queries, keys and values that one layer makes are one matrix.
    """
    values = jnp.concatenate([*mixing_diversities])
    return values.mean() if mean else values.sum()


@proxy(direction="higher", labels=True, init="normal_0.02", norm="batch")
def synaptic_saliency(
    weights: Sequence[Array], loss_grads: Sequence[Array], feed_forward_layers: Sequence[bool], *, mean: bool = False
) -> Array:
    """SNIP of the feed-forward layers.

    Definition: sum over the linear layers that act on each token alone, between those that mix tokens, of sum |w dL/dw|; or the mean over
        these layers.
    Source: Zhou et al., Training-free Transformer Architecture Search, CVPR 2022 (eq. 3 to 5); after Tanaka et al., NeurIPS 2020. For
        language models Serianni & Kalita, ACL 2023.
    Authors' code: the sum of the last hidden states for the loss, or synaptic flow, as for `synaptic_diversity`; the second term of `dss`
        counts the classifier and all other linear layers outside of attention as well. Their normalised form is `mean`.
    Weights: kernels of these layers.
    Fails: needs a network that says which layers these are (the spaces of transformers do); grows with size.
    """
    chosen = [jnp.abs(w * g).sum(1) for w, g, on in zip(weights, loss_grads, feed_forward_layers, strict=True) if on]
    values = jnp.concatenate(chosen)
    return values.mean() if mean else values.sum()
