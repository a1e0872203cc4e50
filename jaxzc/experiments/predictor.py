"""A binary predictor of which of two networks is better, and the search that trusts it, with and without a zero-cost proxy.

Source: BRP-NAS (Dudziak et al., NeurIPS 2020, sections 3 and 4) and its code with zero-cost warm-up (SamsungLabs/eagle): a graph network of
4 layers with layer normalisation and ReLU reads each architecture, its global node is the embedding, and a linear layer compares two
embeddings; AdamW with a cosine schedule. 100 networks are trained in 5 rounds; each round fits the predictor to what is known and adds, one
half, the best predicted, and, the other half, random ones of the best 1/2^round of the space. Warm-up first fits it to the proxy's order of
256 random networks. After the rounds, networks are trained in the order predicted.

What is smaller or simpler here: `hidden` 64 instead of 600 and no dropout; every step of the optimiser sees all pairs of the networks
known, instead of many epochs of small batches.
Every round fits anew from the warmed-up weights. As in `jaxzc.experiments.searches` no network is trained twice.
"""

import itertools
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import nnx
from jax import lax

from jaxzc.experiments.landscape import Landscape
from jaxzc.types import Array, JaxzcError, PyTree, Space, WithGraph


@dataclass(frozen=True)
class PredictorSettings:
    """models: networks to train. points, rounds: 100 in 5. warmup_points: networks whose proxy the warm-up orders. layers, hidden: of the
    graph network. steps, warmup_steps, learning_rate, weight_decay: of the fit."""

    models: int = 300
    points: int = 100
    rounds: int = 5
    warmup_points: int = 256
    layers: int = 4
    hidden: int = 64
    steps: int = 200
    warmup_steps: int = 200
    learning_rate: float = 2e-3
    weight_decay: float = 5e-4


class Comparator(nnx.Module):
    """Embeds graphs and compares embeddings."""

    def __init__(self, labels: int, layers: int, hidden: int, rngs: nnx.Rngs):
        widths = [labels] + [hidden] * layers
        self.linears = nnx.List([nnx.Linear(a, b, use_bias=False, rngs=rngs) for a, b in itertools.pairwise(widths)])
        self.norms = nnx.List([nnx.LayerNorm(hidden, rngs=rngs) for _ in range(layers)])
        self.head = nnx.Linear(2 * hidden, 2, rngs=rngs)

    def embed(self, mixing: Array, nodes: Array) -> Array:
        """float `[n, hidden]` of mixing `[n or 1, v, v]` (row: what a node reads, in fractions) and one-hot nodes `[n, v, labels]`."""
        for linear, norm in zip(self.linears, self.norms, strict=True):
            nodes = jax.nn.relu(norm(mixing @ linear(nodes)))
        return nodes[:, -1]

    def compare(self, one: Array, other: Array) -> Array:
        """Logits `[n, m, 2]`: whether each of `one [n, hidden]` is better, or worse, than each of `other [m, hidden]`."""
        # The linear layer of the concatenation, without making it for every pair.
        kernel, half = self.head.kernel[...], self.head.in_features // 2
        bias = self.head(jnp.zeros(2 * half))
        return (one @ kernel[:half])[:, None] + (other @ kernel[half:])[None] + bias[None, None]


def encode(space: Space, archs: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mixing float32 `[n, v + 1, v + 1]` and one-hot nodes `[n, v + 1, labels + 1]` of the space's graphs, a global node that reads all
    added as the last. Raises `JaxzcError` where the space has no `graph(archs)`."""
    if not isinstance(space, WithGraph):
        raise JaxzcError(f"the space {space.name} has no method graph(archs), which the predictor reads: leave the predictor out")
    adjacency, labels = space.graph(archs)
    n, v = labels.shape
    reads = np.zeros((n, v + 1, v + 1), np.float32)
    reads[:, :v, :v] = adjacency.transpose(0, 2, 1)
    reads[:, v, :v] = 1
    reads[:, np.arange(v + 1), np.arange(v + 1)] = 1
    labelled = np.pad(labels, ((0, 0), (0, 1)), constant_values=labels.max() + 1)
    return reads / reads.sum(axis=2, keepdims=True), np.eye(labelled.max() + 1, dtype=np.float32)[labelled]


def fit(graph: Any, state: Any, settings: PredictorSettings, steps: int, inputs: PyTree, order: Array, known: Array) -> Any:
    """The comparator's state after `steps` steps on all pairs of the known networks whose `order [n]` differs; known: bool `[n]`."""
    schedule = optax.cosine_decay_schedule(settings.learning_rate, steps)
    optimiser = optax.adamw(schedule, weight_decay=settings.weight_decay)
    weight = (known[:, None] & known[None] & (order[:, None] != order[None])).astype(jnp.float32)
    worse = (order[:, None] < order[None]).astype(jnp.int32)

    def loss(state: Any) -> Array:
        model = nnx.merge(graph, state)
        embedded = model.embed(*inputs)
        each = optax.softmax_cross_entropy_with_integer_labels(model.compare(embedded, embedded), worse)
        return (each * weight).sum() / jnp.maximum(weight.sum(), 1)

    def step(carry: PyTree, _: None) -> Any:
        state, memory = carry
        updates, memory = optimiser.update(jax.grad(loss)(state), memory, state)
        return (optax.apply_updates(state, updates), memory), None

    return lax.scan(step, (state, optimiser.init(state)), None, length=steps)[0][0]


def predictor_search(settings: PredictorSettings, arrays: tuple[Array, Array, Array, Array], warmup: bool, key: Array) -> Array:
    """Rows int32 `[models]` in the order of training; arrays: those of `encode`, the accuracies, the ranks of the proxy."""
    mixing, nodes, accuracy, proxy = arrays
    size = len(nodes)
    graph = nnx.split(nnx.eval_shape(lambda: Comparator(nodes.shape[2], settings.layers, settings.hidden, nnx.Rngs(0))))[0]

    def of(rows: Any) -> tuple[Array, Array]:
        return (mixing[rows] if len(mixing) > 1 else mixing, nodes[rows])

    points = min(settings.points, settings.models)
    per_round = -(-points // settings.rounds)
    top = jnp.array([max(per_round, int(size / 2 ** (k + 1))) for k in range(settings.rounds)])

    def ranked(state: Any, trained: Array) -> Array:
        """Rows, best predicted first, those trained last."""
        model = nnx.merge(graph, state)
        embedded = model.embed(*of(slice(None)))
        # The log-odds of two networks are a difference of one number for each, so that any opponent gives the same order.
        odds = model.compare(embedded, embedded[:1])[:, 0]
        return jnp.argsort(jnp.where(trained, -jnp.inf, odds[:, 0] - odds[:, 1]), descending=True, stable=True)

    init_key, warm_key, key = jax.random.split(key, 3)
    state = nnx.split(Comparator(nodes.shape[2], settings.layers, settings.hidden, nnx.Rngs(init_key)))[1]
    sample = jax.random.permutation(warm_key, size)[: settings.warmup_points]
    if warmup:
        state = fit(graph, state, settings, settings.warmup_steps, of(sample), proxy[sample], jnp.ones(len(sample), bool))

    def one_round(carry: PyTree, inputs: PyTree) -> Any:
        rows, trained, best_first = carry
        number, key = inputs
        half = per_round // 2
        # The best predicted; then random ones among the best `top`, behind them. Without an order yet: all of them random.
        place = jnp.arange(size)
        behind = jnp.where((place >= half) & (place < top[number]), jax.random.uniform(key, (size,)), -1.0)
        among = lax.top_k(behind, per_round - half)[1]
        new = best_first[jnp.concatenate([jnp.arange(half), among])]
        rows = lax.dynamic_update_slice(rows, new, (number * per_round,))
        trained = trained.at[new].set(True)
        known = jnp.arange(len(rows)) < (number + 1) * per_round
        fitted = fit(graph, state, settings, settings.steps, of(rows), accuracy[rows], known)
        return (rows, trained, ranked(fitted, trained)), None

    nothing = jnp.zeros(size, bool)
    first = ranked(state, nothing) if warmup else jax.random.permutation(warm_key, size)
    rows = jnp.zeros(settings.rounds * per_round, first.dtype)
    inputs = jnp.arange(settings.rounds), jax.random.split(key, settings.rounds)
    (rows, _, best_first), _ = lax.scan(one_round, (rows, nothing, first), inputs)
    return jnp.concatenate([rows, best_first])[: settings.models]


def trained_rows(space: Space, land: Landscape, settings: PredictorSettings, seeds: int, *, warmup: bool) -> np.ndarray:
    """Rows int `[seeds, models]` that the predictor's search trains, in order; one program, one seed after another.

    Raises `JaxzcError` where the table has fewer networks than the rounds train, or the space has no graphs.
    """
    wanted = settings.rounds * -(-min(settings.points, settings.models) // settings.rounds)
    if wanted > land.size:
        raise JaxzcError(f"the predictor trains {wanted} networks in its rounds, and the table has {land.size}: leave the predictor out")
    mixing, nodes = encode(space, land.archs)
    if (mixing == mixing[0]).all():
        mixing = mixing[:1]  # one graph for all: a product with it needs no batch
    # The arrays are arguments: XLA would spend minutes on folding such large constants.
    run = jax.jit(lambda arrays, keys: lax.map(lambda key: predictor_search(settings, arrays, warmup, key), keys))
    return np.asarray(run((mixing, nodes, land.accuracy, land.proxy), jax.vmap(jax.random.key)(jnp.arange(seeds))))
