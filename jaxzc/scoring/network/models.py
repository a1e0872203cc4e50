"""Splits a model into arrays, which are arguments of a compiled program, and everything else, which is part of the program.

The network is built inside the traced function, from traced arrays. So no array becomes a constant of the program: neither parameters, nor
other collections of a Linen module, nor the state of an NNX module (running statistics, random keys). All of these differ from seed to
seed.
"""

from collections.abc import Hashable
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jax.core import Tracer

from jaxzc.networks import NetworkOptions, network_of
from jaxzc.networks.libraries import taken_apart
from jaxzc.networks.nnx import as_state
from jaxzc.types import Batch, JaxzcError, Network, Params, PyTree

Leaf: TypeAlias = Any
"""A leaf that is an argument of the program, of one of the types in `ARRAYS`."""
ARRAYS = (jax.Array, np.ndarray, np.generic, float, complex, jax.ShapeDtypeStruct)
"""Types of the leaves that are arguments of the program. Leaves of other types (text, functions, whole numbers) are part of it."""


@dataclass(frozen=True)
class Model:
    """A model, and how it is called."""

    model: Any
    options: NetworkOptions

    def bound(self, params: Params) -> "Bound":
        """The model with these parameters. None: an NNX module's own."""
        if (known := taken_apart(self.model, params)) is not None:
            return replace(self, model=known.function).bound(known.variables)
        graph, tree = None, params
        if isinstance(self.model, nnx.Module):
            graph, own, others = nnx.split(self.model, nnx.Param, ...)
            params = nnx.filter_state(params, nnx.Param) if isinstance(params, nnx.State) else params
            own, others = (jax.tree.map(lambda leaf: leaf, state) for state in (own, others))
            params = None if params is None else as_state(params, own)
            tree = (own if params is None else params, others)
        leaves, structure = jax.tree.flatten(tree)
        varies = tuple(isinstance(leaf, ARRAYS) for leaf in leaves)
        constant = tuple(leaf for leaf, varying in zip(leaves, varies, strict=True) if not varying)
        arrays = [leaf for leaf, varying in zip(leaves, varies, strict=True) if varying]
        handed = len(arrays) if params is None else sum(isinstance(leaf, ARRAYS) for leaf in jax.tree.leaves(params))
        return Bound(self, arrays, handed, graph, structure, varies, constant)


@dataclass(frozen=True, eq=False)
class Bound:
    """A model with its parameters.

    arrays: arguments of the program. The first `handed` are the parameters that the caller passed, the others the remaining state of an NNX
    module.
    graph: an NNX module's graph definition, which is everything besides its arrays.
    structure: the pytree of parameters and state. varies: for each of its leaves, whether it is in `arrays`. constant: the other leaves.
    """

    model: Model
    arrays: list[Leaf]
    handed: int
    graph: Any
    structure: Any
    varies: tuple[bool, ...]
    constant: tuple[object, ...]

    def network(self, arrays: list[Leaf], inputs: PyTree) -> tuple[Network, Params]:
        """The network and its parameters, with `arrays` in the place of its own; they may be traced."""
        varying, constant = iter(arrays), iter(self.constant)
        tree = jax.tree.unflatten(self.structure, [next(varying if varies else constant) for varies in self.varies])
        if self.graph is None:
            return network_of(self.model.model, tree, inputs, self.model.options)
        params, others = tree
        return network_of(nnx.merge(self.graph, params, others), None, inputs, self.model.options)

    def check(self) -> None:
        """Raises `JaxzcError` for arrays that are traced, or have no values."""
        check_concrete(self.arrays, "params")
        if any(isinstance(array, jax.ShapeDtypeStruct) for array in self.arrays):
            raise JaxzcError("params are shapes without values, which give params, flops and layers only: leave out the other proxies")

    def signature(self) -> Hashable:
        """Everything about the model that the compiled program depends on. Hashing it raises `TypeError` where it cannot be compared."""
        constant = tuple((type(leaf), leaf) for leaf in self.constant)  # True == 1 == 1.0
        return self.graph, self.structure, self.varies, constant, shapes(self.arrays)

    def axes(self) -> list[int | None]:
        """`in_axes` of `jax.vmap` over stacked parameters: 0 for the parameters, None for the other arrays."""
        return [0 if number < self.handed else None for number in range(len(self.arrays))]

    def at(self, places: int | np.ndarray) -> "Bound":
        """The model with the parameter sets at these positions of the stack."""
        arrays = [array[places] if number < self.handed else array for number, array in enumerate(self.arrays)]
        return replace(self, arrays=arrays)

    def sets(self) -> int:
        """Number of stacked parameter sets. Raises `JaxzcError` where the leading axes of the arrays differ in size."""
        sizes = {np.shape(array)[0] if np.ndim(array) else 0 for array in self.arrays[: self.handed]}
        if len(sizes) != 1 or 0 in sizes:
            raise JaxzcError(
                f"stacked parameters have a leading axis of one size on every array, and these have sizes {sorted(sizes)}: stack them as "
                "jax.vmap(init)(keys) does, or use stacked=False for one set"
            )
        return sizes.pop()


def shapes(arrays: PyTree) -> Hashable:
    """Structure, shapes and dtypes of a pytree of arrays, and the device of those that were placed on one explicitly."""
    leaves, structure = jax.tree.flatten(arrays)
    return structure, tuple(_shape(leaf) for leaf in leaves)


def _shape(leaf: Leaf) -> Hashable:
    placed = leaf.sharding if isinstance(leaf, jax.Array) and leaf.committed else None
    dtype = leaf.dtype if hasattr(leaf, "dtype") else jnp.result_type(leaf)
    return np.shape(leaf), dtype, bool(getattr(leaf, "weak_type", isinstance(leaf, float | complex))), placed


def check_concrete(arrays: PyTree, name: str) -> None:
    """Raises `JaxzcError` where an array is traced, because scores as Python floats cannot be computed while tracing."""
    if any(isinstance(leaf, Tracer) for leaf in jax.tree.leaves(arrays)):
        raise JaxzcError(
            f"{name} are traced (inside jit, vmap, grad or scan), where a score is no Python float yet: use the pure function "
            "jaxzc.compute_scores(proxies, network, params, batches) there, with network, params = jaxzc.as_network(model, params, inputs)"
        )


def batch_size(batches: tuple[Batch, ...]) -> int:
    return int(np.shape(jax.tree.leaves(batches[0].inputs)[0])[0])
