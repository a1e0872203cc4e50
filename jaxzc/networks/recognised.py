"""Models as libraries hand them out, brought to a module or a function of (params, inputs)."""

import inspect
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, NamedTuple

from flax import nnx
from flax.linen import Module as LinenModule

from jaxzc.networks.calls import signature
from jaxzc.networks.libraries import taken_apart
from jaxzc.networks.linen import collections
from jaxzc.types import JaxzcError, Params


class Recognised(NamedTuple):
    """model: a Linen module, an NNX module, or a function of (params, inputs, **flags); params: what it takes (see `as_network`)."""

    model: Any
    params: Params


def recognise(model: Any, params: Params) -> Recognised:
    """What a model and its parameters are.

    Bound Linen modules, `module.apply` (compiled or not), Flax train states, split NNX modules, models of Hugging Face's kind
    (`model(inputs, params=...)`), of Equinox and of Keras, and Haiku's pairs of functions are taken apart; anything else is returned as it
    is.
    Raises `JaxzcError` for a class in the place of its instance, and where parameters are missing.
    """
    if isinstance(model, type):
        raise JaxzcError(f"the model is the class {model.__name__}: give an instance, {model.__name__}(...)")
    if (known := taken_apart(model, params)) is not None:
        return Recognised(*known)
    if _is_state(model):
        params, model = (model if params is None else params), model.apply_fn
    if _is_state(params):
        params = _variables(params)
    if isinstance(model, nnx.GraphDef):
        return Recognised(nnx.merge(model, params), None)
    model = applied(model) or model
    if isinstance(model, LinenModule):
        return _unbound(model, params)
    if isinstance(model, tuple) and getattr(model, "_fields", ()) == ("init", "apply"):
        model = model.apply  # type: ignore[attr-defined]
    if isinstance(model, nnx.Module) or not callable(model):
        return Recognised(model, params)
    return _called(model, params)


def _is_state(value: Any) -> bool:
    """Whether this is a Flax train state, or looks like one."""
    return hasattr(value, "apply_fn") and hasattr(value, "params")


def _variables(state: Any) -> Any:
    """The variables of a train state, with the running statistics that many add to it."""
    if collections(state.params) is not None:
        return state.params
    statistics = getattr(state, "batch_stats", None)
    return {"params": state.params, **({"batch_stats": statistics} if statistics else {})}


def applied(model: Any) -> LinenModule | None:
    """The module of which this is the `apply`, compiled or not."""
    while model is not None:
        module = getattr(model, "__self__", None)
        if isinstance(module, LinenModule) and model.__name__ == "apply":
            return module
        model = getattr(model, "__wrapped__", None)
    return None


def _unbound(module: LinenModule, params: Params) -> Recognised:
    if module.scope is None:
        return Recognised(module, params)
    module, own = module.unbind()
    return Recognised(module, own if params is None else params)


def _called(model: Callable[..., Any], params: Params) -> Recognised:
    """A callable, judged by the names of its arguments."""
    parameters = signature(model)
    names = [p.name for p in parameters or () if p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)]
    if names[:3] == ["params", "state", "rng"]:
        if not (isinstance(params, tuple) and len(params) == 2):
            raise JaxzcError(
                "a function of (params, state, rng, inputs), as Haiku makes them, needs the pair (params, state) that its init returned: "
                "score(f, (params, state), batch)"
            )
        params, state = params
        return Recognised(_signed(lambda p, *args, **kwargs: model(p, state, None, *args, **kwargs)[0], model, 3), params)
    if names[:2] == ["params", "rng"]:
        return Recognised(_signed(lambda p, *args, **kwargs: model(p, None, *args, **kwargs), model, 2), params)
    if "params" in names[1:]:
        if params is None:
            params = getattr(model, "params", None)
        call = _signed(lambda p, *args, **kwargs: model(*args, params=p, **kwargs), model, 0)
        params = {**params} if isinstance(params, Mapping) else params
        return Recognised(call, params)
    return Recognised(model, params)


def _signed(call: Callable[..., Any], model: Callable[..., Any], skip: int) -> Callable[..., Any]:
    """`call(params, ...)` with the arguments of `model` but for the first `skip` and `params`."""
    first = inspect.Parameter("params", inspect.Parameter.POSITIONAL_ONLY)
    rest = [p for p in (signature(model) or [])[skip:] if p.name != "params"]
    call = partial(call)
    call.__name__ = getattr(model, "__name__", type(model).__name__)  # type: ignore[attr-defined]
    call.__signature__ = inspect.Signature([first, *rest])  # type: ignore[attr-defined]
    return call
