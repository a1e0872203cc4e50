"""snip of targets in every form, against `jax.grad` of the loss that is meant."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import jaxzc

RNG = np.random.default_rng(0)
X, Y = RNG.normal(size=(6, 4, 5)).astype(np.float32), RNG.integers(0, 3, (6, 4))
FLOATS, BITS = RNG.normal(size=6).astype(np.float32), RNG.integers(0, 2, (6, 4))
PARAMS = {"w": RNG.normal(size=(5, 4)).astype(np.float32), "head": RNG.normal(size=(4, 3)).astype(np.float32)}
ONE_HOT = np.eye(3, dtype=np.float32)[Y[:, 0]]


def tagger(p: Any, x: Any) -> Any:
    return jax.nn.relu(x @ p["w"]) @ p["head"]


def classifier(p: Any, x: Any) -> Any:
    return tagger(p, x[:, 0])


def of_one_number(p: Any, x: Any) -> Any:
    return classifier(p, x)[:, :1]


def cross_entropy(outputs: Any, targets: Any) -> Any:
    return -jnp.take_along_axis(jax.nn.log_softmax(outputs), jnp.asarray(targets)[..., None], -1).mean()


def unpadded(outputs: Any, targets: Any) -> Any:
    each = optax.softmax_cross_entropy_with_integer_labels(outputs, targets["tags"])
    used = targets["used"].astype(each.dtype)
    return (each * used).sum() / used.sum()


@pytest.mark.parametrize(
    ("model", "targets", "options", "loss"),
    [
        (classifier, Y[:, :1], {}, lambda out, t: cross_entropy(out, t[:, 0])),
        (classifier, ONE_HOT, {"task": "classification"}, lambda out, t: -(t * jax.nn.log_softmax(out)).sum(-1).mean()),
        (classifier, ONE_HOT, {"task": "regression"}, lambda out, t: jnp.square(out - t).mean()),
        (of_one_number, FLOATS, {}, lambda out, t: jnp.square(out[:, 0] - t).mean()),
        (lambda p, x: of_one_number(p, x)[:, 0], FLOATS[:, None], {}, lambda out, t: jnp.square(out - t[:, 0]).mean()),
        (tagger, Y, {}, cross_entropy),
        (tagger, {"tags": Y, "used": BITS}, {"loss": unpadded}, unpadded),
    ],
    ids=["[N, 1]", "one-hot", "one-hot regression", "[N] of [N, 1]", "[N, 1] of [N]", "tags", "padded tags"],
)
def test_snip(model: Callable[..., Any], targets: Any, options: dict[str, Any], loss: Callable[..., Any]) -> None:
    gradients = jax.grad(lambda p: loss(model(p, X), targets))(PARAMS)
    right = sum(float(np.abs(PARAMS[name] * gradients[name]).sum()) for name in PARAMS)
    assert jaxzc.score(model, PARAMS, (X, targets), "snip", **options)["snip"] == pytest.approx(right, rel=1e-5)
