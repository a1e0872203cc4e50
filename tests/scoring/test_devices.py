"""Many architectures a call: spread over devices and lanes, they score as they do one by one."""

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jaxzc_spaces.nasbench201 import NasBench201

from jaxzc._compile.devices import _in_turn, mesh, spread
from jaxzc._compile.platforms import traced_for
from jaxzc.catalogue import spaces
from jaxzc.catalogue.selection import select
from jaxzc.scoring.space import SpaceScorer, score_space
from jaxzc.scoring.space.recipe import SpaceRecipe
from jaxzc.search.job.scores import proxy_scores
from jaxzc.types import Batch, JaxzcError

SPACE = spaces.space("nasbench201", classes=3, inputs=(8, 8, 1), channels=2, cells=1)
ARCHS = SPACE.sample(np.random.default_rng(0), 5)


@cache
def scorer(lanes: int | None = None) -> SpaceScorer:
    rng = np.random.default_rng(1)
    batch = Batch(rng.standard_normal((4, 8, 8, 1)).astype(np.float32), rng.integers(0, 3, 4))
    return SpaceScorer(SPACE, batch, "naswot,l2_norm,params", chunk=lanes, lanes=lanes)


def as_array(rows: Sequence[Mapping[str, float]]) -> np.ndarray:
    return np.array([list(row.values()) for row in rows])


def test_many_is_one_after_another() -> None:
    ones = [scorer().one(arch, seed=3) for arch in ARCHS]
    assert scorer().many(ARCHS, seed=3) == ones
    assert list(scorer().each(ARCHS, 3)) == ones
    assert scorer().many(ARCHS[:0]) == []
    with proxy_scores(scorer(), 3) as score:
        np.testing.assert_array_equal(score(ARCHS), as_array(ones))
    assert scorer().width == 1


def test_lanes_as_on_an_accelerator() -> None:
    """Two lanes of a vmapped program, the last of five architectures padded; sums of other order may round."""
    wide = scorer(lanes=4).narrower()
    assert wide is not None
    assert (wide.dispatcher.lanes, wide.width) == (2, 2)
    made = wide.many(ARCHS)
    assert list(made[0]) == ["naswot", "l2_norm", "params"]
    np.testing.assert_allclose(as_array(made), as_array(scorer().many(ARCHS)), rtol=1e-5)
    last = wide.narrower()
    assert last is not None
    assert (last.dispatcher.lanes, last.narrower()) == (1, None)
    assert last.many(ARCHS) == scorer().many(ARCHS)


def test_one_lane_of_a_mesh_is_the_same_to_the_last_bit() -> None:
    def function(a: Any, b: Any) -> Any:
        return {"sum": (a * b).sum(), "a": a, "three": 3}

    made = spread(function, (0, None), mesh(1), 1)(np.arange(6.0, dtype=np.float32).reshape(1, 6), np.float32(2))
    assert made["sum"].shape == (1,)
    assert float(made["sum"][0]) == 30
    np.testing.assert_array_equal(made["a"], [np.arange(6)])
    assert np.asarray(made["three"]).tolist() == [3]
    batched = spread(function, (0, None), mesh(1), 2)(np.ones((2, 6), np.float32), np.float32(2))
    assert batched["sum"].tolist() == [12, 12]
    turns = _in_turn(function, (0, None))(np.arange(6.0, dtype=np.float32).reshape(2, 3), np.float32(2))
    assert (turns["sum"].tolist(), turns["three"].tolist()) == ([6, 24], [3, 3])
    np.testing.assert_array_equal(turns["a"], [[0, 1, 2], [3, 4, 5]])


def test_architectures_in_turn_with_the_forms_of_a_tpu_have_the_same_scores() -> None:
    """What a TPU computes with, run here: its convolutions, its recomputation, its loop over architectures."""
    recipe = SpaceRecipe(SPACE, select("grasp,synflow,naswot,jacob_cov"))
    rng, key = np.random.default_rng(1), jax.random.key(0)
    batches = tuple(Batch(rng.standard_normal((16, 8, 8, 1)).astype(np.float32), rng.integers(0, 3, 16)) for _ in range(2))

    def scores(genes: Any) -> Any:
        draw, score = recipe.functions(())
        return score(draw(key, genes), genes, batches, key, jnp.float32(1))

    compiled = jax.jit(scores)
    here = [compiled(genes) for genes in ARCHS[:3]]
    with traced_for("tpu"):
        there = jax.jit(_in_turn(scores, (0,)))(ARCHS[:3])
    for label in recipe.proxies:
        assert jax.tree.leaves(there[label])[0].shape == (3,)
        expected = [float(one[label]) for one in here]
        made = [float(jax.tree.map(lambda a, lane=lane: a[lane], there[label])) for lane in range(3)]
        np.testing.assert_allclose(made, expected, rtol=2e-4)


def test_other_images_share_the_program() -> None:
    other = scorer().with_batches((np.asarray(scorer().batches[0].inputs) + 1, np.asarray(scorer().batches[0].targets)))
    compilations = scorer().compilations
    assert other.one(ARCHS[0])["naswot"] != scorer().one(ARCHS[0])["naswot"]
    assert other.compilations == scorer().compilations == max(compilations, 1)
    with pytest.raises(JaxzcError, match="labels"):
        scorer().with_batches((np.zeros((4, 8, 8, 1), np.float32), np.zeros(3, int)))


def test_calls_hold_architectures_of_one_program(monkeypatch: pytest.MonkeyPatch) -> None:
    one = SPACE.program()
    monkeypatch.setattr(NasBench201, "program_keys", lambda space, archs: archs[:, [0, 2]])
    monkeypatch.setattr(NasBench201, "program", lambda space, key: one)
    archs = np.random.default_rng(2).integers(0, 2, (40, 6))
    calls = [call.places for call in scorer(lanes=3).dispatcher.calls(archs)]
    assert sorted(np.concatenate(calls)) == list(range(40))
    for places in calls:
        assert len(places) <= 3
        assert len(np.unique(archs[places][:, [0, 2]], axis=0)) == 1
    assert len(calls) <= 4 + 40 // 3


def test_devices_that_are_not_there() -> None:
    with pytest.raises(JaxzcError, match=r"^devices=3: this process has 1 \(cpu\): ask for 1 to 1; .*device_count=3 simulates them"):
        SpaceScorer(SPACE, scorer().batches, "l2_norm", devices=3)
    with pytest.raises(JaxzcError, match=r"^devices=0: "):
        mesh(0)
    assert jax.local_device_count() == 1


def test_a_space_is_scored_through_the_same_door() -> None:
    columns = score_space(SPACE, ARCHS, list(scorer().batches), "l2_norm,params", devices=1, chunk=2)
    np.testing.assert_allclose(columns["l2_norm"], as_array(scorer().many(ARCHS))[:, 1], rtol=1e-6)
