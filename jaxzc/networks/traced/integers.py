"""Kernels that are stored as integers: what multiplies is what the program makes of them (their numbers times a scale, say).

A gradient, a norm and a redrawn kernel are of those floats. They stand in the place of the integers among the parameters, and the program
runs with them in the place of what it would compute.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxzc._compile.jaxpr import SHAPING, Trace, needed, run
from jaxzc._compile.widening import widen
from jaxzc.networks.analysis.records import Layer
from jaxzc.types import Array, JaxzcError


@dataclass(frozen=True)
class IntegerKernel:
    """leaf: its number among the parameters. shape, dtype: of the leaf. op: the operation that makes the floats; kernel: their shape.
    reason: why they cannot be had, where they cannot."""

    leaf: int
    shape: tuple[int, ...]
    dtype: Any
    op: int = -1
    kernel: tuple[int, ...] = ()
    reason: str = ""


def integer_kernels(program: Trace, layers: Sequence[Layer]) -> dict[int, IntegerKernel]:
    """Those of a program, by their leaves."""
    kernels: dict[int, IntegerKernel] = {}
    for layer in layers:
        for leaf in layer.leaves:
            aval = program.avals[program.inputs[leaf]]
            if not jnp.issubdtype(aval.dtype, jnp.inexact):
                kernel = _kernel_of(program, layer, leaf)
                if kernels.setdefault(leaf, kernel) != kernel:
                    kernels[leaf] = replace(kernel, reason="are used in several ways")
    return kernels


def _kernel_of(program: Trace, layer: Layer, leaf: int) -> IntegerKernel:
    aval = program.avals[program.inputs[leaf]]
    kernel = IntegerKernel(leaf, aval.shape, aval.dtype)
    if layer.where.loops or layer.where.hidden or len(layer.leaves) > 1:
        return replace(kernel, reason="become floats inside a loop, or together with others")
    number, side = layer.product
    value = program.ops[number].inputs[side]
    if not _is_float(program, value):
        return replace(kernel, reason="multiply integers")
    while (op := program.writer[value]).name in SHAPING and _is_float(program, op.inputs[0]):
        value = op.inputs[0]
    return replace(kernel, op=program.ops.index(program.writer[value]), kernel=program.avals[value].shape)


def floats(program: Trace, kernel: IntegerKernel, flat: Sequence[Any], name: str, wide: bool) -> Array:
    """The kernel that multiplies. flat: the parameters. wide: whether in float64, which the program is not. Raises `JaxzcError` where it
    cannot be had."""
    if kernel.reason:
        raise JaxzcError(
            f"the weights of layer {name} are {kernel.dtype} and {kernel.reason}, so that they have no gradient and no norm: make the "
            "numbers that multiply (weights times scale, in float32) the parameters"
        )
    outputs = program.ops[kernel.op].outputs
    cut = replace(program, ops=needed(program.ops, outputs), outputs=outputs)
    cut = widen(cut) if wide else cut
    return run(cut, [*flat, *[None] * (len(program.inputs) - len(flat))])[0]


def stored(kernels: Mapping[int, IntegerKernel], flat: Sequence[Any]) -> tuple[list[Any], dict[int, Any]]:
    """Parameters with integers (zeros) for the floats that stand in their place, and these floats by their leaves."""
    own_floats = {leaf: flat[leaf] for leaf in kernels if jnp.issubdtype(jnp.result_type(flat[leaf]), jnp.inexact)}
    own = list(flat)
    for leaf, value in own_floats.items():
        kernel = kernels[leaf]
        abstract = isinstance(value, jax.ShapeDtypeStruct)
        own[leaf] = jax.ShapeDtypeStruct(kernel.shape, kernel.dtype) if abstract else np.zeros(kernel.shape, kernel.dtype)
    return own, own_floats


def _is_float(program: Trace, value: int) -> bool:
    return jnp.issubdtype(program.avals[value].dtype, jnp.inexact)
