"""Traces a function of parameters and inputs for arguments of certain shapes, and reads what its program has."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxzc._compile.jaxpr import SETTINGS, Trace, flatten
from jaxzc._compile.platforms import traced_for, traced_now
from jaxzc.networks.analysis.records import Analysis
from jaxzc.networks.analysis.walk import analyse
from jaxzc.networks.traced.entry import Entry, find_entry
from jaxzc.networks.traced.integers import IntegerKernel, integer_kernels
from jaxzc.numerics.trees import abstract, batch_size
from jaxzc.types import JaxzcError, Norm, PyTree

Function = Callable[[Any, Any, Norm], Any]


@dataclass(frozen=True, eq=False)
class Traced:
    """A program traced for certain shapes, the analysis of its layers, its entry, and the pytree structure of its outputs."""

    program: Trace
    analysis: Analysis
    entry: Entry
    integers: dict[int, IntegerKernel]
    outputs: Any


class OwnTypes(NamedTuple):
    """The dtypes of the parameters' and the inputs' leaves with which a network was made, and whether 64-bit types were enabled then."""

    dtypes: tuple[Any, ...]
    x64: bool

    def is_widened(self, leaves: Sequence[Any]) -> bool:
        """Whether a leaf is float64 in a network that has no float64 of its own."""
        wide = np.dtype(np.float64)
        return wide not in self.dtypes and any(jnp.result_type(leaf) == wide for leaf in leaves)

    def shapes(self, flat: Sequence[Any], inputs: PyTree) -> tuple[list[Any], Any]:
        """The shapes of parameters and inputs, in the network's own types."""
        leaves, structure = jax.tree.flatten(inputs)
        own = [jax.ShapeDtypeStruct(np.shape(leaf), dtype) for leaf, dtype in zip((*flat, *leaves), self.dtypes, strict=True)]
        return own[: len(flat)], jax.tree.unflatten(structure, own[len(flat) :])


def trace(fn: Function, structure: Any, flat: Sequence[Any], inputs: PyTree, norm: Norm) -> Traced:
    """The program of `fn` for these shapes."""
    if batch_size(inputs) == 0:
        raise JaxzcError(
            f"inputs must be [B, ...] with B >= 1, got shapes {', '.join(str(np.shape(leaf)) for leaf in jax.tree.leaves(inputs))}"
        )

    def call(flat: Sequence[Any], inputs: PyTree) -> Any:
        return fn(jax.tree_util.tree_unflatten(structure, flat), inputs, norm)

    with traced_for(traced_now()):  # layers are found in the form that runs, not behind a choice between forms
        closed, out = jax.make_jaxpr(call, return_shape=True)([abstract(leaf) for leaf in flat], jax.tree.map(abstract, inputs))
    if not jax.tree.leaves(out):
        raise JaxzcError("the model returns no array: its outputs are what a loss is taken of")
    return read(flatten(closed), flat, jax.tree.structure(out))


def read(program: Trace, flat: Sequence[Any], outputs: Any) -> Traced:
    analysis = analyse(program, [np.shape(leaf) for leaf in flat])
    return Traced(program, analysis, find_entry(program, len(flat)), integer_kernels(program, analysis.layers), outputs)


def check_outputs(example: Traced, traced: Traced, batch: int, examples: int) -> None:
    """Raises `JaxzcError` where a model gives outputs for the `batch` examples that it was made with, whatever it is given.

    Sums over its outputs (synflow's, of one example) would then be too large, without a word."""
    before, after = ([one.program.avals[value].shape for value in one.program.outputs] for one in (example, traced))
    if examples != batch and before == after and any(shape[:1] == (batch,) for shape in before):
        raise JaxzcError(
            f"the model has its batch of {batch} written into it: of {examples} inputs it makes outputs {list(after[0])}: take the size "
            "from the inputs, or leave out proxies that pass other numbers of examples"
        )


def key_of(flat: Sequence[Any], inputs: PyTree, norm: Norm) -> Any:
    """What a trace depends on, settings and the platform that are baked into it included."""
    leaves, structure = jax.tree.flatten(inputs)
    shapes = tuple((np.shape(leaf), jnp.result_type(leaf)) for leaf in (*flat, *leaves))
    return norm, structure, shapes, traced_now(), *(getattr(jax.config, setting) for setting in SETTINGS)
