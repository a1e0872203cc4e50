"""DSS: synaptic diversity of attention and saliency of the other linear layers, of transformers."""

from collections.abc import Sequence

import jax.numpy as jnp

from jaxzc.definitions.facts import proxy
from jaxzc.types import Array, Scaled


@proxy(direction="higher", labels=False, init="normal_0.02", norm="batch")
def dss(
    weights: Sequence[Array],
    synflow_bn_grads: Sequence[Array],
    synflow_bn_exponent: Array,
    attention_diversities: Sequence[Array | None],
    linear_layers: Sequence[bool],
) -> Scaled:
    """Synaptic diversity of attention plus synaptic saliency of the other linear layers.

    Definition: sum over attention's layers (queries, keys and values; joining the heads) of || |W| ||_* ||dR/d|W| ||_*, ||.||_* the sum
        of singular values, plus the sum over all other linear layers' weights of |w dR/dw|; R = 1' f(1; |theta|) with layer normalisation
        kept, as in synflow_bn. The convolutions that make patches or pool them do not count.
    Source: Zhou et al., Training-free Transformer Architecture Search, CVPR 2022, eq. 3 to 5.
    Authors' code: as here, but it tells attention by the name of a class and by square kernels: AutoFormer's queries, keys and values of
        one fixed width are then no attention, linear layers between PiT's stages of equal width are, and a classifier of 1,000 classes
        counts twice. Under today's PyTorch its script reads weights whose signs were never removed, and queries, keys and values without
        gradients: other numbers.
    Weights: kernels of linear layers.
    Fails: needs a network that says which layers are attention's (the spaces of transformers do). Nuclear norms are of the size of
        (layers x width)^1.5 and more: it grows with size. A network whose last layer is layer normalisation has a constant R.
    """
    total = jnp.zeros(())
    for w, g, diversity, linear in zip(weights, synflow_bn_grads, attention_diversities, linear_layers, strict=True):
        if diversity is not None:
            total = total + diversity.sum()
        elif linear:
            total = total + jnp.abs(w * g).sum()
    return Scaled(total, synflow_bn_exponent)
