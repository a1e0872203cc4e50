"""What tells a network's worth: zero-cost proxies of a scorer, or columns of a table.

Both are functions of architectures int `[n, genes]` that return float64 `[n, scores]`.
"""

import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from functools import partial

import numpy as np

from jaxzc._compile import cache
from jaxzc._parallel.crew import Crew
from jaxzc._parallel.processors import shares
from jaxzc.scoring import results
from jaxzc.scoring.network.doubts import DoubtWarning
from jaxzc.scoring.results import Reasons
from jaxzc.scoring.space import SpaceScorer
from jaxzc.spacekit import key_of
from jaxzc.types import JaxzcError, Space

Scores = Callable[[np.ndarray], np.ndarray]

TRIED = 8
"""Programs that are traced at most, before a search is refused because its fitness can be computed with none of them."""


def check_fitness(scorer: SpaceScorer, archs: np.ndarray) -> None:
    """Raises `JaxzcError` where a proxy can be computed for none of the architectures int `[n, genes]` that a search begins with, or of
    the first `TRIED` of them with programs of their own. Traces one program where all proxies can be, and computes nothing."""
    recipe, space = scorer.recipe, scorer.space
    keys = list(dict.fromkeys(key_of(space, arch) for arch in archs))[:TRIED]
    refused = dict.fromkeys(recipe.traced, "")
    for key in keys:
        if refused:
            refused = replace(recipe, proxies={label: recipe.proxies[label] for label in refused}).reasons_of(key, scorer.batches)
    for label, reason in refused.items():
        tried = "" if space.program_keys(archs[:1]).shape[1] == 0 else f", for none of the first {len(keys)} networks of the search"
        raise JaxzcError(f"fitness {label} cannot be computed in the space {space.name}{tried}: {reason}")


@contextmanager
def proxy_scores(
    scorer: SpaceScorer, seed: int = 0, processes: int | None = 1, note: Callable[[str], None] = lambda text: None
) -> Iterator[Scores]:
    """The scores of the scorer's proxies, one column each in their order, with the weights of `seed`.

    processes: as in `Crew`; with more than one, each has a copy of the scorer. note: told once of each reason for which a proxy cannot be
    computed."""
    reasons = Reasons(note)

    def table(archs: np.ndarray, rows: list[results.Scores]) -> np.ndarray:
        for arch, row in zip(archs, rows, strict=True):
            reasons.tell(scorer.space.to_string(arch), row.reasons)
        return np.array([[row[label] for label in scorer.proxies] for row in rows], np.float64).reshape(len(archs), len(scorer.proxies))

    if len(shares(processes)) == 1:
        yield lambda archs: table(archs, scorer.many(archs, seed))
        return
    with Crew(processes, partial(_member, scorer, seed), partial(cache.carry, cache.carried())) as crew:

        def score(archs: np.ndarray) -> np.ndarray:
            scorer.warn_of(archs)
            return table(archs, crew.map(archs))

        yield score


def _member(scorer: SpaceScorer, seed: int) -> Callable[[np.ndarray], results.Scores]:
    """What a process of the crew does with one architecture `[genes]`."""
    warnings.simplefilter("ignore", DoubtWarning)  # the first process warns

    def score(arch: np.ndarray) -> results.Scores:
        return scorer.many(arch[None], seed)[0]

    return score


def table_scores(space: Space, columns: Mapping[str, Mapping[str, float]]) -> Scores:
    """Looks the scores up: name -> (architecture string -> value); an architecture that stands in no row is NaN.

    Raises `JaxzcError` where the first architecture of the table is none of the space.
    """
    for name, values in columns.items():
        try:
            space.parse(next(iter(values)))
        except StopIteration:
            raise JaxzcError(f"the table has no row for {name}: give a table with architectures of {space.name}") from None
        except JaxzcError as error:
            raise JaxzcError(f"the table is not of the space {space.name} ({error}): give this space's table") from error

    def score(archs: np.ndarray) -> np.ndarray:
        strings = [space.to_string(arch) for arch in archs]
        return np.array([[column.get(s, np.nan) for column in columns.values()] for s in strings]).reshape(len(archs), len(columns))

    return score
