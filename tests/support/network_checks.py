"""What tests of networks read from one, and how they compare it."""

from collections import OrderedDict
from functools import cache, partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxzc.networks import as_network
from jaxzc.types import Tap
from tests.support.models import BATCH, CLASSES, IMAGES, three_models

READ = Tap(layer=lambda y, p: (y, y), activation=lambda x: x)


@cache
def flavours(body: str, norm: str) -> dict[str, tuple[Any, Any]]:
    """Network and parameters of the model in three flavours, with the same random weights (biases and scales included)."""
    return {name: as_network(model, params, IMAGES) for name, (model, params) in three_models(body, norm).items()}


def everything(network: Any, params: Any, norms: tuple[Any, ...] = ("init", "none")) -> dict[str, Any]:
    """What proxies take from a network, one compiled function."""
    labels = jnp.arange(BATCH) % CLASSES

    def change(y: Any, p: Any) -> Any:
        scale, shift = p
        return y * (1 + scale.reshape(BATCH, *[1] * (y.ndim - 2), -1)) + shift, y

    def loss(weights: Any, perturb: Any) -> Any:
        tap = Tap(layer=change, activation=lambda x: x, perturb=perturb)
        read = network.forward(network.with_weights(params, weights), IMAGES, norm="batch", tap=tap)
        return -jnp.take_along_axis(jax.nn.log_softmax(read.outputs), labels[:, None], 1).mean(), read

    def run(params: Any) -> dict[str, Any]:
        out = {f"logits {norm}": network.forward(params, IMAGES, norm=norm).outputs for norm in norms}
        layers = jax.eval_shape(lambda: network.forward(params, IMAGES, norm="batch", tap=READ).layers)
        perturb = OrderedDict((name, (jnp.zeros((1, BATCH, y.shape[-1])), jnp.zeros(y.shape))) for name, y in layers.items())
        (gradients, slopes), read = jax.grad(loss, (0, 1), has_aux=True)(network.weights(params), perturb)
        kept = {"layers": list(read.layers.values()), "relus": [kept for name, kept in read.activations.items() if name.startswith("relu")]}
        out |= {"logits batch": read.outputs, **kept, "gradients": gradients}
        return out | {"scales": [scale for scale, _ in slopes.values()], "shifts": [shift for _, shift in slopes.values()]}

    return jax.jit(run)(params)


def forward(network: Any) -> Any:
    """Compiled logits of the test images."""
    return jax.jit(lambda params, norm: network.forward(params, IMAGES, norm=norm).outputs, static_argnames="norm")


def close(a: Any, b: Any, tolerance: float = 2e-5) -> None:
    jax.tree.map(partial(np.testing.assert_allclose, rtol=tolerance, atol=tolerance), a, b)
