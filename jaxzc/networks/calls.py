"""How models are called: flags set to evaluation, several inputs handed over as they are named, results unpacked."""

import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxzc.types import JaxzcError, Params, PyTree

SHOWN = 4
"""Most arrays whose shapes a message lists."""

FLAGS: Mapping[str, Any] = {
    **dict.fromkeys(("train", "training", "is_training", "is_train", "train_mode", "enable_dropout"), False),
    **dict.fromkeys(("deterministic", "use_running_average", "inference", "eval_mode", "evaluate"), True),
    **dict.fromkeys(("is_eval", "eval", "is_test", "test", "testing"), True),
    **dict.fromkeys(("rng", "rngs", "key", "dropout_rng", "dropout_rngs"), None),
}
"""Arguments that say in which mode a model runs, with the values of evaluation, in which nothing is random."""


def signature(call: Callable[..., Any], skip: int = 0) -> list[inspect.Parameter] | None:
    """The parameters of a callable but for the first `skip`; None where it does not tell."""
    try:
        return list(inspect.signature(call).parameters.values())[skip:]
    except (TypeError, ValueError):
        return None


def mode_kwargs(parameters: Sequence[inspect.Parameter] | None, model_kwargs: Mapping[str, Any] | None) -> dict[str, Any]:
    """The user's keywords, and the flags among the parameters that the user has not set, set to evaluation."""
    by_name = [p for p in parameters or () if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)]
    flags = {p.name: FLAGS[p.name] for p in by_name if p.name in FLAGS and (FLAGS[p.name] is not None or p.default is p.empty)}
    return {**flags, **dict(model_kwargs or {})}


def arguments(
    name: str, parameters: Sequence[inspect.Parameter] | None, inputs: PyTree, kwargs: dict[str, Any]
) -> tuple[list[Any], dict[str, Any]]:
    """Positional and keyword arguments with which a model takes its inputs.

    A tuple of inputs becomes as many arguments where the model requires that many, a dict becomes keywords where the model has them all;
    anything else is the first argument. Raises `JaxzcError` where the model requires more than that.
    """
    if parameters is None:
        return [inputs], kwargs
    named = [p for p in parameters if p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)]
    names, required = [p.name for p in named], [p.name for p in named if p.default is p.empty and p.name not in kwargs]
    if isinstance(inputs, Mapping) and set(required) <= set(inputs) <= set(names) and inputs:
        return [], {**inputs, **kwargs}
    if isinstance(inputs, tuple) and len(required) > 1 and len(required) == len(inputs):
        return list(inputs), kwargs
    if len(required) > 1:
        words = ", ".join(required[1:])
        raise JaxzcError(
            f"{name} requires {words} besides {required[0]}: "
            f"give them as keywords of the call, {required[1]}=..., or as inputs ({', '.join(required)})"
        )
    return [inputs], kwargs


@contextmanager
def explained(name: str, params: Params, inputs: PyTree) -> Iterator[None]:
    """Turns whatever a model raises while it runs into a `JaxzcError` of one sentence, which the original error caused.

    A `JaxzcError` and a warning stay as they are, and so does the error of JAX for a named axis, which `NormModes` answers."""
    try:
        yield
    except (JaxzcError, Warning):
        raise
    except Exception as error:
        if isinstance(error, NameError) and "unbound axis name" in str(error):
            raise
        raise JaxzcError(
            f"{name} fails for parameters {sizes(params)} and inputs {sizes(inputs)} with {type(error).__name__}: {first_line(error)}: "
            "give the parameters and inputs with which it runs by itself"
        ) from error


def first_line(error: BaseException) -> str:
    """The first line of an error's text, without the full stop."""
    return str(error).strip().partition("\n")[0].rstrip(".")


def sizes(tree: Any) -> str:
    """The shapes of a pytree's arrays, the first few by their paths: "kernel [6, 3], bias [3]"."""
    paths = jax.tree_util.tree_leaves_with_path(tree)
    words = [f"{jax.tree_util.keystr(path, simple=True, separator='/')} {list(np.shape(leaf))}".strip() for path, leaf in paths[:SHOWN]]
    return ", ".join([*words, *([f"{len(paths) - SHOWN} more"] if len(paths) > SHOWN else [])]) or repr(tree)


def check_leaves(params: Params) -> None:
    """Raises `JaxzcError` for parameters that hold something else than numbers."""
    for path, leaf in jax.tree_util.tree_leaves_with_path(params):
        dtype = getattr(leaf, "dtype", None)
        number = isinstance(leaf, bool | int | float | complex | np.generic)
        is_array = dtype is not None and (jnp.issubdtype(dtype, jax.dtypes.extended) or dtype.kind not in "OSU")
        if not (number or is_array):
            where = jax.tree_util.keystr(path, simple=True, separator="/") or "their place"
            raise JaxzcError(
                f"the parameters hold {leaf!r:.60} at {where}, which is no array: take out what is not trained, such as functions and text "
                "(of Equinox, params, static = eqx.partition(model, eqx.is_inexact_array))"
            )
