"""Functions of the user's own, named on the command line as `module:function`."""

import importlib
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from jaxzc.search.problem import Cost
from jaxzc.types import JaxzcError, Space


def named_function(text: str) -> Callable[..., Any]:
    """The function of `module:function`; the module is looked for in the working directory, too.

    Raises `JaxzcError`: text of another form, a module that cannot be imported (with its error), no such function in it.
    """
    module, _, name = text.partition(":")
    if not (all(part.isidentifier() for part in module.split(".")) and name.isidentifier()):
        raise JaxzcError(f"{text!r} is not module:function: expected for example my_costs:latency, of a file my_costs.py beside you")
    here = os.getcwd()
    sys.path.insert(0, here)
    try:
        importlib.invalidate_caches()
        found = getattr(importlib.import_module(module), name, None)
    except Exception as error:  # whatever the user's module raises while it is imported
        raise JaxzcError(f"{text}: the module {module} cannot be imported ({type(error).__name__}: {error}): run it by itself") from error
    finally:
        sys.path.remove(here)
    if not callable(found):
        raise JaxzcError(f"{text}: the module {module} has no function {name!r}: see its spelling")
    return found


@dataclass(frozen=True)
class NamedCost:
    """A cost of architectures int `[n, genes]` from a function of their official strings: a list of `n` -> `n` numbers, lower is better.

    Strings, because they are the benchmark's own and stay what they are, which genes do not. Raises `JaxzcError` where the function does.
    """

    text: str
    function: Callable[[list[str]], Any]
    space: Space

    @property
    def __name__(self) -> str:
        return self.text.partition(":")[2]

    def __call__(self, archs: np.ndarray) -> np.ndarray:
        try:
            return np.asarray(self.function([self.space.to_string(arch) for arch in archs]))
        except Exception as error:  # whatever the user's function raises
            raise JaxzcError(f"{self.text} failed ({type(error).__name__}: {error}): it is given a list of architecture strings") from error


def costs(names: list[str], space: Space) -> tuple[str | Cost, ...]:
    """What the space counts by its name, and functions as `module:function`."""
    return tuple(NamedCost(name, named_function(name), space) if ":" in name else name for name in names)
