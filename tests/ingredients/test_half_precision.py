"""Sums over half precision are taken in float32: scores are those of the same numbers held in float32, but for rounding."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
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


def test_scores_of_bfloat16_are_near_those_of_float32() -> None:
    """Of the same numbers, held in both: draws are the same, and the rest is rounding of activations."""

    def conv(x: Any, w: Any) -> Any:
        return jax.lax.conv_general_dilated(x, w, (1, 1), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC"))

    def model(p: Any, x: Any) -> Any:
        return jax.nn.relu(conv(x, p["w"])).mean((1, 2)) @ p["head"]

    rng = np.random.default_rng(0)
    params = {"w": rng.normal(size=(3, 3, 3, 4)) / 5, "head": rng.normal(size=(4, 3))}
    narrow = jax.tree.map(lambda leaf: jnp.asarray(leaf, jnp.bfloat16), (params, rng.normal(size=(4, 8, 8, 3))))
    proxies = "snip,grad_norm,l2_norm,fisher,synflow,meco(size=8),vkdnw"
    both = []
    for dtype in (jnp.bfloat16, jnp.float32):
        params, x = jax.tree.map(lambda leaf, dtype=dtype: leaf.astype(dtype), narrow)
        both.append(jaxzc.score(model, params, (x, np.array([0, 1, 2, 1])), proxies))
    assert both[0] == pytest.approx(both[1], rel=2e-2)
