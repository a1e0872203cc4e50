"""Networks of anybody's models: Flax Linen modules, Flax NNX modules, or bare functions of parameters and images, unchanged."""

from collections.abc import Callable, Mapping
from typing import Any

from flax.linen import Module as LinenModule
from flax.nnx import Module as NNXModule

from jaxzc.networks.adapter import ProgramNetwork
from jaxzc.networks.apply import apply_network
from jaxzc.networks.linen import linen_network
from jaxzc.networks.nnx import nnx_network
from jaxzc.types import JaxzcError

__all__ = ["ProgramNetwork", "as_network"]


def as_network(
    model: Any,
    params: Any,
    images: Any,
    *,
    cells: Callable[[str], int] | None = None,
    model_kwargs: Mapping[str, Any] | None = None,
) -> tuple[ProgramNetwork, Any]:
    """The `Network` of a model, and the parameters it is called with. The model is traced, not changed.

    model: a Linen module, an NNX module, or a function `apply_fn(params, images) -> logits [B, classes]`; see `linen_network`,
        `nnx_network` and `apply_network` for what each does with norm modes.
    params: Linen: what `module.init` returned, or its `params`; NNX: None for the module's own, or `nnx.state(module, nnx.Param)`;
        function: any pytree.
    images: an example batch `[B, ...]` (arrays or `jax.ShapeDtypeStruct`); other batch sizes are traced when they come.
    cells: gives, for the name of a layer, the number of the cell it sits in (for interval proxies).
    model_kwargs: keywords for the model; without, flags such as `train` and `deterministic` are set to evaluation.

    Raises `JaxzcError` where the model has no layers, does not return logits, or needs random numbers.
    """
    if isinstance(model, LinenModule):
        return linen_network(model, params, images, cells=cells, model_kwargs=model_kwargs)
    if isinstance(model, NNXModule):
        return nnx_network(model, params, images, cells=cells, model_kwargs=model_kwargs)
    if callable(model):
        return apply_network(model, params, images, cells=cells, model_kwargs=model_kwargs)
    raise JaxzcError(f"a model is a Linen module, an NNX module or a function apply_fn(params, images), got {type(model).__name__}")
