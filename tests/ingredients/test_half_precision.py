"""Sums over half precision are taken in float32."""

from typing import Any

import jax.numpy as jnp
import pytest

import jaxzc


@pytest.mark.parametrize("dtype", [jnp.bfloat16, jnp.float16])
def test_a_gate_sums_over_positions_in_float32(dtype: Any) -> None:
    """Of `y = x w`, all ones, and the mean over 4,096 positions: the sum over positions of y dL/dy is 1."""

    def model(p: Any, x: Any) -> Any:
        return (x @ p["w"]).mean(1)

    x, params = jnp.ones((2, 4096, 1), dtype), {"w": jnp.ones((1, 1), dtype)}
    scores = jaxzc.score(model, params, (x, None), "fisher", loss=lambda outputs, _: outputs.astype(jnp.float32).sum())
    assert scores["fisher"] == pytest.approx(0.5, rel=1e-3)
