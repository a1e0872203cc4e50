"""Values that are made again where they are read late: the same numbers to the last bit, in less memory."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxzc._compile.cutting import cut
from jaxzc._compile.jaxpr import Trace, flatten, run
from jaxzc._compile.recomputing import recomputed

RNG = np.random.default_rng(0)
X = jnp.asarray(RNG.standard_normal((16, 32)), jnp.float32)
KERNELS = [jnp.asarray(RNG.standard_normal((32, 32)) / 8, jnp.float32) for _ in range(6)]
LARGE = 16 * 32 * 4


def chain(kernels: list[Any], x: Any) -> Any:
    for kernel in kernels:
        y = x @ kernel
        centred = y - y.mean(0, keepdims=True)
        y = centred / jnp.sqrt(1 + jnp.square(centred).mean(0, keepdims=True))
        x = x + jnp.where(y > 0, jnp.tanh(y), 0.1 * y)
    return jnp.square(x).mean()


def product(kernels: list[Any]) -> Any:
    """Hessian-vector product of reverse mode over reverse mode."""
    gradient, curvature = jax.vjp(lambda ks: jax.grad(chain)(ks, X), kernels)
    return curvature(gradient)


def peak(program: Trace) -> int:
    """Bytes of the values that are alive together, at most, where pieces run one after another."""
    sizes = [int(np.prod(aval.shape)) * aval.dtype.itemsize for aval in program.avals]
    pieces, alive, most = cut(program), set(program.outputs), 0
    for piece in reversed(pieces):
        alive.update(piece.outputs, piece.inputs)
        most = max(most, sum(sizes[value] for value in alive))
        alive -= set(piece.outputs)
    return most


def test_numbers_are_the_same_and_memory_is_less() -> None:
    program = flatten(jax.make_jaxpr(product)(KERNELS))
    frugal = recomputed(program, large=LARGE, far=2)
    assert len(frugal.ops) > len(program.ops)
    for one, other in zip(run(program, KERNELS), run(frugal, KERNELS), strict=True):
        np.testing.assert_array_equal(one, other)
    assert peak(frugal) < 0.75 * peak(program)


def test_nothing_changes_where_nothing_is_large_or_read_late() -> None:
    program = flatten(jax.make_jaxpr(product)(KERNELS))
    for options in ({"large": LARGE + 1, "far": 2}, {"large": LARGE, "far": 1000}):
        assert len(recomputed(program, **options).ops) == len(program.ops)


def test_a_base_that_is_smaller_than_what_follows_from_it_is_not_held() -> None:
    """One mask of a value is read late, and nothing else: to hold the value for it would take four times the memory."""

    def masked(kernels: list[Any]) -> Any:
        y = X @ kernels[0]
        positive, x = y > 0, X
        for kernel in kernels[1:]:
            x = x @ kernel
        return jnp.where(positive, x, 0)

    program = flatten(jax.make_jaxpr(masked)(KERNELS))
    assert len(recomputed(program, large=LARGE // 4, far=2).ops) == len(program.ops)
