"""Scores of anybody's network: compiled once for each shape of parameters and batches, then called."""

from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from typing import Any, get_args

import jax
import jax.numpy as jnp
import numpy as np

from jaxzc._compile.devices import CHUNK
from jaxzc.catalogue.selection import ProxySpec, select
from jaxzc.ingredients import RESOLVER
from jaxzc.scoring.batches import Batches, checked_batches
from jaxzc.scoring.compute import counted_scores
from jaxzc.scoring.models import Bound, Model, check_concrete, shapes
from jaxzc.scoring.program import Lanes, Program, Recent, Recipe, compiled, program_settings
from jaxzc.scoring.results import Scores, Unavailable, check_unavailable, to_floats, warn_of
from jaxzc.tasks import Loss, Task, kind_of, named_task
from jaxzc.tasks.checks import check_targets, with_targets
from jaxzc.types import Batch, JaxzcError, Norm

MOST = 32
"""Programs that a scorer holds."""


class Scorer:
    """Scores a network again and again: other parameters, other batches, other seeds, without another compilation while shapes stay.

    >>> scorer = jaxzc.Scorer(model, "snip,naswot")
    >>> scorer.score(variables, (inputs, targets))
    {'snip': 12.3, 'naswot': 45.6}

    model: a Flax Linen module, a Flax NNX module, or `apply_fn(params, inputs)`, unchanged; cells and model_kwargs: see `jaxzc.as_network`.
    proxies: "founding" (the 24 of the four founding papers), "all", names, or functions whose argument names are ingredients.
    loss: loss(outputs, targets) -> scalar, of what the network returned and the targets as they are.
    task: instead of a loss a `jaxzc.Task`, or the name of a ready-made one ("classification", "regression", "multilabel", "next_token",
        "ctc"); None: chosen from outputs and targets where these allow one reading.
    norm: how batch normalisation acts in the passes that the authors run in train mode.
    unavailable: "nan": a proxy that cannot be computed (the network has no ReLU, one batch where two are needed, ...) is NaN, its reason
        is in `Scores.reasons`, and a warning names it; "error": it is a `JaxzcError`.
    ingredients: functions of your own that make what your proxies ask for (`jaxzc.ingredient`).

    As with `jax.jit`, what the model and the proxies close over (arrays, other functions) is read when a program is compiled, not again.
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
        unavailable: Unavailable = "nan",
        ingredients: Iterable[Callable[..., Any]] = (),
    ):
        check_unavailable(unavailable)
        if norm not in get_args(Norm):
            raise JaxzcError(f"norm={norm!r}: expected one of {', '.join(map(repr, get_args(Norm)))}")
        selected = select(proxies, ingredients)
        RESOLVER.wanted(selected)
        self.recipe = Recipe(Model(model, cells, model_kwargs), selected, named_task(loss, task), norm, unavailable)
        self._recent = Recent(MOST)

    @property
    def proxies(self) -> list[str]:
        """The proxies by label, in the order of the scores."""
        return list(self.recipe.proxies)

    @property
    def compilations(self) -> int:
        """How many programs have been compiled so far."""
        return self._recent.compilations

    @property
    def memory(self) -> int:
        """Bytes that the largest of its programs plans: parameters, batches, results and temporaries."""
        return max((program.bytes for program in self._recent.programs.values()), default=0)

    def score(self, params: Any, batches: Batches, seed: int = 0) -> Scores:
        """Proxy -> score.

        params: as `jaxzc.as_network` takes them; None for an NNX module's own. batches: `(inputs [N, ...], targets)`, or a list of such
        pairs of one shape (ZiCo needs two). seed: of noise and of weights drawn anew, for the proxies that have such.
        """
        bound, checked = examined(self.recipe, params, batches)
        program = self._program(bound, checked, jax.random.key(seed))
        return finished(self.recipe, program, bound, checked, seed, stacklevel=2)

    def score_many(
        self, params: Any, batches: Batches, seeds: int | Sequence[int] = 0, *, stacked: bool = True, chunk: int | None = None
    ) -> list[Scores]:
        """The scores of several parameter sets, or of several seeds.

        params: every array with a leading axis (`jax.vmap(init)(keys)` makes it so), one entry for each set; or one set for all seeds with
            `stacked=False`. None: the parameters of an NNX module.
        seeds: one for all, or one for each.
        chunk: how many one call of the program scores (`jax.vmap`); it plans about that many times the memory of one, see `memory_of`.
            None: 16 on a GPU or TPU, and 1 on a CPU, where a batch of networks runs no faster, and convolutions far slower.
        """
        bound, checked = examined(self.recipe, params, batches)
        count, seeds = _numbered(bound, seeds, stacked)
        if chunk is not None and chunk < 1:
            raise JaxzcError(f"chunk={chunk}: expected how many networks are scored at a time, at least 1")
        lanes = min(count, chunk or (1 if jax.default_backend() == "cpu" else CHUNK))
        scores: list[Scores] = []
        for start in range(0, count, lanes):
            if lanes == 1:
                lane, seed = bound.at(start) if stacked else bound, seeds[start]
                program = self._program(lane, checked, jax.random.key(seed))
                scores.append(finished(self.recipe, program, lane, checked, seed, stacklevel=2))
                continue
            places = np.minimum(np.arange(start, start + lanes), count - 1)  # the last call repeats the last one
            several = bound.at(places) if stacked else bound
            keys = jnp.stack([jax.random.key(seeds[place]) for place in places])
            program = self._program(several, checked, keys, Lanes(lanes, stacked))
            scores += finished_lanes(self.recipe, program, several, checked, keys, stacklevel=2)
        return scores[:count]

    def memory_of(self, params: Any, batches: Batches) -> int:
        """Bytes that the program of one network plans: parameters, batches, results, temporaries. It is compiled, and not run."""
        bound, checked = examined(self.recipe, params, batches)
        return self._program(bound, checked, jax.random.key(0)).bytes

    def _program(self, bound: Bound, batches: tuple[Batch, ...], keys: Any, lanes: Lanes = Lanes()) -> Program:  # noqa: B008
        return self._recent.get(signature(bound, batches, lanes), lambda: compiled(self.recipe, bound, batches, keys, lanes))


WHERE = "`reasons` of the scores"


def examined(recipe: Recipe, params: Any, batches: Batches) -> tuple[Bound, tuple[Batch, ...]]:
    """The model with these parameters, and the batches; raises `JaxzcError` for what cannot be used, traced arrays among it."""
    bound = recipe.model.bound(params)
    check_concrete(bound.arrays, "params")
    check_concrete(batches, "batches")
    checked = checked_batches(batches)
    return bound, checked if recipe.task is None else tuple(with_targets(recipe.task, batch) for batch in checked)


def signature(bound: Bound, batches: tuple[Batch, ...], lanes: Lanes = Lanes()) -> Hashable | None:  # noqa: B008
    """What a program of one scorer depends on; None where an NNX module or parameters hold something that cannot be compared."""
    key = (bound.signature(), shapes(batches), kind_of(batches[0].targets), lanes, program_settings())
    try:
        hash(key)
    except TypeError:
        return None
    return key


def finished(recipe: Recipe, program: Program, bound: Bound, batches: tuple[Batch, ...], seed: int, stacklevel: int) -> Scores:
    """The scores that a program gives for these arrays and seed, after the checks that need values."""
    check_targets(program.task, program.outputs, batches, warns=True)
    values = {}
    if program.run is not None:
        bound.check()
        values = program.run(bound.arrays, batches, jax.random.key(seed))
    warn_of(program.reasons, WHERE, stacklevel=stacklevel + 1)
    return _scores(recipe, program, values)


def finished_lanes(recipe: Recipe, program: Program, bound: Bound, batches: tuple[Batch, ...], keys: Any, stacklevel: int) -> list[Scores]:
    """The scores that a program of several networks gives, one for each key."""
    check_targets(program.task, program.outputs, batches, warns=True)
    values = {} if program.run is None else program.run(bound.arrays, batches, keys)
    warn_of(program.reasons, WHERE, stacklevel=stacklevel + 1)
    return [_scores(recipe, program, jax.tree.map(lambda value, n=n: np.asarray(value)[n], values)) for n in range(len(keys))]


def _scores(recipe: Recipe, program: Program, values: Mapping[str, Any]) -> Scores:
    return Scores(to_floats({**values, **counted_scores(recipe.proxies, program.counts)}, recipe.proxies), program.reasons)


def _numbered(bound: Bound, seeds: int | Sequence[int], stacked: bool) -> tuple[int, list[int]]:
    """How many are scored, and the seed of each."""
    several = not isinstance(seeds, int | np.integer)
    if not stacked:
        if not several:
            raise JaxzcError("stacked=False scores one set of parameters with several seeds: give seeds as a list, such as range(10)")
        return len(seeds), [int(seed) for seed in seeds]
    count = bound.sets()
    if several and len(seeds) != count:
        raise JaxzcError(f"{len(seeds)} seeds for {count} stacked parameter sets: give one seed for all, or {count}")
    return count, [int(seed) for seed in seeds] if several else [int(seeds)] * count
