"""A scorer's choices for a space: everything that a score depends on besides the architecture, the seed and the batches."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxzc.definitions.facts import Proxy
from jaxzc.ingredients import RESOLVER, Roots
from jaxzc.scoring.compute import compute_values, scores_from_counts, traced_proxies
from jaxzc.scoring.keys import NOISE, fold_in
from jaxzc.scoring.results import Refusal, Unavailable, check_unavailable
from jaxzc.tasks import Task, classification
from jaxzc.types import Array, Batch, InitialiserSpec, JaxzcError, Norm, Params, Score, Space, StackedNetwork


class Functions(NamedTuple):
    """The two pure functions of a program.

    draw(key, genes) -> parameters. score(params, genes, batches, key, param_count) -> dictionary from proxy to value, or to the reason why
    there is none. Both take the same key. In functions for several architectures, genes, parameters, counts and values have a leading axis.
    """

    draw: Callable[[Array, Array], Params]
    score: Callable[[Params, Array, Sequence[Batch], Array, Array | np.ndarray], Mapping[str, Score | Refusal]]

    def shapes(self, genes: int, batches: Sequence[Batch]) -> tuple[Any, ...]:
        """The arguments of `score` for one architecture of so many genes, as shapes but for the batches."""
        arch = jax.ShapeDtypeStruct((genes,), jnp.int32)
        key = jax.eval_shape(lambda: jax.random.key(0))
        return jax.eval_shape(self.draw, key, arch), arch, batches, key, jax.ShapeDtypeStruct((), jnp.float32)


@dataclass(frozen=True, eq=False)
class SpaceRecipe:
    """What is scored in a space, and how.

    proxies: label -> function. weights: `redrawn` for every architecture, from a key that depends on its genes, or `shared` by all. init:
    of the kernels. unavailable: see `SpaceScorer`.
    Raises `JaxzcError` for any other value of `weights` or `unavailable`, and for proxies whose ingredients do not exist.
    """

    space: Space
    proxies: Mapping[str, Proxy]
    weights: str = "redrawn"
    init: InitialiserSpec = "torch"
    task: Task = classification
    norm: Norm = "batch"
    unavailable: Unavailable = "error"

    def __post_init__(self) -> None:
        if self.weights not in ("redrawn", "shared"):
            raise JaxzcError(f"weights={self.weights!r}: expected 'redrawn' (per architecture) or 'shared'")
        check_unavailable(self.unavailable)
        RESOLVER.wanted(self.proxies)

    @cached_property
    def traced(self) -> dict[str, Proxy]:
        """The proxies that run the network, by label. The others are computed from exact counts."""
        return traced_proxies(self.proxies)

    def functions(self, key: tuple[int, ...], reasons: dict[str, str] | None = None, *, apart: bool = False) -> Functions:
        """The functions of the program with this key (`Space.program`), neither compiled nor traced.

        apart: whether layers that a network stacks are told apart (`StackedNetwork`).
        reasons: a dictionary that receives, for each proxy that cannot be computed, the reason; without one such a proxy is what
        `unavailable` says."""
        program = self.space.program(key)

        def own_key(rng_key: Array, genes: Array) -> Array:
            return fold_in(rng_key, genes) if self.weights == "redrawn" else rng_key

        def draw(rng_key: Array, genes: Array) -> Params:
            return program.init(own_key(rng_key, genes), self.init)

        def score(
            params: Params, genes: Array, batches: Sequence[Batch], rng_key: Array, param_count: Array | np.ndarray
        ) -> dict[str, Score | Refusal]:
            noise = jax.random.fold_in(own_key(rng_key, genes), NOISE)
            network: Any = program.network(genes)
            network = network.apart if apart and isinstance(network, StackedNetwork) else network
            roots = Roots(network, params, tuple(batches), self.task, self.norm, noise)
            refused = {} if reasons is None and self.unavailable == "nan" else reasons
            values = compute_values(self.traced, roots, {"param_count": param_count}, refused)
            return {**values, **{label: Refusal({reason: None}) for label, reason in (refused or {}).items()}}

        return Functions(draw, score)

    def reasons_of(self, key: tuple[int, ...], batches: Sequence[Batch]) -> dict[str, str]:
        """Proxy -> why it cannot be computed with the program of this key; the others can. Takes the time of tracing it: nothing is
        compiled."""
        reasons: dict[str, str] = {}
        if self.traced:
            functions = self.functions(key, reasons)
            jax.eval_shape(functions.score, *functions.shapes(len(self.space.choices), batches))
        return reasons

    def parts(self, key: tuple[int, ...]) -> tuple[tuple[object, ...], tuple[object, ...]]:
        """Everything that `draw` and `score` of the program with this key depend on, for the disk cache
        (`_compile.cache.StoredFunction`)."""
        of_draw = self.space, key, self.weights, self.init
        return of_draw, (*of_draw, self.norm, self.task, self.unavailable, self.traced)

    def param_counts(self, archs: np.ndarray) -> np.ndarray:
        """Numbers of parameters, float32 `[n]`, of architectures `[n, genes]`. Some proxies divide by them."""
        return np.asarray(self.space.counts(archs).params, np.float32)

    def counted(self, archs: np.ndarray) -> list[dict[str, Score]]:
        """For each of the architectures `[n, genes]`, a dictionary from label to value of the proxies that need counts only."""
        counts = self.space.counts(archs)
        each = [jax.tree.map(lambda count, i=i: count[i] if np.ndim(count) else count, counts) for i in range(len(archs))]
        return [scores_from_counts(self.proxies, one) for one in each]
