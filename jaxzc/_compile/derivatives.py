"""The derivative of an operation that runs a function, as another operation of the same kind that runs these functions.

Both are linear in what moves, so that JAX can turn them round for reverse mode, and differentiate them again.
"""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax.interpreters import ad

Run = Callable[..., Sequence[Any]]


class Moving(NamedTuple):
    """Which arguments have a tangent, and which results can have one (the floats), by their places."""

    arguments: tuple[int, ...]
    results: tuple[int, ...]


def moving(tangents: Sequence[Any], results: Sequence[Any]) -> Moving:
    arguments = tuple(place for place, tangent in enumerate(tangents) if not isinstance(tangent, ad.Zero))
    return Moving(arguments, tuple(place for place, result in enumerate(results) if jnp.issubdtype(result.dtype, jnp.floating)))


def along(run: Run, count: int, moves: Moving) -> Run:
    """From the `count` arguments and the tangents of those that move to the tangents of the results that can."""

    def derivative(*values: Any) -> Sequence[Any]:
        fixed, tangents = values[:count], values[count:]

        def at(*moved: Any) -> Sequence[Any]:
            among = dict(zip(moves.arguments, moved, strict=True))
            every = run(*(among.get(place, value) for place, value in enumerate(fixed)))
            return [every[place] for place in moves.results]

        return jax.jvp(at, [fixed[place] for place in moves.arguments], list(tangents))[1]

    return derivative


def all_tangents(slopes: Sequence[Any], outputs: Sequence[Any], moves: Moving) -> list[Any]:
    """A tangent for each output: those that were computed, and zeros."""
    known = dict(zip(moves.results, slopes, strict=True)) if slopes else {}
    return [known[n] if n in known else ad.Zero(jax.typeof(output).to_tangent_aval()) for n, output in enumerate(outputs)]


class Linear(NamedTuple):
    """The places of the arguments in which an operation is linear, their shapes, and the places of the others."""

    linear: tuple[int, ...]
    fixed: tuple[int, ...]
    shapes: tuple[jax.ShapeDtypeStruct, ...]


def linear_in(arguments: Sequence[Any]) -> Linear:
    linear = tuple(place for place, argument in enumerate(arguments) if ad.is_undefined_primal(argument))
    shapes = tuple(jax.ShapeDtypeStruct(arguments[place].aval.shape, arguments[place].aval.dtype) for place in linear)
    return Linear(linear, tuple(place for place in range(len(arguments)) if place not in linear), shapes)


def transposed(run: Run, of: Linear) -> Run:
    """From the fixed arguments and the cotangents of the results to the cotangents of the linear arguments."""

    def turned(*values: Any) -> Sequence[Any]:
        known = dict(zip(of.fixed, values[: len(of.fixed)], strict=True))

        def at(*moved: Any) -> Sequence[Any]:
            among = known | dict(zip(of.linear, moved, strict=True))
            return run(*(among[place] for place in range(len(among))))

        return jax.linear_transpose(at, *of.shapes)(list(values[len(of.fixed) :]))

    return turned
