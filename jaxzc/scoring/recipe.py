"""What is scored and how: everything that a score depends on besides the architecture, the seed and the batches."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import jax
import numpy as np

from jaxzc.facts import Proxy
from jaxzc.ingredients import RESOLVER
from jaxzc.scoring.compute import compute_scores, counted_scores, traced_proxies
from jaxzc.scoring.keys import NOISE, fold_in
from jaxzc.tasks import Task, classification
from jaxzc.types import Array, Counts, JaxzcError, Norm, Space


class Functions(NamedTuple):
    """Pure functions of the architectures that share a program.

    draw(key, genes) -> parameters; score(params, genes, batches, key, param_count) -> proxy -> value; both take the same key. Those of
    several architectures at a time take, and give, a leading axis.
    """

    draw: Callable[..., Any]
    score: Callable[..., Any]


@dataclass(frozen=True, eq=False)
class Recipe:
    """proxies: label -> function. weights: `redrawn` for every architecture, whose key is folded with its genes, or `shared` by all. init:
    name of the initialiser.

    Raises `JaxzcError` for other weights, and for proxies whose ingredients do not exist.
    """

    space: Space
    proxies: Mapping[str, Proxy]
    weights: str = "redrawn"
    init: str = "torch"
    task: Task = classification
    norm: Norm = "batch"

    def __post_init__(self) -> None:
        if self.weights not in ("redrawn", "shared"):
            raise JaxzcError(f"weights={self.weights!r}: expected 'redrawn' (per architecture) or 'shared'")
        RESOLVER.wanted(self.proxies)

    @cached_property
    def traced(self) -> dict[str, Proxy]:
        """The proxies that need the network; the others need exact counts only."""
        return traced_proxies(self.proxies)

    def functions(self, key: tuple[int, ...]) -> Functions:
        """Of the program with this key (`Space.program`)."""
        program = self.space.program(key)

        def own_key(rng_key: Array, genes: Array) -> Array:
            return fold_in(rng_key, genes) if self.weights == "redrawn" else rng_key

        def draw(rng_key: Array, genes: Array) -> Any:
            return program.init(own_key(rng_key, genes), self.init)

        def score(params: Any, genes: Array, batches: Any, rng_key: Array, param_count: Any) -> Any:
            noise = jax.random.fold_in(own_key(rng_key, genes), NOISE)
            network, size = program.network(genes), {"param_count": param_count}
            return compute_scores(self.traced, network, params, batches, self.task, self.norm, noise, size, unavailable="error")

        return Functions(draw, score)

    def parts(self, key: tuple[int, ...]) -> tuple[tuple[Any, ...], tuple[Any, ...]]:
        """What draw and score of that program are made from, for the disk cache (`jaxzc._compile.cache.StoredFunction`)."""
        of_draw = self.space, key, self.weights, self.init
        return of_draw, (*of_draw, self.norm, self.task, self.traced)

    def param_counts(self, archs: np.ndarray) -> np.ndarray:
        """Parameters of architectures `[n, genes]`, float32 `[n]`, for proxies that divide by them."""
        return np.asarray(self.space.counts(archs).params, np.float32)

    def counted(self, archs: np.ndarray) -> list[dict[str, Any]]:
        """For each of architectures `[n, genes]`, the values of the proxies that need counts only."""
        counts = self.space.counts(archs)
        return [counted_scores(self.proxies, Counts(*(count[i] for count in counts))) for i in range(len(archs))]
