"""Models that cannot be read, wholly or in one layer: what is said, and what still trains."""

from typing import Any

import jax
import jax.numpy as jnp
import pytest
from flax import linen as nn
from flax import nnx
from jax import lax

from jaxzc.networks import as_network
from jaxzc.types import JaxzcError, Tap
from tests.support.models import KEY
from tests.support.network_checks import close


def test_mistakes_are_explained() -> None:
    x, w = jnp.ones((2, 3)), jnp.ones((3, 2))
    with pytest.raises(JaxzcError, match="no layers"):
        as_network(lambda p, x: x * p, jnp.ones(3), x)
    with pytest.raises(JaxzcError, match="the model returns no array"):
        as_network(lambda p, x: None, w, x)
    with pytest.raises(JaxzcError, match=r"B >= 1, got shapes \(0, 3\)"):
        as_network(lambda p, x: x @ p, w, x[:0])
    with pytest.raises(JaxzcError, match="got int"):
        as_network(3, w, x)
    network, _ = as_network(lambda p, x: x @ p, w, x)
    with pytest.raises(JaxzcError, match="norm='train'"):
        network.forward(w, x, norm="train")  # type: ignore[arg-type]
    with pytest.raises(JaxzcError, match="the network was made with"):
        network.forward({"w": w}, x, norm="batch")
    with pytest.raises(JaxzcError, match=r"tap\.perturb has no entry 'params'"):
        network.forward(w, x, norm="batch", tap=Tap(layer=lambda y, p: (y, None), perturb={"other": None}))
    with pytest.raises(JaxzcError, match=r"tap\.layer returned \(2,\)"):
        network.forward(w, x, norm="batch", tap=Tap(layer=lambda y, p: (y[0], None)))


def test_flax_mistakes_are_explained() -> None:
    class Noisy(nn.Module):
        @nn.compact
        def __call__(self, x: Any) -> Any:
            return nn.Dense(2)(x + jax.random.normal(self.make_rng("noise"), x.shape))

    x = jnp.ones((2, 3))
    with pytest.raises(JaxzcError, match="Noisy asks for random numbers"):
        as_network(Noisy(), Noisy().init({"params": KEY, "noise": KEY}, x), x)
    with pytest.raises(JaxzcError, match=r"must be the dict that module\.init returned, got int: variables = Dense\(\.\.\.\)\.init"):
        as_network(nn.Dense(2), 3, x)
    for wrong in ({"kernel": x}, {"weights": x}):
        with pytest.raises(JaxzcError, match="the parameters are not those of Dense"):
            as_network(nn.Dense(2), wrong, x)
    with pytest.raises(JaxzcError, match=r"None or nnx\.state"):
        as_network(nnx.Linear(3, 2, rngs=nnx.Rngs(0)), {"kernel": x}, x)


@jax.custom_vjp
def product(x: Any, w: Any) -> Any:
    return x @ w


product.defvjp(lambda x, w: (x @ w, (x, w)), lambda rest, g: (2 * g @ rest[1].T, 2 * rest[0].T @ g))


@pytest.mark.parametrize(
    ("model", "message", "macs"),
    [
        (lambda p, x: product(x, p["a"]), "a runs inside a function with a custom derivative", 9),
        (lambda p, x: lax.cond(x.sum() > 0, lambda x: x @ p["a"], lambda x: x, x), r"a runs inside lax\.cond", 9),
        (lambda p, x: x @ jnp.concatenate([p["a"], p["b"]], 1), "a has a kernel made of several parameters", 18),
        (lambda p, x: lax.map(lambda one: jnp.stack([one] * 2) @ p["a"], x).mean(1), "a has no axis that holds the examples", 18),
    ],
)
def test_layers_that_cannot_be_read_still_train(model: Any, message: str, macs: int) -> None:
    params, x = {"a": jnp.eye(3), "b": jnp.ones((3, 3))}, jnp.asarray([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]])
    network, _ = as_network(model, params, x)
    assert network.counts(params).flops == macs
    own = jax.grad(lambda p: (model(p, x) ** 2).sum())(params)
    gradients = jax.grad(lambda w: (network.forward(network.with_weights(params, w), x, norm="batch").outputs ** 2).sum())
    close(gradients(network.weights(params))[0][0], own["a"])
    with pytest.raises(JaxzcError, match=message):
        network.forward(params, x, norm="batch", tap=Tap(layer=lambda y, p: (y, None)))
