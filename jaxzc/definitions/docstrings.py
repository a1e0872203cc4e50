"""Docstrings, of a Python that leaves them out (`python -OO`) too: what `jaxzc proxies` prints is the same there."""

import ast
import inspect
import sys
import textwrap
from collections.abc import Callable
from types import ModuleType
from typing import Any


def docstring(item: Callable[..., Any] | ModuleType) -> str:
    """The docstring of a function, a class or a module, without its indentation; empty where it has none.

    Python without docstrings reads it from the file of the item; where that file cannot be found, it is empty."""
    text = item.__doc__
    if text is None or sys.flags.optimize > 1:  # where a data class would have its signature instead
        try:
            source = textwrap.dedent(inspect.getsource(item))
        except (OSError, TypeError):
            return ""
        tree = ast.parse(source)
        first = tree if inspect.ismodule(item) or not tree.body else tree.body[0]
        if isinstance(first, ast.Module | ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            text = ast.get_docstring(first, clean=False)
    return inspect.cleandoc(text or "")
