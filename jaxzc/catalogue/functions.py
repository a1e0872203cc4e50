"""A function of the user's own, named as `module:function` where a function cannot be handed in."""

import importlib
import os
import sys
from collections.abc import Callable
from typing import Any

from jaxzc.types import JaxzcError


def named_function(kind: str, text: str) -> Callable[..., Any]:
    """The function of `module:function`; the module is looked for in the current directory first. kind: what it names, for messages, such
    as `proxy`.

    Raises `JaxzcError`: a module that cannot be imported (with its error), nothing of that name in it, or something that is no function.
    """
    module, _, name = text.partition(":")
    here = os.getcwd()
    sys.path.insert(0, here)
    try:
        importlib.invalidate_caches()
        function = getattr(importlib.import_module(module), name)
    except Exception as error:  # whatever the module does when it is imported
        raise JaxzcError(
            f"{kind} {text!r} cannot be imported ({type(error).__name__}: {error}): expected module:function, of a module that can be "
            "imported from here"
        ) from error
    finally:
        sys.path.remove(here)
    if not callable(function):
        raise JaxzcError(f"{kind} {text!r} is a {type(function).__name__}: expected a function")
    return function
