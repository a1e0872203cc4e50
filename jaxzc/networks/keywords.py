"""Keywords that a user gives for the call of a model, beside the arguments of jaxzc's own functions."""

from collections.abc import Iterable, Mapping
from typing import Any

from flax.linen import Module as LinenModule
from flax.nnx import Module as NNXModule

from jaxzc.networks.calls import signature
from jaxzc.networks.recognised import applied
from jaxzc.types import JaxzcError
from jaxzc.types.names import hint


def call_keywords(
    model: Any, model_kwargs: Mapping[str, Any] | None, call: Mapping[str, Any], method: Any, ours: Iterable[str]
) -> dict[str, Any] | None:
    """The keywords of the model's call: those of `model_kwargs` and those of `call`; None where there are none.

    ours: arguments of the function that the user called, one of which a misspelt keyword may have meant. Raises `JaxzcError` where
    `model_kwargs` is no mapping, where a keyword is given in both, and where the model's call has no argument of that name.
    """
    if model_kwargs is not None and not isinstance(model_kwargs, Mapping):
        raise JaxzcError(f"model_kwargs={model_kwargs!r:.60}: expected a dictionary of keywords, such as dict(train=False)")
    if not call:
        return None if model_kwargs is None else dict(model_kwargs)
    if twice := sorted({*call} & {*(model_kwargs or {})}):
        raise JaxzcError(f"{twice[0]} is given twice, in model_kwargs and as a keyword: give it once")
    names = _names(model, method)
    for name in call:
        if names is not None and name not in names:
            raise JaxzcError(
                f"neither jaxzc nor the model's call has an argument {name!r}: {hint(name, [*ours, *names])}"
                f"the call takes {', '.join(names) or 'no keywords'}"
            )
    return {**(model_kwargs or {}), **call}


def _names(model: Any, method: Any) -> list[str] | None:
    """The names of the arguments of the model's call; None where it takes any, or does not tell."""
    while hasattr(model, "apply_fn"):  # a train state
        model = model.apply_fn
    model = applied(model) or model
    if isinstance(model, LinenModule | NNXModule):
        cls: Any = type(model)
        call: Any = getattr(cls, method) if isinstance(method, str) else method or cls.__call__
        further = ["rngs"] if isinstance(model, LinenModule) else []
    else:
        call, further = (getattr(model, "apply", None) if isinstance(model, tuple) else model), []
    parameters = signature(call, 1) if callable(call) else None
    if parameters is None or any(p.kind is p.VAR_KEYWORD for p in parameters):
        return None
    return [*(p.name for p in parameters if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)), *further]
