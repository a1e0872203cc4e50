"""Decides whether a compiled program still fits a model, a task and proxies, by comparing what they compute.

A function may close over arrays, settings or other functions that change between two calls: in a notebook, somebody edits a block that the
model uses and runs its cell again. `jax.jit` does not notice that. So each call of `jaxzc.score` traces the model again, which takes a
hundredth of the time of a compilation, and compares the operations and constants of the trace. The user's own proxies and ingredients are
traced as well.
"""

import hashlib
from collections.abc import Callable, Hashable, Iterator
from typing import get_args

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jax.extend.core import ClosedJaxpr, Jaxpr, Literal

from jaxzc._compile.jaxpr import closed
from jaxzc.catalogue.selection import PROXIES
from jaxzc.definitions.facts import Proxy, parts, proxy_facts
from jaxzc.ingredients import Roots
from jaxzc.scoring.compute import compute_values
from jaxzc.scoring.network.models import Bound, Leaf
from jaxzc.scoring.network.program import ModelRecipe
from jaxzc.tasks import as_task, classification
from jaxzc.types import Array, Batch, Network, Norm, Params, PyTree


def identity(recipe: ModelRecipe, bound: Bound, batches: tuple[Batch, ...]) -> tuple[str, ...]:
    """Strings that are equal exactly if model, loss and the user's own proxies compute the same for arrays of these shapes."""
    notes: list[str] = []
    reasons: dict[str, str] = {}
    targets = batches[0].targets  # concrete: the task is read from their numbers

    def compute(arrays: list[Leaf], batches: tuple[Batch, ...], key: Array) -> PyTree:
        network, params = bound.network(arrays, batches[0].inputs)
        notes.extend(str(group) for group in network.groups)
        passes = _passes(recipe, network, params, batches[0], notes)
        outputs = jax.eval_shape(lambda p, x: network.forward(p, x, norm=recipe.norm).outputs, params, batches[0].inputs)
        task = as_task(recipe.task, outputs, targets)
        own = compute_values(_own_proxies(recipe), Roots(network, params, batches, task, recipe.norm, key), reasons=reasons)
        return passes, own

    traced = jax.make_jaxpr(compute)(bound.arrays, batches, jax.random.key(0))
    return digest(traced), *notes, str(reasons)


def chosen_by_user(recipe: ModelRecipe) -> Hashable:
    """The model, the proxies with their settings, and the options, in a form that can be compared.

    Linen modules compare by their fields, functions by identity. NNX modules compare by their graph, which `Bound.signature` contains; here
    they are represented by their type."""
    model = recipe.model.model
    try:
        hash(model)
    except TypeError:  # a Linen module with a list or dict for a field; `identity` compares what it computes
        model = type(model)
    if isinstance(model, nnx.Module):
        model = type(model)
    proxies = tuple((label, _chosen_proxy(proxy)) for label, proxy in recipe.proxies.items())
    return (
        model,
        recipe.model.options.method,
        proxies,
        None if recipe.task is None else recipe.task.readout,
        recipe.norm,
        recipe.unavailable,
        recipe.pieces,
    )


def _chosen_proxy(proxy: Proxy) -> Hashable:
    """The proxy's function, the arguments and settings applied to it, and its own ingredients."""
    function, arguments, chosen = parts(proxy)
    return function, repr(arguments), repr(chosen), proxy_facts(proxy).ingredients


def _own_proxies(recipe: ModelRecipe) -> dict[str, Proxy]:
    """The user's proxies that run the network. They may change between calls; those of jaxzc do not."""
    ours = set(PROXIES.values())
    return {label: proxy for label, proxy in recipe.traced.items() if parts(proxy)[0] not in ours}


def _passes(recipe: ModelRecipe, network: Network, params: Params, batch: Batch, notes: list[str]) -> list[PyTree]:
    """The model's outputs in each norm mode, and the gradient of its loss in the recipe's mode.

    The gradient is needed because functions with custom derivatives may have the same outputs and different gradients."""

    def total(weights: list[Array]) -> Array:
        outputs = network.forward(network.with_weights(params, weights), batch.inputs, norm=recipe.norm).outputs
        if recipe.task is None:  # one of ours, chosen from the kind of targets, which the signature contains
            return classification.total(outputs)
        loss = 0.0 if batch.targets is None and recipe.task.name != "own" else recipe.task.loss(outputs, batch.targets)
        number = recipe.task.total(outputs)
        return jnp.asarray(loss, number.dtype).sum() + number

    def attempt(function: Callable[..., PyTree], *arguments: PyTree) -> PyTree:
        try:
            return function(*arguments)
        except Exception as error:  # the proxies that need this pass report the error
            notes.append(f"{type(error).__name__}: {error}")
            return None

    modes = [attempt(lambda norm=norm: network.forward(params, batch.inputs, norm=norm).outputs) for norm in get_args(Norm)]
    return [*modes, attempt(lambda: jax.grad(total)(network.weights(params)))]


def digest(traced: ClosedJaxpr) -> str:
    """SHA-256 of the operations of a traced function and of the constants in it."""
    words = hashlib.sha256(str(traced.jaxpr).encode())
    for value in _constants(traced):
        array = np.asarray(jax.random.key_data(value) if jnp.issubdtype(value.dtype, jax.dtypes.prng_key) else value)
        words.update(f"{array.shape} {array.dtype} ".encode() + array.tobytes())
    return words.hexdigest()


def _constants(body: object) -> Iterator[Array]:
    """The arrays in a jaxpr, or in a parameter of an operation. (Scalars are part of its text.)"""
    if isinstance(body, ClosedJaxpr | Jaxpr):  # one class from JAX 0.12 on
        whole = closed(body)
        yield from whole.consts
        for eqn in whole.jaxpr.eqns:
            yield from (var.val for var in eqn.invars if isinstance(var, Literal) and np.ndim(var.val))
            yield from _constants(tuple(eqn.params.values()))
    elif isinstance(body, tuple | list):
        for part in body:
            yield from _constants(part)
