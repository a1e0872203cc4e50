"""Passes over images of another size than the batch's, which a network may refuse."""

import jax.numpy as jnp

from jaxzc.types import Array, Forward, JaxzcError, Network, Norm, Params, Tap


def forward(network: Network, params: Params, images: Array, norm: Norm, tap: Tap) -> Forward:
    """`network.forward` on `images [B, H, W, channels]`; raises `JaxzcError` where the network takes no images of this size."""
    try:
        return network.forward(params, jnp.asarray(images), norm=norm, tap=tap)
    except JaxzcError:
        raise
    except Exception as error:
        # Flax's own errors are told by where they are defined, so that proxies without Flax do not import it.
        if not isinstance(error, TypeError | ValueError) and "flax.errors" not in {kind.__module__ for kind in type(error).__mro__}:
            raise
        reason = str(error).strip().partition("\n")[0]
        size = "x".join(map(str, images.shape[1:]))
        raise JaxzcError(f"runs the network on images of {size}, which it does not take ({reason}): leave this proxy out") from error
