"""Flax NNX modules as networks."""

from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

import jax
from flax import nnx

from jaxzc.networks.adapter import ProgramNetwork, make_network
from jaxzc.networks.norms import batch_norm, mode_kwargs
from jaxzc.types import Array, JaxzcError, Norm

NORMS = (nnx.BatchNorm, nnx.LayerNorm, nnx.GroupNorm, nnx.RMSNorm, nnx.InstanceNorm)


def nnx_network(
    module: nnx.Module,
    params: Any,
    images: Any,
    *,
    cells: Callable[[str], int] | None = None,
    model_kwargs: Mapping[str, Any] | None = None,
) -> tuple[ProgramNetwork, Any]:
    """The network of an NNX module, and its parameters (an `nnx.State` of its `nnx.Param`s).

    params: such a state, or None for the module's own. The module is copied, never changed. Its batch statistics are neither read nor
        changed: `norm="init"` means an untrained network. Other variables are constants.
    model_kwargs: keywords of `__call__`; without, mode flags (`train`, `deterministic`, ...) are set to evaluation. Dropout is off always.
    Raises `JaxzcError` where params are not such a state, or where a BatchNorm works across devices.
    """
    # the split shares its variables with the user's module, which may be trained on: mapping over it makes new ones
    graph, own, rest = nnx.split(module, nnx.Param, ...)
    own, rest = (jax.tree.map(lambda leaf: leaf, state) for state in (own, rest))
    if params is None:
        params = own
    if jax.tree_util.tree_structure(params) != jax.tree_util.tree_structure(own):
        raise JaxzcError("params of an NNX module must be None or nnx.state(module, nnx.Param)")
    kwargs = mode_kwargs(type(module).__call__, model_kwargs)

    def fn(params: Any, images: Array, norm: Norm) -> Any:
        model: Any = nnx.merge(graph, params, rest, copy=True)
        model.eval()
        for _, part in nnx.iter_modules(model):
            if isinstance(part, (nnx.Dropout, *NORMS)):
                # the class changes, not the object: it stays where it is, in lists too, and isinstance still holds
                object.__setattr__(part, "__class__", _replaced(type(part), norm))
        return model(images, **kwargs)

    return make_network(fn, params, images, cells), params


@cache
def _replaced(cls: Any, norm: Norm) -> Any:
    """A subclass of a normalisation or dropout class that does what the norm mode asks for."""

    def batch(self: Any, x: Array, use_running_average: bool | None = None, *, mask: Array | None = None) -> Array:
        scale, bias = (None if variable is None else variable[...] for variable in (self.scale, self.bias))
        return batch_norm(self, x, scale, bias, norm=norm, mask=mask)

    def identity(self: Any, x: Array, *args: Any, **kwargs: Any) -> Array:
        return x

    if issubclass(cls, nnx.Dropout) or (norm == "none" and issubclass(cls, NORMS)):
        return type(cls.__name__, (cls,), {"__call__": identity})
    if issubclass(cls, nnx.BatchNorm):
        return type(cls.__name__, (cls,), {"__call__": batch})
    return cls
