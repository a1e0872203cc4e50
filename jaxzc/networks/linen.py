"""Flax Linen modules as networks."""

from collections.abc import Callable, Mapping
from typing import Any

import jax
from flax import linen as nn
from flax.core import DenyList, unfreeze
from flax.errors import InvalidRngError, ScopeCollectionNotFound, ScopeParamNotFoundError, ScopeParamShapeError

from jaxzc.networks.calls import FLAGS, arguments, explained, mode_kwargs, signature
from jaxzc.networks.normalisation import NormModes
from jaxzc.networks.options import NetworkOptions
from jaxzc.networks.traced.network import ProgramNetwork, make_network
from jaxzc.types import JaxzcError, Params, PyTree

STATISTICS = "batch_stats"
"""The collection of running statistics."""


def linen_network(module: nn.Module, variables: Any, inputs: PyTree, options: NetworkOptions) -> tuple[ProgramNetwork, Any]:
    """The network of a Linen module, and its parameters (the `params` collection).

    variables: what `module.init` returned, or its `params` alone. Running statistics in it are neither read nor changed: `norm="init"`
        means an untrained network. Other collections are constants; what the module writes to them is dropped.
    Dropout is off always. Raises `JaxzcError` where the module asks for random numbers, or for arguments that it is not given.
    """
    variables = nn.meta.unbox(unfreeze(variables))
    name = type(module).__name__
    if not isinstance(variables, Mapping):
        raise JaxzcError(
            f"params of a Linen module must be the dict that module.init returned, got {type(variables).__name__}: "
            f"variables = {name}(...).init(jax.random.key(0), inputs)"
        )
    # a submodule may itself be called "params", so the key alone does not tell the collection
    params, statistics, rest = collections(variables) or (variables, {}, {})
    parameters = signature(options.call_of(type(module)), 1)
    kwargs = mode_kwargs(parameters, options.model_kwargs)
    # `rngs` are an argument of `Module.apply`; a call that has one of that name gets it
    rngs = None if any(p.name == "rngs" for p in parameters or ()) else kwargs.pop("rngs", None)

    def function(params: Params, statistics: PyTree, inputs: PyTree) -> Any:
        every = {"params": params, **rest, **({STATISTICS: statistics} if statistics else {})}
        args, named = arguments(name, parameters, inputs, kwargs)
        # nn.jit caches by what is mutable but knows nothing of interceptors: a name of our own keeps its entries apart
        mutable = DenyList(("params", "jaxzc"))
        with nn.intercept_methods(_intercept), explained(name, params, inputs):
            try:
                result, _ = module.apply(every, *args, rngs=rngs, mutable=mutable, method=options.method, **named)
            except InvalidRngError as error:
                raise JaxzcError(
                    f"{name} asks for random numbers ({error}): a score must not depend on them, "
                    "switch them off with a keyword of the call or in the module's attributes, or fix them with rngs={name: key}"
                ) from error
            except (ScopeCollectionNotFound, ScopeParamNotFoundError, ScopeParamShapeError) as error:
                raise JaxzcError(
                    f"the parameters are not those of {name} ({error}): give what {name}(...).init(key, inputs) returned"
                ) from error
            return options.outputs_of(result)

    params = jax.tree.map(lambda leaf: leaf, params)
    modes = NormModes(function, name, statistics, evaluates=FLAGS.keys().isdisjoint(kwargs))
    return make_network(modes, params, inputs, options.cells), params


def collections(variables: Any) -> tuple[Any, Any, dict[str, Any]] | None:
    """Parameters, running statistics, and the other collections of Flax variables; None where these are none."""
    if not isinstance(variables, Mapping) or not all(isinstance(part, Mapping) for part in variables.values()) or "params" not in variables:
        return None
    rest = {name: part for name, part in variables.items() if name not in ("params", STATISTICS)}
    return variables["params"], variables.get(STATISTICS, {}), rest


def _intercept(call: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any], context: Any) -> Any:
    """What runs in the place of dropout, and of a batch normalisation that is given a mask, which only statistics of the batch know."""
    module = context.module
    if context.method_name == "__call__" and isinstance(module, nn.Dropout):
        return args[0] if args else kwargs["inputs"]
    if context.method_name == "__call__" and isinstance(module, nn.BatchNorm) and kwargs.get("mask") is not None:
        object.__setattr__(module, "use_running_average", False)
        return call(*args[:1], **{key: value for key, value in kwargs.items() if key != "use_running_average"})
    return call(*args, **kwargs)
