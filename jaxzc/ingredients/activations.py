"""Activations and activation patterns outside the training pass: fresh running statistics (norm mode `init`), and NASWOT's ReLU counts."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxzc.definitions.facts import Passes, ingredient
from jaxzc.ingredients.passes.groups import by_group, on_calls, rectifiers
from jaxzc.ingredients.passes.patterns import pattern_kernel, relu_code
from jaxzc.numerics.trees import first
from jaxzc.types import Array, Batch, JaxzcError, Network, Params, Tap


@ingredient(activations=Passes(forward=1), init_codes=Passes(forward=1), layer_kernels=Passes(forward=1))
def init_mode(network: Network, params: Params, batches: tuple[Batch, ...], *, wanted: frozenset[str]) -> dict[str, Any]:
    """Conv/linear outputs of the first batch with fresh running statistics (mean 0, variance 1: eval mode of an untrained network).

    activations [layers, B, ..., channels] per group; init_codes, output > 0, bool [layers, B, units]; layer_kernels, the Hamming kernel of
    each layer's codes, [layers, B, B] (zeros where the layer does not exist).
    """

    def layer(y: Array, _: Any) -> tuple[Array, dict[str, Array]]:
        code = relu_code(y)
        records = {"activations": y, "init_codes": code}
        if "layer_kernels" in wanted:
            records["layer_kernels"] = pattern_kernel(code, y.dtype)
        return y, {name: value for name, value in records.items() if name in wanted}

    out = network.forward(params, first(batches[0].inputs, None), norm="init", tap=Tap(layer=layer))
    exists = network.active()

    def masked(records: Array, on: Array) -> Array:
        on = on_calls(on, len(records))
        return jnp.where(on.reshape(-1, *(1,) * (records.ndim - 1)), records, jnp.zeros((), records.dtype))

    layers = by_group(network, out.layers)
    records = [jax.tree.map(lambda a, on=on: masked(a, on), k) for k, on in zip(layers, exists, strict=True)]
    return {name: [k[name] for k in records] for name in ("activations", "init_codes", "layer_kernels") if name in wanted}


@ingredient(relu_counts=Passes(), relu_hooks=Passes())
def relu_numbers(network: Network, *, wanted: frozenset[str]) -> dict[str, Any]:
    """Per ReLU group, float [relus]: relu_counts, how many ReLU modules act on the value; relu_hooks, how many modules the hooks of
    NASWOT's authors count there, which are on every module whose type name contains "ReLU", blocks around a ReLU included."""
    groups = rectifiers(network)
    if not groups:
        raise JaxzcError("needs the patterns of ReLU inputs, and this network has no ReLU (GELU, SiLU and others have no binary code)")
    counts = network.activation_counts()
    hooks = {group.name: np.array([sum("ReLU" in name for name in way) for way in group.modules], np.float32) for group in groups}
    numbers = {
        "relu_counts": [counts[group.name].sum(1) for group in groups],
        "relu_hooks": [counts[group.name] @ jnp.asarray(hooks[group.name], counts[group.name].dtype) for group in groups],
    }
    return {name: value for name, value in numbers.items() if name in wanted}
