"""What is searched: a space, the scores that make a network good, the constraints it must keep to, and what it costs.

Constraints are judged before anything is scored: an architecture that breaks one is never evaluated.
"""

import operator
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from jaxzc.aggregates.ranks import log_rank
from jaxzc.types import Counts, JaxzcError, Space

COUNTED = Counts._fields
"""What a space counts by arithmetic: `params`, `flops` (multiply-accumulates), `layers` (convolution and linear layers: the depth)."""

COMPARISONS = {"<=": operator.le, ">=": operator.ge, "<": operator.lt, ">": operator.gt}


def countable(space: Space) -> tuple[str, ...]:
    """Names of what the space counts: `COUNTED`, and its `own_counts`."""
    return (*COUNTED, *getattr(space, "own_counts", {}))


def count(space: Space, names: Sequence[str], archs: np.ndarray) -> dict[str, np.ndarray]:
    """Each of these names' counts `[n]` of architectures `[n, genes]`."""
    counts = space.counts(archs) if set(names) & set(COUNTED) else None
    own = getattr(space, "own_counts", {})
    return {name: np.asarray(own[name](archs) if name in own else getattr(counts, name)) for name in names}


Constraint = Callable[[np.ndarray], np.ndarray]
"""Architectures int `[n, genes]` -> bool `[n]`: whether they may be evaluated."""


@dataclass(frozen=True)
class Limit:
    """A condition on what the space counts (`count` says what that is), for example `Limit("flops", "<=", 100e6)`."""

    name: str
    comparison: str
    value: float

    def __str__(self) -> str:
        return f"{self.name}{self.comparison}{self.value:g}"

    def holds(self, counted: np.ndarray) -> np.ndarray:
        return COMPARISONS[self.comparison](counted, self.value)


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
    costs: what multi-objective search minimises beside the fitness: names the space counts, or functions int `[n, genes]` -> float `[n]`,
        for example a latency model.
    duplicates: `canonical`: of each isomorphism class of the space one architecture is evaluated at most; `exact`: equal genes only.
    """

    space: Space
    scores: tuple[str, ...] = ("score",)
    higher: tuple[bool, ...] = ()
    constraints: Sequence[Limit | Constraint] = ()
    costs: Sequence[str | Callable[[np.ndarray], np.ndarray]] = ("flops",)
    duplicates: str = "canonical"
    signs: np.ndarray = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if not self.scores or (self.higher and len(self.higher) != len(self.scores)):
            raise JaxzcError(f"scores {self.scores} with directions {self.higher}: expected at least one score, and a direction for each")
        if self.duplicates not in ("canonical", "exact"):
            raise JaxzcError(f"duplicates={self.duplicates!r}: expected 'canonical' (one per isomorphism class) or 'exact' (equal genes)")
        expected = ", ".join(countable(self.space))
        for limit in self.constraints:
            if isinstance(limit, Limit) and limit.name not in countable(self.space):
                raise JaxzcError(f"budget {str(limit)!r}: {self.space.name} does not count {limit.name!r}; expected one of {expected}")
        for cost in self.costs:
            if not callable(cost) and cost not in countable(self.space):
                raise JaxzcError(f"cost {cost!r} is not known: expected one of {expected}, or a function of architectures")
        object.__setattr__(self, "signs", np.where(self.higher or (True,) * len(self.scores), 1.0, -1.0))

    @property
    def cost_names(self) -> list[str]:
        """A name for every cost."""
        return [cost if isinstance(cost, str) else getattr(cost, "__name__", f"cost{k}") for k, cost in enumerate(self.costs)]

    def feasible(self, archs: np.ndarray) -> np.ndarray:
        """Bool `[n]`: whether architectures `[n, genes]` keep to every constraint."""
        allowed = np.ones(len(archs), bool)
        if not len(archs):
            return allowed
        counts = count(self.space, [c.name for c in self.constraints if isinstance(c, Limit)], archs)
        for constraint in self.constraints:
            held = constraint.holds(counts[constraint.name]) if isinstance(constraint, Limit) else constraint(archs)
            held = np.asarray(held)
            if held.shape != (len(archs),) or held.dtype != bool:
                raise JaxzcError(f"constraint {constraint} returned {held.dtype} {list(held.shape)}: expected one bool per architecture")
            allowed &= held
        return allowed

    def cost(self, archs: np.ndarray) -> np.ndarray:
        """Float64 `[n, costs]` of architectures `[n, genes]`."""
        if not len(archs) or not self.costs:
            return np.zeros((len(archs), len(self.costs)))
        counts = count(self.space, [cost for cost in self.costs if not callable(cost)], archs)
        columns = [np.asarray(cost(archs) if callable(cost) else counts[cost], np.float64) for cost in self.costs]
        return np.stack(columns, axis=1)

    def keys(self, archs: np.ndarray) -> np.ndarray:
        """Bytes `[n]`: equal where two architectures are duplicates."""
        same = self.space.canonical(archs) if self.duplicates == "canonical" and len(archs) else archs
        # Big-endian, so that bytes have an order; equal lengths, so that the zeros numpy strips at the end do not matter.
        genes = np.ascontiguousarray(np.asarray(same), ">i4")
        return genes.view(f"S{4 * genes.shape[1]}")[:, 0]

    def fitness(self, scores: np.ndarray) -> np.ndarray:
        """Float64 `[n]`, higher is better: the score itself, or the log-rank sum of several; NaN where one of `scores [n, scores]` is not
        finite, which is never selected."""
        turned = np.where(np.isfinite(scores), scores * self.signs, np.nan)
        return turned[:, 0] if len(self.scores) == 1 else log_rank(turned)

    def describe(self) -> str:
        """The constraints in words, for messages."""
        return ",".join(str(c) if isinstance(c, Limit) else getattr(c, "__name__", repr(c)) for c in self.constraints) or "no constraint"
