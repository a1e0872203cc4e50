"""Imports a user's function from its name `module:function`, for the command line and other places that take text only."""

import importlib
import os
import sys
from collections.abc import Callable
from typing import Any

from jaxzc.types import JaxzcError


def named_function(kind: str, text: str) -> Callable[..., Any]:
    """Imports the function that `text` names as `module:function`. Modules in the current directory come first.

    kind: what the function is, for messages, such as `proxy`.
    Raises `JaxzcError` where the text has another form, the module cannot be imported (with the error), or it has no such function.
    """
    module, _, name = text.partition(":")
    if not (all(part.isidentifier() for part in module.split(".")) and name.isidentifier()):
        raise JaxzcError(
            f"{kind} {text!r} is not module:function: expected for example my_module:my_function, of a file my_module.py beside you"
        )
    here = os.getcwd()
    sys.path.insert(0, here)
    try:
        importlib.invalidate_caches()
        function = getattr(importlib.import_module(module), name, None)
    except Exception as error:  # whatever the module does when it is imported
        raise JaxzcError(
            f"{kind} {text!r}: the module {module} cannot be imported ({type(error).__name__}: {error}): run it by itself"
        ) from error
    finally:
        sys.path.remove(here)
    if not callable(function):
        raise JaxzcError(f"{kind} {text!r}: the module {module} has no function {name!r}: see its spelling")
    return function
