"""Fisher information of channel gates."""

from collections.abc import Sequence

import jax.numpy as jnp

from jaxzc.definitions.facts import proxy
from jaxzc.numerics.layers import sum_over_layers
from jaxzc.types import Array


@proxy(direction="higher", labels=True, init="torch", norm="batch")
def fisher(
    channel_saliency: Sequence[Array], fan_in: Sequence[Array | int], active: Sequence[Array], *, per_channel: bool = False
) -> Array:
    """Sum over channels of the squared sensitivity of the loss to a gate on the channel.

    Definition: sum_l sum_c 1/2 mean_n (sum_positions a_nc dL/da_nc)^2 * fan_in_l, a the output of a convolution or linear layer.
    Source: Theis et al., 2018, eq. 10; Turner et al., BlockSwap, ICLR 2020; as a score: Abdelfattah et al., ICLR 2021.
    Authors' code: as here. It spreads each channel's value over the shape of the kernel before summing, hence the factor fan-in;
        `per_channel=True` leaves that factor out, as the papers' formula does.
    Weights: none; outputs of convolution and linear layers.
    Fails: not zero for disconnected networks (the classifier's bias is an activation); negative correlation on NAS-Bench-101.
    """

    def information(saliency: Array, n: Array | int, on: Array) -> Array:
        return jnp.where(on, 0.5 * jnp.square(saliency).mean(1).sum(-1) * (1 if per_channel else n), 0)

    return sum_over_layers(information, channel_saliency, fan_in, active)
