"""Sums over all pairs in O(n log^2 n): how far every point agrees in order with all others, which is what Kendall's tau is made of."""

import numpy as np


def agreement(x: np.ndarray, y: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """sum_j weights[j] sign(x[i] - x[j]) sign(y[i] - y[j]) for every i, float64 `[n]`."""
    concordant = _below(x, y, weights) + _below(-x, -y, weights)
    apart = weights.sum() - _tied(weights, x) - _tied(weights, y) + _tied(weights, x, y)
    return 2 * concordant - apart


def untied(x: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """sum_j weights[j] [x[i] != x[j]] for every i, float64 `[n]`."""
    return weights.sum() - _tied(weights, x)


def _tied(weights: np.ndarray, *keys: np.ndarray) -> np.ndarray:
    order = np.lexsort(keys)
    new = np.any([np.diff(key[order]) != 0 for key in keys], axis=0)
    sums = np.bincount(group := np.concatenate([[0], np.cumsum(new)]), weights[order])
    totals = np.empty(len(weights))
    totals[order] = sums[group]
    return totals


def _below(x: np.ndarray, y: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """sum_j weights[j] [x[j] < x[i] and y[j] < y[i]] for every i: merge sort, level by level, all blocks of a level at once."""
    n = len(x)
    order = np.lexsort([-y, x])  # among equal x the larger y first: an earlier place never counts for a tie
    rank = np.unique(y, return_inverse=True)[1][order]
    weight, totals = weights[order], np.zeros(n)
    place, width = np.arange(n), 1
    while width < n:
        # Within each pair of blocks: by y, and among equal y the right block first, so that only smaller ones have gone before.
        block, left = place // (2 * width), place // width % 2 == 0
        merged = np.argsort((block * n + rank) * 2 + left, kind="stable")
        gone = np.cumsum(np.where(left, weight, 0)[merged])
        first = place // (2 * width) * (2 * width)
        before = gone - np.where(first > 0, gone[first - 1], 0)
        totals[merged] += np.where(left[merged], 0, before)
        width *= 2
    sums = np.empty(n)
    sums[order] = totals
    return sums
