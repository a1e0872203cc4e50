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

import jaxzc
from jaxzc.jobs.about import metadata
from jaxzc.tables import write_scores
from jaxzc.types import InputSpec

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


class OfDoubtfulNorms(NasBench201):
    """A space that says of the weights, and of the number of parameters, that they tell nothing."""

    @property
    def doubts(self) -> dict[str, str]:
        return {"weights": "all have one norm", "active": "nothing is at rest"}


def test_a_space_s_doubts_stay_with_the_table_and_are_told_where_it_is_judged(tmp_path: Path) -> None:
    space = OfDoubtfulNorms(classes=10, inputs=InputSpec((8, 8, 3)), channels=2, cells=1)
    with pytest.warns(jaxzc.DoubtWarning, match="nasbench201: l2_norm: all have one norm"):
        merged = jaxzc.run_scoring(space, sample=4, proxies="l2_norm,params", batch_size=4, batches=1)
    told = metadata(merged)
    assert told["doubts"] == {"l2_norm": "all have one norm"}
    path = tmp_path / "scores.parquet"
    write_scores(path, merged.columns, told)
    truth = tmp_path / "truth.csv"
    truth.write_text("arch,accuracy\n" + "".join(f"{arch},{row}\n" for row, arch in enumerate(merged.columns["arch"])))
    evaluation = jaxzc.evaluate(path, truth, metric="accuracy", resamples=20)
    assert "l2_norm says little of these networks: all have one norm" in str(evaluation)
