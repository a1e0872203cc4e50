"""Functions compiled in pieces: the same numbers as compiled whole, and pieces shared where they compute the same."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxzc._compile import pieces
from jaxzc._compile.cutting import ONCE, cut
from jaxzc._compile.float64 import in_float64
from jaxzc._compile.jaxpr import flatten
from jaxzc._compile.pieces import Pieced
from jaxzc.types import Array
from tests.support.chain_of_layers import IMAGES, close, kernels, layer, saliencies

pytestmark = pytest.mark.usefixtures("none_at_hand")


def made_by(call: Callable[[], Any]) -> int:
    """How many pieces it compiles."""
    before = len(pieces.HELD)
    call()
    return len(pieces.HELD) - before


def test_the_same_numbers_as_compiled_whole() -> None:
    ws = kernels(3, 8, 8, 5)
    close(Pieced(saliencies)(ws, IMAGES), jax.jit(saliencies)(ws, IMAGES))


def test_layers_of_one_shape_are_compiled_once() -> None:
    deep, deeper = kernels(3, 8, 8, 8, 5), kernels(3, 8, 8, 8, 8, 8, 5)
    first = made_by(lambda: Pieced(saliencies)(deep, IMAGES))
    assert made_by(lambda: Pieced(saliencies)(deeper, IMAGES)) <= 2, "the sum over the layers, and no layer"
    assert first > 10
    assert made_by(lambda: Pieced(saliencies)(deep, IMAGES)) == 0


def test_a_new_width_changes_the_pieces_of_its_layers_only() -> None:
    Pieced(saliencies)(kernels(3, 8, 8, 8, 5), IMAGES)
    wider = made_by(lambda: Pieced(saliencies)(kernels(3, 8, 8, 8, 6), IMAGES))
    all_new = made_by(lambda: Pieced(saliencies)(kernels(3, 9, 7, 10, 4), IMAGES))
    assert 0 < wider < all_new / 2


def test_scalars_that_come_back_into_the_arithmetic() -> None:
    def rescaled(x: Array, w: Array) -> tuple[Array, Array]:
        total = jnp.zeros(())
        for _ in range(3):
            x = layer(x, w)
            size = jnp.abs(x).max()
            x, total = x / (1 + size), total + jnp.log1p(size)
        return x, total

    (w,) = kernels(3, 3)
    close(Pieced(rescaled)(IMAGES, w), jax.jit(rescaled)(IMAGES, w))


def test_loops_branches_random_numbers_and_float64() -> None:
    def mixed(key: Array, x: Array) -> Any:
        noise = jax.random.normal(key, x.shape)
        total, _ = jax.lax.scan(lambda carry, row: (carry + row, None), jnp.zeros(x.shape[1:]), x + noise)
        chosen = jax.lax.cond(total.sum() > 0, jnp.sin, jnp.cos, total)
        gram = chosen.reshape(-1, 3).T @ chosen.reshape(-1, 3) + jnp.eye(3)
        return {"det": in_float64(jnp.linalg.det)(gram), "none": None, "same": x, "constant": jnp.arange(3)}

    key = jax.random.key(1)
    close(Pieced(mixed)(key, IMAGES), jax.jit(mixed)(key, IMAGES))


def test_a_function_may_close_over_typed_random_keys() -> None:
    """Two functions that differ in such a key alone are different."""

    def noisy(key: Array) -> Callable[[Array], Array]:
        return lambda x: jnp.tanh(x) + jax.random.normal(key, x.shape)

    keys = jax.random.split(jax.random.key(0), 2)
    for key in keys:
        close(Pieced(noisy(key))(IMAGES), jax.jit(noisy(key))(IMAGES))

    def of_both(x: Array) -> Array:
        return jax.vmap(lambda key: jax.random.normal(key, x.shape))(keys).sum(0)

    close(Pieced(of_both)(IMAGES), jax.jit(of_both)(IMAGES))
    assert not any(name.startswith(ONCE) for name in pieces.HELD)


@pytest.mark.parametrize("reverse", [False, True])
def test_a_loop_over_examples_shares_its_layers(reverse: bool) -> None:
    """With a carry, with and without rows; of a length of none, one and three."""

    def each(ws: list[Array], xs: Array) -> Any:
        def one(carry: Array, x: Array) -> tuple[Array, Any]:
            made = saliencies(ws, x[None])
            return carry * 2 + made, {"twice": 2 * made, "image": x}

        return jax.lax.scan(one, jnp.ones(()), xs, reverse=reverse)

    deep, deeper = kernels(3, 8, 8, 5), kernels(3, 8, 8, 8, 8, 5)
    images = jnp.concatenate([IMAGES, IMAGES[:1]])
    for count in (3, 1, 0):
        close(Pieced(each)(deep, images[:count]), jax.jit(each)(deep, images[:count]))
    assert made_by(lambda: Pieced(each)(deeper, images)) <= 5, "what sums up over the layers, and the loop itself"


def test_a_counted_loop() -> None:
    (w,) = kernels(3, 3)
    thrice = lambda x: jax.lax.fori_loop(0, 3, lambda _, y: layer(y, w), x)  # noqa: E731
    close(Pieced(thrice)(IMAGES), jax.jit(thrice)(IMAGES))


def test_constants_count_by_their_values() -> None:
    one, two = np.arange(8, dtype=np.float32), np.arange(8, dtype=np.float32) + 1
    for table in (one, two):
        close(Pieced(lambda x, table=table: x * table)(jnp.ones(8)), table)
    assert len(pieces.HELD) == 2


@pytest.mark.parametrize("inside", ["a loop", "a branch", "a loop of calls"])
def test_constants_inside_count_by_their_values(inside: str) -> None:
    tables = np.zeros((2, 3, 3), np.float32) + np.arange(2, dtype=np.float32)[:, None, None]

    def function(table: np.ndarray) -> Any:
        if inside == "a branch":
            return lambda x: jax.lax.cond(x.sum() > 0, lambda y: y @ table, lambda y: y, x)
        step = lambda y: y @ table + table  # noqa: E731
        return lambda x: jax.lax.scan(lambda y, _: (jax.jit(step)(y) if "calls" in inside else step(y), None), x, None, length=3)[0]

    for table in tables:
        x = jnp.ones((3, 3))
        close(Pieced(function(table))(x), jax.jit(function(table))(x))
    assert not any(name.startswith(ONCE) for name in pieces.HELD)


def test_what_cannot_be_told_is_not_shared() -> None:
    for factor in (2.0, 3.0):
        # A callback is known by its address.
        call = Pieced(lambda x, factor=factor: jax.pure_callback(lambda a: np.asarray(a * factor), jax.typeof(x), x))
        close(call(jnp.ones(3)), factor * np.ones(3))
    assert all(name.startswith(ONCE) for name in pieces.HELD)


def test_weak_types_and_dtypes_are_told_apart() -> None:
    double = lambda x: x * 2  # noqa: E731
    assert Pieced(double)(jnp.ones(3, jnp.int32)).dtype == jnp.int32
    assert Pieced(double)(jnp.ones(3, jnp.float32)).dtype == jnp.float32
    assert len(pieces.HELD) == 2


def test_what_this_thread_has_set_holds_for_the_compilers_threads() -> None:
    variance = lambda x: jnp.sum(x / 2048.0, axis=0) - 1.0  # noqa: E731
    with jax.enable_x64(True), jax.default_matmul_precision("highest"):
        made = Pieced(variance)(jnp.full((3, 8), 0.1, jnp.float64))
    assert made.dtype == jnp.float64
    np.testing.assert_allclose(made, 0.3 / 2048 - 1, rtol=1e-15)


def test_one_plan_for_each_choice_of_shapes() -> None:
    call = Pieced(lambda x: x.sum())
    for size in (3, 4, 3):
        assert call(jnp.ones(size)) == size
    assert call.compilations == 2


def test_pieces_run_in_order_and_read_what_was_made() -> None:
    program = flatten(jax.make_jaxpr(saliencies)(kernels(3, 8, 8, 5), IMAGES))
    made = set(program.inputs)
    for piece in cut(program):
        assert made.issuperset(piece.inputs)
        made.update(piece.outputs)
    assert made.issuperset(program.outputs)
    assert sum(len(piece.ops) for piece in cut(program)) == len(program.ops)
