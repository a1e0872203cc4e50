"""Search spaces by name: those that installed packages register as entry points."""

import inspect
from collections.abc import Callable, Mapping, Sequence
from importlib.metadata import entry_points
from typing import Any

from jaxzc.catalogue.selection import check_setting
from jaxzc.names import unknown
from jaxzc.types import InputSpec, JaxzcError, Space, input_spec

GROUP = "jaxzc.spaces"
"""Entry point group under which a package registers its spaces: name -> a callable (classes=, inputs=, **options) -> Space."""

FROM_DATA = ("classes", "inputs")
"""What every maker of a space takes besides its options."""


def spaces() -> dict[str, Any]:
    """Name -> entry point of every installed search space."""
    return {point.name: point for point in entry_points(group=GROUP)}


def maker(name: str) -> Callable[..., Space]:
    """What makes the space of that name; raises `JaxzcError` where none is installed under it or it cannot be imported."""
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
    """Option -> default of a space's maker (`inspect.Parameter.empty` where it has none); classes and inputs follow from the data."""
    named = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
    parameters = inspect.signature(make).parameters
    return {name: p.default for name, p in parameters.items() if p.kind in named and name not in FROM_DATA}


def check_options(name: str, chosen: Mapping[str, Any]) -> None:
    """Raises `JaxzcError` where there is no space of that name, it has no such option, or the value is of another type than the default."""
    make = maker(name)
    known = options(make)
    takes_any = any(p.kind is inspect.Parameter.VAR_KEYWORD for p in inspect.signature(make).parameters.values())
    for option, value in chosen.items():
        if option in FROM_DATA:
            raise JaxzcError(f"space {name!r}: {option} follows from the images and cannot be set: choose other data")
        if option in known:
            check_setting(f"space {name!r}", option, value, known[option])
        elif not takes_any:
            raise unknown(f"option of {name}", option, known)


def space(name: str, *, classes: int | None = None, inputs: InputSpec | Sequence[int] | None = None, **options: Any) -> Space:
    """The space of that name. classes, inputs: of the data; what is not given is the space's own. inputs: as `InputSpec`, or the shape of
    one example, such as (32, 32, 3). Raises `JaxzcError` for unknown names or options.

    >>> jaxzc.space("nasbench201")
    """
    check_options(name, options)
    from_data: dict[str, Any] = {} if classes is None else {"classes": classes}
    if inputs is not None:
        from_data["inputs"] = input_spec(inputs)
    return maker(name)(**from_data, **options)


def fitted(which: str | Space, options: Mapping[str, Any], *, classes: int, inputs: Sequence[int]) -> Space:
    """The space of that name made for data, or the space itself. Raises `JaxzcError` as `space` does, and for options of a space that is
    made already."""
    if isinstance(which, str):
        return space(which, classes=classes, inputs=inputs, **options)
    if options:
        raise JaxzcError(f"{which.name} is made already, without {', '.join(options)}: make it with these options, or give its name")
    return which
