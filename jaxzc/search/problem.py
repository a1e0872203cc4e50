"""What is searched: a space, the scores that make a network good, the constraints it must keep to, and what it costs.

Constraints are judged before anything is scored: an architecture that breaks one is never evaluated.
"""

import operator
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from jaxzc.aggregates.ranks import log_rank
from jaxzc.types import Counts, JaxzcError, Space, WithOwnCounts
from jaxzc.types.names import hint

COUNTED = Counts._fields
"""What a space counts by arithmetic: `params`, `flops` (multiply-accumulates), `layers` (convolution and linear layers: the depth)."""

COMPARISONS = {"<=": operator.le, ">=": operator.ge, "<": operator.lt, ">": operator.gt}


def countable(space: Space) -> tuple[str, ...]:
    """Names of what the space counts: `COUNTED`, and its `own_counts`."""
    return (*COUNTED, *_own_counts(space))


def count(space: Space, names: Sequence[str], archs: np.ndarray) -> dict[str, np.ndarray]:
    """Each of these names' counts `[n]` of architectures `[n, genes]`."""
    counts = space.counts(archs) if set(names) & set(COUNTED) else None
    own = _own_counts(space)
    return {name: np.asarray(own[name](archs) if name in own else getattr(counts, name)) for name in names}


def _own_counts(space: Space) -> Mapping[str, Callable[[np.ndarray], np.ndarray]]:
    return space.own_counts if isinstance(space, WithOwnCounts) else {}


Constraint = Callable[[np.ndarray], np.ndarray]
"""Architectures int `[n, genes]` -> bool `[n]`: whether they may be evaluated."""

Cost = Callable[[np.ndarray], np.ndarray]
"""Architectures int `[n, genes]` -> float `[n]`, lower is better, for example a latency model. Its `__name__` can stand in a budget."""


@dataclass(frozen=True)
class Limit:
    """A condition on what the space counts (`count` says what that is), or on a cost, for example `Limit("flops", "<=", 100e6)`."""

    name: str
    comparison: str
    value: float

    def __str__(self) -> str:
        return f"{self.name}{self.comparison}{self.value:g}"

    def holds(self, counted: np.ndarray) -> np.ndarray:
        return COMPARISONS[self.comparison](counted, self.value)

    def excess(self, counted: np.ndarray) -> np.ndarray:
        """Float64 `[n]`: how far from the limit, as a multiple of it; 0 exactly where it holds, above 0 elsewhere (infinite for NaN)."""
        distance = np.abs(np.asarray(counted, np.float64) - self.value) / (abs(self.value) or 1.0)
        return np.where(self.holds(counted), 0.0, np.maximum(np.where(np.isnan(distance), np.inf, distance), np.finfo(np.float64).tiny))


def parse_budget(text: str) -> tuple[Limit, ...]:
    """`"flops<=100e6,params<=1e6"` as limits; `Problem` checks that its space counts them. Raises `JaxzcError` that quotes the part that
    cannot be read."""
    limits = []
    for part in text.split(","):
        match = re.fullmatch(r"\s*(\w+)\s*(<=|>=|<|>)\s*([0-9.eE+_-]+)\s*", part)
        try:
            name, comparison, number = match.groups() if match else ("", "", "")
            value = float(number)
        except ValueError:
            raise JaxzcError(f"budget {part.strip()!r} cannot be read: expected NAME<=NUMBER, for example flops<=100e6") from None
        limits.append(Limit(name, comparison, value))
    return tuple(limits)


@dataclass(frozen=True)
class Problem:
    """A search space and what is wanted of its architectures.

    scores: names of the columns `[n, scores]` that are told for every architecture; several are combined by `log_rank`.
    higher: for each score, whether higher is better (default: all).
    constraints: limits on counts, or functions of architectures; all must hold.
    costs: what multi-objective search minimises beside the fitness: names the space counts, or functions (`Cost`).
    duplicates: `canonical`: of each isomorphism class of the space one architecture is evaluated at most; `exact`: equal genes only.
    """

    space: Space
    scores: tuple[str, ...] = ("score",)
    higher: tuple[bool, ...] = ()
    constraints: Sequence[Limit | Constraint] = ()
    costs: Sequence[str | Cost] = ("flops",)
    duplicates: str = "canonical"
    signs: np.ndarray = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if not self.scores or (self.higher and len(self.higher) != len(self.scores)):
            raise JaxzcError(f"scores {self.scores} with directions {self.higher}: expected at least one score, and a direction for each")
        if self.duplicates not in ("canonical", "exact"):
            raise JaxzcError(f"duplicates={self.duplicates!r}: expected 'canonical' (one per isomorphism class) or 'exact' (equal genes)")
        names = (*countable(self.space), *self._functions())
        known = f"expected one of {', '.join(names)}"
        for limit in self.constraints:
            if isinstance(limit, Limit) and limit.name not in names:
                what = f"{self.space.name} does not count {limit.name!r}"
                raise JaxzcError(f"budget {str(limit)!r}: {what}; {hint(limit.name, names)}{known}")
        for cost in self.costs:
            if not callable(cost) and cost not in countable(self.space):
                raise JaxzcError(f"cost {cost!r} is not known: {hint(cost, names)}{known}, or a function of architectures")
        twice = [name for name in self.cost_names if self.cost_names.count(name) > 1]
        if twice:
            raise JaxzcError(f"two costs have the name {twice[0]!r}: give each one once, and functions names of their own")
        for name in set(self._functions()) & set(countable(self.space)):
            raise JaxzcError(f"the cost function {name!r} is named as what {self.space.name} counts: give it another name")
        object.__setattr__(self, "signs", np.where(self.higher or (True,) * len(self.scores), 1.0, -1.0))

    def feasible(self, archs: np.ndarray) -> np.ndarray:
        """Bool `[n]`: whether architectures `[n, genes]` keep to every constraint."""
        allowed = np.ones(len(archs), bool)
        if not len(archs):
            return allowed
        limited = self._limited(archs)
        for constraint in self.constraints:
            allowed &= constraint.holds(limited[constraint.name]) if isinstance(constraint, Limit) else _judged(constraint, archs)
        return allowed

    def excess(self, archs: np.ndarray) -> np.ndarray:
        """Float64 `[n]`: how far architectures `[n, genes]` are from the constraints: the sum over limits of `Limit.excess`, and 1 for each
        function that forbids them. 0 exactly where `feasible`."""
        limited = self._limited(archs)
        total = np.zeros(len(archs))
        for constraint in self.constraints:
            total += constraint.excess(limited[constraint.name]) if isinstance(constraint, Limit) else ~_judged(constraint, archs)
        return total

    def cost(self, archs: np.ndarray) -> np.ndarray:
        """Float64 `[n, costs]` of architectures `[n, genes]`."""
        if not len(archs) or not self.costs:
            return np.zeros((len(archs), len(self.costs)))
        counts = count(self.space, [cost for cost in self.costs if isinstance(cost, str)], archs)
        columns = [counts[cost] if isinstance(cost, str) else _costs(name, cost, archs) for name, cost in self._named_costs()]
        return np.stack([np.asarray(column, np.float64) for column in columns], axis=1)

    @property
    def cost_names(self) -> list[str]:
        """A name for every cost: what the space counts, or the function's `__name__` (`cost0`, `cost1` ... where that is no name)."""
        names = [cost if isinstance(cost, str) else getattr(cost, "__name__", "") for cost in self.costs]
        return [name if name.isidentifier() else f"cost{k}" for k, name in enumerate(names)]

    def limits_of(self, arch: np.ndarray) -> str:
        """What an architecture `[genes]` has of all that is limited, for messages: `params 1,234 and layers 20`."""
        return " and ".join(f"{name} {values[0]:,}" for name, values in self._limited(arch[None]).items())

    def _named_costs(self) -> list[tuple[str, str | Cost]]:
        return list(zip(self.cost_names, self.costs, strict=True))

    def _functions(self) -> dict[str, Cost]:
        return {name: cost for name, cost in self._named_costs() if not isinstance(cost, str)}

    def _limited(self, archs: np.ndarray) -> dict[str, np.ndarray]:
        """Name -> `[n]` of all that is limited: counts of the space, and values of cost functions."""
        names = list(dict.fromkeys(c.name for c in self.constraints if isinstance(c, Limit)))
        functions = {name: cost for name, cost in self._functions().items() if name in names}
        counts = count(self.space, [name for name in names if name not in functions], archs)
        return {name: _costs(name, functions[name], archs) if name in functions else counts[name] for name in names}

    def keys(self, archs: np.ndarray) -> np.ndarray:
        """Bytes `[n]`: equal where two architectures are duplicates."""
        same = self.space.canonical(archs) if self.duplicates == "canonical" and len(archs) else archs
        # Big-endian, so that bytes have an order; equal lengths, so that the zeros numpy strips at the end do not matter.
        genes = np.ascontiguousarray(np.asarray(same), ">i4")
        return genes.view(f"S{4 * genes.shape[1]}")[:, 0]

    def fitness(self, scores: np.ndarray) -> np.ndarray:
        """Float64 `[n]`, higher is better: the score itself, or, of several scores, the sum of the logarithms of their ranks. NaN where one
        of `scores [n, scores]` is not finite; such a network is never selected."""
        turned = np.where(np.isfinite(scores), scores * self.signs, np.nan)
        return turned[:, 0] if len(self.scores) == 1 else log_rank(turned)

    def describe(self) -> str:
        """The constraints in words, for messages."""
        return ",".join(str(c) if isinstance(c, Limit) else getattr(c, "__name__", repr(c)) for c in self.constraints) or "no constraint"


def _judged(constraint: Constraint, archs: np.ndarray) -> np.ndarray:
    held = np.asarray(constraint(archs))
    if held.shape != (len(archs),) or held.dtype != bool:
        raise JaxzcError(f"constraint {constraint} returned {held.dtype} {list(held.shape)}: expected one bool per architecture")
    return held


def _costs(name: str, cost: Cost, archs: np.ndarray) -> np.ndarray:
    values = np.asarray(cost(archs))
    if values.shape != (len(archs),) or values.dtype.kind not in "iufb":
        raise JaxzcError(f"cost {name} returned {values.dtype} {list(values.shape)}: expected one number per architecture, [{len(archs)}]")
    return values
