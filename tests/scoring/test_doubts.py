"""Scores that can be computed and may not be what they are taken for: a warning, at every call that it is true of."""

import warnings
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import linen as nn
from jaxzc_spaces.nasbench201 import NasBench201
from jaxzc_spaces.published import Published

import jaxzc
from jaxzc.jobs.about import metadata
from jaxzc.tables import write_scores
from jaxzc.types import Batch, InputSpec

X, Y = np.random.default_rng(0).normal(size=(6, 5)).astype(np.float32), np.array([0, 1, 2, 1, 0, 2])


class Normed(nn.Module):
    @nn.compact
    def __call__(self, x: Any, train: bool = True) -> Any:
        return nn.Dense(3)(nn.relu(nn.BatchNorm(use_running_average=not train)(nn.Dense(4)(x))))


class Frozen(nn.Module):
    @nn.compact
    def __call__(self, x: Any) -> Any:
        return nn.Dense(3)(nn.relu(nn.BatchNorm(use_running_average=True)(nn.Dense(4)(x))))


def perceptron(p: Any, x: Any) -> Any:
    return jnp.tanh(x @ p["w"]) @ p["head"]


def test_kernels_of_zeros_are_named_whichever_parameters_came_first() -> None:
    rng = np.random.default_rng(1)
    params = {"w": rng.normal(size=(5, 4)), "head": rng.normal(size=(4, 3))}
    params = jax.tree.map(np.float32, params)
    scorer = jaxzc.Scorer(perceptron, "snip,l2_norm")
    scorer.score(params, (X, Y))
    with pytest.warns(jaxzc.DoubtWarning, match="the kernel of head is all zeros"):
        zero = scorer.score({**params, "head": np.zeros((4, 3), np.float32)}, (X, Y))
    assert zero["snip"] == 0
    stacked = jax.tree.map(lambda a, b: np.stack([a, b]), params, {**params, "head": np.zeros((4, 3), np.float32)})
    with pytest.warns(jaxzc.DoubtWarning, match="the kernel of head is all zeros"):
        scorer.score_many(stacked, (X, Y), chunk=2)
    assert scorer.compilations == 2


@pytest.mark.parametrize("norm", ["batch", "init"])
def test_running_statistics_that_no_pass_reads_are_named(norm: Any) -> None:
    model = Normed()
    variables = model.init(jax.random.key(0), X)
    _, updated = model.apply(variables, X, mutable=["batch_stats"])
    scorer = jaxzc.Scorer(model, "grad_norm", norm=norm)
    fresh = scorer.score(variables, (X, Y))
    with pytest.warns(jaxzc.DoubtWarning, match="the running statistics are not those of an untrained network, and no pass reads them"):
        trained = scorer.score({**variables, **updated}, (X, Y))
    assert trained == fresh


def test_a_model_without_a_train_mode_has_two_ways_to_score_its_statistics() -> None:
    """Default: those of the batch, and a warning; the cures it names need no further word."""
    model = Frozen()
    variables = model.init(jax.random.key(0), X)
    params, drawn = variables["params"], {"BatchNorm_0": {"mean": np.full(4, 0.3, np.float32), "var": np.full(4, 2.0, np.float32)}}

    def right(statistics: Any) -> float:
        def loss(p: Any) -> Any:
            logits: Any = model.apply({"params": p, "batch_stats": statistics}, X)
            return -jnp.take_along_axis(jax.nn.log_softmax(logits), Y[:, None], 1).mean()

        return sum(float(jnp.linalg.norm(leaf)) for leaf in jax.tree.leaves(jax.grad(loss)(params)) if leaf.ndim > 1)

    with pytest.warns(jaxzc.DoubtWarning, match="the model has no argument for a train mode and normalises by stored statistics"):
        batch = jaxzc.score(model, variables, (X, Y), "grad_norm")
    normed = {"params": params, "batch_stats": variables["batch_stats"]}
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert batch == jaxzc.score(Normed(), normed, (X, Y), "grad_norm")
        initial = jaxzc.score(model, variables, (X, Y), "grad_norm", norm="init")
        own = jaxzc.score(lambda p, x, norm: model.apply({"params": p, "batch_stats": drawn}, x), params, (X, Y), "grad_norm")
    assert initial["grad_norm"] == pytest.approx(right(variables["batch_stats"]), rel=1e-5)
    assert own["grad_norm"] == pytest.approx(right(drawn), rel=1e-5)


def test_statistics_that_a_function_closes_over_are_named() -> None:
    model = Normed()
    variables = model.init(jax.random.key(0), X)
    _, updated = model.apply(variables, X, mutable=["batch_stats"])
    for statistics, doubtful in ((variables["batch_stats"], False), (updated["batch_stats"], True)):
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            jaxzc.score(
                lambda p, x, statistics=statistics: model.apply({"params": p, "batch_stats": statistics}, x, False),
                variables["params"],
                (X, Y),
                "l2_norm",
            )
        assert [issubclass(one.category, jaxzc.DoubtWarning) for one in caught] == [True] * doubtful


CONVOLUTION = "|nor_conv_3x3~0|+|none~0|none~1|+|none~0|none~1|none~2|"
POOLED = "|avg_pool_3x3~0|+|none~0|none~1|+|none~0|none~1|none~2|"


class OfDoubtfulNorms(NasBench201):
    """A space that says of the weights of cells with a pool, and of what is active in all, that they tell nothing."""

    def doubts(self, archs: np.ndarray) -> dict[str, str]:
        pooled = any("avg_pool" in self.to_string(arch) for arch in archs)
        return {**({"weights": "cells with a pool have one norm"} if pooled else {}), "active": "nothing is at rest"}


SPACE = OfDoubtfulNorms(classes=10, inputs=InputSpec((8, 8, 3)), channels=2, cells=1)


def test_a_space_s_doubts_stay_with_the_table_and_are_told_where_it_is_judged(tmp_path: Path) -> None:
    with pytest.warns(jaxzc.DoubtWarning, match="nasbench201: l2_norm: cells with a pool have one norm"):
        merged = jaxzc.run_scoring(SPACE, [CONVOLUTION, POOLED], proxies="l2_norm,params", batch_size=4, batches=1)
    told = metadata(merged)
    assert told["doubts"] == {"l2_norm": "cells with a pool have one norm"}
    path = tmp_path / "scores.parquet"
    write_scores(path, merged.columns, told)
    truth = tmp_path / "truth.csv"
    truth.write_text("arch,accuracy\n" + "".join(f"{arch},{row}\n" for row, arch in enumerate(merged.columns["arch"])))
    evaluation = jaxzc.evaluate(path, truth, metric="accuracy", resamples=20)
    assert "l2_norm is in doubt: cells with a pool have one norm" in str(evaluation)


def test_networks_that_a_space_does_not_doubt_are_scored_without_a_word() -> None:
    merged = jaxzc.run_scoring(SPACE, [CONVOLUTION], proxies="l2_norm,params", batch_size=4, batches=1)
    assert "doubts" not in metadata(merged)


def test_a_scorer_warns_of_the_first_doubtful_network_once() -> None:
    images = Batch(np.zeros((2, 8, 8, 3), np.float32), np.zeros(2, np.int32))
    scorer = jaxzc.SpaceScorer(SPACE, [images], "l2_norm")
    clear, doubtful = SPACE.parse(CONVOLUTION), SPACE.parse(POOLED)
    scorer.one(clear)
    with pytest.warns(jaxzc.DoubtWarning, match="nasbench201: l2_norm: cells with a pool have one norm"):
        scorer.many(np.stack([clear, doubtful]))
    scorer.one(doubtful)
    scorer.with_batches([images]).many(doubtful)


def test_published_networks_without_relu6_are_not_doubted() -> None:
    """Those of which synflow says nothing are all with ReLU6 and no others."""
    space = Published(classes=10, inputs=InputSpec((32, 32, 3)))
    doubted = [space.to_string(arch) for arch in space.enumerate() if space.doubts(arch[None])]
    assert doubted == [f"mobilenetv2{kind}_{width}" for kind in ("", "b") for width in ("wd4", "wd2", "w3d4", "w1")]
    assert space.doubts(space.enumerate()).keys() == {"synflow_grads"}
