"""Scoring: the proxies of one network, and what a score needs whoever asks for it."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, get_args

import jax
import jax.numpy as jnp
import numpy as np

from jaxzc._compile.depthwise import rewritten
from jaxzc.catalogue.selection import ProxySpec, select
from jaxzc.ingredients import RESOLVER
from jaxzc.names import unknown
from jaxzc.networks import as_network
from jaxzc.resolver import Proxy, needs
from jaxzc.tasks import Task, classification, cross_entropy
from jaxzc.tasks.task import Loss
from jaxzc.types import Array, Batch, Counts, JaxzcError, Network, Norm, Scaled

Batches = Batch | tuple[Any, Any] | Sequence[Batch | tuple[Any, Any]]


def as_batches(batch: Batches) -> tuple[Batch, ...]:
    """One batch `(images, labels)` or a list of them, as a tuple of `Batch`."""
    if isinstance(batch, Batch):
        return (batch,)
    if isinstance(batch, tuple) and len(batch) == 2 and not isinstance(batch[0], tuple):
        return (Batch(*batch),)
    if isinstance(batch, (list, tuple)) and batch and all(isinstance(b, tuple) and len(b) == 2 for b in batch):
        return tuple(Batch(*b) for b in batch)
    raise JaxzcError(f"batch is a {type(batch).__name__}: expected (images, labels), or a list of such pairs for proxies that need several")


def checked_batches(batch: Batches, classes: int | None = None, image_shape: tuple[int, ...] | None = None) -> tuple[Batch, ...]:
    """The batches as JAX arrays. Raises `JaxzcError` for values that cannot be used and batches of different shapes."""
    from jaxzc.data import check_batch

    batches = [check_batch(b, classes=classes, image_shape=image_shape) for b in as_batches(batch)]
    shapes = [np.shape(b.inputs) for b in batches]
    if len(set(shapes)) > 1:
        raise JaxzcError(f"the batches have images of different shapes {', '.join(map(str, shapes))}: give batches of one shape")
    return tuple(Batch(*(None if part is None else jnp.asarray(part) for part in b)) for b in batches)


def check_loss(loss: Loss, logits: Any, batches: Sequence[Batch]) -> None:
    """Raises `JaxzcError` where the loss of logits (their shape and dtype) and labels is not one number, or a class does not exist."""
    from jaxzc.data import check_batch

    for b in batches:
        if loss is cross_entropy:
            check_batch(b, classes=logits.shape[-1])
        shape = () if b.targets is None else np.shape(jax.eval_shape(loss, logits, b.targets))
        if shape != ():
            raise JaxzcError(f"loss(logits, labels) returned an array of shape {shape}: expected one number, such as the mean")


def evaluate_proxies(
    proxies: Mapping[str, Proxy],
    network: Network,
    params: Any,
    batches: Any,
    task: Task = classification,
    norm: Norm = "batch",
    key: Array | None = None,
    given: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """The proxies that need the network, as a pure function of traced arrays: may be used inside anybody's jit, vmap or scan.

    key: of noise, probes and weights drawn anew (`jax.random.key(0)` without one). given: ingredients by name that are not to be made
    (`{"az_images": images}`)."""
    if norm not in get_args(Norm):
        raise JaxzcError(f"norm={norm!r}: expected one of {', '.join(map(repr, get_args(Norm)))}")
    for name in given or ():
        if name not in RESOLVER.known:
            raise unknown("ingredient", name, RESOLVER.known)
    key = jax.random.key(0) if key is None else key
    roots = {"network": network, "params": params, "batches": batches, "task": task, "norm": norm, "key": key, **(given or {})}
    return RESOLVER.run({k: f for k, f in proxies.items() if not only_counts(f)}, roots)


def only_counts(proxy: Proxy) -> bool:
    return set(needs(proxy)) <= {"counts"}


def counted_scores(proxies: Mapping[str, Proxy], counts: Counts | None) -> dict[str, Any]:
    """Proxies that need only counts are evaluated on the host, in exact integers."""
    return {k: f(counts) if needs(f) else f() for k, f in proxies.items() if only_counts(f)}


def to_float(value: Any) -> float:
    """A finished score as a Python float; `Scaled` values beyond float32 become float64."""
    if isinstance(value, Scaled):
        with np.errstate(over="ignore", under="ignore"):
            return float(np.ldexp(np.float64(value.value), int(value.exponent)))
    number = np.asarray(value)
    if number.size != 1:
        raise JaxzcError(f"a proxy returned an array of shape {number.shape}: expected one number")
    if not any(jnp.issubdtype(number.dtype, kind) for kind in (jnp.floating, jnp.integer, jnp.bool_)):
        raise JaxzcError(f"a proxy returned {value!r}: expected one number")
    return float(number.reshape(()))


def to_floats(values: Mapping[str, Any], labels: Iterable[str]) -> dict[str, float]:
    """Label -> score, in the order of the labels; an error names the proxy."""
    scores = {}
    for label in labels:
        try:
            scores[label] = to_float(values[label])
        except JaxzcError as error:
            raise JaxzcError(f"{label}: {error}") from error
    return scores


def score(
    model: Any,
    params: Any,
    batch: Batches,
    proxies: ProxySpec = "founding",
    *,
    loss: Loss = cross_entropy,
    norm: Norm = "batch",
    seed: int = 0,
    **options: Any,
) -> dict[str, float]:
    """Scores one network, unchanged: a Flax Linen module, a Flax NNX module (`params=None`), or `apply_fn(params, images)`.

    batch: (images [N, ...] float, labels [N] int), or a list of such pairs of one shape (ZiCo needs two). proxies: "founding" (the 24
    of the four founding papers), "all", names, or functions whose argument names are ingredients. loss(logits, labels) -> scalar. norm: how
    batch normalisation acts in the passes that the authors run in train mode. seed: of noise and of weights drawn anew, for the proxies
    that have such. options: see `jaxzc.networks.as_network`.

    Returns proxy -> score; NaN and infinities are kept. Raises `JaxzcError` for input that cannot be used.

    >>> jaxzc.score(model, variables, (images, labels), proxies=["snip", "naswot"])
    """
    chosen = select(proxies)
    RESOLVER.wanted(chosen)
    batches = checked_batches(batch)
    network, params = as_network(model, params, batches[0].inputs, **options)
    check_loss(loss, jax.eval_shape(lambda p, x: network.forward(p, x, norm="batch").outputs, params, batches[0].inputs), batches)
    counts = network.counts(params) if {"counts", "param_count"} & RESOLVER.wanted(chosen).keys() else None
    size = {} if counts is None else {"param_count": np.float32(counts.params)}
    program = jax.jit(rewritten(lambda p, b, k, given: evaluate_proxies(chosen, network, p, b, Task(loss), norm, k, given)))
    made = program(params, batches, jax.random.key(seed), size)
    return to_floats({**made, **counted_scores(chosen, counts)}, chosen)
