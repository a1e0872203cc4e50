"""Finished scores: Python floats by proxy, and why some of them are missing."""

import warnings
from collections.abc import Iterable, Mapping
from typing import Any, Literal

import jax.numpy as jnp
import numpy as np

from jaxzc.types import JaxzcError, Scaled

Unavailable = Literal["nan", "error"]
"""What becomes of a proxy that cannot be computed for a network: `nan`: its score is NaN, with the reason; `error`: a `JaxzcError`."""

NAMED = 6
"""Proxies that a warning names."""


class UnavailableWarning(UserWarning):
    """Some proxies could not be computed for this network and batch; the reasons are in `Scores.reasons`."""


class Scores(dict[str, float]):
    """Proxy -> score, a dict. `reasons`: proxy -> one sentence, for those whose score is NaN because they could not be computed; a NaN
    without a reason is what the computation gave."""

    def __init__(self, scores: Mapping[str, float] = {}, reasons: Mapping[str, str] = {}):
        super().__init__(scores)
        self.reasons = dict(reasons)


def check_unavailable(unavailable: Any) -> None:
    """Raises `JaxzcError` for a value that `Unavailable` does not have."""
    if unavailable not in ("nan", "error"):
        raise JaxzcError(f"unavailable={unavailable!r}: expected 'nan' (the score is NaN, with a reason) or 'error'")


def warn_of(reasons: Mapping[str, str], where: str, stacklevel: int) -> None:
    """One `UnavailableWarning` that names the proxies without a score, if there are any. where: the reader finds the reasons."""
    if reasons:
        names = [*list(reasons)[:NAMED], *([f"{len(reasons) - NAMED} more"] if len(reasons) > NAMED else [])]
        warnings.warn(f"could not be computed and is NaN: {', '.join(names)}; see {where}", UnavailableWarning, stacklevel=stacklevel + 1)


def to_float(value: Any) -> float:
    """A finished score as a Python float; `Scaled` values beyond float32 become float64."""
    if isinstance(value, Scaled):
        with np.errstate(over="ignore", under="ignore"):
            return float(np.ldexp(np.float64(value.value), int(value.exponent)))
    number = np.asarray(value)
    if number.size != 1:
        raise JaxzcError(f"a proxy returned an array of shape {number.shape}: expected one number")
    if not any(jnp.issubdtype(number.dtype, kind) for kind in (jnp.floating, jnp.integer, jnp.bool_)):
        raise JaxzcError(f"a proxy returned {value!r}: expected one number")
    return float(number.reshape(()))


def to_floats(values: Mapping[str, Any], labels: Iterable[str]) -> dict[str, float]:
    """Label -> score, in the order of the labels; an error names the proxy."""
    scores = {}
    for label in labels:
        try:
            scores[label] = to_float(values[label])
        except JaxzcError as error:
            raise JaxzcError(f"{label}: {error}") from error
    return scores
