"""Majority voting of proxies (Abdelfattah et al., ICLR 2021, arXiv 2101.08134, section 3.3), for a pair and for a table of networks.

The rule is that of the authors' notebook (SamsungLabs/zero-cost-nas, notebooks/nasbench201_correlations.ipynb): a proxy votes for the
first network when its score there is strictly larger, else against it, so that a proxy that ties votes against; the first network wins
when at least half of the voters are for it (with three proxies: two). A proxy that is NaN on either network abstains (in the notebook it
would vote against); infinities compare as numbers do. All proxies vote by "higher is better".
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from jaxzc.types import JaxzcError
from jaxzc.types.names import hint

PROXIES = ("synflow", "jacob_cov", "snip")
"""The three voters of the paper."""

BLOCK_PAIRS = 1 << 22
"""Pairs compared at once: bounds the memory to tens of megabytes however many networks there are."""


class PairAccuracy(NamedTuple):
    """accuracy: fraction of correctly ordered pairs (NaN without pairs); pairs: ordered pairs that were counted; undecided: ordered pairs
    of different accuracy that were left out because every proxy is NaN on one of the two."""

    accuracy: float
    pairs: int
    undecided: int


def vote(a: Mapping[str, float], b: Mapping[str, float], proxies: Sequence[str] = PROXIES) -> int:
    """Whether network `a` is judged better than network `b`: +1, or -1; 0 when every proxy abstains (NaN).

    `a`, `b`: proxy name -> score. The vote is not antisymmetric: two equal networks lose to each other, and with an even number of voters
    a draw is won by the first. Raises `JaxzcError` when a proxy is missing.
    """
    for name in proxies:
        if name not in a or name not in b:
            raise JaxzcError(f"proxy {name!r} has no score for one of the networks: score it, or vote with other proxies")
    first, second = (_matrix({name: np.array([float(scores[name])]) for name in proxies}, proxies) for scores in (a, b))
    wins, voted = _wins(first, second)
    return 0 if not voted[0, 0] else 1 if wins[0, 0] else -1


def vote_ranking(table: Mapping[str, np.ndarray], proxies: Sequence[str] = PROXIES) -> np.ndarray:
    """Float64 `[n]`: how many of the other networks each network wins against by `vote` (Copeland score); higher is better.

    table: proxy name -> scores `[n]`. A network on which every proxy is NaN gets NaN and is nobody's opponent. The score depends on the
    population: adding or removing networks changes it, so compare values within one table only. Time grows as n squared (seconds for
    15,625 networks), memory does not. Raises `JaxzcError`: missing proxy, columns of different lengths.
    """
    scores = _matrix(table, proxies)
    ranking = np.zeros(scores.shape[1])
    for rows in _blocks(scores.shape[1]):
        wins, _ = _wins(scores[:, rows], scores)
        ranking[rows] = wins.sum(axis=1)  # nobody wins against itself: every proxy ties
    ranking[np.isnan(scores).all(axis=0)] = np.nan
    return ranking


def pairwise_accuracy(scores: np.ndarray | Mapping[str, np.ndarray], truth: np.ndarray, proxies: Sequence[str] = PROXIES) -> PairAccuracy:
    """The fraction of correctly ordered pairs: what the paper's notebook prints as "votes correlation" (a random order gives 0.5).

    scores: one proxy `[n]`, or a table name -> `[n]` of which `proxies` vote. truth: accuracies `[n]`.
    Both orders of each pair are counted, as in the notebook; pairs of equal accuracy, and pairs with a NaN accuracy, are skipped. Where one
    proxy ties, the vote is against in both orders, so that the tie counts one half. Raises `JaxzcError` on different lengths.
    """
    if not isinstance(scores, Mapping):
        scores, proxies = {"scores": scores}, ("scores",)
    matrix, truth = _matrix(scores, proxies), np.asarray(truth, np.float64)
    if truth.shape != matrix.shape[1:]:
        raise JaxzcError(f"there are {matrix.shape[1]} scores but accuracies {list(truth.shape)}: give one accuracy per network")
    right = pairs = undecided = 0
    for rows in _blocks(len(truth)):
        wins, voted = _wins(matrix[:, rows], matrix)
        better, worse = truth[rows, None] > truth, truth[rows, None] < truth
        right += int(np.count_nonzero(better & wins)) + int(np.count_nonzero(worse & voted & ~wins))
        counted = (better | worse) & voted
        pairs += int(np.count_nonzero(counted))
        undecided += int(np.count_nonzero((better | worse) & ~voted))
    return PairAccuracy(right / pairs if pairs else float("nan"), pairs, undecided)


def _matrix(table: Mapping[str, np.ndarray], proxies: Sequence[str]) -> np.ndarray:
    """Scores float64 `[proxies, n]`."""
    if not proxies:
        raise JaxzcError("there is no proxy to vote: name at least one")
    for name in proxies:
        if name not in table:
            known = ", ".join(table) or "none"
            raise JaxzcError(f"the table has no proxy {name!r} (it has {known}): {hint(name, table)}score it, or vote with other proxies")
    columns = [np.asarray(table[name], np.float64) for name in proxies]
    shapes = {name: list(column.shape) for name, column in zip(proxies, columns, strict=True)}
    if columns[0].ndim != 1 or any(column.shape != columns[0].shape for column in columns):
        raise JaxzcError(f"the proxies have scores of shapes {shapes}, expected one [n]: give one score per network")
    return np.stack(columns)


def _wins(first: np.ndarray, second: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """For scores `[proxies, rows]` and `[proxies, n]`: bool `[rows, n]`, whether the first wins; and whether anyone voted."""
    votes = np.zeros((first.shape[1], second.shape[1]), np.int8 if len(first) < 64 else np.int64)
    voters = np.zeros_like(votes)
    for one, other in zip(first, second, strict=True):
        votes += one[:, None] > other
        voters += ~np.isnan(one)[:, None] & ~np.isnan(other)
    voted = voters > 0
    return (2 * votes >= voters) & voted, voted


def _blocks(n: int) -> Iterator[slice]:
    step = max(1, BLOCK_PAIRS // max(n, 1))
    return (slice(start, min(start + step, n)) for start in range(0, n, step))
