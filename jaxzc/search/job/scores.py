"""What tells a network's worth: zero-cost proxies of a scorer, or columns of a table.

Both are functions of architectures int `[n, genes]` that return float64 `[n, scores]`.
"""

from collections.abc import Callable, Mapping

import numpy as np

from jaxzc.scoring.space import SpaceScorer
from jaxzc.types import JaxzcError, Space

Scores = Callable[[np.ndarray], np.ndarray]


def proxy_scores(scorer: SpaceScorer, seed: int = 0) -> Scores:
    """The scores of the scorer's proxies, one column each in their order, with the weights of `seed`."""

    def score(archs: np.ndarray) -> np.ndarray:
        rows = scorer.many(archs, seed)
        return np.array([[row[label] for label in scorer.proxies] for row in rows], np.float64).reshape(len(archs), len(scorer.proxies))

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
