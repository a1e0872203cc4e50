"""Flax NNX modules as networks."""

from collections.abc import Mapping
from functools import cache
from typing import Any

import jax
from flax import nnx
from flax.core import unfreeze

from jaxzc.networks.calls import arguments, explained, mode_kwargs, signature
from jaxzc.networks.normalisation import NormModes
from jaxzc.networks.options import NetworkOptions
from jaxzc.networks.traced.network import ProgramNetwork, make_network
from jaxzc.types import Array, JaxzcError, Params, PyTree


def nnx_network(module: nnx.Module, params: Params, inputs: PyTree, options: NetworkOptions) -> tuple[ProgramNetwork, Any]:
    """The network of an NNX module, and its parameters (an `nnx.State` of its `nnx.Param`s).

    params: such a state (or one of all the module's variables), the nested dict of its arrays that a checkpoint holds, or None for the
        module's own. The module is copied, never changed. Its running statistics are neither read nor changed: `norm="init"` means an
        untrained network. Other variables are constants.
    Dropout is off always. Raises `JaxzcError` where params are not such a state, where the module draws random numbers, and where it is an
    ensemble.
    """
    # the split shares its variables with the user's module, which may be trained on: mapping over it makes new ones
    graph, own, statistics, rest = nnx.split(module, nnx.Param, nnx.BatchStat, ...)
    own, statistics, rest = (jax.tree.map(lambda leaf: leaf, state) for state in (own, statistics, rest))
    params = own if params is None else as_state(params, own)
    if jax.tree_util.tree_structure(params) != jax.tree_util.tree_structure(own):
        raise JaxzcError("params of an NNX module must be None or nnx.state(module, nnx.Param)")
    name = type(module).__name__
    call = options.call_of(type(module))
    parameters = signature(call, 1)
    kwargs = mode_kwargs(parameters, options.model_kwargs)

    def function(params: Params, statistics: PyTree, inputs: PyTree) -> Any:
        model: Any = nnx.merge(graph, params, statistics, rest, copy=True)
        model.eval()
        for _, part in nnx.iter_modules(model):
            if isinstance(part, (nnx.Dropout, nnx.BatchNorm)) or type(part).__call__ in (nnx.Linear.__call__, nnx.Conv.__call__):
                # the class changes, not the object: it stays where it is, in lists too, and isinstance still holds
                object.__setattr__(part, "__class__", _replaced(type(part)))
        args, named = arguments(name, parameters, inputs, kwargs)
        with explained(name, params, inputs):
            result = call(model, *args, **named)
            return options.outputs_of(result)

    return make_network(NormModes(function, name, statistics, draws=False), params, inputs, options.cells), params


def as_state(params: Params, own: Any) -> Any:
    """Parameters in the form of the module's own, an `nnx.State`: such a state, or the nested dict (`nnx.to_pure_dict`) of its arrays.

    Raises `JaxzcError` for a dict that is not of this module."""
    if isinstance(params, nnx.State):
        return nnx.filter_state(params, nnx.Param)
    if not isinstance(params, Mapping):
        return params
    state = jax.tree.map(lambda leaf: leaf, own)
    try:
        nnx.replace_by_pure_dict(state, unfreeze(dict(params)))
    except (ValueError, KeyError, TypeError) as error:
        raise JaxzcError(
            f"the dict of parameters is not of this module ({error}): give nnx.state(module, nnx.Param), or the nnx.to_pure_dict of it"
        ) from error
    counts = [len(jax.tree.leaves(tree)) for tree in (params, own)]
    shapes, expected = ([leaf.shape for leaf in jax.tree.leaves(tree)] for tree in (state, own))
    if counts[0] != counts[1] or shapes != expected:
        raise JaxzcError(
            f"the dict of parameters is not of this module: {counts[0]} arrays, expected {counts[1]} of shapes {expected!s:.80}: "
            "give None or nnx.state(module, nnx.Param), or the nnx.to_pure_dict of it"
        )
    return state


@cache
def _replaced(cls: Any) -> Any:
    """A subclass of a dropout that does nothing, of a batch normalisation that honours a mask, which stored statistics do not know, or of a
    layer that refuses a kernel with an axis too many, with which it would multiply along a wrong one."""

    def identity(self: Any, x: Array, *args: Any, **kwargs: Any) -> Array:
        return x

    def masked(self: Any, x: Array, use_running_average: bool | None = None, *, mask: Array | None = None) -> Array:
        return cls.__call__(self, x, use_running_average if mask is None else False, mask=mask)

    def checked(self: Any, *args: Any, **kwargs: Any) -> Array:
        shape, usual = self.kernel.shape, 2 if isinstance(self, nnx.Linear) else len(self.kernel_size) + 2
        if len(shape) > usual:
            raise JaxzcError(
                f"a kernel {list(shape)} of {cls.__name__} has more axes than the {usual} of one layer, as in an ensemble made by "
                "nnx.vmap: score its members, jaxzc.Scorer(one, proxies).score_many(nnx.state(ensemble, nnx.Param), batch), where `one` "
                "is a single model of the kind"
            )
        return cls.__call__(self, *args, **kwargs)

    call = identity if issubclass(cls, nnx.Dropout) else masked if issubclass(cls, nnx.BatchNorm) else checked
    return type(cls.__name__, (cls,), {"__call__": call})
