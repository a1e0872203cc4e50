"""`jaxzc.Scorer`: sets of parameters and seeds at once, programs kept, memory told."""

from typing import Any

import jax
import jax.monitoring
import jax.numpy as jnp
import pytest
from flax import nnx

import jaxzc
from jaxzc.types import JaxzcError
from tests.support.one_matrix import rectified
from tests.support.scored_models import BATCH, NNX, SETS, STACKED, Linen, X, Y, snip


def test_a_scorer_compiles_for_each_shape_and_equals_score() -> None:
    scorer = jaxzc.Scorer(rectified, "snip,naswot,params")
    assert scorer.compilations == scorer.memory == 0
    scores = [scorer.score(params, BATCH, seed) for seed, params in enumerate(SETS)]
    assert scores == [jaxzc.score(rectified, params, BATCH, "snip,naswot,params") for params in SETS]
    assert scorer.compilations == 1
    assert scorer.memory_of(SETS[0], BATCH) == scorer.memory > X.nbytes
    scorer.score(SETS[0], (X[:2], Y[:2]))
    assert scorer.compilations == 2
    assert list(scores[0]) == scorer.proxies == ["snip", "naswot", "params"]
    assert jaxzc.Scorer(rectified, "params,layers").score(SETS[0], BATCH) == {"params": 18, "layers": 1}


@pytest.mark.parametrize("chunk", [None, 2, 3])
def test_many_parameter_sets_and_many_seeds_have_the_scores_of_each(chunk: int | None) -> None:
    scorer = jaxzc.Scorer(rectified, SEEDED)
    single = [scorer.score(params, BATCH, seed) for params, seed in zip(SETS, (5, 6, 7), strict=True)]
    many = scorer.score_many(STACKED, BATCH, [5, 6, 7], chunk=chunk)
    for one, other in zip(single, many, strict=True):
        assert other == pytest.approx(one, rel=1e-5)
    assert scorer.compilations == (1 if chunk is None else 2)
    seeds = scorer.score_many(SETS[0], BATCH, (5, 6), stacked=False, chunk=chunk)
    assert seeds[0] == pytest.approx(single[0], rel=1e-5)
    assert seeds[0]["drawn"] != seeds[1]["drawn"]
    assert seeds[0]["snip"] == pytest.approx(seeds[1]["snip"])


SEEDED = {"snip": "snip", "synflow": "synflow", "params": "params", "drawn": lambda key: jax.random.normal(key)}


def test_parameter_sets_of_modules_have_the_scores_of_each() -> None:
    keys = jax.random.split(jax.random.key(0), 2)
    variables = jax.vmap(lambda key: Linen().init(key, X))(keys)
    many = jaxzc.Scorer(Linen(), "snip").score_many(variables, BATCH)
    assert [s["snip"] for s in many] == [pytest.approx(snip(Linen(), jax.tree.map(lambda v, i=i: v[i], variables))) for i in range(2)]

    models = [NNX(nnx.Rngs(i)) for i in range(2)]
    states = [nnx.state(model, nnx.Param) for model in models]
    stacked = jax.tree.map(lambda *leaves: jnp.stack(leaves), *states)
    many = jaxzc.Scorer(models[0], "snip").score_many(stacked, BATCH)
    assert [s["snip"] for s in many] == [pytest.approx(snip(model)) for model in models]


def test_unusable_stacks_are_explained() -> None:
    scorer = jaxzc.Scorer(rectified, "snip")
    cases: list[tuple[Any, str]] = [
        (((SETS[0]["w"], jnp.ones(2)), BATCH), r"^stacked parameters have a leading axis of one size .*\[2, 6\].*stacked=False"),
        ((STACKED, BATCH, [1, 2]), r"^2 seeds for 3 stacked parameter sets: give one seed for all, or 3"),
    ]
    for arguments, message in cases:
        with pytest.raises(JaxzcError, match=message):
            scorer.score_many(*arguments)
    with pytest.raises(JaxzcError, match=r"^stacked=False scores one set of parameters with several seeds"):
        scorer.score_many(SETS[0], BATCH, stacked=False)
    with pytest.raises(JaxzcError, match=r"^chunk=0: expected how many networks are scored at a time, at least 1"):
        scorer.score_many(STACKED, BATCH, chunk=0)


def test_programs_used_longest_ago_go_first() -> None:
    scorer = jaxzc.Scorer(rectified, "l2_norm")
    scorer._recent.most = 2
    for size in (1, 2, 3, 2, 1):
        scorer.score(SETS[0], (X[:size], Y[:size]))
    assert scorer.compilations == 4


def test_memory_that_is_not_there_is_a_sentence() -> None:
    def huge(params: Any, x: Any) -> Any:  # sorts more bytes than a process can address
        many = (x @ params["w"])[:, None, :1] + jnp.arange(10**7, dtype=jnp.float32)
        return x @ params["w"] + jnp.sort(jnp.broadcast_to(many, (4, 10**9, 10**7)), axis=1).max()

    scorer = jaxzc.Scorer(huge, {"sum": lambda logits: logits.sum()})
    assert scorer.memory_of(SETS[0], BATCH) > 10**17
    advice = "give a batch of fewer than 4 examples, or fewer proxies"
    sentence = rf"^the program plans \d+.00 GB, which do not fit into memory \(.*\): {advice}$"
    with pytest.raises(JaxzcError, match=sentence):
        scorer.score(SETS[0], BATCH)


def test_shapes_alone_give_counts() -> None:
    shapes = jax.eval_shape(Linen().init, jax.random.key(0), X)
    assert jaxzc.score(Linen(), shapes, BATCH, "params,flops") == {"params": 28 + 8 + 15, "flops": 24 + 12}
    with pytest.raises(JaxzcError, match=r"^params are shapes without values, which give params, flops and layers only"):
        jaxzc.score(Linen(), shapes, BATCH, "params,snip")
