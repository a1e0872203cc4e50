"""Ranks among what was seen so far: what a search has instead of a population.

>>> seen = Seen.none(proxies=2)
>>> seen = seen.observe(scores)            # [n, 2]; the former value is left as it was
>>> seen.log_rank(scores)                  # [n], among all that were observed
"""

from typing import Any, NamedTuple

import numpy as np

from jaxzc.types import JaxzcError


class Seen(NamedTuple):
    """The scores observed so far: per proxy, ascending float64. A network with a NaN is not among them."""

    columns: tuple[np.ndarray, ...]

    @classmethod
    def none(cls, proxies: int) -> "Seen":
        return cls((np.zeros(0),) * proxies)

    def __len__(self) -> int:
        """How many networks were observed."""
        return len(self.columns[0])

    def observe(self, scores: Any) -> "Seen":
        """With networks `[n, proxies]` added; in time n log(n) + seen."""
        scores = self._checked(scores)
        new = np.sort(scores[~np.isnan(scores).any(1)], axis=0)
        return Seen(tuple(np.insert(old, np.searchsorted(old, more), more) for old, more in zip(self.columns, new.T, strict=True)))

    def ranks(self, scores: Any) -> np.ndarray:
        """Float64 `[n, proxies]`: the ranks of networks among the observed ones (rank 1 the lowest, equal ones share their mean), as
        `scipy.stats.rankdata` gives them where the networks are among them; NaN is kept."""
        scores = self._checked(scores)
        sides = [
            [np.searchsorted(old, column, side) for side in ("left", "right")] for old, column in zip(self.columns, scores.T, strict=True)
        ]
        ranks = np.stack([(below + upto + 1) / 2 for below, upto in sides], axis=1)
        return np.where(np.isnan(scores), np.nan, ranks)

    def log_rank(self, scores: Any) -> np.ndarray:
        """Float64 `[n]`: the sum over proxies of log(rank / observed), as AZ-NAS's search has it (Lee & Ham, CVPR 2024, equation 12)."""
        if not len(self):
            raise JaxzcError("nothing was observed yet, so there is nothing to rank among: observe the networks first")
        return np.log(self.ranks(scores) / len(self)).sum(1)

    def _checked(self, scores: Any) -> np.ndarray:
        scores = np.asarray(scores, np.float64)
        if scores.ndim != 2 or scores.shape[1] != len(self.columns):
            raise JaxzcError(f"scores of shape {list(scores.shape)}: expected [networks, {len(self.columns)}], one column per proxy")
        return scores
