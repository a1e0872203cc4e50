"""Models of Equinox and Keras, brought to functions of (params, inputs). Neither is imported: who has a model of it has imported it."""

import inspect
import sys
from collections.abc import Callable
from typing import Any, NamedTuple

import jax

from jaxzc.networks.calls import signature
from jaxzc.types import JaxzcError


class TakenApart(NamedTuple):
    """A function of (params, inputs, **keywords), and its params: running statistics are leaves of them, as `apply_network` takes them."""

    function: Callable[..., Any]
    params: Any


def taken_apart(model: Any, params: Any) -> TakenApart | None:
    """The function and the parameters of a model of Equinox or Keras; None for all others.

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
    """Equinox's modules take one example, so they are mapped over the batch; dropout is off, and normalisation by the batch reads its
    running statistics, which are switched as everybody's are."""
    name, parameters = type(model).__name__, signature(type(model).__call__, 1) or []
    state = params if isinstance(params, equinox.nn.State) else None
    if state is None and any(p.name == "state" and p.default is p.empty for p in parameters):
        raise JaxzcError(
            f"{name} has a state besides its parameters: give that, score(model, state, batch), where "
            f"model, state = eqx.nn.make_with_state({name})(...)"
        )
    own, static = equinox.partition(equinox.nn.inference_mode(model), equinox.is_inexact_array)
    own = own if params is None or state is not None else params

    def apply(params: Any, *inputs: Any, **keywords: Any) -> Any:
        params, state = params if stateful else (params, None)

        def one(*inputs: Any) -> Any:
            module = equinox.combine(params, static)
            return module(*inputs, state, **keywords)[0] if stateful else module(*inputs, **keywords)

        return jax.vmap(one)(*inputs)

    stateful = state is not None
    rest = [p for p in parameters if p.name != "state"]
    return TakenApart(_signed(apply, name, rest), (own, state) if stateful else own)


def _of_keras(keras: Any, model: Any, params: Any) -> TakenApart:
    if keras.backend.backend() != "jax":
        raise JaxzcError(
            f"Keras runs on {keras.backend.backend()}, and a score needs JAX: set the environment variable KERAS_BACKEND=jax before "
            "keras is imported"
        )
    name = type(model).__name__
    if not model.built:
        raise JaxzcError(f"{name} has no weights yet: call model.build((None, ...)), or call it with an example, before it is scored")

    def apply(params: Any, inputs: Any, training: bool = False, **keywords: Any) -> Any:
        own, others = params
        return model.stateless_call(own, others, inputs, training=training, **keywords)[0]

    own = [variable.value for variable in model.trainable_variables] if params is None else list(params)
    others = [variable.value for variable in model.non_trainable_variables]
    inputs = inspect.Parameter("inputs", inspect.Parameter.POSITIONAL_ONLY)
    training = inspect.Parameter("training", inspect.Parameter.KEYWORD_ONLY, default=False)
    return TakenApart(_signed(apply, name, [inputs, training]), (own, others))


def _signed(function: Callable[..., Any], name: str, rest: list[inspect.Parameter]) -> Callable[..., Any]:
    """The function under the name of the model, with `params` before the parameters of the model's call."""
    function.__name__ = name
    first = inspect.Parameter("params", inspect.Parameter.POSITIONAL_ONLY)
    function.__signature__ = inspect.Signature([first, *rest])  # type: ignore[attr-defined]
    return function
