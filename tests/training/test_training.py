"""Training one architecture: parts against formulas, resumption, and an accuracy at the end."""

import contextlib
import io
import json
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from absl import logging

import jaxzc
from jaxzc.cli import main
from jaxzc.data import load
from jaxzc.data.loading import size
from jaxzc.training import Images, Settings, Trainer, augment, split
from jaxzc.training.checkpoints import checkpoints
from jaxzc.types import Batch, JaxzcError

SPACE: Any = jaxzc.space("nasbench201", classes=10, inputs=(8, 8, 1), channels=4, cells=1)
ARCH = SPACE.parse("|nor_conv_3x3~0|+|none~0|skip_connect~1|+|avg_pool_3x3~0|none~1|nor_conv_1x1~2|")


@pytest.fixture(scope="module")
def images():
    return split("digits", images=700)


@pytest.fixture(scope="module")
def trainer(images):
    return Trainer(SPACE, ARCH, images, Settings(epochs=5, batch_size=32, crop=1, flip=False))


def go(trainer, epochs, state=None):
    state, history = trainer.init() if state is None else state, []
    for _ in range(epochs):
        state, epoch = trainer.epoch(state)
        history.append(epoch)
    return state, history


@pytest.fixture(scope="module")
def trained(trainer):
    return go(trainer, 5)


def equal(a, b):
    for left, right in zip(jax.tree.leaves(a), jax.tree.leaves(b), strict=True):
        assert np.asarray(left).tobytes() == np.asarray(right).tobytes()


def test_it_learns(trained):
    _, history = trained
    # Guessing is right for 10 %; 140 images, so that the standard error is below 4 %.
    assert history[-1].test > 60
    assert history[-1].train > 60
    assert history[-1].loss < history[0].loss / 2


def test_resumed_is_uninterrupted(trainer, trained, tmp_path):
    state, history = go(trainer, 2)
    with checkpoints(tmp_path / "kept") as kept:
        assert kept.restore(trainer.init()) is None
        kept.save(state, history)
    with checkpoints(tmp_path / "kept") as kept:
        restored = kept.restore(trainer.init())
    assert restored is not None
    equal(restored[0], state)
    assert restored[1] == history
    rest, more = go(trainer, 3, restored[0])
    equal(rest, trained[0])
    assert history + more == trained[1]


def test_an_epoch_leaves_its_state_alone(trainer):
    state = trainer.init()
    before = [np.array(a) for a in jax.tree.leaves(state)]
    trainer.epoch(state)
    for array, copy in zip(jax.tree.leaves(state), before, strict=True):
        np.testing.assert_array_equal(array, copy)


def test_one_step_is_the_formula(images):
    """Without momentum, augmentation and decay: params - rate * gradient of the network in train mode."""
    small = Images(Batch(images.train.inputs[:16], images.train.targets[:16]), images.test, 10, images.digests)
    settings = Settings(epochs=1, batch_size=16, momentum=0, weight_decay=0, crop=0, flip=False, learning_rate=0.05, decay=0.25)
    trainer = Trainer(SPACE, ARCH, small, settings)
    start = trainer.init()
    end, epoch = trainer.epoch(start)
    network = SPACE.own_network(ARCH)

    def loss(params):
        logits = network.forward(params, jnp.asarray(small.train.inputs), norm="batch").outputs
        return optax.softmax_cross_entropy_with_integer_labels(logits, jnp.asarray(small.train.targets)).mean()

    value, slope = jax.jit(jax.value_and_grad(loss))(start.params)
    assert epoch.loss == pytest.approx(float(value), rel=1e-4)
    expected = jax.tree.map(lambda p, g: p - 0.05 * g, start.params, slope)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-3, atol=1e-5), end.params, expected)
    # The first normalisation follows the stem.
    stem = jax.lax.conv_general_dilated(
        jnp.asarray(small.train.inputs), start.params["stem"], (1, 1), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC")
    )
    np.testing.assert_allclose(end.statistics["stem_bn"]["mean"], 0.75 * stem.mean((0, 1, 2)), rtol=1e-3, atol=1e-5)
    np.testing.assert_allclose(end.statistics["stem_bn"]["var"], 0.25 + 0.75 * stem.var((0, 1, 2)), rtol=1e-3)


def test_a_test_image_does_not_depend_on_the_batch(trainer, trained, images):
    state, history = trained
    whole = trainer.logits(state, images.test.inputs[:32])
    mixed = trainer.logits(state, np.concatenate([images.test.inputs[:4], 9 * images.test.inputs[4:32]]))
    np.testing.assert_allclose(whole[:4], mixed[:4], rtol=1e-4, atol=1e-4)
    # 140 images are four batches and a part.
    one_by_one = [trainer.accuracy(state, Batch(images.test.inputs[k : k + 1], images.test.targets[k : k + 1])) for k in range(140)]
    assert np.mean(one_by_one) == pytest.approx(history[-1].test)


def test_a_space_without_modules_is_refused(images):
    class Bare:
        name, classes, inputs = "bare", SPACE.classes, SPACE.inputs

    with pytest.raises(JaxzcError, match=r"bare cannot be trained: .*space.module"):
        Trainer(Bare(), ARCH, images, Settings(batch_size=16))  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ["nasbench_nlp", "nasbench_asr", "flexibert"])
def test_a_space_of_another_task_is_refused_before_data_are_read(name: str) -> None:
    with pytest.raises(JaxzcError, match=rf"^{name} is no space of image classifiers, .*with nnx.Optimizer$"):
        jaxzc.train(name, "any", data="text:no such file@3", images=4)


def test_crop_and_flip_suit_the_images():
    def chosen(shape, source="", **own):
        settings = Settings(**own).suited(shape, source)
        return settings.crop, settings.flip

    assert chosen((32, 32, 3), "tfds:cifar10") == (4, True)  # NAS-Bench-201's recipe
    assert chosen((8, 8, 1), "digits") == (0, False)
    assert chosen((32, 32, 3), "digits") == chosen((32, 32, 3), "tfds:svhn_cropped") == (4, False)
    assert chosen((28, 28, 1), "tfds:kuzushiji") == (3, False)
    assert chosen((8, 8, 1), "digits", crop=1, flip=True) == (1, True)


def test_crop_and_flip():
    image = jnp.arange(1.0, 17).reshape(1, 4, 4, 1)
    many = jnp.tile(image, (200, 1, 1, 1))
    shifted = np.asarray(augment.crop(jax.random.key(0), many, 1))[..., 0]
    padded = np.pad(np.asarray(image)[0, :, :, 0], 1)
    windows = {padded[r : r + 4, c : c + 4].tobytes() for r in range(3) for c in range(3)}
    assert {s.tobytes() for s in shifted} == windows
    flipped = np.asarray(augment.flip(jax.random.key(1), many))
    mirrored = (flipped == np.asarray(image)[:, :, ::-1]).all((1, 2, 3))
    assert ((flipped == np.asarray(image)).all((1, 2, 3)) ^ mirrored).all()
    assert 60 < mirrored.sum() < 140  # binomial(200, 1/2): five standard deviations


def test_split(tmp_path):
    made = split("digits", images=100, fraction=0.3, seed=4)
    assert (len(made.train.targets), len(made.test.targets), made.classes) == (70, 30, 10)
    together = np.concatenate([made.test.inputs, made.train.inputs])
    np.testing.assert_array_equal(together, load("digits", batch_size=100, batches=1, seed=4).batches[0].inputs)
    rng = np.random.default_rng(0)
    np.savez(tmp_path / "a.npz", images=rng.random((12, 8, 8, 1), np.float32), labels=np.arange(12) % 10, classes=10)
    assert size(f"npz:{tmp_path / 'a.npz'}") == 12
    made = split("digits", test=f"npz:{tmp_path / 'a.npz'}")
    assert (len(made.train.targets), len(made.test.targets)) == (1797, 12)
    for call, word in (
        (lambda: split("normal"), "does not say how many images"),
        (lambda: split("digits", fraction=1.0), "between 0 and 1"),
        (lambda: split("digits", images=1), "leaves nothing"),
        (lambda: split("digits", test="normal"), "does not say"),
        (lambda: size("nothing"), "unknown data"),
    ):
        with pytest.raises(JaxzcError, match=word):
            call()


def test_trainer_refuses(images):
    with pytest.raises(JaxzcError, match="larger than the 560 training images"):
        Trainer(SPACE, ARCH, images, Settings(batch_size=561))
    other = jaxzc.space("nasbench201", classes=7, inputs=(8, 8, 1))
    with pytest.raises(JaxzcError, match="do not fit nasbench201"):
        Trainer(other, ARCH, images, Settings())


def train(*arguments):
    out, err = io.StringIO(), io.StringIO()
    verbosity = logging.get_verbosity()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            code = main(["train", "nasbench201", "--no-cache", "--quiet", *(str(a) for a in arguments)])
        except SystemExit as exit_:
            code = int(exit_.code or 0)
    logging.set_verbosity(verbosity)
    return code, out.getvalue(), err.getvalue()


SMALL = ("--set", "channels=2", "--set", "cells=1", "--images", 200, "--batch-size", 40, "--crop", 1, "--no-flip")


def test_command_interrupted_and_resumed(tmp_path, monkeypatch):
    text = "|skip_connect~0|+|none~0|skip_connect~1|+|none~0|none~1|nor_conv_1x1~2|"
    given = (text, *SMALL, "--epochs", 3)
    assert train(*given, "--out", tmp_path / "whole")[0] == 0
    epochs = iter(range(9))
    whole_epoch = Trainer.epoch

    def interrupted(self, *arguments):
        if next(epochs) == 1:
            raise KeyboardInterrupt
        return whole_epoch(self, *arguments)

    with monkeypatch.context() as patch:
        patch.setattr(Trainer, "epoch", interrupted)
        assert train(*given, "--out", tmp_path / "parts")[0] == 130
    code, out, err = train(*given, "--out", tmp_path / "parts")
    assert code == 0
    assert "going on after epoch 1" in err
    whole, parts = (json.loads((tmp_path / name / "result.json").read_text()) for name in ("whole", "parts"))
    assert whole == parts
    assert f"{text}: test accuracy {whole['test_accuracy']:.2f} % (40 images) after 3 epochs of 160 images" in out
    code, _, err = train(*given[:-1], 4, "--out", tmp_path / "parts")
    assert code == 2
    assert "holds a run with settings" in err


def test_mistakes_on_the_command_line(tmp_path):
    text = SPACE.to_string(ARCH)
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "file").write_text("")
    out = ("--out", tmp_path / "x")
    for arguments, word in (
        (("|none~0|", *out), "is no NAS-Bench-201 architecture"),
        ((text, "--out", tmp_path / "no" / "x"), "create it first"),
        ((text, *SMALL, "--out", tmp_path / "full"), "holds no training"),
        ((text, "--crop", -1, *out), "--crop -1"),
        ((text, "--crop", 8, *out), "out of sight"),
        ((text, "--learning-rate", "fast", *out), "'fast' is not a number"),
        ((text, "--held-out", 2, *out), "between 0 and 1"),
        ((text, "--data", "normal", *out), "does not say how many"),
        ((text, "--set", "cells", *out), "OPTION=VALUE"),
        ((text, "--images", 20, *out), "larger than the 16 training images"),
    ):
        code, printed, err = train(*arguments)
        assert (code, printed) == (2, "")
        assert len(err.strip().splitlines()) == 1
        assert word in err
