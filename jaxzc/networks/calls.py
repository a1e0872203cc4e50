"""How models are called: flags set to evaluation, several inputs handed over as they are named, results unpacked."""

import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from jaxzc.types import JaxzcError

FLAGS: Mapping[str, Any] = {
    **dict.fromkeys(("train", "training", "is_training", "is_train", "train_mode", "enable_dropout"), False),
    **dict.fromkeys(("deterministic", "use_running_average", "inference", "eval_mode", "evaluate"), True),
    **dict.fromkeys(("is_eval", "eval", "is_test", "test", "testing"), True),
    **dict.fromkeys(("rng", "rngs", "key", "dropout_rng", "dropout_rngs"), None),
}
"""Arguments that say in which mode a model runs, with the values of evaluation, in which nothing is random."""


def signature(call: Callable[..., Any], skip: int = 0) -> list[inspect.Parameter] | None:
    """The parameters of a callable but for the first `skip`; None where it does not tell."""
    try:
        return list(inspect.signature(call).parameters.values())[skip:]
    except (TypeError, ValueError):
        return None


def mode_kwargs(parameters: Sequence[inspect.Parameter] | None, model_kwargs: Mapping[str, Any] | None) -> dict[str, Any]:
    """The user's keywords, and the flags among the parameters that the user has not set, set to evaluation."""
    by_name = [p for p in parameters or () if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)]
    flags = {p.name: FLAGS[p.name] for p in by_name if p.name in FLAGS and (FLAGS[p.name] is not None or p.default is p.empty)}
    return {**flags, **dict(model_kwargs or {})}


def arguments(
    name: str, parameters: Sequence[inspect.Parameter] | None, inputs: Any, kwargs: dict[str, Any]
) -> tuple[list[Any], dict[str, Any]]:
    """Positional and keyword arguments with which a model takes its inputs.

    A tuple of inputs becomes as many arguments where the model requires that many, a dict becomes keywords where the model has them all;
    anything else is the first argument. Raises `JaxzcError` where the model requires more than that.
    """
    if parameters is None:
        return [inputs], kwargs
    named = [p for p in parameters if p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)]
    names, required = [p.name for p in named], [p.name for p in named if p.default is p.empty and p.name not in kwargs]
    if isinstance(inputs, Mapping) and set(required) <= set(inputs) <= set(names) and inputs:
        return [], {**inputs, **kwargs}
    if isinstance(inputs, tuple) and len(required) > 1 and len(required) == len(inputs):
        return list(inputs), kwargs
    if len(required) > 1:
        words = ", ".join(required[1:])
        raise JaxzcError(
            f"{name} requires {words} besides {required[0]}: "
            f"give them as keywords of the call, {required[1]}=..., or as inputs ({', '.join(required)})"
        )
    return [inputs], kwargs
