"""Compiles the program that scores a model for parameters and batches of given shapes, and caches the programs used last."""

import logging
import math
from collections import OrderedDict
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxzc._compile import convolutions, memory, pieces
from jaxzc._compile.cache import compile_jitted, planned, settings
from jaxzc._compile.convolutions import rewritten
from jaxzc._compile.cutting import cut
from jaxzc._compile.jaxpr import Trace, flatten
from jaxzc._compile.platforms import here, platform_of, traced_for
from jaxzc.definitions.facts import Proxy
from jaxzc.ingredients import Roots
from jaxzc.scoring.compute import compute_values, traced_proxies
from jaxzc.scoring.lowering import does_not_lower, refused_alone
from jaxzc.scoring.network.doubts import Doubts, doubts, is_frozen
from jaxzc.scoring.network.models import Bound, Leaf, Model, batch_size
from jaxzc.scoring.results import Unavailable
from jaxzc.tasks import Task, as_task
from jaxzc.tasks.checks import check_targets
from jaxzc.types import Array, Batch, Counts, Network, Norm, Params, PyTree, Score

log = logging.getLogger("jaxzc")
CROWDED = 0.75
"""Share of the process's memory mappings, of which compiled code takes thousands, above which the least recently used programs are
dropped."""


@dataclass(frozen=True)
class ModelRecipe:
    """What is scored of a model, and how: everything that the programs of one scorer have in common. pieces: see `executable_of`."""

    model: Model
    proxies: Mapping[str, Proxy]
    task: Task | None
    norm: Norm
    unavailable: Unavailable
    pieces: bool | None = None

    @cached_property
    def traced(self) -> dict[str, Proxy]:
        """The proxies that run the network, by label. The others are computed from exact counts."""
        return traced_proxies(self.proxies)

    def task_of(self, network: Network, params: Params, batches: tuple[Batch, ...]) -> tuple[Task, PyTree]:
        """The task, and the shapes of the network's outputs. Raises `JaxzcError` where targets do not fit them."""
        outputs = jax.eval_shape(lambda p, x: network.forward(p, x, norm="batch").outputs, params, batches[0].inputs)
        task = as_task(self.task, outputs, batches[0].targets)
        check_targets(task, outputs, batches)
        return task, outputs


LONG = 8000
"""Operations from which a program may be compiled in pieces: those of the founding proxies on some fifteen layers."""


class Lanes(NamedTuple):
    """How many networks a program scores at a time.

    size: their number. stacked: whether each has parameters of its own, along the first axis of the arrays; otherwise they share the
    parameters, and only their keys differ."""

    size: int = 1
    stacked: bool = False


@dataclass(frozen=True, eq=False)
class ModelProgram:
    """The compiled program that scores one network, or several at a time.

    run: (arrays, batches, keys) -> dictionary from proxy to value, and doubts; None where all proxies need counts only.
    outputs: shapes and dtypes of the network's outputs. task: the task whose loss was compiled. counts: of the network.
    reasons: proxy -> why it cannot be computed. bytes: memory that the program needs for arguments, results and temporaries.
    groups: names of the layer groups. frozen: see `jaxzc.scoring.network.doubts.is_frozen`.
    """

    run: Callable[[list[Leaf], tuple[Batch, ...], Array], tuple[dict[str, Score], Doubts]] | None
    outputs: PyTree
    task: Task
    counts: Counts
    reasons: dict[str, str]
    bytes: int
    groups: tuple[str, ...] = ()
    frozen: bool = False


def compiled(recipe: ModelRecipe, bound: Bound, batches: tuple[Batch, ...], keys: Array, lanes: Lanes = Lanes()) -> ModelProgram:  # noqa: B008
    """Compiles the program for arrays and batches of these shapes. keys: one random key, or `lanes.size` of them.

    Raises `JaxzcError` for a model, targets or proxies that cannot be used, before anything is compiled.
    """
    one = bound.at(0) if lanes.stacked else bound
    network, params = one.network(one.arrays, batches[0].inputs)
    task, outputs = recipe.task_of(network, params, batches)
    counts: Counts = network.counts(params)  # type: ignore[attr-defined]
    if not recipe.traced:
        return ModelProgram(None, outputs, task, counts, {}, 0)
    bound.check()
    groups, frozen = tuple(group.name for group in network.groups), is_frozen(network, params, batches[0].inputs)
    reasons: dict[str, str] | None = None if recipe.unavailable == "error" else {}

    def function_of(proxies: Mapping[str, Proxy]) -> Callable[..., PyTree]:
        def scores(arrays: list[Leaf], batches: tuple[Batch, ...], key: Array) -> tuple[dict[str, Score], Doubts]:
            network, params = bound.network(arrays, batches[0].inputs)
            roots = Roots(network, params, batches, task, recipe.norm, key)
            values = compute_values(proxies, roots, reasons=reasons)
            return {label: values.get(label, math.nan) for label in recipe.traced}, doubts(network, params, batches[0].inputs)

        return jax.vmap(scores, (bound.axes() if lanes.stacked else None, None, 0)) if lanes.size > 1 else scores

    args = bound.arrays, batches, keys
    if program_settings()[1]:
        return ModelProgram(
            rewritten(function_of(recipe.traced)), outputs, task, counts, {} if reasons is None else reasons, 0, groups, frozen
        )
    advice = memory.advice(batch_size(batches), lanes.size)
    pieces_of = recipe.pieces if lanes.size == 1 else False
    with memory.explained(advice):
        try:
            executable, plan = executable_of(function_of(recipe.traced), args, pieces_of)
        except NotImplementedError as error:  # an operation that JAX does not have on this platform
            refused = refused_alone(recipe.traced, lambda one: jax.jit(function_of(one)).lower(*args))
            if not refused:
                raise
            if reasons is None:
                raise does_not_lower(refused, platform_of(args)) from error
            reasons |= refused
            usable = {label: proxy for label, proxy in recipe.traced.items() if label not in refused}
            executable, plan = executable_of(function_of(usable), args, pieces_of)
    log.info("the compiled program plans %s", memory.gigabytes(plan))
    memory.check(plan, advice, batch_size(batches))

    def run(arrays: list[Leaf], batches: tuple[Batch, ...], keys: Array) -> tuple[dict[str, Score], Doubts]:
        with memory.explained(advice, plan):
            return jax.device_get(executable(arrays, batches, keys))

    return ModelProgram(run, outputs, task, counts, {} if reasons is None else reasons, plan, groups, frozen)


def reasons_of(recipe: ModelRecipe, bound: Bound, batches: tuple[Batch, ...]) -> dict[str, str]:
    """Proxy -> why it cannot be computed. Traces the program and compiles nothing."""
    network, params = bound.network(bound.arrays, batches[0].inputs)
    task, _ = recipe.task_of(network, params, batches)
    reasons: dict[str, str] = {}

    def scores(batches: tuple[Batch, ...], key: Array) -> dict[str, Score]:
        return compute_values(recipe.traced, Roots(network, params, batches, task, recipe.norm, key), reasons=reasons)

    jax.eval_shape(scores, batches, jax.random.key(0))
    return reasons


def executable_of(function: Callable[..., PyTree], args: tuple[PyTree, ...], in_pieces: bool | None) -> tuple[Callable[..., PyTree], int]:
    """The compiled function for arguments of these shapes, and the bytes that it plans.

    in_pieces: whether to compile in pieces; None: on a CPU, where a long program repeats itself, as a network of equal blocks does.
    """
    with traced_for(platform_of(args)):
        traced, results = jax.make_jaxpr(function, return_shape=True)(*args)
    structure = jax.tree.structure(results)
    program = flatten(traced, platform_of(args)) if in_pieces is not False else None
    if program is not None and (in_pieces or (platform_of(args) == "cpu" and len(program.ops) >= LONG and repeats(program))):
        plan = pieces.plan(program, frugal=True)
        return lambda *args: jax.tree.unflatten(structure, plan.run(_on_device(args))), plan.memory

    def whole(*args: PyTree) -> PyTree:
        return jax.tree.unflatten(structure, convolutions.outputs(traced, jax.tree.leaves(args)))

    executable = compile_jitted(jax.jit(whole), args)
    return executable, planned(executable)


def _on_device(args: PyTree) -> list[Array]:
    """The leaves, of which arrays of the host are copied once and not for every piece that reads them."""
    return [jnp.asarray(leaf) if isinstance(leaf, np.ndarray) else leaf for leaf in jax.tree.leaves(args)]


def repeats(program: Trace) -> bool:
    """Whether at most half of a program's pieces are different ones."""
    keys = [piece.key for piece in cut(program)]
    return 2 * len(set(keys)) <= len(keys)


def program_settings() -> tuple[Hashable, ...]:
    """The parts of JAX's configuration that a program depends on."""
    config: Any = jax.config
    return settings(), config.jax_disable_jit, config.jax_default_device, here()


@dataclass
class RecentPrograms:
    """A cache of the programs used last, by keys of everything that they depend on.

    most: how many it holds. compilations: how many have been compiled so far, those dropped included."""

    most: int
    compilations: int = 0
    programs: OrderedDict[Hashable, ModelProgram] = field(default_factory=OrderedDict)

    def get(self, key: Hashable | None, compile_: Callable[[], ModelProgram]) -> ModelProgram:
        """The program with this key, which `compile_` compiles if the cache has none. With the key None the result is not cached."""
        if key is not None and key in self.programs:
            self.programs.move_to_end(key)
            return self.programs[key]
        program = compile_()
        self.compilations += program.run is not None
        if key is not None:
            self.programs[key] = program
            while len(self.programs) > self.most or (len(self.programs) > 1 and memory.crowded(CROWDED)):
                self.programs.popitem(last=False)
        return program
