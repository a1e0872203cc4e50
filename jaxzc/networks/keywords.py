"""Keywords that a user gives for the call of a model, beside the arguments of jaxzc's own functions."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from flax.linen import Module as LinenModule
from flax.nnx import Module as NNXModule

from jaxzc.networks.calls import signature
from jaxzc.networks.options import NetworkOptions
from jaxzc.networks.recognised import applied
from jaxzc.types import JaxzcError
from jaxzc.types.names import hint


def with_keywords(options: NetworkOptions, model: Any, call: Mapping[str, Any], ours: Iterable[str]) -> NetworkOptions:
    """The options, with further keywords of the model's call.

    ours: arguments of the function that the user called, one of which a misspelt keyword may have meant. Raises `JaxzcError` where a
    keyword is among the options already, and where the model's call has no argument of that name.
    """
    if not call:
        return options
    own = options.model_kwargs or {}
    if twice := sorted({*call} & {*own}):
        raise JaxzcError(f"{twice[0]} is given twice, in model_kwargs and as a keyword: give it once")
    names = _names(options, model)
    for name in call:
        if names is not None and name not in names:
            raise JaxzcError(
                f"neither jaxzc nor the model's call has an argument {name!r}: {hint(name, [*ours, *names])}"
                f"the call takes {', '.join(names) or 'no keywords'}"
            )
    return replace(options, model_kwargs={**own, **call})


def _names(options: NetworkOptions, model: Any) -> list[str] | None:
    """The names of the arguments of the model's call; None where it takes any, or does not tell."""
    while hasattr(model, "apply_fn"):  # a train state
        model = model.apply_fn
    model = applied(model) or model
    if isinstance(model, LinenModule | NNXModule):
        call, further = options.call_of(type(model)), ["rngs"] if isinstance(model, LinenModule) else []
    else:
        call, further = (getattr(model, "apply", None) if isinstance(model, tuple) else model), []
    parameters = signature(call, 1) if callable(call) else None
    if parameters is None or any(p.kind is p.VAR_KEYWORD for p in parameters):
        return None
    return [*(p.name for p in parameters if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)), *further]
