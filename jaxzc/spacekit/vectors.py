"""Architectures as vectors of choices: the functions that every such space shares.

A space is given by `choices`, one count per gene; gene `g` of an architecture is an integer in `0 .. choices[g] - 1`. One architecture is
an int32 vector `[genes]`, many are an int32 array `[n, genes]`. Nothing here knows what a gene means.
"""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from jaxzc.types import Genes, JaxzcError, TooFewArchitectures

MAX_ENUMERATED = 2**24
"""The largest space `enumerate_vectors` lists; more rows than this do not fit into the memory of an ordinary machine."""
MAX_CHOICES = 2**31 - 1
"""The most values of one gene: what int32 holds."""


def enumerate_vectors(choices: Sequence[int]) -> np.ndarray:
    """Every architecture of the space, int32 `[prod(choices), genes]`, in lexicographic order (the last gene changes fastest).

    Raises `JaxzcError` for a space of more than `MAX_ENUMERATED` architectures.
    """
    counts = _check_choices(choices)
    size = math.prod(counts)
    if size > MAX_ENUMERATED:
        raise JaxzcError(f"the space has {size:,} architectures, too many to list (at most {MAX_ENUMERATED:,}); sample it instead")
    return _rows_at(counts, np.arange(size, dtype=np.int64))


def sample_vectors(choices: Sequence[int], rng: np.random.Generator, n: int, *, distinct: bool = False) -> np.ndarray:
    """`n` architectures drawn uniformly from the space, int32 `[n, genes]`; a function of the state of `rng` only.

    distinct: without replacement, so that no architecture comes twice.
    Raises `JaxzcError` for a negative `n`, and `TooFewArchitectures` for `distinct` when the space has fewer than `n`.
    """
    counts = _check_choices(choices)
    _check_rng(rng)
    if n < 0:
        raise JaxzcError(f"cannot sample n = {n} architectures; expected n >= 0")
    size = math.prod(counts)
    if not distinct:
        return _draw(counts, rng, n)
    if n > size:
        raise TooFewArchitectures(n, size)
    if size < 2**62:
        return _rows_at(counts, rng.choice(size, n, replace=False))
    # The numbers of these architectures overflow int64; a repeat is so unlikely that drawing the missing ones again costs nothing.
    rows = _draw(counts, rng, n)
    while True:
        first = np.sort(np.unique(rows, axis=0, return_index=True)[1])
        if first.size == n:
            return rows
        rows = np.concatenate([rows[first], _draw(counts, rng, n - first.size)])


def mutate_vectors(choices: Sequence[int], rng: np.random.Generator, archs: Genes) -> np.ndarray:
    """A copy of `archs` int `[n, genes]` in which each row has one gene changed to a different value; int32 `[n, genes]`.

    The gene is uniform among those with at least two choices, the new value uniform among the other values of that gene.
    Raises `JaxzcError` for invalid `archs`, and for a space of one single architecture.
    """
    counts = np.array(_check_choices(choices))
    _check_rng(rng)
    mutated = check_vectors(choices, archs).copy()
    mutable = np.flatnonzero(counts > 1)
    if mutable.size == 0:
        raise JaxzcError(f"cannot mutate: the space with choices {tuple(choices)} has one architecture only")
    rows = np.arange(len(mutated))
    genes = mutable[rng.integers(mutable.size, size=len(mutated))]
    # Adding 1 .. count-1 modulo count reaches every other value equally often, and never the old one.
    shift = rng.integers(1, counts[genes])
    mutated[rows, genes] = (mutated[rows, genes] + shift) % counts[genes]
    return mutated


def neighbours_of(choices: Sequence[int], arch: Genes) -> np.ndarray:
    """Every architecture that differs from `arch` int `[genes]` in exactly one gene, int32 `[sum(choices - 1), genes]`.

    The order is by gene, then by value. Raises `JaxzcError` for an invalid `arch`.
    """
    counts = _check_choices(choices)
    row = check_vector(choices, arch)
    changes = [(gene, value) for gene, count in enumerate(counts) for value in range(count) if value != row[gene]]
    neighbours = np.tile(row, (len(changes), 1))
    for index, (gene, value) in enumerate(changes):
        neighbours[index, gene] = value
    return neighbours


def check_vectors(choices: Sequence[int], archs: Genes) -> np.ndarray:
    """`archs` as int32 `[n, genes]`; raises `JaxzcError` that names the first wrong shape, dtype or gene and what was expected."""
    counts = _check_choices(choices)
    array = _as_integers(archs, len(counts))
    if array.ndim != 2 or array.shape[1] != len(counts):
        advice = "; give archs[None] for a single architecture" if array.shape == (len(counts),) else ""
        raise JaxzcError(f"architectures have shape {list(array.shape)}; expected [n, {len(counts)}], one row per architecture{advice}")
    wrong = (array < 0) | (array >= np.array(counts))
    if wrong.any():
        row, gene = np.argwhere(wrong)[0]
        raise JaxzcError(f"gene {gene} of architecture {row} is {array[row, gene]}; expected 0 .. {counts[gene] - 1}")
    return array.astype(np.int32, copy=False)


def check_vector(choices: Sequence[int], arch: Genes) -> np.ndarray:
    """One architecture as int32 `[genes]`; raises `JaxzcError` like `check_vectors`."""
    array = _as_integers(arch, len(choices))
    if array.shape != (len(choices),):
        raise JaxzcError(f"the architecture has shape {list(array.shape)}; expected [{len(choices)}], one integer per gene")
    return check_vectors(choices, array[None])[0]


def _as_integers(archs: Genes, genes: int) -> np.ndarray:
    try:
        array = np.asarray(archs)
    except ValueError:
        raise JaxzcError(f"architectures {archs!r} have rows of different lengths; expected {genes} integers in each") from None
    except TypeError:  # JAX's error for a tracer is one
        advice = "where genes are traced, space.program(key).network(genes) takes them"
        raise JaxzcError(f"genes of type {type(archs).__name__} are no integers; expected {genes} of them, and {advice}") from None
    if array.dtype.kind in "US":
        raise JaxzcError(f"got the text {archs!r} where genes are expected; turn it into {genes} integers with the space's parse() first")
    if array.dtype.kind not in "iu":
        raise JaxzcError(f"architectures have dtype {array.dtype}; expected integers, {genes} for each architecture")
    return array


def _check_choices(choices: Sequence[int]) -> tuple[int, ...]:
    if len(choices) == 0 or any(not 1 <= count <= MAX_CHOICES for count in choices):
        raise JaxzcError(f"choices are {tuple(choices)}; expected one count per gene, each in 1 .. {MAX_CHOICES}")
    return tuple(int(count) for count in choices)


def _check_rng(rng: Any) -> None:
    if not isinstance(rng, np.random.Generator):
        raise JaxzcError(f"rng is {rng!r}; expected a numpy.random.Generator, for example numpy.random.default_rng(0)")


def _draw(counts: tuple[int, ...], rng: np.random.Generator, n: int) -> np.ndarray:
    return rng.integers(0, np.array(counts), size=(n, len(counts))).astype(np.int32)


def _rows_at(counts: tuple[int, ...], indices: np.ndarray) -> np.ndarray:
    """The architectures with these numbers (int64 `[n]`) in lexicographic order, int32 `[n, genes]`."""
    rows = np.empty((indices.size, len(counts)), np.int32)
    rest = indices
    for gene in reversed(range(len(counts))):
        rest, rows[:, gene] = np.divmod(rest, counts[gene])
    return rows
