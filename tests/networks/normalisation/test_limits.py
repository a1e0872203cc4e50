"""What belongs to a normalisation and what does not, and what is refused where it cannot be told."""

from collections.abc import Callable
from typing import Any

import jax.numpy as jnp
import numpy as np
import pytest

from jaxzc.networks.normalisation import NormModes
from jaxzc.types import JaxzcError
from tests.support.normalised import (
    FLOAT32,
    IMAGES,
    MEAN,
    X,
    by_hand,
    initial,
    of_batch,
)


def test_what_belongs_to_a_normalisation_and_what_does_not() -> None:
    position = jnp.ones((2, 6)) * jnp.arange(2.0)[:, None]

    def after(p: Any, x: Any) -> Any:
        h = by_hand(p, x) * p[2]  # a second scale, such as LayerScale
        return h + position + x.mean((1, 2), keepdims=True)

    modes = NormModes(lambda p, _, x: after(p, x), "model")
    right = X * MEAN + np.asarray(position) + X.mean((1, 2), keepdims=True)
    np.testing.assert_allclose(modes(FLOAT32, IMAGES, "none"), right, rtol=1e-5, atol=1e-5)
    for free in (lambda p, x: x @ (p["w"] / jnp.linalg.norm(p["w"])), lambda p, x: x @ p["w"] / jnp.sqrt(6.0), lambda p, x: x / x.mean()):
        same = NormModes(lambda p, _, x, free=free: free(p, x), "model")
        w = {"w": jnp.eye(6)}
        np.testing.assert_allclose(same(w, IMAGES, "none"), free(w, IMAGES), rtol=1e-6)


def test_one_example_has_the_kinds_of_many() -> None:
    one = IMAGES[:1]
    for function, init in ((of_batch, initial(X[:1])), (by_hand, by_hand(FLOAT32, one))):
        modes = NormModes(lambda p, _, x, function=function: function(p, x), "model")
        np.testing.assert_allclose(modes(FLOAT32, one, "init"), init, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(
    ("function", "refused"),
    [
        (lambda p, x: x / jnp.sqrt(1 + jnp.cumsum(jnp.square(x), -1)), "none"),  # along the channels so far
        (lambda p, x: x / jnp.exp(0.5 * jnp.log(jnp.square(x).mean(-1, keepdims=True))), "none"),
        (lambda p, x: x[1:] / jnp.sqrt(jnp.square(x).sum()), "none init"),  # not of what is divided
    ],
)
def test_what_cannot_be_recognised_is_refused_where_it_matters(function: Callable[..., Any], refused: str) -> None:
    modes = NormModes(lambda p, _, x: function(p, x), "apply_fn")
    for norm in ("batch", "init", "none"):
        if norm in refused:
            with pytest.raises(JaxzcError, match=rf"apply_fn divides by a root of statistics .*(sqrt|exp) in its program.*norm='{norm}'"):
                modes(None, IMAGES, norm)  # type: ignore[arg-type]
        else:
            np.testing.assert_allclose(modes(None, IMAGES, norm), function(None, IMAGES), rtol=1e-6)  # type: ignore[arg-type]


def test_running_statistics_used_otherwise_are_refused() -> None:
    modes = NormModes(lambda p, s, x: x * s, "apply_fn", FLOAT32[3])
    with pytest.raises(JaxzcError, match="apply_fn uses its running statistics in a way that is not known as normalisation"):
        modes(None, IMAGES, "batch")


def test_a_model_for_one_batch_size_is_refused_only_where_that_matters() -> None:
    mask = jnp.ones((4, 1, 1, 1))
    modes = NormModes(lambda p, _, x: by_hand(p, x * mask), "apply_fn")
    np.testing.assert_allclose(modes(FLOAT32, IMAGES, "none"), X, rtol=1e-6)
    with pytest.raises(JaxzcError, match=r"cannot be told whether they are of the batch.*norm='init'"):
        modes(FLOAT32, IMAGES, "init")
