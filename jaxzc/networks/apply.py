"""Bare functions `apply_fn(params, inputs)` as networks."""

from collections.abc import Callable
from typing import Any

import jax
from flax.errors import TraceContextError

from jaxzc.networks.calls import arguments, explained, mode_kwargs, signature
from jaxzc.networks.linen import collections
from jaxzc.networks.normalisation import NormModes
from jaxzc.networks.normalisation.leaves import without
from jaxzc.networks.options import NetworkOptions
from jaxzc.networks.traced.network import ProgramNetwork, make_network
from jaxzc.types import JaxzcError, Norm, Params, PyTree


def apply_network(apply_fn: Callable[..., Any], params: Params, inputs: PyTree, options: NetworkOptions) -> tuple[ProgramNetwork, Any]:
    """The network of `apply_fn(params, inputs, **options.model_kwargs)`, and its parameters.

    params: any pytree. Of Flax variables (`{"params": ..., "batch_stats": ...}`) only `params` are parameters; in other trees, leaves that
        are running statistics are none either, and None is in their place.

    Normalisation is recognised and switched in the function's program; a function with a keyword `norm` is told the mode and left as it is.
    Raises `JaxzcError` where the function cannot be called with parameters and inputs.
    """
    name = getattr(apply_fn, "__name__", type(apply_fn).__name__)
    parameters = signature(apply_fn)
    _check(name, parameters)
    parameters = None if parameters is None else parameters[1:]
    told = _takes_norm(parameters) and "norm" not in (options.model_kwargs or {})
    kwargs = mode_kwargs(parameters, options.model_kwargs)

    def call(params: Params, inputs: PyTree, **more: Any) -> Any:
        args, named = arguments(name, parameters, inputs, {**kwargs, **more})
        with explained(name, params, inputs):
            try:
                result = apply_fn(params, *args, **named)
            except TraceContextError as error:
                raise JaxzcError(
                    f"{name} runs an NNX module of its own, whose variables it changes ({error}): "
                    "score the module itself, score(module, None, batch)"
                ) from error
            return options.outputs_of(result)

    if told:

        def fn(params: Params, inputs: PyTree, norm: Norm) -> Any:
            return call(params, inputs, norm=norm)

        return make_network(fn, params, inputs, options.cells), params
    parts = collections(params)
    if parts is not None:
        own, statistics, rest = parts

        def function(params: Params, statistics: PyTree, inputs: PyTree) -> Any:
            return call({"params": params, **({"batch_stats": statistics} if statistics else {}), **rest}, inputs)

        return make_network(NormModes(function, name, statistics), own, inputs, options.cells), own
    modes = NormModes(lambda params, _, inputs: call(params, inputs), name, frozen=True)
    stored = modes.stored(params, inputs)
    if not stored:
        return make_network(modes, params, inputs, options.cells), params
    own, restored = without(params, stored)
    flat = jax.tree.leaves(params)
    statistics = [flat[number] for number in sorted(stored)]
    modes = NormModes(lambda params, statistics, inputs: call(restored(params, statistics), inputs), name, statistics)
    return make_network(modes, own, inputs, options.cells), own


def _check(name: str, parameters: Any) -> None:
    """Raises `JaxzcError` where a callable is no function of parameters and inputs, with the line that makes one of it."""
    if parameters is None:
        return
    taken = [p for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    if len(taken) < 2 and not any(p.kind is p.VAR_POSITIONAL for p in parameters):
        raise JaxzcError(
            f"{name} takes ({', '.join(p.name for p in taken)}), and a model is a Linen module, an NNX module, a model of "
            "Equinox or Keras, or a function of (params, inputs): "
            "of penzai, free, params = pz.unbind_params(model, freeze=True) and "
            "score(lambda p, x: pz.bind_variables(free, p)(pz.nx.wrap(x).tag('batch', ...)).unwrap('batch', ...), params, batch)"
        )


def _takes_norm(parameters: Any) -> bool:
    """Whether `norm` can be given to the function by name."""
    return any(p.name == "norm" and p.kind in (p.KEYWORD_ONLY, p.POSITIONAL_OR_KEYWORD) for p in parameters or ())
