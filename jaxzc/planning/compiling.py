"""Lowers and compiles the program that scores a space, for devices that need not exist."""

import re
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import jax
import jax.numpy as jnp
from jax.sharding import NamedSharding
from jax.sharding import PartitionSpec as P

from jaxzc._compile.convolutions import rewritten
from jaxzc._compile.devices import spread
from jaxzc.definitions.facts import Proxy
from jaxzc.planning.targets import Target
from jaxzc.scoring.lowering import refused_alone
from jaxzc.scoring.space.recipe import SpaceRecipe
from jaxzc.types import Batch, PyTree

AXES = (0, 0, None, None, 0)
"""The arguments of a scoring function that differ from architecture to architecture: weights, genes and number of parameters."""
DRAW_AXES = (None, 0)
"""Those of a function that draws weights: the genes."""
NEEDED = re.compile(r"Used ([\d.]+)([KMGT]?) of ")
UNITS = {"": 1, "K": 2**10, "M": 2**20, "G": 2**30, "T": 2**40}


@dataclass(frozen=True)
class Planned:
    """One program, for `chunk` architectures at a time on each device.

    lower_s, compile_s: seconds; processor_s: of all processors, for both. arguments, results, temporaries, code: bytes on each device; None
    where the program was not compiled. flops, accessed: of one call on each device, as the compiler counts them, which counts the body of a
    loop once; None where it does not say. error: the compiler's refusal; None where it compiled. needed: bytes that the
    program needs in all, where the compiler refuses it for want of memory.
    """

    chunk: int
    lower_s: float
    compile_s: float | None = None
    processor_s: float = 0.0
    arguments: int | None = None
    results: int | None = None
    temporaries: int | None = None
    code: int | None = None
    flops: float | None = None
    accessed: float | None = None
    error: str | None = None
    needed: int | None = None

    @property
    def memory(self) -> int | None:
        """Bytes on each device: arguments, results, temporaries and code, or what the compiler says that a refused program needs."""
        if self.arguments is None or self.results is None or self.temporaries is None:
            return self.needed
        return self.arguments + self.results + self.temporaries + (self.code or 0)


def lowerable(recipe: SpaceRecipe, key: tuple[int, ...], batches: tuple[Batch, ...], target: Target) -> tuple[SpaceRecipe, dict[str, str]]:
    """The recipe with only the proxies that lower for the target, and the reasons of the others."""
    reasons: dict[str, str] = {}
    try:
        _lowered(recipe, key, batches, 1, target, reasons)
    except Exception as error:  # of JAX, about an operation that the platform does not have
        reasons |= refused_alone(recipe.traced, lambda one: _lowered(replace(recipe, proxies=one), key, batches, 1, target, {}))
        if not reasons:
            raise error
    usable: Mapping[str, Proxy] = {label: proxy for label, proxy in recipe.proxies.items() if label not in reasons}
    return replace(recipe, proxies=usable), reasons


def lowered_beside(recipe: SpaceRecipe, key: tuple[int, ...], batches: tuple[Batch, ...], chunk: int, target: Target) -> Iterator[Any]:
    """What a job runs besides the program that `compiled` compiles, lowered: for each of the target's hosts the program that draws weights,
    and for each but the first the one that scores."""
    genes = jax.ShapeDtypeStruct((len(recipe.space.choices),), jnp.int32)
    for number, mesh in enumerate((target.mesh, *target.others)):
        assert mesh is not None
        draw = spread(recipe.functions(key).draw, DRAW_AXES, mesh, chunk)
        with target.lowering():
            traced = draw.trace(jax.eval_shape(lambda: jax.random.key(0)), _wider(genes, chunk * mesh.size))
            lowered = traced.lower(lowering_platforms=(target.platform,))
        yield lowered
        if number > 0:
            yield _lowered(recipe, key, batches, chunk, replace(target, mesh=mesh), {})


def compiled(recipe: SpaceRecipe, key: tuple[int, ...], batches: tuple[Batch, ...], chunk: int, target: Target) -> Planned:
    """Lowers and, where the target has a compiler, compiles the program of a key for `chunk` architectures at a time."""
    begun, processors = time.perf_counter(), time.process_time()
    lowered = _lowered(recipe, key, batches, chunk, target, {})
    # What a program accesses is known after fusion only.
    planned = Planned(chunk, time.perf_counter() - begun, flops=_costs(lowered).get("flops"))
    if target.mesh is None:
        return replace(planned, processor_s=time.process_time() - processors)
    started = time.perf_counter()
    try:
        executable = lowered.compile()
    except jax.errors.JaxRuntimeError as error:
        planned = replace(planned, error=_line(error), needed=_needed(str(error)))
    else:
        plan = executable.memory_analysis()
        kinds = {"arguments": "argument", "results": "output", "temporaries": "temp", "code": "generated_code"}
        sizes = {name: int(getattr(plan, f"{kind}_size_in_bytes", 0)) for name, kind in kinds.items()}
        planned = replace(planned, **sizes, **_costs(executable))
    return replace(planned, compile_s=time.perf_counter() - started, processor_s=time.process_time() - processors)


def _lowered(
    recipe: SpaceRecipe, key: tuple[int, ...], batches: tuple[Batch, ...], chunk: int, target: Target, reasons: dict[str, str]
) -> Any:
    """The scoring function, lowered for as many architectures as the target has devices, times `chunk`."""
    functions = recipe.functions(key, reasons)
    score, one = functions.score, functions.shapes(len(recipe.space.choices), batches)
    mesh = target.mesh
    if mesh is None:  # a program of one device, which is not there
        several = tuple(_wider(part, chunk) if axis == 0 and chunk > 1 else part for part, axis in zip(one, AXES, strict=True))
        function = rewritten(score)
        program = jax.jit(jax.vmap(function, AXES) if chunk > 1 else function)
    elif target.platform == "cpu" and chunk == 1:  # as a scorer runs it there
        program, several = jax.jit(rewritten(score)), one
    else:
        # As a scorer calls it: weights lie on the devices, for a program put them there, and nothing else is placed yet. The program is the
        # same to the last letter, so that one which is compiled ahead is found.
        params, *others = (_wider(part, chunk * mesh.size) if axis == 0 else part for part, axis in zip(one, AXES, strict=True))
        several = _placed(params, NamedSharding(mesh, P("arch") if mesh.size > 1 else P())), *others
        program = spread(rewritten(score), AXES, mesh, chunk)
    with target.lowering():
        return program.trace(*several).lower(lowering_platforms=(target.platform,))


def _wider(tree: PyTree, width: int) -> PyTree:
    return jax.tree.map(lambda a: jax.ShapeDtypeStruct((width, *a.shape), a.dtype), tree)


def _placed(tree: PyTree, sharding: NamedSharding) -> PyTree:
    return jax.tree.map(lambda a: jax.ShapeDtypeStruct(a.shape, a.dtype, sharding=sharding), tree)


def _costs(stage: Any) -> dict[str, float]:
    """Operations and bytes of a lowered or compiled program, where JAX says them."""
    try:
        costs = stage.cost_analysis()
    except Exception:  # not every platform counts
        return {}
    costs = costs[0] if isinstance(costs, list) and costs else costs
    named = {"flops": "flops", "accessed": "bytes accessed"}
    return {name: float(costs[key]) for name, key in named.items() if isinstance(costs, Mapping) and costs.get(key, 0) > 0}


def _line(error: Exception) -> str:
    return str(error).strip().partition("\n")[0]


def _needed(message: str) -> int | None:
    """Bytes that a program needs, from the compiler's refusal; None where it is about something else."""
    match = NEEDED.search(message)
    return None if match is None else int(float(match[1]) * UNITS[match[2]])
