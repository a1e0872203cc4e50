"""Rarer spellings of normalisation: centred first and divided later, lengths that may be zero, sums of squares by products."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax
from jax.ad_checkpoint import checkpoint_name

from jaxzc.networks.normalisation import NormModes
from jaxzc.types import JaxzcError
from tests.support.normalised import AXES, EPS, FLOAT32, IMAGES, X, batch, by_hand, check, initial


def centred_first(p: Any, x: Any) -> Any:
    y = x - x.mean(AXES)
    return y / jnp.sqrt(y.var(AXES) + EPS) * p[0] + p[1]


def fast_variance_of_centred(p: Any, x: Any) -> Any:
    y = x - x.mean(AXES)
    mean = y.mean(AXES)
    return (y - mean) * lax.rsqrt(jnp.square(y).mean(AXES) - jnp.square(mean) + EPS) * p[0] + p[1]


def scaled_apart(p: Any, x: Any) -> Any:
    deviation = jnp.sqrt(x.var(AXES) + EPS)
    return p[0] * x / deviation - p[0] * x.mean(AXES) / deviation + p[1]


def named(p: Any, x: Any) -> Any:
    mean, variance = checkpoint_name(x.mean(AXES), "mean"), checkpoint_name(x.var(AXES), "variance")
    return checkpoint_name((checkpoint_name(x, "x") - mean) * lax.rsqrt(variance + EPS), "normed") * p[0] + p[1]


def cast_twice(p: Any, x: Any) -> Any:
    def wide() -> Any:
        return x.astype(jnp.bfloat16).astype(jnp.float32)

    x, mean = x.astype(jnp.bfloat16), wide().mean(AXES)
    return (wide() - mean) * lax.rsqrt((wide() * wide()).mean(AXES) - mean**2 + EPS) * p[0] + p[1]


@pytest.mark.parametrize("function", [centred_first, fast_variance_of_centred, scaled_apart, named])
def test_statistics_of_the_batch(function: Callable[..., Any]) -> None:
    check(NormModes(lambda p, _, x: function(p, x), "model"), FLOAT32, (batch(X), initial(X), X))


def test_half_precision_that_is_cast_in_every_place() -> None:
    narrow = np.asarray(IMAGES.astype(jnp.bfloat16), np.float64)
    check(NormModes(lambda p, _, x: cast_twice(p, x), "model"), FLOAT32, (batch(narrow), initial(narrow), narrow))


def lengths(x: Any) -> Any:
    return jnp.linalg.norm(x, axis=-1, keepdims=True)


@pytest.mark.parametrize(
    "function",
    [
        lambda x: x / jnp.where(lengths(x) == 0, 1, lengths(x)),
        lambda x: x * jnp.where(lengths(x) > 0, 1 / lengths(x), 0),
        lambda x: x * lax.rsqrt(jnp.einsum("...d,...d->...", x, x) + 1e-9)[..., None],
        lambda x: jax.vmap(lambda one: one / jnp.sqrt(jnp.vdot(one, one)))(x),
    ],
)
def test_vectors_divided_by_their_lengths(function: Callable[..., Any]) -> None:
    right = jax.jit(function)(IMAGES)
    check(NormModes(lambda p, _, x: function(x), "model"), FLOAT32, (right, right, X))


def test_a_batch_that_is_centred_before_each_example_is_normalised() -> None:
    """The means are of other axes: what was subtracted first is no part of the normalisation."""
    modes = NormModes(lambda p, _, x: by_hand(p, x - x.mean(0)), "model")
    centred = X - X.mean(0)
    right = by_hand(FLOAT32, jnp.asarray(centred, jnp.float32))
    check(modes, FLOAT32, (right, right, centred))


@jax.custom_jvp
def squared_length(x: Any) -> Any:
    return jnp.square(x).sum(-1, keepdims=True)


squared_length.defjvp(lambda primals, tangents: (squared_length(*primals), 2 * (primals[0] * tangents[0]).sum(-1, keepdims=True)))


@pytest.mark.parametrize(
    "function",
    [
        lambda x: x / jnp.sqrt(jnp.diagonal(jnp.einsum("bhwc,bhwd->cd", x, x))),
        lambda x: x / jnp.sqrt(jnp.square(x) @ jnp.full((6, 1), 1 / 6)),
        lambda x: x / jnp.sqrt(squared_length(x)),
        lambda x: x * lax.rsqrt(x[..., None, :] @ x[..., :, None])[..., 0],
    ],
)
def test_squares_summed_by_products_are_refused(function: Callable[..., Any]) -> None:
    modes = NormModes(lambda p, _, x: function(x), "model")
    np.testing.assert_allclose(modes(None, IMAGES, "batch"), function(IMAGES), rtol=1e-5)
    with pytest.raises(JaxzcError, match="divides by a root of statistics"):
        modes(None, IMAGES, "none")
