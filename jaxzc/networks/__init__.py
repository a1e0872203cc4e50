"""Networks of anybody's models: Flax Linen modules, Flax NNX modules, or bare functions of parameters and inputs, unchanged."""

import inspect
from collections.abc import Callable, Mapping
from typing import Any

from flax.linen import Module as LinenModule
from flax.nnx import Module as NNXModule

from jaxzc.networks.apply import apply_network
from jaxzc.networks.calls import check_leaves
from jaxzc.networks.keywords import with_keywords
from jaxzc.networks.linen import linen_network
from jaxzc.networks.nnx import nnx_network
from jaxzc.networks.options import NetworkOptions
from jaxzc.networks.recognised import recognise
from jaxzc.networks.traced.network import ProgramNetwork
from jaxzc.types import JaxzcError, Params, PyTree

__all__ = ["NetworkOptions", "ProgramNetwork", "as_network", "network_of"]


def as_network(
    model: Any,
    params: Params,
    inputs: PyTree,
    *,
    cells: Callable[[str], int] | None = None,
    model_kwargs: Mapping[str, Any] | None = None,
    method: str | Callable[..., Any] | None = None,
    output: Callable[[Any], Any] | None = None,
    **call: Any,
) -> tuple[ProgramNetwork, Any]:
    """The `Network` of a model, and the parameters it is called with. The model is traced, not changed.

    model: a Linen module (bound or not), an NNX module (or its graph definition), `module.apply`, a Flax train state, a model of Hugging
        Face's kind, of Equinox or of Keras, Haiku's functions, or any function `apply_fn(params, inputs)`; see `linen_network`,
        `nnx_network`, `apply_network`.
    params: Linen: what `module.init` returned, or its `params`, or a train state; NNX: None for the module's own, or
        `nnx.state(module, nnx.Param)`; Haiku with state: the pair (params, state); function: any pytree.
    inputs: an example batch (arrays or `jax.ShapeDtypeStruct`) with leaves `[B, ...]`; other batch sizes are traced when they come. A
        tuple is given as several arguments to a model that requires so many, a dict as keywords to one that has them all.
    cells: gives, for the name of a layer, the number of the cell it sits in (for interval proxies).
    call: keywords for the model, such as `train=False` or a mask; `model_kwargs=dict(...)` is the same for keywords that have the name of
        an argument of ours. Flags such as `train` and `deterministic` that are not among them are set to evaluation. `rngs` of a Linen
        module are the random keys that its `apply` takes: the score is that of these keys.
    method: of a module, what is called instead of `__call__`, by name or as a function.
    output: what takes the outputs out of what the model returns, such as `lambda out: out.logits`.

    Normalisation is recognised in the traced program, whoever wrote it, and follows the norm mode (see `jaxzc.networks.normalisation`).
    Raises `JaxzcError` where the model has no layers, needs random numbers, or cannot be called.
    """
    options = NetworkOptions(cells, model_kwargs, method, output)
    return network_of(model, params, inputs, with_keywords(options, model, call, inspect.signature(as_network).parameters))


def network_of(model: Any, params: Params, inputs: PyTree, options: NetworkOptions) -> tuple[ProgramNetwork, Any]:
    """`as_network` for options that are put together already."""
    model, params = recognise(model, params)
    check_leaves(params)
    if isinstance(model, LinenModule):
        return linen_network(model, params, inputs, options)
    if isinstance(model, NNXModule):
        return nnx_network(model, params, inputs, options)
    if not callable(model):
        raise JaxzcError(f"a model is a Linen module, an NNX module or a function apply_fn(params, inputs), got {type(model).__name__}")
    if options.method is not None:
        raise JaxzcError(f"method={options.method!r} is for Linen and NNX modules: give a function of (params, inputs) that calls it")
    return apply_network(model, params, inputs, options)
