"""A loss of the user's own may do without targets, and one that cannot says that they are missing."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxzc

KERNELS = {"w": jnp.asarray(np.random.default_rng(0).normal(size=(3, 2)), jnp.float32)}
INPUTS = np.float32(np.random.default_rng(1).normal(size=(4, 3)))


def model(params: Any, x: Any) -> Any:
    return x @ params["w"]


def spread(outputs: Any, _: Any) -> Any:
    return jnp.square(outputs).mean()


def test_loss_without_targets() -> None:
    scores = jaxzc.score(model, KERNELS, (INPUTS, None), ["snip", "grad_norm"], loss=spread)
    grad = jax.grad(lambda w: spread(INPUTS @ w, None))(KERNELS["w"])
    np.testing.assert_allclose(scores["snip"], jnp.abs(grad * KERNELS["w"]).sum(), rtol=1e-5)
    assert not scores.reasons


def test_loss_that_needs_targets_says_so() -> None:
    with pytest.warns(jaxzc.UnavailableWarning):
        scores = jaxzc.score(model, KERNELS, (INPUTS, None), ["snip", "l2_norm"], loss=lambda outputs, targets: (outputs - targets).mean())
    assert scores.reasons["snip"].startswith("needs labels")
    assert set(scores.reasons) == {"snip"}
