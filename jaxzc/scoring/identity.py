"""Whether a model, a task and proxies are still those that a program was compiled for: by what they compute, not by what they are called.

A function may close over arrays, settings or other functions that change between two calls (in a notebook, the cell of a block that a model
uses is run again). `jax.jit` does not notice. So the model is traced anew at each call, which takes a hundredth of a compilation, and the
operations and constants of the trace are compared. A user's own proxies and ingredients are traced as well.
"""

import hashlib
from collections.abc import Hashable, Iterator
from typing import Any, get_args

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jax.extend.core import ClosedJaxpr, Jaxpr, Literal

from jaxzc.catalogue.selection import PROXIES
from jaxzc.facts import Proxy, parts, proxy_facts
from jaxzc.scoring.compute import computed, traced_proxies
from jaxzc.scoring.models import Bound
from jaxzc.scoring.program import Recipe
from jaxzc.tasks import as_task, classification
from jaxzc.types import Batch, Network, Norm


def identity(recipe: Recipe, bound: Bound, batches: tuple[Batch, ...]) -> tuple[str, ...]:
    """Words that are equal where model, loss and the user's own proxies compute the same of arrays of these shapes."""
    notes: list[str] = []
    reasons: dict[str, str] = {}
    targets = batches[0].targets  # concrete: the task is read from their numbers

    def compute(arrays: list[Any], batches: tuple[Batch, ...], key: Any) -> Any:
        network, params = bound.network(arrays, batches[0].inputs)
        notes.extend(str(group) for group in network.groups)
        passes = _passes(recipe, network, params, batches[0], notes)
        outputs = jax.eval_shape(lambda p, x: network.forward(p, x, norm=recipe.norm).outputs, params, batches[0].inputs)
        task = as_task(recipe.task, outputs, targets)
        own = computed(_own(recipe), network, params, batches, task, recipe.norm, key, None, reasons)
        return passes, own

    traced = jax.make_jaxpr(compute)(bound.arrays, batches, jax.random.key(0))
    return digest(traced), *notes, str(reasons)


def told(recipe: Recipe) -> Hashable:
    """What the user named: the model (Linen modules compare by their fields, functions by identity, NNX modules by their graph, which
    `Bound.signature` has), the proxies with their settings, and the options."""
    model = recipe.model.model
    try:
        hash(model)
    except TypeError:  # a Linen module with a list or dict for a field; what it computes tells it
        model = type(model)
    if isinstance(model, nnx.Module):
        model = type(model)
    proxies = tuple((label, _told_proxy(proxy)) for label, proxy in recipe.proxies.items())
    return model, proxies, None if recipe.task is None else recipe.task.readout, recipe.norm, recipe.unavailable


def _told_proxy(proxy: Proxy) -> Hashable:
    """The function, what settings made of it, and the ingredients that it brings along."""
    function, arguments, chosen = parts(proxy)
    return function, repr(arguments), repr(chosen), proxy_facts(proxy).ingredients


def _own(recipe: Recipe) -> dict[str, Proxy]:
    """The proxies that are not ours, and need more than counts: they may change between calls."""
    ours = set(PROXIES.values())
    return {label: proxy for label, proxy in traced_proxies(recipe.proxies).items() if parts(proxy)[0] not in ours}


def _passes(recipe: Recipe, network: Network, params: Any, batch: Batch, notes: list[str]) -> list[Any]:
    """The model in each mode, and the gradient of its outputs in one: derivatives may have rules of their own."""

    def total(weights: Any) -> Any:
        outputs = network.forward(network.with_weights(params, weights), batch.inputs, norm=recipe.norm).outputs
        if recipe.task is None:  # one of ours, which the signature knows
            return classification.total(outputs)
        loss = 0.0 if batch.targets is None and recipe.task.name != "own" else recipe.task.loss(outputs, batch.targets)
        return jnp.sum(loss) + recipe.task.total(outputs)

    def attempt(function: Any, *arguments: Any) -> Any:
        try:
            return function(*arguments)
        except Exception as error:  # what cannot be computed is for the proxies that need it to say
            notes.append(f"{type(error).__name__}: {error}")
            return None

    modes = [attempt(lambda norm=norm: network.forward(params, batch.inputs, norm=norm).outputs) for norm in get_args(Norm)]
    return [*modes, attempt(jax.grad(total), network.weights(params))]


def digest(traced: ClosedJaxpr) -> str:
    """Of the operations of a traced function, and of all constants in it."""
    words = hashlib.sha256(str(traced.jaxpr).encode())
    for value in _constants(traced):
        array = np.asarray(jax.random.key_data(value) if jnp.issubdtype(value.dtype, jax.dtypes.prng_key) else value)
        words.update(f"{array.shape} {array.dtype} ".encode() + array.tobytes())
    return words.hexdigest()


def _constants(body: Any) -> Iterator[Any]:
    """Arrays that a jaxpr, or a part of a parameter of an operation, holds; numbers are in its text."""
    if isinstance(body, ClosedJaxpr):
        yield from body.consts
        yield from _constants(body.jaxpr)
    elif isinstance(body, Jaxpr):
        for eqn in body.eqns:
            yield from (var.val for var in eqn.invars if isinstance(var, Literal) and np.ndim(var.val))
            yield from _constants(tuple(eqn.params.values()))
    elif isinstance(body, tuple | list):
        for part in body:
            yield from _constants(part)
