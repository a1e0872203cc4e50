"""Scores any network. A program is compiled once for each combination of shapes of parameters and batches."""

import inspect
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxzc._compile.devices import chunk_for
from jaxzc._compile.platforms import platform_of
from jaxzc.catalogue.selection import ProxySpec, select
from jaxzc.definitions.facts import Ingredient
from jaxzc.ingredients import RESOLVER
from jaxzc.networks import NetworkOptions
from jaxzc.networks.keywords import with_keywords
from jaxzc.scoring.batches import Batches, checked_batches
from jaxzc.scoring.compute import check_norm, scores_from_counts
from jaxzc.scoring.keys import seeded
from jaxzc.scoring.network.doubts import warn_of_doubts
from jaxzc.scoring.network.models import Bound, Model, check_concrete, shapes
from jaxzc.scoring.network.program import Lanes, ModelProgram, ModelRecipe, RecentPrograms, compiled, program_settings, reasons_of
from jaxzc.scoring.results import Scores, Unavailable, check_unavailable, to_floats, warn_of
from jaxzc.tasks import Loss, Task, kind_of, named_task
from jaxzc.tasks.checks import check_targets, with_targets
from jaxzc.types import Array, Batch, JaxzcError, Norm, Params, Score

MOST = 32
"""Programs that a scorer caches."""


class Scorer:
    """Scores a network for many parameters, batches and seeds, without compiling again while their shapes stay the same.

    >>> scorer = jaxzc.Scorer(model, "snip,naswot")
    >>> scorer.score(variables, (inputs, targets))
    {'snip': 12.3, 'naswot': 45.6}

    model: a Flax Linen module, a Flax NNX module, or `apply_fn(params, inputs)`, unchanged; cells: see `jaxzc.as_network`.
    proxies: "founding" (the 24 of the four founding papers), "all", names, functions whose argument names are ingredients, or pairs
        (label, name or function); one of them, or several.
    method: of a module, what is called instead of `__call__`, by name or as a function. output: takes the outputs out of what the model
        returns (`lambda out: out.logits`). call: keywords of the model's call (`train=False`, `deterministic=True`, a mask, and of a Linen
        module `rngs={...}`); `model_kwargs=dict(...)` is the same for keywords that have the name of an argument of ours.
    loss: function (outputs, targets) -> scalar; it receives the network's outputs and the batch's targets unchanged.
    task: instead of a loss a `jaxzc.Task`, or the name of a ready-made one ("classification", "regression", "multilabel", "next_token",
        "ctc", "ctc_per_frame"); None: chosen from outputs and targets where these allow one reading.
    norm: how batch normalisation acts in the passes that the authors run in train mode.
    unavailable: "nan": a proxy that cannot be computed (the network has no ReLU, one batch where two are needed, ...) is NaN, its reason
        is in `Scores.reasons`, and a warning names it; "error": it is a `JaxzcError`.
    pieces: whether to compile in pieces, of which equal ones are compiled once, and which hold less memory (`jaxzc._compile.pieces`).
        Default: on a CPU, for a deep network of many equal layers. Always off where several networks are scored at a time.
    ingredients: functions of your own that make what your proxies ask for (`jaxzc.ingredient`).

    As with `jax.jit`, values that the model or the proxies close over (arrays, other functions) are read once, when a program is compiled.
    Raises `JaxzcError` for input that cannot be used.
    """

    def __init__(
        self,
        model: Any,
        proxies: ProxySpec = "founding",
        *,
        loss: Loss | None = None,
        task: Task | str | None = None,
        norm: Norm = "batch",
        cells: Callable[[str], int] | None = None,
        model_kwargs: Mapping[str, Any] | None = None,
        method: str | Callable[..., Any] | None = None,
        output: Callable[[Any], Any] | None = None,
        unavailable: Unavailable = "nan",
        ingredients: Iterable[Ingredient] = (),
        pieces: bool | None = None,
        **call: Any,
    ):
        check_unavailable(unavailable)
        check_norm(norm)
        selected = select(proxies, ingredients)
        RESOLVER.wanted(selected)
        ours = (*inspect.signature(Scorer).parameters, "seed")
        options = with_keywords(NetworkOptions(cells, model_kwargs, method, output), model, call, ours)
        self.recipe = ModelRecipe(Model(model, options), selected, named_task(loss, task), norm, unavailable, pieces)
        self._recent = RecentPrograms(MOST)

    @property
    def proxies(self) -> list[str]:
        """The proxies by label, in the order of the scores."""
        return list(self.recipe.proxies)

    @property
    def compilations(self) -> int:
        """Number of programs compiled so far."""
        return self._recent.compilations

    @property
    def memory(self) -> int:
        """Bytes that the largest cached program needs for parameters, batches, results and temporaries."""
        return max((program.bytes for program in self._recent.programs.values()), default=0)

    def score(self, params: Params, batches: Batches, seed: int = 0) -> Scores:
        """Scores the network: a dictionary from proxy to score, with the reasons of missing ones.

        params: as `jaxzc.as_network` takes them; None for an NNX module's own. batches: `(inputs [N, ...], targets)`, or a list of such
        pairs of one shape (ZiCo needs two). seed: of noise, probes and redrawn weights; most proxies have none.
        """
        bound, checked = examined(self.recipe, params, batches)
        program = self._program(bound, checked, seeded(seed))
        return finished(self.recipe, program, bound, checked, seed, stacklevel=2)

    def score_many(
        self, params: Params, batches: Batches, seeds: int | Sequence[int] = 0, *, stacked: bool = True, chunk: int | None = None
    ) -> list[Scores]:
        """Scores several parameter sets, or one set with several seeds; one `Scores` for each, in order.

        params: parameter sets stacked along a leading axis of every array, as `jax.vmap(init)(keys)` returns them. With `stacked=False`:
            one set, for all seeds. None: the parameters of an NNX module.
        seeds: one for all sets, or a list with one for each.
        chunk: how many networks one call of the program scores (`jax.vmap`). Memory grows in proportion, see `memory_of`. None: 16 on a GPU
            or TPU, 1 on a CPU, where several networks at a time are not faster, and convolutions are far slower.
        """
        bound, checked = examined(self.recipe, params, batches)
        count, seeds = _numbered(bound, seeds, stacked)
        if chunk is not None and chunk < 1:
            raise JaxzcError(f"chunk={chunk}: expected how many networks are scored at a time, at least 1")
        lanes = min(count, chunk or chunk_for(platform_of(bound.arrays)))
        scores: list[Scores] = []
        for start in range(0, count, lanes):
            if lanes == 1:
                lane, seed = bound.at(start) if stacked else bound, seeds[start]
                program = self._program(lane, checked, seeded(seed))
                scores.append(finished(self.recipe, program, lane, checked, seed, stacklevel=2))
                continue
            places = np.minimum(np.arange(start, start + lanes), count - 1)  # the last call repeats the last one
            several = bound.at(places) if stacked else bound
            keys = jnp.stack([seeded(seeds[place]) for place in places])
            program = self._program(several, checked, keys, Lanes(lanes, stacked))
            scores += finished_lanes(self.recipe, program, several, checked, keys, stacklevel=2)
        return scores[:count]

    def memory_of(self, params: Params, batches: Batches) -> int:
        """Bytes that scoring one network needs for parameters, batches, results and temporaries. Compiles the program without running
        it."""
        bound, checked = examined(self.recipe, params, batches)
        return self._program(bound, checked, jax.random.key(0)).bytes

    def reasons_of(self, params: Params, batches: Batches) -> dict[str, str]:
        """Proxy -> why it cannot be computed for this network and these batches; the others can. Takes the time of tracing the model:
        nothing is compiled."""
        return reasons_of(self.recipe, *examined(self.recipe, params, batches))

    def _program(self, bound: Bound, batches: tuple[Batch, ...], keys: Array, lanes: Lanes = Lanes()) -> ModelProgram:  # noqa: B008
        return self._recent.get(signature(bound, batches, lanes), lambda: compiled(self.recipe, bound, batches, keys, lanes))


WHERE = "`reasons` of the scores"


def examined(recipe: ModelRecipe, params: Params, batches: Batches) -> tuple[Bound, tuple[Batch, ...]]:
    """The model with these parameters, and the checked batches. Raises `JaxzcError` for input that cannot be used, such as traced
    arrays."""
    bound = recipe.model.bound(params)
    check_concrete(bound.arrays, "params")
    check_concrete(batches, "batches")
    checked = checked_batches(batches)
    return bound, checked if recipe.task is None else tuple(with_targets(recipe.task, batch) for batch in checked)


def signature(bound: Bound, batches: tuple[Batch, ...], lanes: Lanes = Lanes()) -> Hashable | None:  # noqa: B008
    """Everything that a scorer's program depends on besides the recipe; None where the model or its parameters cannot be compared."""
    key = (bound.signature(), shapes(batches), kind_of(batches[0].targets), lanes, program_settings())
    try:
        hash(key)
    except TypeError:
        return None
    return key


def finished(recipe: ModelRecipe, program: ModelProgram, bound: Bound, batches: tuple[Batch, ...], seed: int, stacklevel: int) -> Scores:
    """Runs a program for these arrays and this seed, after the checks that need the targets' values."""
    check_targets(program.task, program.outputs, batches, warns=True)
    values: dict[str, Score] = {}
    if program.run is not None:
        bound.check()
        values, doubts = program.run(bound.arrays, batches, seeded(seed))
        warn_of_doubts(doubts, program.groups, recipe.norm, program.frozen, stacklevel=stacklevel + 1)
    warn_of(program.reasons, WHERE, stacklevel=stacklevel + 1)
    return _scores(recipe, program, values)


def finished_lanes(
    recipe: ModelRecipe, program: ModelProgram, bound: Bound, batches: tuple[Batch, ...], keys: Array, stacklevel: int
) -> list[Scores]:
    """Runs a program for several networks. Returns one `Scores` for each key."""
    check_targets(program.task, program.outputs, batches, warns=True)
    values: dict[str, Score] = {}
    if program.run is not None:
        values, doubts = program.run(bound.arrays, batches, keys)
        warn_of_doubts(doubts, program.groups, recipe.norm, program.frozen, stacklevel=stacklevel + 1)
    warn_of(program.reasons, WHERE, stacklevel=stacklevel + 1)
    return [_scores(recipe, program, jax.tree.map(lambda value, n=n: np.asarray(value)[n], values)) for n in range(len(keys))]


def _scores(recipe: ModelRecipe, program: ModelProgram, values: Mapping[str, Score]) -> Scores:
    return Scores(to_floats({**values, **scores_from_counts(recipe.proxies, program.counts)}, recipe.proxies), program.reasons)


def _numbered(bound: Bound, seeds: int | Sequence[int], stacked: bool) -> tuple[int, list[int]]:
    """The number of networks to score, and the seed of each."""
    several = not isinstance(seeds, int | np.integer)
    if not stacked:
        if not several:
            raise JaxzcError("stacked=False scores one set of parameters with several seeds: give seeds as a list, such as range(10)")
        return len(seeds), [int(seed) for seed in seeds]
    count = bound.sets()
    if several and len(seeds) != count:
        raise JaxzcError(f"{len(seeds)} seeds for {count} stacked parameter sets: give one seed for all, or {count}")
    return count, [int(seed) for seed in seeds] if several else [int(seeds)] * count
