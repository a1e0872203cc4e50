"""Scoring: the proxies of one network, and what a score needs whoever asks for it."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, get_args

import jax
import jax.numpy as jnp
import numpy as np

from jaxzc._compile.depthwise import rewritten
from jaxzc.catalogue.selection import ProxySpec, select, unknown
from jaxzc.ingredients import RESOLVER
from jaxzc.networks import as_network
from jaxzc.resolver import Proxy, needs
from jaxzc.tasks import Loss, Task, as_task, classification
from jaxzc.tasks.checks import check_targets, warn_of_zero_kernels, with_targets
from jaxzc.types import Array, Batch, Counts, JaxzcError, Network, Norm, Scaled

Batches = Batch | tuple[Any, Any] | Sequence[Batch | tuple[Any, Any]]


def as_batches(batch: Batches) -> tuple[Batch, ...]:
    """One batch `(inputs, targets)` or a list of them, as a tuple of `Batch`. Of a tuple of two pairs each is a batch: say `Batch` where
    both inputs and targets are tuples."""
    if isinstance(batch, Batch):
        return (batch,)
    if isinstance(batch, tuple) and len(batch) == 2 and not all(isinstance(part, tuple) and len(part) == 2 for part in batch):
        return (Batch(*batch),)
    if isinstance(batch, (list, tuple)) and batch and all(isinstance(b, tuple) and len(b) == 2 for b in batch):
        return tuple(Batch(*b) for b in batch)
    raise JaxzcError(
        f"batch is a {type(batch).__name__}: expected (inputs, targets), or a list of such pairs for proxies that need several"
    )


def checked_batches(batch: Batches, classes: int | None = None, image_shape: tuple[int, ...] | None = None) -> tuple[Batch, ...]:
    """The batches as JAX arrays. Raises `JaxzcError` for values that cannot be used and batches of different shapes."""
    from jaxzc.data import check_batch, check_examples

    own = classes is None and image_shape is None
    batches = [check_examples(b) if own else check_batch(b, classes=classes, image_shape=image_shape) for b in as_batches(batch)]
    shapes = [[np.shape(leaf) for leaf in jax.tree.leaves(b.inputs)] for b in batches]
    if any(shape != shapes[0] for shape in shapes):
        listed = ", ".join(", ".join(map(str, shape)) for shape in shapes)
        raise JaxzcError(f"the batches have inputs of different shapes {listed}: give batches of one shape")
    return tuple(Batch(*(as_arrays(part) for part in b)) for b in batches)


def as_arrays(tree: Any) -> Any:
    """A pytree of JAX arrays; lists of numbers, written out, become one array."""
    written = isinstance(tree, list) and not any(hasattr(leaf, "shape") for leaf in jax.tree.leaves(tree))
    return jnp.asarray(tree) if written else jax.tree.map(jnp.asarray, tree)


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
    loss: Loss | None = None,
    task: Task | str | None = None,
    norm: Norm = "batch",
    seed: int = 0,
    **options: Any,
) -> dict[str, float]:
    """Scores one network, unchanged: a Flax Linen module, a Flax NNX module (`params=None`), or `apply_fn(params, images)`.

    batch: (inputs, targets), pytrees whose leaves have a leading axis N, such as (images [N, ...] float, labels [N] int), or a list of such
        pairs of one shape (ZiCo needs two).
    proxies: "founding" (the 24 of the four founding papers), "all", names, or functions whose argument names are ingredients.
    loss: loss(outputs, targets) -> scalar of what the network returned and of the targets as they are.
    task: instead of a loss a `jaxzc.Task`, or the name of a ready-made one ("classification", "regression", "multilabel", "next_token",
        "ctc"); None: chosen from outputs and targets where these allow one reading.
    norm: how batch normalisation acts in the passes that the authors run in train mode.
    seed: of noise and of weights drawn anew, for the proxies that have such.
    options: see `jaxzc.networks.as_network`.

    Returns proxy -> score; NaN and infinities are kept. Raises `JaxzcError` for input that cannot be used.

    >>> jaxzc.score(model, variables, (images, labels), proxies=["snip", "naswot"])
    """
    chosen = select(proxies)
    RESOLVER.wanted(chosen)
    if loss is not None and task is not None:
        raise JaxzcError("loss and task are both given: give one of them, task=jaxzc.Task(loss, readout=...) says both")
    batches = checked_batches(batch)
    network, params = as_network(model, params, batches[0].inputs, **options)
    outputs = jax.eval_shape(lambda p, x: network.forward(p, x, norm="batch").outputs, params, batches[0].inputs)
    task = as_task(loss if task is None else task, outputs, batches[0].targets)
    batches = tuple(with_targets(task, b) for b in batches)
    check_targets(task, outputs, batches)
    warn_of_zero_kernels([group.name for group in network.groups], network.weights(params))
    counts = network.counts(params) if {"counts", "param_count"} & RESOLVER.wanted(chosen).keys() else None
    size = {} if counts is None else {"param_count": np.float32(counts.params)}
    program = jax.jit(rewritten(lambda p, b, k, given: evaluate_proxies(chosen, network, p, b, task, norm, k, given)))
    made = program(params, batches, jax.random.key(seed), size)
    return to_floats({**made, **counted_scores(chosen, counts)}, chosen)
