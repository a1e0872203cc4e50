"""What every space asks of the sizes that its user gives."""

from typing import Any

import numpy as np

from jaxzc.types import JaxzcError


def check_positive(space: Any, *fields: str) -> None:
    """Raises `JaxzcError` where one of these fields of the space is not positive."""
    for field in fields:
        if getattr(space, field) < 1:
            raise JaxzcError(f"{space.name}: {field}={getattr(space, field)}: expected a positive integer")


def check_images(space: Any, divisor: int = 1, because: str = "") -> None:
    """Raises `JaxzcError` where `space.inputs` is no image: floating (height, width, channels); or where height and width are not divisible
    by `divisor`, for the reason given."""
    shape, dtype = space.inputs.shape, space.inputs.dtype
    if not np.issubdtype(dtype, np.floating):
        raise JaxzcError(f"{space.name}: inputs of dtype {dtype}: expected images of floating-point numbers, such as float32")
    if len(shape) != 3 or shape[0] % divisor or shape[1] % divisor:
        wanted = f", height and width divisible by {divisor}, because {because}" if divisor > 1 else ""
        raise JaxzcError(f"{space.name}: images of shape {shape}: expected (height, width, channels){wanted}")


def check_menus(space: Any, kind: type, *fields: str) -> None:
    """Makes tuples of these fields of a frozen space, which list what there is to choose from; None stays. Raises `JaxzcError` for a list
    that is empty, says something twice, or has values that are not of this kind (`int`, `float` or `str`) or not positive."""
    for field in fields:
        if (values := getattr(space, field)) is not None:
            menu = tuple(values)
            kinds = (int, float) if kind is float else (kind,)
            good = [isinstance(v, kinds) and not isinstance(v, bool) and (isinstance(v, str) or v > 0) for v in menu]
            if not menu or len(set(menu)) < len(menu) or not all(good):
                wanted = "strings" if kind is str else "positive integers" if kind is int else "positive numbers"
                raise JaxzcError(f"{space.name}: {field}={values!r}: expected one or more different {wanted}")
            object.__setattr__(space, field, menu)
