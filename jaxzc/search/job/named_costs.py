"""Costs by name: functions of the user's own, named on the command line as `module:function`, and those that a device sets."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from jaxzc.catalogue.functions import named_function
from jaxzc.search.job.device_costs import MEASURED, TableLatency
from jaxzc.search.problem import Cost, countable
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


def costs(names: list[str], space: Space, latency_table: str | None = None) -> tuple[str | Cost, ...]:
    """What the space counts by its name, functions as `module:function`, and `latency` and `peak_memory` as measured on this machine; the
    former from a table where there is one (`device_costs.TableLatency`)."""

    def cost(name: str) -> str | Cost:
        if ":" in name:
            return NamedCost(name, named_function("cost", name), space)
        if name == "latency" and latency_table is not None:
            return TableLatency(space, latency_table)
        return MEASURED[name](space) if name in MEASURED and name not in countable(space) else name

    return tuple(map(cost, names))
