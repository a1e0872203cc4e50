"""What Linen and NNX models share: the BatchNorm that a norm mode asks for, and switching a model to its deterministic mode."""

import inspect
import math
from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp

from jaxzc.types import Array, JaxzcError, Norm

MODE_FLAGS = {
    "train": False,
    "training": False,
    "is_training": False,
    "is_train": False,
    "deterministic": True,
    "use_running_average": True,
}


def mode_kwargs(call: Callable[..., Any], model_kwargs: Mapping[str, Any] | None) -> dict[str, Any]:
    """The user's keywords, or else the mode flags in the signature of `call`, set so that nothing is random."""
    if model_kwargs is not None:
        return dict(model_kwargs)
    return {name: MODE_FLAGS[name] for name in inspect.signature(call).parameters if name in MODE_FLAGS}


def batch_norm(module: Any, x: Array, scale: Array | None, bias: Array | None, *, norm: Norm, mask: Array | None = None) -> Array:
    """A Linen or NNX BatchNorm of `x` in a norm mode, with the batch's statistics (variance in two passes) or mean 0 and variance 1.

    module: gives `axis`, `epsilon`, `dtype` and `axis_name`; stored statistics are neither read nor changed.
    mask: as in the modules, broadcastable to `x`: where statistics are taken.
    Raises `JaxzcError` for `axis_name`: statistics across devices are not supported.
    """
    if module.axis_name is not None:
        raise JaxzcError(f"BatchNorm(axis_name={module.axis_name!r}): statistics across devices are not supported, leave axis_name out")
    if norm == "none":
        return x
    given = module.axis if isinstance(module.axis, tuple | list) else (module.axis,)
    features = {axis % x.ndim for axis in given}
    rest = tuple(axis for axis in range(x.ndim) if axis not in features)
    shape = [x.shape[axis] if axis in features else 1 for axis in range(x.ndim)]
    dtype = module.dtype or jnp.result_type(*(part for part in (x, scale, bias) if part is not None))
    y = x.astype(jnp.promote_types(jnp.float32, x.dtype))
    if norm == "batch":
        y = y - jnp.mean(y, rest, keepdims=True, where=mask)
        y = y * jax.lax.rsqrt(jnp.mean(jnp.square(y), rest, keepdims=True, where=mask) + module.epsilon)
    else:
        y = y * (1.0 / math.sqrt(1.0 + module.epsilon))
    y = y if scale is None else y * jnp.reshape(scale, shape)
    y = y if bias is None else y + jnp.reshape(bias, shape)
    return y.astype(dtype)
