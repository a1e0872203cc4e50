"""A column sorted once, so that in any resample its ranks are cumulative counts: O(n) for each resample, and no further sorting."""

import numpy as np


class Column:
    """Values `[n]`, finite, sorted best (largest) first; `then` `[n]` orders what is tied, and makes no groups.

    order: int `[n]`, index of the value at each place. ends: int `[groups]`, last place of each group of tied values. group: int `[n]`, the
    group of each value. tied: whether any group has more than one member.
    """

    def __init__(self, values: np.ndarray, then: np.ndarray | None = None):
        self.order = np.argsort(-values, kind="stable") if then is None else np.lexsort((-then, -values))
        new = np.diff(values[self.order]) != 0
        self.ends = np.append(np.flatnonzero(new), len(values) - 1)
        self.tied = len(self.ends) < len(values)
        self.group = np.empty(len(values), np.intp)
        self.group[self.order] = np.concatenate([[0], np.cumsum(new)])

    def places(self, counts: np.ndarray, out: np.ndarray | None = None) -> np.ndarray:
        """For resamples that hold value i `counts[b, i]` times (int64 `[b, n]`): how many stand at each place and above, int64 `[b, n]`.

        Here and below, `out` are arrays to write into: fresh megabytes cost more in page faults than in arithmetic.
        """
        return np.cumsum(counts.take(self.order, axis=1, out=out, mode="clip"), axis=1, out=out)

    def reached(self, places: np.ndarray) -> np.ndarray:
        """How many stand in each group and above, `[b, groups]`."""
        return places.take(self.ends, axis=1) if self.tied else places

    def border(self, places: np.ndarray, k: int) -> tuple[int, int]:
        """First and last place (exclusive) of the group that the k-th of one resample is in; places: `[n]`."""
        place = int(places.searchsorted(k))
        if not self.tied:
            return place, place + 1
        group = self.group[self.order[place]]
        return (int(self.ends[group - 1]) + 1 if group else 0), int(self.ends[group]) + 1

    def ranks(self, reached: np.ndarray, out: tuple[np.ndarray | None, np.ndarray | None] = (None, None)) -> np.ndarray:
        """Centred mid-rank of every value in every resample, doubled to be whole, float64 `[b, n]` (the second of `out`; the first is
        `[b, groups]`); positive at the top."""
        doubled = np.subtract(reached[:, -1:], reached, out=out[0], dtype=np.float64)
        doubled[:, 1:] -= reached[:, :-1]
        return doubled.take(self.group, axis=1, out=out[1], mode="clip")


def masses(reached: np.ndarray) -> np.ndarray:
    """Differences of cumulative values `[b, groups]`: what each group has."""
    own = reached.copy()
    own[:, 1:] -= reached[:, :-1]
    return own
