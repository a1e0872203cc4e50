"""How a batch's inputs are handed to a model: as one argument, as several, or by name."""

import inspect
from collections.abc import Callable, Mapping
from typing import Any

from jaxzc.networks.norms import MODE_FLAGS

POSITIONAL = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)


def arguments(call: Callable[..., Any], inputs: Any, kwargs: Mapping[str, Any]) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Positional arguments and keywords of a model's `__call__` (without self) for these inputs.

    A tuple or list goes to as many arguments as it has parts where the model takes that many (keywords given already and flags such as
    `train` not counted); a dict whose keys are all names of the model's arguments goes by name; anything else is one argument.
    """
    parameters = [p for p in inspect.signature(call).parameters.values() if p.name not in kwargs and p.name not in MODE_FLAGS]
    names = [p.name for p in parameters if p.kind in (*POSITIONAL, inspect.Parameter.KEYWORD_ONLY) and p.name != "self"]
    places = [p.name for p in parameters if p.kind in POSITIONAL and p.name != "self"]
    if isinstance(inputs, Mapping) and inputs and set(inputs) <= set(names):
        return (), {**inputs, **kwargs}
    if type(inputs) in (tuple, list) and 1 < len(inputs) <= len(places):
        return tuple(inputs), dict(kwargs)
    return (inputs,), dict(kwargs)
