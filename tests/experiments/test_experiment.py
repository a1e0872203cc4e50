"""Sample efficiency on small landscapes whose best networks are known, and the command that runs it."""

import contextlib
import io
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from absl import logging
from flax import nnx
from jaxzc_spaces.nasbench201.graph import INPUT, OUTPUT, graph
from scipy import stats

import jaxzc
from jaxzc.cli import main
from jaxzc.experiments import predictor, sample_efficiency, searches
from jaxzc.experiments.landscape import landscape
from jaxzc.experiments.sample_efficiency import Curve
from jaxzc.experiments.searches import SearchSettings
from jaxzc.search import log_rank
from jaxzc.tables import read_scores
from jaxzc.types import JaxzcError

SPACE = jaxzc.space("nasbench201", classes=10, inputs=(32, 32, 3))
WORTH = np.random.default_rng(3).normal(size=(6, 5))
CONFIGURATIONS = [(m, h) for m, helps in sample_efficiency.HELPS.items() if m != "predictor" for h in helps]


@pytest.fixture(scope="module")
def land():
    """3,125 architectures (the last edge is none) with additive accuracies, and a noisy proxy of them."""
    archs = SPACE.enumerate()
    archs = archs[archs[:, 5] == 0]
    strings = [SPACE.to_string(a) for a in archs]
    accuracy = WORTH[np.arange(6), archs].sum(1)
    noisy = accuracy + np.random.default_rng(0).normal(size=len(archs)) * accuracy.std() / 2
    return landscape(SPACE, dict(zip(strings, accuracy, strict=True)), {"noisy": dict(zip(strings, noisy, strict=True))})


@pytest.fixture(scope="module")
def symmetric():
    """3,125 architectures whose accuracy is a sum of their operations' worths, which a graph shows wherever they stand."""
    archs = SPACE.enumerate()
    archs = archs[archs[:, 5] == 3]
    strings = [SPACE.to_string(a) for a in archs]
    accuracy = np.array([-2.0, 0.3, 1.1, 2.4, -0.7])[archs].sum(1) + 1e-3 * np.random.default_rng(0).normal(size=len(archs))
    noisy = accuracy + np.random.default_rng(1).normal(size=len(archs)) * accuracy.std() / 2
    return landscape(SPACE, dict(zip(strings, accuracy, strict=True)), {"noisy": dict(zip(strings, noisy, strict=True))})


MADE = {}
SEEDS = 24
"""As many as the comparisons of methods need: one program of a search serves all tests."""


def rows(land, method, help_, seeds=SEEDS, **settings):
    """Compiled once for equal arguments."""
    key = (land.proxy.tobytes(), method, help_, seeds, *sorted(settings.items()))
    if key not in MADE:
        MADE[key] = made(land, method, help_, seeds, **settings)
    return MADE[key]


def made(land, method, help_, seeds, **settings):
    warmup, moves = help_ in ("warmup", "both"), help_ in ("moves", "both")
    chosen = SearchSettings(**{"models": 80, "scored": 400, "pool": 20, "tournament": 5, **settings})
    return searches.trained_rows(method, land, chosen, seeds, warmup=warmup, moves=moves)


def test_landscape_by_hand():
    archs = np.array([[0, 0, 0, 0, 0, 0], [0, 0, 0, 0, 0, 3], [0, 0, 0, 1, 0, 3], [4, 4, 4, 4, 4, 4]])
    strings = [SPACE.to_string(a) for a in archs]
    truth = dict(zip(strings, [10.0, 20.0, 30.0, np.nan], strict=True))
    scores = {"a": dict(zip(strings, [1.0, 5.0, 2.0, 9.0], strict=True)), "b": {strings[0]: 1.0, strings[1]: np.inf, strings[2]: 7.0}}
    made = landscape(SPACE, truth, scores)
    np.testing.assert_array_equal(made.archs, archs[:3])
    np.testing.assert_array_equal(made.accuracy, [10, 20, 30])
    np.testing.assert_array_equal(made.proxy, np.array([0.5, 0, 1], np.float32))
    assert [sorted(set(r.tolist()) - {-1}) for r in made.neighbours] == [[1], [0, 2], [1]]
    assert made.rows[np.ravel_multi_index(archs[2], SPACE.choices)] == 2
    assert (made.rows >= 0).sum() == 3


def test_landscape_combines_proxies_by_log_rank(land):
    strings = [SPACE.to_string(a) for a in land.archs]
    both = np.stack([land.proxy, -land.archs.sum(1)], axis=1).astype(np.float64)
    columns = {str(k): dict(zip(strings, both[:, k], strict=True)) for k in range(2)}
    made = landscape(SPACE, dict(zip(strings, land.accuracy.tolist(), strict=True)), columns)
    total = log_rank(both)
    assert (np.diff(made.proxy[np.argsort(total)]) >= 0).all()
    assert made.proxy[total.argmax()] == made.proxy.max()


@pytest.mark.parametrize(("method", "help_"), CONFIGURATIONS)
def test_no_network_is_trained_twice_and_seeds_differ(land, method, help_):
    trained = rows(land, method, help_)
    assert trained.shape == (SEEDS, 80)
    assert all(len(set(r)) == 80 for r in trained.tolist())
    assert len({tuple(r) for r in trained.tolist()}) == SEEDS


def test_a_seed_decides_whatever_the_others(land):
    np.testing.assert_array_equal(rows(land, "evolution", "both", seeds=2), rows(land, "evolution", "both")[:2])


@pytest.mark.parametrize("method", ["random", "evolution"])
def test_a_perfect_proxy_finds_the_best_at_once(land, method):
    perfect = land._replace(proxy=np.argsort(np.argsort(land.accuracy)).astype(np.float32) + 1)
    assert (rows(perfect, method, "warmup", scored=land.size)[:, 0] == land.accuracy.argmax()).all()


def areas(land, method, help_):
    """The mean over the run of the best accuracy so far, float `[seeds]`."""
    return np.maximum.accumulate(land.accuracy[rows(land, method, help_)], axis=1).mean(1)


@pytest.mark.parametrize(("method", "help_"), [("random", "warmup"), ("random", "moves"), ("evolution", "both"), ("reinforce", "both")])
def test_a_good_proxy_helps(land, method, help_):
    test = stats.mannwhitneyu(areas(land, method, help_), areas(land, method, "none"), alternative="greater")
    assert np.asarray(test)[1] < 1e-3  # the p-value


def test_a_proxy_that_knows_nothing_does_not_help(land):
    blind = land._replace(proxy=np.ones(land.size, np.float32))
    test = stats.mannwhitneyu(areas(blind, "evolution", "both"), areas(land, "evolution", "none"))
    assert np.asarray(test)[1] > 1e-3


def test_evolution_without_a_proxy_trains_neighbours_of_the_living(land):
    trained = rows(land, "evolution", "none")[0]
    for number in range(20, 80):
        alive = trained[number - 20 : number]
        assert trained[number] in land.neighbours[alive]


def test_moves_take_the_best_untrained_neighbour(land):
    (trained,) = rows(land, "evolution", "moves", seeds=1, random_move=0.0)
    for number in range(20, 80):
        options = []
        for parent in trained[number - 20 : number]:
            free = [r for r in land.neighbours[parent] if r >= 0 and r not in trained[:number]]
            options.append(max(free, key=lambda r: land.proxy[r]))
        assert trained[number] in options


def test_warmup_begins_with_the_best_of_those_scored(land):
    (trained,) = rows(land, "evolution", "warmup", seeds=1, scored=land.size)
    np.testing.assert_array_equal(np.sort(land.proxy[trained[:20]])[::-1], land.proxy[trained[:20]])
    assert set(trained[:20]) == set(np.argsort(-land.proxy)[:20])


def test_more_models_than_scored(land):
    (trained,) = rows(land, "random", "warmup", seeds=1, scored=30)
    assert len(set(trained.tolist())) == 80
    assert (np.diff(land.proxy[trained[:30]]) <= 0).all()


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


def test_reached_and_table():
    best = np.array([[1, 5, 9], [5, 5, 5], [1, 1, 1], [9, 9, 9]], np.float32)
    plain, helped = Curve("random", "none", best.astype(int), best), Curve("random", "warmup", best.astype(int), best + 4)
    assert sample_efficiency.reached(plain, 5) == (5, 1.0, 1.0, 2.0, 3)
    assert sample_efficiency.reached(plain, 9) == (9, 1.0, 3.0, np.inf, 2)
    table = sample_efficiency.format_table([plain, helped], [9.0])
    assert "3 (1 to never)" in table
    assert "3.0x" in table
    mean, low, high = sample_efficiency.mean_and_interval(plain)
    np.testing.assert_allclose(mean, best.mean(0), rtol=1e-6)
    # Student's t, 3 degrees of freedom, 97.5 %: 3.182.
    np.testing.assert_allclose(high - mean, 3.18245 * best.std(0, ddof=1) / 2, rtol=1e-4)
    np.testing.assert_allclose(mean - low, high - mean, rtol=1e-5)


def test_bad_input(land):
    with pytest.raises(JaxzcError, match="no method 'genetic'"):
        list(sample_efficiency.curves(SPACE, land, ["genetic"], 1, 10))
    with pytest.raises(JaxzcError, match="3126 models are to be trained, and the table has 3125"):
        list(sample_efficiency.curves(SPACE, land, ["random"], 1, 3126))
    text = SPACE.to_string(np.zeros(6, int))
    with pytest.raises(JaxzcError, match="has an accuracy"):
        landscape(SPACE, {text: np.nan}, {})
    with pytest.raises(JaxzcError, match="no architecture with an accuracy has a finite a and b"):
        landscape(SPACE, {text: 1.0}, {"a": {text: 1.0}, "b": {}})
    with pytest.raises(JaxzcError, match="twice"):
        landscape(SPACE, {text: 1.0, f" {text}": 2.0}, {"a": {text: 1.0}})
    with pytest.raises(JaxzcError, match="trains 100 networks in its rounds"):
        predictor.trained_rows(SPACE, land._replace(archs=land.archs[:9]), predictor.PredictorSettings(), 1, warmup=False)


def experiment(*arguments):
    out, err = io.StringIO(), io.StringIO()
    verbosity = logging.get_verbosity()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            code = main(["experiment", "sample-efficiency", *(str(a) for a in arguments)])
        except SystemExit as exit_:
            code = int(exit_.code or 0)
    logging.set_verbosity(verbosity)
    return code, out.getvalue(), err.getvalue()


def test_command(tmp_path):
    out = tmp_path / "found"
    given = ("--table", "embedded", "--metric", "test_accuracy", "--proxy", "params,flops", "--methods", "random")
    code, text, err = experiment(*given, "--seeds", 3, "--models", 70, "--target", "90,93.5", "--out", out)
    assert code == 0
    assert {p.name for p in out.iterdir()} == {"trained.parquet", "sample_efficiency.png", "sample_efficiency.pdf"}
    assert "models to 93.5" in text
    assert err.count("done") == 3
    columns = read_scores(out / "trained.parquet").columns
    assert len(columns["arch"]) == 3 * 3 * 70
    first = columns["models"] == 1
    np.testing.assert_array_equal(columns["best"][first], columns["accuracy"][first])


def test_mistakes_on_the_command_line(tmp_path):
    given = ("--table", "embedded", "--metric", "test_accuracy")
    for arguments, word in (
        ((*given, "--proxy", "zico", "--out", tmp_path / "x"), "has no column 'zico'"),
        ((*given, "--proxy", "params", "--out", tmp_path), "exists: name a new directory"),
        ((*given, "--proxy", "params", "--out", tmp_path / "no" / "x"), "create it first"),
        ((*given, "--proxy", ",", "--out", tmp_path / "x"), "--proxy is empty"),
        ((*given, "--proxy", "params", "--methods", "random,hill", "--out", tmp_path / "x"), "there is no method 'hill'"),
        ((*given, "--proxy", "params", "--models", 501, "--out", tmp_path / "x"), "501 models"),
        ((*given, "--proxy", "params", "--target", "a", "--out", tmp_path / "x"), "'a' is not a number"),
        ((*given, "--proxy", "params", "--space", "darts99", "--out", tmp_path / "x"), "darts99"),
    ):
        code, out, err = experiment(*arguments)
        assert (code, out) == (2, "")
        assert len(err.strip().splitlines()) == 1
        assert word in err


def test_the_default_target_is_what_a_random_search_reaches(land):
    accuracy = np.sort(land.accuracy)
    assert sample_efficiency.default_target(land, 1) == accuracy[-math.ceil(0.95 * land.size)]
    best = sample_efficiency.default_target(land, land.size * 100)
    assert best == accuracy[-1]
    hits = [np.random.default_rng(seed).choice(accuracy, 40, replace=False).max() for seed in range(400)]
    assert np.mean(np.array(hits) >= sample_efficiency.default_target(land, 40)) > 0.93
