"""Models of Equinox and Keras, brought to functions of (params, inputs). Neither is imported: who has a model of it has imported it."""

import inspect
import sys
from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import jax

from jaxzc.networks.calls import signature
from jaxzc.types import JaxzcError


class TakenApart(NamedTuple):
    """A function of (variables, inputs, **keywords), and its variables in Flax's form: parameters and running statistics apart."""

    function: Callable[..., Any]
    variables: dict[str, Any]


def taken_apart(model: Any, params: Any) -> TakenApart | None:
    """The function and the variables of a model of Equinox or Keras; None for all others.

    params: None for the model's own. Equinox: or the part of the model that `eqx.partition` takes out, or the state of a model that has one
        (`eqx.nn.make_with_state`). Keras: or the values of its trainable variables, as a list.
    """
    equinox, keras = sys.modules.get("equinox"), sys.modules.get("keras")
    if equinox is not None and isinstance(model, equinox.Module) and callable(model):
        return _of_equinox(equinox, model, params)
    if keras is not None and isinstance(model, keras.Layer):
        return _of_keras(keras, model, params)
    return None


def _of_equinox(equinox: Any, model: Any, params: Any) -> TakenApart:
    """Equinox's modules take one example, so they are mapped over the batch. Dropout is off. Normalisation by the batch takes its
    statistics from the batch, which its mode "ema" does not: there it reads the running ones, and is switched as everybody's is."""
    name, parameters = type(model).__name__, signature(type(model).__call__, 1) or []
    stateful = isinstance(params, equinox.nn.State)
    if not stateful and any(p.name == "state" and p.default is p.empty for p in parameters):
        raise JaxzcError(
            f"{name} has a state besides its parameters: give that, score(model, state, batch), where "
            f"model, state = eqx.nn.make_with_state({name})(...)"
        )
    own, static = equinox.partition(equinox.nn.inference_mode(model), equinox.is_inexact_array)
    axes = _batch_axes(equinox, model)

    def apply(variables: Any, *inputs: Any, **keywords: Any) -> Any:
        module = equinox.combine(variables["params"]["model"], static)
        module = jax.tree.map(partial(_by_batch, equinox), module, is_leaf=lambda part: isinstance(part, equinox.nn.BatchNorm))

        def one(*inputs: Any) -> Any:
            return module(*inputs, variables["batch_stats"]["state"], **keywords)[0] if stateful else module(*inputs, **keywords)

        return jax.vmap(one, axis_name=axes)(*inputs)

    statistics = {"batch_stats": {"state": params}} if stateful else {}
    variables = {"params": {"model": own if params is None or stateful else params}, **statistics}
    return TakenApart(_signed(apply, name, [p for p in parameters if p.name != "state"]), variables)


def _by_batch(equinox: Any, part: Any) -> Any:
    """A normalisation by the batch that takes its statistics from it, where it can; anything else as it is."""
    if isinstance(part, equinox.nn.BatchNorm) and part.mode == "batch":
        return equinox.tree_at(lambda norm: norm.inference, part, False)
    return part


def _batch_axes(equinox: Any, model: Any) -> Any:
    """The name of the axis that the model's normalisations by the batch average over; None without such."""
    parts = jax.tree.leaves(model, is_leaf=lambda part: isinstance(part, equinox.nn.BatchNorm))
    names = {part.axis_name for part in parts if isinstance(part, equinox.nn.BatchNorm)}
    if len(names) > 1:
        raise JaxzcError(f"{type(model).__name__} normalises over axes of different names {sorted(map(str, names))}: give them one name")
    return next(iter(names), None)


def _of_keras(keras: Any, model: Any, params: Any) -> TakenApart:
    if keras.backend.backend() != "jax":
        raise JaxzcError(
            f"Keras runs on {keras.backend.backend()}, and a score needs JAX: set the environment variable KERAS_BACKEND=jax before "
            "keras is imported"
        )
    name = type(model).__name__
    if not model.built:
        raise JaxzcError(f"{name} has no weights yet: call model.build((None, ...)), or call it with an example, before it is scored")

    def apply(variables: Any, inputs: Any, training: bool = False, **keywords: Any) -> Any:
        own, others = variables["params"]["model"], variables["batch_stats"]["model"]
        return model.stateless_call(own, others, inputs, training=training, **keywords)[0]

    own = [variable.value for variable in model.trainable_variables] if params is None else list(params)
    others = [variable.value for variable in model.non_trainable_variables]
    inputs = inspect.Parameter("inputs", inspect.Parameter.POSITIONAL_ONLY)
    training = inspect.Parameter("training", inspect.Parameter.KEYWORD_ONLY, default=False)
    variables = {"params": {"model": own}, "batch_stats": {"model": others}}
    return TakenApart(_signed(apply, name, [inputs, training]), variables)


def _signed(function: Callable[..., Any], name: str, rest: list[inspect.Parameter]) -> Callable[..., Any]:
    """The function under the name of the model, with `params` before the parameters of the model's call."""
    function.__name__ = name
    first = inspect.Parameter("params", inspect.Parameter.POSITIONAL_ONLY)
    function.__signature__ = inspect.Signature([first, *rest])  # type: ignore[attr-defined]
    return function
