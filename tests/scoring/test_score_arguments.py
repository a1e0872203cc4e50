"""What `jaxzc.score` takes as batches, losses and proxies, and one sentence for what it does not."""

import math
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxzc
from jaxzc.scoring.batches import as_batches
from jaxzc.scoring.results import to_float
from jaxzc.tasks import Task
from jaxzc.types import Batch, JaxzcError, Scaled
from tests.support.one_matrix import FLAT, WEIGHTS, assert_alike, matrix, rectified


def test_labels_are_asked_for_only_where_they_are_needed() -> None:
    free = ["naswot", "jacob_cov", "synflow", "l2_norm", "lnwot", "tcet_synflow", "params"]
    made = jaxzc.score(rectified, WEIGHTS, (FLAT[0], None), free)
    assert_alike(made, jaxzc.score(rectified, WEIGHTS, FLAT, free), 1e-6)
    with pytest.raises(JaxzcError, match=r"^snip: needs labels, and the batch has none"):
        jaxzc.score(rectified, WEIGHTS, (FLAT[0], None), ["naswot", "snip", "jacob_cov"], unavailable="error")
    with pytest.raises(JaxzcError, match=r"^grad_norm, snip, grasp, fisher, plain, .*: needs labels"):
        jaxzc.score(rectified, WEIGHTS, Batch(FLAT[0]), unavailable="error")


def test_zico_needs_two_batches() -> None:
    for batch in (FLAT, [FLAT]):
        with pytest.raises(JaxzcError, match=r"^zico, sweet_zico: needs the gradients of at least 2 batches and got 1: give a list"):
            jaxzc.score(matrix, WEIGHTS, batch, ["snip", "zico", "sweet_zico"], unavailable="error")


def test_every_form_of_a_batch_has_the_same_scores() -> None:
    pair, batch = FLAT, Batch(*FLAT)
    for form in (pair, batch, [pair], (batch,), [batch]):
        assert len(as_batches(form)) == 1
    for form in ([pair, pair], (batch, batch), (pair, batch), [batch, pair]):
        assert len(as_batches(form)) == 2
    mistakes: list[Any] = [[], (), FLAT[0], [*FLAT], {"images": 1}, (1, 2, 3), None]
    for wrong in mistakes:
        with pytest.raises(JaxzcError, match=r"^batch is a .*: expected \(inputs, targets\), or a list of such pairs"):
            as_batches(wrong)
    expected = jaxzc.score(matrix, WEIGHTS, FLAT, "snip")
    lists: Any = (FLAT[0].tolist(), FLAT[1].tolist())
    for same in (lists, (FLAT[0].astype(np.float64), FLAT[1].astype(np.uint8)), (jnp.asarray(FLAT[0]), jnp.asarray(FLAT[1]))):
        assert jaxzc.score(matrix, WEIGHTS, same, "snip") == expected


X, Y = FLAT


@pytest.mark.parametrize(
    ("batch", "message"),
    [
        ((X, Y[:3]), r"^snip, zico: the batch has outputs float32 \[5, 5\] and targets int32 \[3\]: give one target for each example"),
        ((X, np.eye(5, dtype=int)), r"^snip, zico: outputs .* may be classification .*: give task='classification', 'multilabel' or"),
        ((X, Y.astype(float)), r"^snip, zico: outputs float32 \[5, 5\] and targets float32 \[5\] belong to no ready-made task"),
        ((X, Y - 1), r"label -1 at index 0 is out of range"),
        ((X, Y + 1), r"label 5 at index 4 is out of range, expected 0 to 4 \(5 classes\)"),
        ((np.where(X > 0, X, np.nan), Y), r"input values are NaN or infinite"),
        ((X.astype(object), Y), r"the inputs hold object \[5, 6\], expected arrays of real numbers"),
        ((np.zeros((5, 2, 2, 3), np.uint8), Y), r"the images are uint8 \[5, 2, 2, 3\], expected normalised floats"),
        ((X[:0], Y[:0]), r"the batch is empty"),
        (({"a": X, "b": X[:2]}, Y), r"the inputs have shapes \[5, 6\], \[2, 6\], expected arrays that share a leading axis N"),
        ([(X, Y), (X[:3], Y[:3]), (X, Y)], r"inputs of different shapes \(5, 6\), \(3, 6\), \(5, 6\): give batches of one shape"),
    ],
)
def test_unusable_batches_are_explained(batch: Any, message: str) -> None:
    with pytest.raises(JaxzcError, match=message):
        jaxzc.score(matrix, WEIGHTS, batch, "snip,zico", unavailable="error")


def test_a_loss_of_your_own_returns_one_number() -> None:
    def hinge(logits: Any, labels: Any) -> Any:
        return jnp.maximum(1 - logits[:, 0] * (2 * (labels > 2) - 1), 0).mean()

    def each(logits: Any, labels: Any) -> Any:
        return jnp.square(logits - labels[:, None]).sum(1)

    binary = {"w": WEIGHTS["w"][:, :1]}  # classes that are no index of a logit are fine where the loss knows them
    assert jaxzc.score(matrix, binary, FLAT, "snip", task=Task(hinge))["snip"] > 0
    with pytest.raises(
        JaxzcError, match=r"^snip: loss\(outputs, targets\) returned an array of shape \(5,\): expected one number, such as the mean"
    ):
        jaxzc.score(matrix, WEIGHTS, FLAT, "snip", loss=each, unavailable="error")


def test_proxies_of_your_own_are_scored_beside_others() -> None:
    def largest(loss_grads: Any, weights: Any, *, power: float = 1.0) -> Any:
        return sum((jnp.abs(g).max() ** power for g in loss_grads), jnp.zeros(())) + 0 * weights[0].sum()

    def broken(logits: Any) -> Any:
        return jnp.log(-1 - logits.sum() ** 2)

    made = jaxzc.score(
        matrix,
        WEIGHTS,
        FLAT,
        {
            "mine": largest,
            "n": lambda: 3,
            "nan": broken,
            "per": lambda counts: counts.flops / counts.params,
            "both": lambda logits, counts: 0 * logits.sum() + counts.layers,
            "big": lambda: Scaled(0.5, 2000),
        },
    )
    gradient = jax.grad(lambda w: jaxzc.cross_entropy(X @ w, jnp.asarray(Y)))(WEIGHTS["w"])
    assert made["mine"] == pytest.approx(float(jnp.abs(gradient).max()), rel=1e-5)
    assert (made["n"], made["per"], made["both"], made["big"]) == (3, 1, 1, math.inf)
    assert math.isnan(made["nan"])
    assert list(jaxzc.score(matrix, WEIGHTS, FLAT, [largest, "l2_norm"])) == ["largest", "l2_norm"]


@pytest.mark.parametrize(
    ("proxy", "message"),
    [
        (
            lambda gradients: 1,
            r"proxy 'mine' asks for an ingredient 'gradients', which does not exist; known ingredients: activation_grads, ",
        ),
        (lambda logits: logits, r"^mine: a proxy returned an array of shape \(5, 5\): expected one number"),
        (lambda logits: None, r"^mine: a proxy returned None: expected one number"),
        (3, r"proxy 'mine' is a int: expected a name or a function"),
        ("snipp", r"unknown proxy 'snipp'.*did you mean 'snip'\?"),
        ("zico(std_of='std')", r"^mine: std_of='std': expected 'signed'"),
    ],
)
def test_unusable_proxies_are_explained(proxy: Any, message: str) -> None:
    with pytest.raises(JaxzcError, match=message):
        jaxzc.score(matrix, WEIGHTS, [FLAT, FLAT], {"l2_norm": "l2_norm", "mine": proxy}, unavailable="error")


def test_broken_weights_give_nan_and_not_an_error() -> None:
    broken = {"w": WEIGHTS["w"].at[0, 0].set(jnp.nan)}
    made = jaxzc.score(rectified, broken, [FLAT, FLAT], "grad_norm,snip,grasp,fisher,jacob_cov,synflow,l2_norm,zico,tcet_snip,snr_snip")
    assert [name for name, value in made.items() if not math.isnan(value)] == []


def test_finished_scores_are_floats_and_nothing_else() -> None:
    assert to_float(jnp.float32(0.1)) == float(np.float32(0.1))
    assert to_float(np.array([[2**40 + 1]])) == 2**40 + 1
    assert to_float(Scaled(jnp.float32(0.75), jnp.int32(200))) == 0.75 * 2.0**200
    assert (to_float(True), to_float(-math.inf), to_float(jnp.bfloat16(2.5))) == (1.0, -math.inf, 2.5)
    for wrong in (np.zeros(2), "text", 1j, {"a": 1}):
        with pytest.raises(JaxzcError, match=r"a proxy returned .*: expected one number"):
            to_float(wrong)  # pyright: ignore[reportArgumentType]
