"""Depthwise convolutions whose size and dilation are data: every form against the discrete network's."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jaxzc_spaces.core.layers import depthwise as discrete_depthwise
from jaxzc_spaces.core.passes import Pass
from jaxzc_spaces.darts import steps
from jaxzc_spaces.darts.steps import depthwise, grouped


@pytest.mark.parametrize(("reach", "dilation"), [(1, 1), (2, 1), (1, 2), (2, 2)])
def test_depthwise_convolutions_and_their_gradients(reach: int, dilation: int) -> None:
    """As sums of shifted images, and as a grouped convolution, against the discrete network's."""
    rng, size = np.random.default_rng(0), 2 * reach + 1
    with jax.enable_x64(True):
        x, w = jnp.asarray(rng.standard_normal((2, 6, 7, 3))), jnp.asarray(rng.standard_normal((size, size, 1, 3)))

        def program(op: Any) -> Any:
            def run(x: jax.Array, w: jax.Array) -> jax.Array:
                return op(x, jnp.pad(w, ((2 - reach,) * 2, (2 - reach,) * 2, (0, 0), (0, 0)))[:, :, 0])

            return run

        ours = program(lambda x, w: depthwise(x, w, jnp.int32(reach), jnp.int32(dilation)))
        accelerators = program(lambda x, w: grouped(x, w, jnp.int32(dilation)))

        def derivatives(op: Any) -> Any:
            def loss(x: jax.Array, w: jax.Array) -> jax.Array:
                return jnp.sin(op(x, w)).sum()

            def run(x: jax.Array, w: jax.Array) -> Any:
                grads, pull = jax.vjp(jax.grad(loss, (0, 1)), x, w)
                return op(x, w), grads, pull(grads)

            return jax.jit(run)(x, w)

        reference = derivatives(lambda x, w: discrete_depthwise(x, w, Pass(), 1, dilation))
        for op in (ours, accelerators):
            for a, b in zip(jax.tree.leaves(derivatives(op)), jax.tree.leaves(reference), strict=True):
                np.testing.assert_allclose(a, b, rtol=1e-10, atol=1e-12)


@jax.jit
def forms(x: jax.Array, w: jax.Array, ct: jax.Array, *plan: jax.Array) -> Any:
    """Values and kernels' gradients, each in both forms."""
    return (
        (steps.grouped(x, w, plan[1]), steps._taps(x, w, *plan)),
        (steps.grouped_kernel(x, ct, *plan), steps._taps_kernel(x, ct, *plan)),
    )


@pytest.mark.parametrize("turned", [1, -1])
@pytest.mark.parametrize(("reach", "dilation"), [(1, 1), (2, 2)])
def test_forms_for_accelerators_equal_those_for_cpus(reach: int, dilation: int, turned: int) -> None:
    rng = np.random.default_rng(0)
    x, ct = (jnp.asarray(rng.standard_normal((2, 6, 7, 3)), jnp.float32) for _ in range(2))
    inner = (np.abs(np.arange(5) - 2) <= reach).astype(np.float32)
    w = jnp.asarray(rng.standard_normal((5, 5, 3)), jnp.float32) * inner[:, None, None] * inner[None, :, None]
    values, kernels = forms(x, w, ct, jnp.int32(reach), jnp.int32(turned * dilation))
    np.testing.assert_allclose(*values, rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(*kernels, rtol=1e-4, atol=1e-4)
