"""Tables as landscapes, what a random search reaches in them, and what is no landscape."""

import math

import numpy as np
import pytest

from jaxzc.experiments import predictor, sample_efficiency
from jaxzc.experiments.landscape import landscape
from jaxzc.search import log_rank
from jaxzc.types import JaxzcError
from tests.support.landscapes import SPACE


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


def test_what_is_no_landscape_or_too_small_a_one_is_refused(land):
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


def test_the_default_target_is_what_a_random_search_reaches(land):
    accuracy = np.sort(land.accuracy)
    assert sample_efficiency.default_target(land, 1) == accuracy[-math.ceil(0.95 * land.size)]
    best = sample_efficiency.default_target(land, land.size * 100)
    assert best == accuracy[-1]
    hits = [np.random.default_rng(seed).choice(accuracy, 40, replace=False).max() for seed in range(400)]
    assert np.mean(np.array(hits) >= sample_efficiency.default_target(land, 40)) > 0.93
