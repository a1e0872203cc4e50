"""Entries of stacked arrays of several lanes: equal to those of JAX's own rule, and slices where the index is one for all lanes."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jaxzc_spaces.core import lanes, stacked

A = jnp.arange(2.0 * 3 * 4 * 5).reshape(2, 3, 4, 5)


def changed(rows: Any, a: jax.Array, source: Any, target: Any) -> Any:
    return rows.put({"a": a}, target, {"a": rows.at(a, source) + 100})["a"]


@pytest.mark.parametrize("axes", [(0, None, None), (0, 0, None), (0, None, 0), (None, 0, 0), (2, None, None)], ids=str)
def test_values_under_one_vmap_and_two(axes: Any) -> None:
    index = jnp.array([0, 1]) if axes[0] != 2 else jnp.int32(1)
    source, target = (index if axis == 0 else jnp.int32(1) for axis in axes[1:])
    first, second = (jax.vmap(lambda *inputs, rows=rows: changed(rows, *inputs), axes)(A, source, target) for rows in (lanes, stacked))
    np.testing.assert_array_equal(first, second)
    mapped = (0, None, None)
    first, second = (
        jax.vmap(jax.vmap(lambda *inputs, rows=rows: changed(rows, *inputs), mapped), mapped)(A, jnp.int32(3), jnp.int32(0))
        for rows in (lanes, stacked)
    )
    np.testing.assert_array_equal(first, second)


def test_one_index_for_all_lanes_is_a_slice_and_an_update() -> None:
    def primitives(rows: Any) -> set[str]:
        several = jax.vmap(lambda a, index: changed(rows, a, index, index + 1), (0, None))
        jaxpr = jax.jit(several).lower(A, jnp.int32(0)).as_text()
        return {name for name in ("gather", "scatter", "dynamic_slice", "dynamic_update_slice") if f"stablehlo.{name}" in jaxpr}

    assert primitives(lanes) == {"dynamic_slice", "dynamic_update_slice"}
    assert "scatter" in primitives(stacked)  # if not, JAX's own rule is as good, and this file can go
