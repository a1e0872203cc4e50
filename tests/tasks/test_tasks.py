"""Tasks: which one is chosen, what its loss is, and what is said where nothing fits."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxzc.tasks import (
    Task,
    as_task,
    classification,
    cross_entropy,
    ctc,
    ctc_per_frame,
    kind_of,
    multilabel,
    named_task,
    next_token,
    regression,
)
from jaxzc.tasks.checks import check_targets, loss_of, with_targets
from jaxzc.tasks.losses import token_cross_entropy
from jaxzc.tasks.task import mean_readout, shifted
from jaxzc.types import Batch, JaxzcError

RNG = np.random.default_rng(0)


def outputs(*shape: int) -> jax.ShapeDtypeStruct:
    return jax.ShapeDtypeStruct(shape, jnp.float32)


@pytest.mark.parametrize(
    ("shape", "targets", "task"),
    [
        ((4, 3), np.array([0, 1, 2, 0]), classification),
        ((4, 3), np.array([[0], [1], [2], [0]]), classification),
        ((4, 5, 3), np.zeros((4, 5), int), classification),
        ((4, 2, 2, 3), np.zeros((4, 2, 2), int), classification),
        ((4, 3), RNG.normal(size=(4, 3)), regression),
        ((4,), RNG.normal(size=4), regression),
        ((4, 1), RNG.normal(size=4), regression),
        ((4,), RNG.normal(size=(4, 1)), regression),
        ((4, 3), np.array([[0, 1, 1], [0, 0, 0], [1, 1, 1], [1, 0, 0]]), multilabel),
        ((4, 1), np.array([True, False, True, True]), multilabel),
        ((4, 3), None, classification),
    ],
)
def test_what_shapes_and_dtypes_say(shape: tuple[int, ...], targets: Any, task: Task) -> None:
    assert as_task(None, outputs(*shape), targets) is task


@pytest.mark.parametrize(
    ("given", "targets", "message"),
    [
        (
            outputs(4, 3),
            np.eye(3, dtype=int)[[0, 1, 2, 0]],
            r"may be classification .*multilabel or regression: give task='classification'",
        ),
        (outputs(4, 3), np.eye(3)[[0, 1, 2, 0]], r"may be classification"),
        (outputs(4, 1), np.array([0, 1, 1, 0]), r"may be multilabel \(yes or no\) or regression"),
        (outputs(4), np.array([3, 1, 7, 2]), r"may be multilabel \(yes or no\) or regression"),
        (outputs(4, 3), RNG.normal(size=(4, 2)), r"float32 \[4, 3\] and targets float64 \[4, 2\] belong to no ready-made task"),
        (outputs(4, 3), np.zeros(3, int), r"give one target for each example"),
        (
            (outputs(4, 3), outputs(4, 1)),
            np.zeros(4, int),
            r"the network returns a tuple of float32 \[4, 3\], float32 \[4, 1\]: give loss=",
        ),
        (outputs(4, 3), {"boxes": np.zeros((4, 2))}, r"the targets are a dict of float64 \[4, 2\]: give loss="),
    ],
)
def test_what_is_not_clear_is_asked_where_a_loss_is_needed(given: Any, targets: Any, message: str) -> None:
    task = as_task(None, given, targets)
    with pytest.raises(JaxzcError, match=message):
        loss_of(task, given, targets)
    assert "argmax" not in message


def test_a_task_by_name_or_loss() -> None:
    def own(out: Any, target: Any) -> Any:
        return out.sum()

    assert named_task(None, "regression") is regression
    assert named_task(None, None) is None
    named = named_task(own, None)
    assert named is not None
    assert named.loss is own
    with pytest.raises(JaxzcError, match=r"task='detection' is none of classification, regression, multilabel, next_token, ctc"):
        named_task(None, "detection")
    with pytest.raises(JaxzcError, match="loss and task are both given"):
        named_task(own, "regression")
    assert kind_of(np.array([[0, 1], [1, 0]])) == (True, True)
    assert kind_of(np.array([0.5, 2])) == (False, False)
    assert kind_of(None) == ()


def test_losses_by_hand() -> None:
    z, labels = RNG.normal(size=(4, 3)).astype(np.float32), np.array([0, 2, 1, 1])
    log_p = z - np.log(np.exp(z).sum(1, keepdims=True))
    expected = -log_p[np.arange(4), labels].mean()
    for targets in (labels, labels[:, None], np.eye(3)[labels]):
        assert float(cross_entropy(z, targets)) == pytest.approx(expected, rel=1e-6)
    t = RNG.normal(size=4).astype(np.float32)
    assert float(regression.loss(z[:, :1], t)) == pytest.approx(np.square(z[:, 0] - t).mean(), rel=1e-6)  # and not [4, 4] by broadcasting
    with pytest.raises(JaxzcError, match=r"compares outputs and targets of one shape, got \[4, 3\] and \[4\]"):
        regression.loss(z, t)
    bits = np.array([[0, 1, 1]] * 4)
    logistic = np.log1p(np.exp(-z)) * bits + np.log1p(np.exp(z)) * (1 - bits)
    assert float(multilabel.loss(z, bits)) == pytest.approx(logistic.mean(), rel=1e-6)
    assert float(cross_entropy(jnp.asarray(z, jnp.float16), labels)) == pytest.approx(expected, rel=1e-2)
    with pytest.raises(JaxzcError, match=r"targets are int64 \[2\]|targets are int32 \[2\]"):
        cross_entropy(z, labels[:2])


def test_next_token() -> None:
    tokens = np.array([[1, 2, 0], [2, 2, 1]])
    z = RNG.normal(size=(2, 3, 3)).astype(np.float32)
    batch = with_targets(next_token, Batch({"tokens": tokens, "length": np.array([3.0, 3.0])}))
    np.testing.assert_array_equal(batch.targets, [[2, 0, -1], [2, 1, -1]])
    assert float(next_token.loss(z, batch.targets)) == pytest.approx(float(cross_entropy(z[:, :-1], tokens[:, 1:])), rel=1e-6)
    assert float(token_cross_entropy(z, np.full((2, 3), -1))) == 0
    with pytest.raises(JaxzcError, match="the targets of next_token are the inputs themselves"):
        check_targets(next_token, outputs(2, 3, 3), [Batch(tokens, tokens.copy())])
    with pytest.raises(JaxzcError, match=r"takes them from integer inputs \[N, T\], and the inputs are float32 \[2, 3, 3\]"):
        shifted(z)


def test_ctc_of_one_frame_for_each_symbol() -> None:
    z = RNG.normal(size=(1, 2, 3)).astype(np.float32)
    log_p = z - np.log(np.exp(z).sum(-1, keepdims=True))
    both = -(log_p[0, 0, 1] + log_p[0, 1, 2])  # two different symbols in two frames: one alignment
    loss = jax.jit(ctc.loss)
    for targets in (np.array([[1, 2]]), np.array([[1, 2, 0]]), (np.array([[1, 2, 2]]), np.array([2]))):
        assert float(loss(z, targets)) == pytest.approx(both, rel=1e-5)
    longer = np.concatenate([z, z], axis=1)
    for given, targets in (((longer, np.array([2])), np.array([[1, 2]])), (longer, (np.array([[1, 2]]), np.array([2]), np.array([2])))):
        assert float(loss(given, targets)) == pytest.approx(both, rel=1e-5)
    with pytest.raises(JaxzcError, match=r"ctc compares logits \[N, T, symbols\] with symbols \[N, L\], got \[1, 2, 3\] and \[2\]"):
        ctc.loss(z, np.array([1, 2]))


def test_ctc_by_frames_is_zero_where_these_are_too_few() -> None:
    """Of one symbol twice, which takes a blank between: three frames, not two; two symbols take two."""
    z = RNG.normal(size=(3, 4, 3)).astype(np.float32)
    symbols, frames = np.array([[1, 1, 0], [1, 1, 0], [1, 2, 0]]), np.array([3, 2, 2])
    loss = jax.jit(ctc.loss)
    each = [float(loss(z[k : k + 1], (symbols[k : k + 1], None, frames[k : k + 1]))) / frames[k] for k in (0, 2)]
    value, slopes = jax.jit(jax.value_and_grad(ctc_per_frame.loss))(z, (symbols, None, frames))
    assert float(value) == pytest.approx(sum(each) / 3, rel=1e-5)
    assert np.isfinite(slopes).all()
    assert not slopes[1].any()


def test_readout() -> None:
    z = RNG.normal(size=(4, 2, 5, 3)).astype(np.float32)
    np.testing.assert_array_equal(mean_readout(z[:, 0, 0]), z[:, 0, 0])
    np.testing.assert_allclose(mean_readout(z), z.mean((1, 2)), rtol=1e-6)
    assert mean_readout({"a": z, "b": z[:, 0, 0, 0], "n": np.arange(4)}).shape == (4, 4)
    assert float(classification.total({"a": z, "n": np.arange(4)})) == pytest.approx(z.sum(), rel=1e-4)
    last = Task(lambda out, _: out[0], lambda out: out[1])
    assert float(last.total((z, z[:, 0, 0]))) == pytest.approx(z[:, 0, 0].sum(), rel=1e-5)
    with pytest.raises(JaxzcError, match=r"which is no \[N, k\]: give a task with readout="):
        mean_readout((z, z.sum()))


def test_labels_that_say_little() -> None:
    shape, x = outputs(6, 3), np.zeros((6, 2), np.float32)

    def check(labels: Any) -> None:
        check_targets(classification, shape, [Batch(x, np.array(labels))], warns=True)

    check([0, 1, 2, 0, 1, 2])
    with pytest.warns(UserWarning, match="all 6 labels are class 1"):
        check([1] * 6)
    with pytest.warns(UserWarning, match="every class but 0 occurs .* numbered from 1, subtract 1"):
        check([1, 2, 1, 2, 1, 2])
    with pytest.raises(JaxzcError, match=r"label 3 at index 5 is out of range, expected 0 to 2 \(3 classes\)"):
        check([0, 0, 0, 0, 0, 3])
    with pytest.raises(JaxzcError, match="rows of probabilities in classification, and one sums to 2"):
        check([[1, 1, 0]] * 6)
