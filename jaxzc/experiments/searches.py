"""Random search, aging evolution and REINFORCE with and without a zero-cost proxy, one compiled program for all seeds.

Source: Abdelfattah et al., Zero-Cost Proxies for Lightweight NAS, ICLR 2021, section 4, and the settings of the authors' notebook
(SamsungLabs/zero-cost-nas, notebooks/nas_examples.ipynb): pool 64, tournament 10, one edge mutated; warm-up scores 3,000 random networks
and begins with the best 64; a move takes the best neighbour by the proxy, and with probability 0.25 a random one.

Training a network is looking its accuracy up. Here no network is trained twice: what was trained before is left out of every choice, for
the methods without a proxy too, so that the number of steps is the number of trained models.

What the paper leaves open and is so here: random search with moves takes the best of as many random networks as an architecture has
neighbours; REINFORCE is a categorical distribution per gene (Adam, moving-average baseline), which warm-up begins at the frequencies (plus
one) of the values of the gene among the best 64; with moves it proposes a network, the move is trained, and the policy is updated as if it
had drawn that.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax import lax

from jaxzc.experiments.landscape import Landscape
from jaxzc.types import Array, PyTree


@dataclass(frozen=True)
class SearchSettings:
    """models: networks to train. scored: networks that warm-up scores. pool, tournament: of evolution; warm-up begins with the best `pool`.
    random_move: probability of a random neighbour. learning_rate, baseline (decay of its moving average), draws (of the policy, for one
    that is new): of REINFORCE."""

    models: int = 300
    scored: int = 3000
    pool: int = 64
    tournament: int = 10
    random_move: float = 0.25
    learning_rate: float = 0.1
    baseline: float = 0.9
    draws: int = 16


def random_search(land: Landscape, settings: SearchSettings, warmup: bool, moves: bool, key: Array) -> Array:
    """Rows int32 `[models]` in the order of training."""
    start_key, key = jax.random.split(key)
    if warmup:
        return _warm(land, settings, start_key)[: settings.models]
    if not moves:
        return jax.random.permutation(start_key, land.size)[: settings.models]

    def step(trained: Array, key: Array) -> Any:
        draw_key, move_key = jax.random.split(key)
        drawn = _untrained(draw_key, trained, land.neighbours.shape[1])
        row = _move(land, settings, move_key, drawn, trained, by_proxy=True)
        return trained.at[row].set(True), row

    return lax.scan(step, jnp.zeros(land.size, bool), jax.random.split(key, settings.models))[1]


def aging_evolution(land: Landscape, settings: SearchSettings, warmup: bool, moves: bool, key: Array) -> Array:
    """Rows int32 `[models]` in the order of training; the first `pool` of them are the initial population."""
    start_key, key = jax.random.split(key)
    pool = min(settings.pool, settings.models)
    start = (_warm(land, settings, start_key) if warmup else jax.random.permutation(start_key, land.size))[:pool]

    def step(carry: PyTree, inputs: PyTree) -> Any:
        alive, trained = carry
        number, key = inputs
        draw_key, move_key = jax.random.split(key)
        drawn = jax.random.choice(draw_key, alive, (min(settings.tournament, pool),), replace=False)
        parent = drawn[land.accuracy[drawn].argmax()]
        row = _move(land, settings, move_key, land.neighbours[parent], trained, by_proxy=moves)
        return (alive.at[number % pool].set(row), trained.at[row].set(True)), row  # the oldest stands at this place

    steps = settings.models - pool
    trained = jnp.zeros(land.size, bool).at[start].set(True)
    rows = lax.scan(step, (start, trained), (jnp.arange(steps), jax.random.split(key, steps)))[1]
    return jnp.concatenate([start, rows])


def reinforce(land: Landscape, settings: SearchSettings, warmup: bool, moves: bool, key: Array) -> Array:
    """Rows int32 `[models]` in the order of training."""
    choices = np.array(land.choices)
    allowed = np.arange(choices.max()) < choices[:, None]
    optimiser = optax.adam(settings.learning_rate)
    start_key, key = jax.random.split(key)
    logits = jnp.zeros(allowed.shape)
    if warmup:
        best = land.archs[_warm(land, settings, start_key)[: settings.pool]]
        counts = (best[:, :, None] == jnp.arange(allowed.shape[1])[None, None]).sum(0)
        logits = jnp.log((counts + 1) / (len(best) + jnp.array(choices)[:, None]))

    def policy(logits: Array) -> Array:
        return jax.nn.log_softmax(jnp.where(allowed, logits, -jnp.inf), axis=1)

    def draw(logits: Array, key: Array) -> Array:
        genes = jax.random.categorical(key, policy(logits), axis=1, shape=(settings.draws, len(choices)))
        return land.rows[jnp.ravel_multi_index(tuple(genes.T), tuple(choices), mode="clip")]

    def learn(carry: PyTree, row: Array, reward: Array) -> Any:
        logits, state, baseline, seen = carry
        advantage = reward - jnp.where(seen > 0, baseline, reward)

        def loss(logits: Array) -> Array:
            return -advantage * jnp.take_along_axis(policy(logits), land.archs[row][:, None], axis=1).sum()

        updates, state = optimiser.update(jax.grad(loss)(logits), state, logits)
        baseline = jnp.where(seen > 0, settings.baseline * baseline + (1 - settings.baseline) * reward, reward)
        return optax.apply_updates(logits, updates), state, baseline, seen + 1

    def step(carry: PyTree, key: Array) -> Any:
        learnt, trained = carry
        draw_key, other_key, move_key = jax.random.split(key, 3)
        drawn = draw(learnt[0], draw_key)
        if moves:
            inside = drawn[jnp.argmax(drawn >= 0)]
            row = _move(land, settings, move_key, land.neighbours[inside], trained, by_proxy=True)
        else:
            new = (drawn >= 0) & ~trained[drawn]
            row = jnp.where(new.any(), drawn[new.argmax()], _untrained(other_key, trained, 1)[0])
        return (learn(learnt, row, land.accuracy[row] / scale), trained.at[row].set(True)), row

    scale = land.accuracy.max() - jnp.median(land.accuracy)  # rewards of the order of 1, whatever the unit of the accuracies
    learnt = (logits, optimiser.init(logits), jnp.zeros(()), jnp.zeros((), jnp.int32))
    return lax.scan(step, (learnt, jnp.zeros(land.size, bool)), jax.random.split(key, settings.models))[1]


def _warm(land: Landscape, settings: SearchSettings, key: Array) -> Array:
    """`scored` random rows, the best by the proxy first; then all others in random order."""
    everything = jax.random.permutation(key, land.size)
    drawn = everything[: settings.scored]
    return jnp.concatenate([drawn[jnp.argsort(-land.proxy[drawn], stable=True)], everything[settings.scored :]])


def _move(land: Landscape, settings: SearchSettings, key: Array, candidates: Array, trained: Array, *, by_proxy: bool) -> Array:
    """One of the candidate rows (-1: none) that is not trained: the best by the proxy but for `random_move`, or any; a random row of the
    whole space where all are trained."""
    which_key, chance_key, other_key = jax.random.split(key, 3)
    free = (candidates >= 0) & ~trained[candidates]
    chance = jax.random.uniform(chance_key, candidates.shape)
    pick = jnp.where(free, chance, -1).argmax()
    if by_proxy:
        best = jnp.where(free, land.proxy[candidates], -1).argmax()
        pick = jnp.where(jax.random.uniform(which_key) < settings.random_move, pick, best)
    return jnp.where(free.any(), candidates[pick], _untrained(other_key, trained, 1)[0])


def _untrained(key: Array, trained: Array, n: int) -> Array:
    """`n` random rows, not trained (while there are so many)."""
    drawn = jax.random.uniform(key, trained.shape)
    return lax.top_k(drawn - trained.astype(drawn.dtype), n)[1]


SEARCHES: dict[str, Callable[..., Array]] = {"random": random_search, "evolution": aging_evolution, "reinforce": reinforce}


def trained_rows(name: str, land: Landscape, settings: SearchSettings, seeds: int, *, warmup: bool, moves: bool) -> np.ndarray:
    """Rows int `[seeds, models]` that the search of this name trains, in order; all seeds in one program."""

    # The arrays are arguments: XLA would spend minutes on folding such large constants.
    @jax.jit
    def run(arrays: Any, keys: Array) -> Array:
        known = land._replace(**arrays)
        return jax.vmap(partial(SEARCHES[name], known, settings, warmup, moves))(keys)

    arrays = {field: jnp.asarray(array) for field, array in land._asdict().items() if field != "choices"}
    return np.asarray(run(arrays, jax.vmap(jax.random.key)(jnp.arange(seeds))))
