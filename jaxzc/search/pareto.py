"""Dominance, fronts, crowding and hypervolume of points whose every objective is to be minimised.

Source: Deb et al., A Fast and Elitist Multiobjective Genetic Algorithm: NSGA-II, IEEE Trans. Evol. Comput. 6(2), 2002, sections III-A and
III-B. A point a dominates b if it is nowhere larger and somewhere smaller.
"""

import numpy as np

from jaxzc.types import JaxzcError

BLOCK_PAIRS = 1 << 22
"""Pairs compared at once: bounds the memory to tens of megabytes."""


def dominates(points: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Bool `[n, m]`: whether points `[n, k]` dominate others `[m, k]`."""
    nowhere_larger = np.ones((len(points), len(others)), bool)
    somewhere_smaller = np.zeros_like(nowhere_larger)
    for one, other in zip(points.T, others.T, strict=True):  # objective by objective, so that no [n, m, k] array is made
        nowhere_larger &= one[:, None] <= other
        somewhere_smaller |= one[:, None] < other
    return nowhere_larger & somewhere_smaller


def non_dominated(points: np.ndarray) -> np.ndarray:
    """Bool `[n]`: whether no other of the points `[n, k]` dominates this one; equal points do not dominate each other.

    Raises `JaxzcError` for NaN and infinities, which stand for no measured value.
    """
    points = _checked(points)
    if points.shape[1] == 2:
        return _non_dominated_2d(points)
    free = np.ones(len(points), bool)
    step = max(1, BLOCK_PAIRS // max(len(points), 1))
    for start in range(0, len(points), step):
        rows = slice(start, start + step)
        free[rows] = ~dominates(points, points[rows]).any(axis=0)
    return free


def _non_dominated_2d(points: np.ndarray) -> np.ndarray:
    """The same in n log n: along the first objective, the second must be a new minimum, or the point be equal to that minimum's."""
    order = np.lexsort((points[:, 1], points[:, 0]))
    first, second = points[order].T
    new = second < np.minimum.accumulate(np.concatenate([[np.inf], second]))[:-1]
    leader = np.maximum.accumulate(np.where(new, np.arange(len(order)), 0))
    free = np.empty(len(points), bool)
    free[order] = (first == first[leader]) & (second == second[leader])
    return free


def fronts(points: np.ndarray) -> np.ndarray:
    """Int `[n]`: the number of the front each of the points `[n, k]` belongs to; 0 is non-dominated, 1 once those are taken away ..."""
    points = _checked(points)
    number = np.full(len(points), -1)
    left, front = np.arange(len(points)), 0
    while left.size:
        free = non_dominated(points[left])
        number[left[free]] = front
        left, front = left[~free], front + 1
    return number


def crowding(points: np.ndarray) -> np.ndarray:
    """Float `[n]`: crowding distance within one front `[n, k]`: the sum over objectives of the distance between the two neighbours along
    it, over the objective's range; infinite at both ends. An objective that is constant adds nothing.
    """
    points = _checked(points)
    distance = np.zeros(len(points))
    for values in points.T:
        order = np.argsort(values, kind="stable")
        ordered = values[order]
        span = ordered[-1] - ordered[0] if len(values) else 0.0
        if not span > 0:
            continue
        distance[order[[0, -1]]] = np.inf
        distance[order[1:-1]] += (ordered[2:] - ordered[:-2]) / span
    return distance if len(points) > 2 else np.full(len(points), np.inf)


def hypervolume(points: np.ndarray, reference: np.ndarray) -> float:
    """The volume that points `[n, k]` dominate and that lies below the reference point `[k]`; k = 1, 2 or 3, exact.

    Points that are not below the reference in every objective add nothing. Raises `JaxzcError` for values that are not finite and for
    k > 3.
    """
    points, reference = _checked(points), np.asarray(reference, np.float64)
    if reference.shape != points.shape[1:] or len(reference) > 3:
        raise JaxzcError(f"points {list(points.shape)} and reference {list(reference.shape)}: expected [n, k] and [k] with k = 1, 2 or 3")
    points = points[(points < reference).all(axis=1)]
    if not len(points):
        return 0.0
    if len(reference) == 1:
        return float(reference[0] - points.min())
    if len(reference) == 2:
        return _area(points, reference)
    # Slices along the last objective: between two of its values the dominated area does not change.
    points = points[np.argsort(points[:, 2], kind="stable")]
    ends = np.append(points[1:, 2], reference[2])
    return float(sum(_area(points[: k + 1, :2], reference[:2]) * (end - points[k, 2]) for k, end in enumerate(ends) if end > points[k, 2]))


def _area(points: np.ndarray, reference: np.ndarray) -> float:
    ordered = points[np.lexsort((points[:, 1], points[:, 0]))]
    lowest = np.minimum.accumulate(ordered[:, 1])
    widths = np.append(ordered[1:, 0], reference[0]) - ordered[:, 0]
    return float((widths * (reference[1] - lowest)).sum())


def _checked(points: np.ndarray) -> np.ndarray:
    points = np.asarray(points, np.float64)
    if points.ndim != 2 or not np.isfinite(points).all():
        what = f"shape {list(points.shape)}" if points.ndim != 2 else "NaN or infinite values"
        raise JaxzcError(f"points have {what}: expected finite numbers [n, objectives]; leave out invalid networks first")
    return points
