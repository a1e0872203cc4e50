"""Scores as Python floats, and the reasons why some of them are missing."""

import warnings
from collections.abc import Callable, Iterable, Mapping
from typing import Literal, NamedTuple

import jax.numpy as jnp
import numpy as np

from jaxzc.types import JaxzcError, Scaled, Score

Unavailable = Literal["nan", "error"]
"""What happens where a proxy cannot be computed for a network. `nan`: its score is NaN, with a reason. `error`: a `JaxzcError`."""

NAMED = 6
"""Most proxies that a warning names."""

LONGEST = 80
"""Characters of an architecture in a note at most."""


class UnavailableWarning(UserWarning):
    """Some proxies could not be computed for this network and batch; the reasons are in `Scores.reasons`."""


class Refusal(NamedTuple):
    """Stands in the place of a proxy's value where it cannot be computed: `why` has one key, the reason in one sentence.

    It has no arrays. So the reason is part of the structure of what a compiled program returns, which is stored with the program: one that
    is read from disk still tells it.
    """

    why: dict[str, None]

    @property
    def reason(self) -> str:
        return next(iter(self.why))


class Scores(dict[str, float]):
    """A dictionary from proxy to score.

    reasons: proxy -> one sentence, for each proxy that could not be computed; its score is NaN. A NaN without a reason is the result of the
    computation."""

    def __init__(self, scores: Mapping[str, float] = {}, reasons: Mapping[str, str] = {}):
        super().__init__(scores)
        self.reasons = dict(reasons)


def check_unavailable(unavailable: str) -> None:
    """Raises `JaxzcError` for a value other than those of `Unavailable`."""
    if unavailable not in ("nan", "error"):
        raise JaxzcError(f"unavailable={unavailable!r}: expected 'nan' (the score is NaN, with a reason) or 'error'")


def warn_of(reasons: Mapping[str, str], where: str, stacklevel: int) -> None:
    """Issues one `UnavailableWarning` that names the proxies without a score, if there are any. where: place in which the reasons are."""
    if reasons:
        names = [*list(reasons)[:NAMED], *([f"{len(reasons) - NAMED} more"] if len(reasons) > NAMED else [])]
        warnings.warn(f"could not be computed and is NaN: {', '.join(names)}; see {where}", UnavailableWarning, stacklevel=stacklevel + 1)


class Reasons:
    """Tells each reason for which a proxy cannot be computed once. note: told of it, with the first network for which it is so."""

    def __init__(self, note: Callable[[str], None]):
        self.note = note
        self._told: set[tuple[str, str]] = set()

    def tell(self, network: str, reasons: Mapping[str, str]) -> None:
        """network: its string. reasons: as in `Scores`."""
        for label, reason in reasons.items():
            if (label, reason) not in self._told:
                self._told.add((label, reason))
                first = network if len(network) <= LONGEST else f"{network[:LONGEST]}..."
                self.note(f"{label} cannot be computed for some networks and is NaN there: {reason} (the first: {first})")


def to_float(value: Score) -> float:
    """A proxy's value as a Python float, a `Scaled` one included. Raises `JaxzcError` where it is not one number."""
    if isinstance(value, Scaled):
        return float(value)
    number = np.asarray(value)
    if number.size != 1:
        raise JaxzcError(f"a proxy returned an array of shape {number.shape}: expected one number")
    if not any(jnp.issubdtype(number.dtype, kind) for kind in (jnp.floating, jnp.integer, jnp.bool_)):
        raise JaxzcError(f"a proxy returned {value!r}: expected one number")
    return float(number.reshape(()))


def to_scores(values: Mapping[str, Score | Refusal], labels: Iterable[str]) -> Scores:
    """As `to_floats`; where a proxy could not be computed, its score is NaN, with the reason."""
    reasons = {label: value.reason for label, value in values.items() if isinstance(value, Refusal)}
    numbers = {label: float("nan") if isinstance(value, Refusal) else value for label, value in values.items()}
    return Scores(to_floats(numbers, labels), reasons)


def to_floats(values: Mapping[str, Score], labels: Iterable[str]) -> dict[str, float]:
    """Label -> score, in the order of `labels`. Raises `JaxzcError`, naming the proxy, where a value is not one number."""
    scores = {}
    for label in labels:
        try:
            scores[label] = to_float(values[label])
        except JaxzcError as error:
            raise JaxzcError(f"{label}: {error}") from error
    return scores
