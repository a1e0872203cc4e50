"""What is to be scored: which architectures stand for which, what is there already, and which process does what."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from jaxzc._durable.store import Store
from jaxzc.jobs import parts
from jaxzc.jobs.parts import Key
from jaxzc.types import JaxzcError, Space, WithSameNetwork


class Unit(NamedTuple):
    """One architecture (genes, official string) with one seed."""

    arch: np.ndarray
    text: str
    seed: int


@dataclass(frozen=True)
class Stripe:
    """Every `count`-th unit from the `index`-th."""

    index: int = 0
    count: int = 1

    def __str__(self) -> str:
        return f"{self.index}-of-{self.count}"


def parse_stripe(text: str) -> Stripe:
    """`I/N` with 0 <= I < N. Raises `JaxzcError` for anything else."""
    index, _, count = text.strip().partition("/")
    if not (text.isascii() and index.isdecimal() and count.isdecimal() and int(index) < int(count) <= 10**6):
        raise JaxzcError(f"stripe {text!r} is not I/N with I from 0 to N-1, for example 0/4")
    return Stripe(int(index), int(count))


def representatives(space: Space, archs: np.ndarray) -> np.ndarray:
    """For each of the architectures `[n, genes]`, the one whose score it gets, `[n, genes]`.

    A space that knows which architectures are the same network says so (`WithSameNetwork`). In other spaces two architectures are the same
    network if they have one canonical form and equal counts of parameters, FLOPs and layers. Then the canonical form is scored if it has
    these counts, and otherwise the first of them in the order of genes.
    """
    if isinstance(space, WithSameNetwork):
        return space.same_network(archs)
    canonical = space.canonical(archs)
    counts = [np.stack(np.broadcast_arrays(*space.counts(which)._asdict().values()), axis=1) for which in (archs, canonical)]
    chosen = np.where((counts[0] == counts[1]).all(1)[:, None], canonical, archs)
    keys = np.concatenate([canonical, counts[0]], axis=1)
    _, group = np.unique(keys, axis=0, return_inverse=True)
    order = np.lexsort((*chosen.T[::-1], group.ravel()))
    _, first = np.unique(group.ravel()[order], return_index=True)
    return chosen[order[first]][group.ravel()]


def units(space: Space, archs: np.ndarray, seeds: Sequence[int]) -> list[Unit]:
    """Every architecture `[n, genes]`, each once, with the first seed, then with the second ..."""
    named = {space.to_string(arch): arch for arch in archs}
    return [Unit(arch, text, seed) for seed in seeds for text, arch in named.items()]


def known(
    store: Store, job: str, troubles: list[tuple[str, str]], *, failures: bool = True, only: Sequence[str] | None = None
) -> dict[Key, frozenset[str]]:
    """Architecture and seed -> identities of the proxies whose scores are there; those that failed count unless `failures` is false.
    Bad parts are added to `troubles`. only: names of the parts to read."""
    stored: dict[Key, frozenset[str]] = {}
    one: dict[frozenset[str], frozenset[str]] = {}  # one object for equal sets, of which there are few
    for part in parts.read(store, job, troubles, only):
        labels = frozenset(part.values)
        for key, error in zip(zip(part.archs, part.seeds, strict=True), part.errors, strict=True):
            if failures or error is None:
                both = labels | stored.get(key, frozenset())
                stored[key] = one.setdefault(both, both)
    return stored


def missing(
    wanted: Sequence[Unit], identities: Sequence[str], existing: Mapping[Key, frozenset[str]], stripe: Stripe
) -> dict[tuple[str, ...], list[Unit]]:
    """Identities of scores -> units of the stripe that lack exactly these. A stripe is cut from all units, finished ones included, so that
    the progress of other processes does not move it."""
    lacking: dict[tuple[str, ...], list[Unit]] = {}
    nothing: frozenset[str] = frozenset()
    for unit in wanted[stripe.index :: stripe.count]:
        has = existing.get((unit.text, unit.seed), nothing)
        lack = tuple(name for name in identities if name not in has)
        if lack:
            lacking.setdefault(lack, []).append(unit)
    return lacking
