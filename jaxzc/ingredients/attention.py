"""What attention's layers are and carry: for proxies that score transformers."""

from typing import Any

import jax
import jax.numpy as jnp

from jaxzc._compile.float64 import in_float64
from jaxzc.definitions.facts import Passes, ingredient
from jaxzc.ingredients.passes.groups import of_relus
from jaxzc.ingredients.passes.patterns import pattern_kernel, relu_code
from jaxzc.numerics.linalg import singular_values
from jaxzc.numerics.trees import first
from jaxzc.types import Array, Batch, JaxzcError, Network, Norm, Params, Tap


@ingredient(attention_diversities=Passes(), linear_layers=Passes())
def synaptic(network: Network, weights: list[Array], synflow_bn_grads: list[Array], *, wanted: frozenset[str]) -> dict[str, Any]:
    """For every group of layers, two ingredients.

    attention_diversities: for each layer that makes queries, keys and values or joins the heads, float `[layers]`: the sum of singular
    values of its absolute weights, times the same sum of the gradient of R by them. None for other groups. R and its power of two are those
    of synflow_bn_grads.
    linear_layers: bool, whether these are linear layers outside of attention.

    Raises `JaxzcError` for a network that does not say which of its layers are attention's.
    """
    attends = _of_roles(network, "attention", "join")
    results: dict[str, Any] = {
        "linear_layers": [len(g.kernel) == 2 and not on for g, on in zip(network.groups, attends, strict=True)],
    }
    if "attention_diversities" in wanted:
        results["attention_diversities"] = [
            _nuclear(jnp.abs(w), group.kernel) * _nuclear(g, group.kernel) if on else None
            for group, on, w, g in zip(network.groups, attends, weights, synflow_bn_grads, strict=True)
        ]
    return results


def _of_roles(network: Network, *roles: str) -> list[bool]:
    """Whether a group has one of these roles. Raises `JaxzcError` where the network says of none what it is for."""
    chosen = [group.role in roles for group in network.groups]
    if not any(group.role for group in network.groups):
        raise JaxzcError(
            f"needs layers that say they are of {', '.join(roles)} (LayerGroup.role), and this network has none: score a space of "
            "transformers, or leave this proxy out"
        )
    return chosen


@ingredient(Passes())
def mixing_layers(network: Network) -> list[bool]:
    """Per group, whether its layers make what is mixed across tokens: queries, keys and values, and what transforms and windows take.

    Raises `JaxzcError` for a network that does not say so of any."""
    return _of_roles(network, "attention", "transform", "window")


@ingredient(Passes())
def feed_forward_layers(network: Network) -> list[bool]:
    """Per group, whether its layers act on each token alone, between those that mix tokens.

    Raises `JaxzcError` for a network that does not say so of any."""
    return _of_roles(network, "feed_forward")


@ingredient(Passes())
def mixing_diversities(network: Network, weights: list[Array], loss_grads: list[Array]) -> list[Array]:
    """For each group of layers that make what is mixed across tokens, the weights of windows, or join what was mixed, `[layers]`: the sum
    of singular values of the kernel times that of the gradient of the loss.

    Raises `JaxzcError` for a network that does not say so of any."""
    mixes = _of_roles(network, "attention", "transform", "window", "window_weights", "join")
    groups = [group for group, on in zip(zip(network.groups, weights, loss_grads, strict=True), mixes, strict=True) if on]
    return [_nuclear(w, group.kernel) * _nuclear(g, group.kernel) for group, w, g in groups]


@ingredient(Passes(forward=1))
def confidences(network: Network, params: Params, batches: tuple[Batch, ...], norm: Norm) -> list[Array]:
    """For each group of layers that make queries, keys, values and what a transform takes, `[layers]`: the mean, over examples and
    features, of the largest output over the tokens, of the first batch. Raises `JaxzcError` for a network that has none."""
    chosen = _of_roles(network, "attention", "transform")

    def read(y: Array, _: Any) -> tuple[Array, Array]:
        return y, y.reshape(len(y), -1, y.shape[-1]).max(1).mean()

    records = network.forward(params, first(batches[0].inputs, None), norm=norm, tap=Tap(layer=read)).layers or {}
    return [records[group.name] for group, on in zip(network.groups, chosen, strict=True) if on]


@ingredient(Passes(forward=1))
def softmaxes(network: Network, params: Params, batches: tuple[Batch, ...], norm: Norm) -> list[Array]:
    """For each operator that mixes tokens, a scalar: the mean, over examples, tokens and what they look at, of the largest over the heads
    of the weights that a softmax gives, of the first batch. Raises `JaxzcError` where the network does not offer them."""

    def read(x: Array) -> Array:
        return jax.nn.softmax(x, axis=-1).max(1).mean()

    records = network.forward(params, first(batches[0].inputs, None), norm=norm, tap=Tap(attention=read)).attentions
    if not records:
        raise JaxzcError(
            "needs the weights of attention's heads (Forward.attentions), which this network does not offer: score a space of "
            "transformers, or leave this proxy out"
        )
    return list(records.values())


def _nuclear(flat: Array, kernel: tuple[int, ...]) -> Array:
    """Sum of singular values of kernels `[layers, n]` of this shape."""
    return in_float64(lambda matrices: singular_values(matrices).sum(-1))(flat.reshape(-1, *kernel))


@ingredient(Passes(forward=1))
def gelu_kernels(network: Network, params: Params, batches: tuple[Batch, ...], norm: Norm) -> list[Array]:
    """Hamming kernels of the signs of GELUs' inputs on the first batch, `[gelus, B, B]` per group; zero for one that the network lacks."""
    tap = Tap(activation=lambda x: pattern_kernel(relu_code(x), x.dtype))
    records = network.forward(params, first(batches[0].inputs, None), norm=norm, tap=tap).activations
    kernels = of_relus(network, records, "the signs of GELU's inputs", ("gelu",))
    counts = network.activation_counts()
    numbers = [counts[group.name].sum(1) for group in network.activations if group.kind == "gelu"]
    return [jnp.asarray(n, k.dtype)[:, None, None] * k for n, k in zip(numbers, kernels, strict=True)]
