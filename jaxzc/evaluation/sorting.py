"""A column sorted once, so that in any resample its ranks are cumulative counts: O(n) for each resample, and no further sorting."""

import numpy as np


class Column:
    """Values `[n]`, finite, sorted best (largest) first; further keys order the ties of the ones before.

    order: int `[n]`, index of the value at each place. ends: int `[groups]`, last place of each group of ties. group: int `[n]`, the group
    of each value. tied: whether any group has more than one member.
    """

    def __init__(self, *keys: np.ndarray):
        self.order = np.lexsort([-key for key in reversed(keys)])
        new = np.any([np.diff(key[self.order]) != 0 for key in keys], axis=0)
        self.ends = np.append(np.flatnonzero(new), len(self.order) - 1)
        self.tied = len(self.ends) < len(self.order)
        self.group = np.empty(len(self.order), np.intp)
        self.group[self.order] = np.concatenate([[0], np.cumsum(new)])

    def cumulative(self, counts: np.ndarray) -> np.ndarray:
        """For resamples that hold value i `counts[b, i]` times (int32 `[b, n]`): how many stand in each group and above, `[b, groups]`."""
        reached = counts.take(self.order, axis=1).cumsum(axis=1, dtype=np.int32)
        return reached.take(self.ends, axis=1) if self.tied else reached

    def ranks(self, counts: np.ndarray) -> np.ndarray:
        """Centred mid-rank of every value in every resample, doubled to be whole, float64 `[b, n]`; positive at the top."""
        reached = self.cumulative(counts)
        total = reached[:, -1:].copy()
        doubled = total - reached
        doubled[:, 1:] -= reached[:, :-1]
        return doubled.take(self.group, axis=1).astype(np.float64)


def masses(reached: np.ndarray) -> np.ndarray:
    """Differences of cumulative values `[b, groups]`: what each group has."""
    return np.diff(reached, axis=1, prepend=reached.dtype.type(0))
