"""Passes over images of another size than the batch's, which a network may refuse."""

import jax.numpy as jnp

from jaxzc.types import Array, Forward, JaxzcError, Network, Norm, Params, Tap


def forward(network: Network, params: Params, images: Array, norm: Norm, tap: Tap) -> Forward:
    """`network.forward` on `images [B, H, W, channels]`; raises `JaxzcError` where the network takes no images of this size."""
    try:
        return network.forward(params, jnp.asarray(images), norm=norm, tap=tap)
    except Exception as error:
        # What a user's model raises comes as a `JaxzcError` that it caused, what a space's network raises as it is. Flax's own errors
        # are told by where they are defined, so that proxies without Flax do not import it.
        cause = error.__cause__ if isinstance(error, JaxzcError) else error
        if not isinstance(cause, TypeError | ValueError) and "flax.errors" not in {kind.__module__ for kind in type(cause).__mro__}:
            raise
        reason = str(cause).strip().partition("\n")[0]
        size = "x".join(map(str, images.shape[1:]))
        raise JaxzcError(f"runs the network on images of {size}, which it does not take ({reason}): leave this proxy out") from error
