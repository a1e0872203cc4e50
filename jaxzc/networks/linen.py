"""Flax Linen modules as networks."""

from collections.abc import Callable, Mapping
from typing import Any

import jax
from flax import linen as nn
from flax.core import DenyList, unfreeze
from flax.errors import InvalidRngError

from jaxzc.networks.adapter import ProgramNetwork, make_network
from jaxzc.networks.norms import batch_norm, mode_kwargs
from jaxzc.types import Array, JaxzcError, Norm

NORMS = (nn.BatchNorm, nn.LayerNorm, nn.GroupNorm, nn.RMSNorm, nn.InstanceNorm)


def linen_network(
    module: nn.Module,
    variables: Any,
    images: Any,
    *,
    cells: Callable[[str], int] | None = None,
    model_kwargs: Mapping[str, Any] | None = None,
) -> tuple[ProgramNetwork, Any]:
    """The network of a Linen module, and its parameters (the `params` collection).

    variables: what `module.init` returned, or its `params` alone. Batch statistics in it are neither read nor changed: `norm="init"`
        means an untrained network. Other collections are constants; what the module writes to them is dropped.
    model_kwargs: keywords of `__call__`; without, mode flags (`train`, `deterministic`, ...) are set to evaluation. Dropout is off always.
    Raises `JaxzcError` where the module asks for random numbers, or has a BatchNorm across devices.
    """
    variables = nn.meta.unbox(unfreeze(variables))
    if not isinstance(variables, Mapping):
        raise JaxzcError(f"params of a Linen module must be the dict that module.init returned, got {type(variables).__name__}")
    # a submodule may itself be called "params", so the key alone does not tell the collection
    whole = "params" in variables and isinstance(variables["params"], Mapping)
    params = variables["params"] if whole else variables
    rest = {name: value for name, value in variables.items() if name != "params"} if whole else {}
    kwargs = mode_kwargs(type(module).__call__, model_kwargs)

    def fn(params: Any, images: Array, norm: Norm) -> Any:
        # nn.jit caches by what is mutable but knows nothing of interceptors: the name of the mode keeps its entries apart
        mutable = DenyList(("params", f"jaxzc {norm}"))
        with nn.intercept_methods(_interceptor(norm)):
            try:
                logits, _ = module.apply({"params": params, **rest}, images, mutable=mutable, **kwargs)
            except InvalidRngError as error:
                raise JaxzcError(
                    f"{type(module).__name__} asks for random numbers ({error}): a score must not depend on them, "
                    "switch them off with model_kwargs=dict(...) or in the module's attributes"
                ) from error
        return logits

    params = jax.tree.map(lambda leaf: leaf, params)
    return make_network(fn, params, images, cells), params


def _interceptor(norm: Norm) -> Callable[..., Any]:
    """What runs in the place of normalisation and dropout modules."""

    def intercept(call: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any], context: Any) -> Any:
        module = context.module
        if context.method_name != "__call__":
            return call(*args, **kwargs)
        if isinstance(module, nn.Dropout) or (norm == "none" and isinstance(module, NORMS)):
            return args[0] if args else kwargs.get("x", kwargs.get("inputs"))
        if isinstance(module, nn.BatchNorm):
            scale, bias = (module.get_variable("params", name) for name in ("scale", "bias"))
            return batch_norm(module, args[0] if args else kwargs["x"], scale, bias, norm=norm, mask=kwargs.get("mask"))
        return call(*args, **kwargs)

    return intercept
