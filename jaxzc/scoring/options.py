"""The options of functions that make a scorer and call it once: they are named, typed and explained at the scorer only."""

import inspect
from collections.abc import Callable
from typing import Any, TypeVar

Function = TypeVar("Function", bound=Callable[..., Any])


def options_of(scorer: type) -> Callable[[Function], Function]:
    """Decorator for a function that gives its `**options` to this class. Its signature, which help, notebooks and the reference show, then
    has the keyword-only arguments of the class in their place, with their types and defaults."""

    def with_options(function: Function) -> Function:
        signature = inspect.signature(function)
        own = [p for p in signature.parameters.values() if p.kind is not p.VAR_KEYWORD]
        options = [p for p in inspect.signature(scorer).parameters.values() if p.kind in (p.KEYWORD_ONLY, p.VAR_KEYWORD)]
        function.__signature__ = signature.replace(parameters=[*own, *options])  # type: ignore[attr-defined]
        return function

    return with_options
