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

Constraint = Callable[[np.ndarray], np.ndarray]
"""Architectures int `[n, genes]` -> bool `[n]`: whether they may be evaluated."""


@dataclass(frozen=True)
class Limit:
    """A condition on what the space counts, for example `Limit("flops", "<=", 100e6)`."""

    name: str
    comparison: str
    value: float

    def __str__(self) -> str:
        return f"{self.name}{self.comparison}{self.value:g}"

    def holds(self, counts: Counts) -> np.ndarray:
        return COMPARISONS[self.comparison](np.asarray(getattr(counts, self.name)), self.value)


def parse_budget(text: str) -> tuple[Limit, ...]:
    """`"flops<=100e6,params<=1e6"` as limits. Raises `JaxzcError` that quotes the part that cannot be read."""
    limits = []
    for part in text.split(","):
        match = re.fullmatch(r"\s*(\w+)\s*(<=|>=|<|>)\s*([0-9.eE+_-]+)\s*", part)
        try:
            name, comparison, number = match.groups() if match else ("", "", "")
            value = float(number)
        except ValueError:
            raise JaxzcError(f"budget {part.strip()!r} cannot be read: expected NAME<=NUMBER, for example flops<=100e6") from None
        if name not in COUNTED:
            raise JaxzcError(f"budget {part.strip()!r}: a space does not count {name!r}; expected one of {', '.join(COUNTED)}")
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
        for cost in self.costs:
            if not callable(cost) and cost not in COUNTED:
                raise JaxzcError(f"cost {cost!r} is not known: expected one of {', '.join(COUNTED)}, or a function of architectures")
        object.__setattr__(self, "signs", np.where(self.higher or (True,) * len(self.scores), 1.0, -1.0))

    def feasible(self, archs: np.ndarray) -> np.ndarray:
        """Bool `[n]`: whether architectures `[n, genes]` keep to every constraint."""
        allowed = np.ones(len(archs), bool)
        counts = self.space.counts(archs) if any(isinstance(c, Limit) for c in self.constraints) and len(archs) else None
        for constraint in self.constraints if len(archs) else ():
            held = constraint.holds(counts) if isinstance(constraint, Limit) and counts is not None else constraint(archs)  # type: ignore[operator]
            held = np.asarray(held)
            if held.shape != (len(archs),) or held.dtype != bool:
                raise JaxzcError(f"constraint {constraint} returned {held.dtype} {list(held.shape)}: expected one bool per architecture")
            allowed &= held
        return allowed

    def cost(self, archs: np.ndarray) -> np.ndarray:
        """Float64 `[n, costs]` of architectures `[n, genes]`."""
        if not len(archs) or not self.costs:
            return np.zeros((len(archs), len(self.costs)))
        counts = self.space.counts(archs) if any(not callable(c) for c in self.costs) else None
        columns = [np.asarray(cost(archs) if callable(cost) else getattr(counts, cost), np.float64) for cost in self.costs]
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
