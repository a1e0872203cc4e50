"""Finds search spaces by name among the entry points of installed packages."""

import inspect
from collections.abc import Callable, Mapping, Sequence
from importlib.metadata import entry_points
from typing import Any

from jaxzc.catalogue.selection import check_setting
from jaxzc.types import InputSpec, JaxzcError, Space, input_spec
from jaxzc.types.names import unknown

GROUP = "jaxzc.spaces"
"""Entry point group under which a package registers its spaces: name -> a callable (classes=, inputs=, **options) -> Space."""

FROM_DATA = ("classes", "inputs")
"""Arguments that every space takes besides its options."""


def spaces() -> dict[str, Any]:
    """Name -> entry point of every installed search space."""
    return {point.name: point for point in entry_points(group=GROUP)}


def maker(name: str) -> Callable[..., Space]:
    """The callable that constructs the space of this name. Raises `JaxzcError` where it is not installed or cannot be imported."""
    known = spaces()
    if name not in known:
        if not known:
            raise JaxzcError(
                f"no search space is installed (entry point group {GROUP!r}): install jaxzc with pip, then name {name!r} again"
            )
        raise unknown("space", name, known)
    try:
        return known[name].load()
    except (ImportError, AttributeError) as error:
        raise JaxzcError(
            f"space {name!r} cannot be imported from {known[name].value} ({error}): reinstall the package it comes from"
        ) from error


def options(make: Callable[..., Space]) -> dict[str, Any]:
    """Option -> default value of a space (`inspect.Parameter.empty` without one). `classes` and `inputs` are no options."""
    named = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
    parameters = inspect.signature(make).parameters
    return {name: p.default for name, p in parameters.items() if p.kind in named and name not in FROM_DATA}


def check_options(name: str, chosen: Mapping[str, Any]) -> None:
    """Raises `JaxzcError` for an unknown space, an option that it does not have, or a value of another type than the default's."""
    make = maker(name)
    known = options(make)
    takes_any = any(p.kind is inspect.Parameter.VAR_KEYWORD for p in inspect.signature(make).parameters.values())
    for option, value in chosen.items():
        if option in FROM_DATA:
            raise JaxzcError(f"space {name!r}: {option} follows from the data and cannot be set: choose other data")
        if option in known:
            check_setting(f"space {name!r}", option, value, known[option])
        elif not takes_any:
            raise unknown(f"option of {name}", option, known)


def space(name: str, *, classes: int | None = None, inputs: InputSpec | Sequence[int] | None = None, **options: Any) -> Space:
    """The search space of this name.

    classes: number of classes of the data. inputs: an `InputSpec`, or the shape of one example, such as (32, 32, 3). Without them the space
        uses its benchmark's.
    options: of the space. Raises `JaxzcError` for unknown names or options.

    >>> jaxzc.space("nasbench201")
    """
    check_options(name, options)
    from_data: dict[str, Any] = {} if classes is None else {"classes": classes}
    if inputs is not None:
        from_data["inputs"] = input_spec(inputs)
    return maker(name)(**from_data, **options)


def fitted(which: str | Space, options: Mapping[str, Any], *, classes: int, inputs: InputSpec | Sequence[int]) -> Space:
    """The space of that name made for data, or the space itself. Raises `JaxzcError` as `space` does, and for options of a space that is
    made already."""
    if isinstance(which, str):
        return space(which, classes=classes, inputs=inputs, **options)
    if options:
        raise JaxzcError(f"{which.name} is made already, without {', '.join(options)}: make it with these options, or give its name")
    return which
