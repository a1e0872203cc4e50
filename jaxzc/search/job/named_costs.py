"""Costs that are functions of the user's own, named on the command line as `module:function`."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from jaxzc.catalogue.functions import named_function
from jaxzc.search.problem import Cost
from jaxzc.types import JaxzcError, Space


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
    return tuple(NamedCost(name, named_function("cost", name), space) if ":" in name else name for name in names)
