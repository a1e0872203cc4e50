"""Blocks that a network repeats, traced once a pass for each kind.

Tracing a deep network takes longer than running it, and most of it is the same block again. A block whose call is `repeated` is a compiled
function of its parameters, of which JAX traces, differentiates and maps over examples one for all blocks that are alike: of one graph (the
same module with the same settings) and of the same shapes. In the traced program it is a call; where programs are compiled or cut, calls
are inlined, so that the arithmetic is that of blocks called one by one.
"""

from collections import OrderedDict
from collections.abc import Callable, Mapping
from functools import wraps
from typing import Any, TypeVar

import jax
from flax import nnx

from jaxzc.types import Array
from jaxzc_spaces.core.passes import Pass, Step

OF_MODULES = ("layers", "activations", "norms", "attentions")
"""What a pass keeps by the paths of modules and kernels; it keeps maps by names of their own."""
Call = TypeVar("Call", bound=Callable[..., Array])


def repeated(call: Call) -> Call:
    """For `__call__` of an NNX module: (x, pass), or (x, pass, path of the module) where it names maps, which begin with that path. -> y

    Passes that count, note shapes, or train call it as it is."""

    @wraps(call)
    def called(block: Any, x: Array, p: Pass, *names: str) -> Array:
        if type(p) is not Step or p.module is None or p.module is block:
            return call(block, x, p, *names)
        graph, state = nnx.split(block)
        if graph not in p.blocks:
            p.blocks[graph] = _traced(call, graph, p, ("",) * len(names))
        name = p.name(block)
        changed = (_inside(given, name, prefix) for given, prefix in ((p.tap.perturb, f"{name}/"), (p.tap.cell_perturb, name)))
        y, p.exponent, kept = p.blocks[graph](state, x, p.exponent, *changed)
        for what, records in kept.items():
            between = "/" if what in OF_MODULES else ""
            getattr(p, what).update({f"{name}{between * bool(inside)}{inside}": record for inside, record in records.items()})
        return y

    return called  # pyright: ignore[reportReturnType]


def _traced(call: Callable[..., Array], graph: Any, p: Pass, names: tuple[str, ...]) -> Callable[..., Any]:
    """(parameters, x, exponent, what the tap changes of layers and of maps, by their names inside) -> y, exponent, what was kept."""
    norm, tap = p.norm, p.tap

    @jax.jit
    def run(state: Any, x: Array, exponent: Array, perturb: Any, cell_perturb: Any) -> tuple[Array, Array, dict[str, Any]]:
        block = nnx.merge(graph, state)
        inside = Step(norm, tap._replace(perturb=perturb, cell_perturb=cell_perturb), block, exponent)
        y = call(block, x, inside, *names)
        return y, inside.exponent, {what: getattr(inside, what) for what in (*OF_MODULES, "maps")}

    return run


def _inside(given: Mapping[str, Any] | None, block: str, prefix: str) -> OrderedDict[str, Any] | None:
    """What a tap changes in a block, by names without the prefix."""
    if given is None:
        return None
    return OrderedDict((name.removeprefix(prefix), given[name]) for name in given if f"{name}/".startswith(f"{block}/"))
