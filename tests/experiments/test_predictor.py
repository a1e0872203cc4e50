"""The predictor of which of two networks is better: its graphs, its comparisons, what it learns and finds."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from jaxzc_spaces.nasbench201.graph import INPUT, OUTPUT, graph

from jaxzc.experiments import predictor
from tests.support.landscapes import SPACE


def test_graph_of_nasbench201():
    adjacency, labels = graph(np.array([[1, 2, 3, 4, 0, 1]]))
    assert labels.tolist() == [[INPUT, 1, 2, 3, 4, 0, 1, OUTPUT]]
    # Edges (0,1), (0,2), (1,2), (0,3), (1,3), (2,3): the first feeds the third and the fifth; the second and third feed the last.
    expected = {(0, 1), (0, 2), (0, 4), (1, 3), (1, 5), (2, 6), (3, 6), (4, 7), (5, 7), (6, 7)}
    assert set(zip(*(i.tolist() for i in np.nonzero(adjacency[0])), strict=True)) == expected


def test_comparator_compares_the_concatenation():
    model = predictor.Comparator(7, 2, 16, nnx.Rngs(0))
    mixing, nodes = predictor.encode(SPACE, SPACE.enumerate()[[3, 7000, 15000]])
    np.testing.assert_allclose(mixing.sum(2), 1, rtol=1e-6)
    assert mixing.shape == (3, 9, 9)
    assert nodes.shape == (3, 9, 8)
    model = predictor.Comparator(8, 2, 16, nnx.Rngs(0))
    embedded = model.embed(jnp.asarray(mixing), jnp.asarray(nodes))
    np.testing.assert_allclose(model.embed(jnp.asarray(mixing[:1]), jnp.asarray(nodes)), embedded, rtol=1e-5)
    pairs = model.compare(embedded, embedded)
    np.testing.assert_allclose(pairs[1, 2], model.head(jnp.concatenate([embedded[1], embedded[2]])), rtol=1e-4, atol=1e-5)


@pytest.mark.slow  # a search with one that has learnt nothing finds nothing
def test_the_predictor_learns_the_order(symmetric):
    """After the fit nearly all pairs it saw are in order, and most that it did not see."""
    settings = predictor.PredictorSettings(hidden=32, layers=3, learning_rate=5e-3)
    seen = np.random.default_rng(0).permutation(symmetric.size)[:120]
    mixing, nodes = predictor.encode(SPACE, symmetric.archs[seen])
    definition, state = nnx.split(predictor.Comparator(nodes.shape[2], settings.layers, settings.hidden, nnx.Rngs(1)))
    inputs = jnp.asarray(mixing[:1]), jnp.asarray(nodes)
    accuracy, known = jnp.asarray(symmetric.accuracy[seen]), jnp.arange(120) < 60
    fitted = jax.jit(lambda s: predictor.fit(definition, s, settings, 300, inputs, accuracy, known))(state)
    odds = nnx.merge(definition, fitted).compare(*[nnx.merge(definition, fitted).embed(*inputs)] * 2)
    better = np.asarray(odds[..., 0] > odds[..., 1])
    truly = symmetric.accuracy[seen][:, None] > symmetric.accuracy[seen][None]
    right = better == truly
    assert right[:60, :60].mean() > 0.95
    assert right[60:, 60:].mean() > 0.75


@pytest.mark.parametrize("warmup", [pytest.param(False, marks=pytest.mark.slow), True])
def test_the_predictor_search_finds_good_networks(symmetric, warmup):
    settings = predictor.PredictorSettings(models=60, points=40, rounds=4, hidden=16, layers=2, steps=80, warmup_points=64, warmup_steps=60)
    trained = predictor.trained_rows(SPACE, symmetric, settings, 3, warmup=warmup)
    assert trained.shape == (3, 60)
    assert all(len(set(r)) == 60 for r in trained.tolist())
    # The best of 60 random ones has rank 3,125 / 61 = 51 on average; a predictor that has learnt finds one of the first 30 in every run.
    assert (symmetric.accuracy[trained].max(1) >= np.sort(symmetric.accuracy)[-30]).all()
