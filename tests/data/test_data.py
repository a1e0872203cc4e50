"""Sources of batches: digits, noise and npz files."""

import builtins
import os
from pathlib import Path

import numpy as np
import pytest
from sklearn.datasets import load_digits

from jaxzc.data import digits, load
from jaxzc.data.loading import digest
from jaxzc.types import Batch, JaxzcError

SHARED = Path(os.environ.get("JAXZC_SHARED", Path(__file__).parents[2] / "../shared"))


def stacked(data) -> tuple[np.ndarray, np.ndarray]:
    return np.concatenate([batch.inputs for batch in data.batches]), np.concatenate([batch.targets for batch in data.batches])


def test_digits_are_those_of_scikit_learn_which_is_not_imported(monkeypatch):
    bunch = load_digits()
    imported = builtins.__import__

    def refusing(name, *others):
        assert not name.startswith("sklearn")
        return imported(name, *others)

    monkeypatch.setattr("builtins.__import__", refusing)
    images, labels = digits.read()
    np.testing.assert_array_equal(images, bunch.images)
    np.testing.assert_array_equal(labels, bunch.target)
    assert (images.dtype, labels.dtype, len(labels)) == (bunch.images.dtype, bunch.target.dtype, digits.COUNT)


def test_digits_without_scikit_learn(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(JaxzcError, match="scikit-learn, which is not installed: pip install scikit-learn"):
        load("digits", batch_size=4)


def test_digits_are_all_there_once_and_normalised():
    data = load("digits", batch_size=599, batches=3)
    images, labels = stacked(data)
    assert (images.shape, images.dtype, labels.dtype, data.classes) == ((1797, 8, 8, 1), np.float32, np.int32, 10)
    assert images.mean() == pytest.approx(0, abs=1e-5)
    assert images.std() == pytest.approx(1, abs=1e-5)
    raw, target = load_digits(return_X_y=True)
    order = np.random.default_rng(0).permutation(1797)
    np.testing.assert_array_equal(labels, target[order])
    np.testing.assert_allclose(images.reshape(1797, 64), (raw[order] - raw.mean()) / raw.std(), rtol=1e-5, atol=1e-6)


def test_digits_are_repeated_to_a_shape():
    small, large = load("digits", batch_size=4), load("digits", batch_size=4, shape=(16, 32, 3))
    images = large.batches[1].inputs
    assert images.shape == (4, 16, 32, 3)
    np.testing.assert_array_equal(images[:, 1::2, 3::4, 2], small.batches[1].inputs[..., 0])
    np.testing.assert_array_equal(images[:, ::2, ::4, :1], small.batches[1].inputs)
    assert large.notes.endswith("8x8x1 repeated to 16x32x3")


def test_normal_images():
    data = load("normal", batch_size=64, batches=2, shape=(4, 4, 2), classes=3)
    images, labels = stacked(data)
    assert (images.shape, images.dtype, labels.dtype, data.classes) == ((128, 4, 4, 2), np.float32, np.int32, 3)
    assert (abs(images.mean()) < 0.05, abs(images.std() - 1) < 0.05, sorted(set(labels.tolist()))) == (True, True, [0, 1, 2])
    default = load("normal", batch_size=2)
    assert (default.batches[0].inputs.shape, default.classes, default.name) == ((2, 32, 32, 3), 10, "normal")


@pytest.mark.parametrize("spec", ["digits", "normal"])
def test_a_batch_depends_on_the_seed_and_not_on_how_many_follow(spec):
    few, many = load(spec, batch_size=8, batches=1, seed=3), load(spec, batch_size=8, batches=3, seed=3)
    np.testing.assert_array_equal(few.batches[0].inputs, many.batches[0].inputs)
    np.testing.assert_array_equal(few.batches[0].targets, many.batches[0].targets)
    assert load(spec, batch_size=8, batches=3, seed=3).digest == many.digest
    assert len({few.digest, many.digest, load(spec, batch_size=8, batches=1, seed=4).digest}) == 3


def test_the_digest_sees_values_types_shapes_and_order():
    images, labels = np.zeros((2, 1), np.float32), np.array([0, 1], np.int32)
    variants = [
        [Batch(images, labels)],
        [Batch(images + 1, labels)],
        [Batch(images, labels[::-1])],
        [Batch(images.reshape(1, 2), labels)],
        [Batch(images.view(np.int32), labels)],
        [Batch(images, labels), Batch(images, labels)],
        [Batch(images)],
    ]
    digests = {digest(variant) for variant in variants}
    assert len(digests) == len(variants)
    assert all(len(text) == 16 and set(text) <= set("0123456789abcdef") for text in digests)


def save(path: Path, **arrays) -> str:
    np.savez(path, **arrays)
    return f"npz:{path}"


RNG = np.random.default_rng(0)
UINT8 = RNG.integers(0, 256, (6, 4, 4, 3), np.uint8)
LABELS = np.array([0, 1, 2, 0, 1, 2], np.uint8)


def test_npz_bytes_are_normalised_as_cifar10(tmp_path):
    data = load(save(tmp_path / "a.npz", images=UINT8, labels=LABELS), batch_size=3, seed=5)
    images, labels = stacked(data)
    order = np.random.default_rng(5).permutation(6)
    np.testing.assert_array_equal(labels, LABELS[order])
    expected = (UINT8[order] / 255 - [0.4914, 0.4822, 0.4465]) / [0.2023, 0.1994, 0.2010]
    np.testing.assert_allclose(images, expected, rtol=1e-5, atol=1e-6)
    assert (data.classes, data.notes) == (3, "mean and std of CIFAR-10")


def test_npz_statistics_of_the_file_win(tmp_path):
    spec = save(tmp_path / "a.npz", images=UINT8[..., :1], labels=LABELS, mean=[0.5], std=0.25, classes=4)
    data = load(spec, batch_size=6, batches=1, shape=(4, 4, 1), classes=4)
    expected = (UINT8[np.random.default_rng(0).permutation(6), :, :, :1] / 255 - 0.5) / 0.25
    np.testing.assert_allclose(data.batches[0].inputs, expected, rtol=1e-5, atol=1e-6)
    assert (data.classes, data.notes) == (4, "mean and std of the file")


def test_npz_floats_are_taken_as_they_are(tmp_path):
    images = RNG.normal(size=(6, 4, 4, 3))
    data = load(save(tmp_path / "a.npz", images=images, labels=LABELS, classes=["x", "y", "z"]), batch_size=6, batches=1)
    np.testing.assert_array_equal(data.batches[0].inputs, images[np.random.default_rng(0).permutation(6)].astype(np.float32))
    assert (data.batches[0].inputs.dtype, data.classes) == (np.float32, 3)
    assert load(save(tmp_path / "b.npz", images=images, labels=LABELS), batch_size=1, classes=7).classes == 7


@pytest.mark.parametrize(
    ("arrays", "asked", "message"),
    [
        ({"labels": LABELS}, {}, r"a\.npz has no array 'images' \(it has labels\): save it with images=, labels="),
        (
            {"images": UINT8[0], "labels": LABELS},
            {},
            r"images of .* are uint8 \[4, 4, 3\], expected uint8 or float \[N, H, W, C\]: convert",
        ),
        ({"images": UINT8.astype(int), "labels": LABELS}, {}, r"images of .* are int64 \[6, 4, 4, 3\], expected uint8 or float"),
        ({"images": UINT8, "labels": LABELS[:5]}, {}, r"labels of .* are uint8 \[5\], expected integers \[6\]: one per image"),
        ({"images": UINT8, "labels": LABELS / 2}, {}, r"labels of .* are float64 \[6\], expected integers \[6\]"),
        (
            {"images": UINT8, "labels": LABELS, "classes": 2},
            {},
            r"label 2 at index 2 of .* is out of range, expected 0 to 1: check the file",
        ),
        ({"images": UINT8, "labels": LABELS.astype(int) - 1}, {}, r"label -1 at index 0 of .* is out of range, expected 0 to 1"),
        (
            {"images": UINT8, "labels": LABELS, "classes": 2.5},
            {},
            r"classes of .* is float64 \[\], expected a whole number or a list of na",
        ),
        ({"images": UINT8[..., :2], "labels": LABELS}, {}, r"has uint8 images of 2 channels: add both arrays mean and std \[2\], on the"),
        ({"images": UINT8, "labels": LABELS, "mean": 0.5}, {}, r"has uint8 images of 3 channels: add both arrays mean and std \[3\]"),
        (
            {"images": UINT8, "labels": LABELS, "mean": [125.3] * 3, "std": 0.2},
            {},
            r"mean of .* is \[125.3, .*on the \[0, 1\] scale: divide by",
        ),
        ({"images": UINT8, "labels": LABELS, "mean": 0.5, "std": 0.0}, {}, r"std of .* is 0\.0, expected 3 numbers on the \[0, 1\] scale"),
        ({"images": np.full((6, 4, 4, 3), 1e300), "labels": LABELS}, {}, r"images of .* hold NaN or infinite values: clean the file"),
        ({"images": UINT8, "labels": LABELS}, {"batch_size": 4}, r"a\.npz has 6 images, 8 were asked for: lower batch_size or batches"),
        ({"images": UINT8, "labels": LABELS}, {"shape": (8, 8, 3)}, r"has images 4x4x3, expected 8x8x3: choose other data, or a space for"),
        ({"images": UINT8, "labels": LABELS, "classes": 3}, {"classes": 10}, r"has 3 classes, expected 10: choose other data, or a space"),
    ],
)
def test_npz_errors(tmp_path, arrays, asked, message):
    with pytest.raises(JaxzcError, match=message):
        load(save(tmp_path / "a.npz", **arrays), **{"batch_size": 2, **asked})


def test_npz_files_that_are_none(tmp_path):
    with pytest.raises(JaxzcError, match=r"there is no file .*no\.npz: check the path after 'npz:'"):
        load(f"npz:{tmp_path}/no.npz", batch_size=1)
    whole = Path(save(tmp_path / "a.npz", images=UINT8, labels=LABELS)[4:]).read_bytes()
    np.save(array := tmp_path / "one.npy", UINT8)
    pickled = save(tmp_path / "o.npz", images=np.array([None, 1]), labels=LABELS)[4:]
    for name, data in {"empty": b"", "text": b"hello", "half": whole[: len(whole) // 2], "npy": array.read_bytes()}.items():
        (tmp_path / name).write_bytes(data)
    for path in [*(tmp_path / name for name in ("empty", "text", "half", "npy")), pickled]:
        with pytest.raises(JaxzcError, match=r"cannot be read as npz \(.*\): save it with np\.savez\(path, images=\.\.\., labels=\.\.\.\)"):
            load(f"npz:{path}", batch_size=1)


@pytest.mark.parametrize(
    ("spec", "asked", "message"),
    [
        ("cifar10", {}, r"unknown data 'cifar10': choose one of digits, normal, FILE.npz, folder:PATH, tfds:NAME, text:FILE"),
        ("npz:", {}, r"unknown data 'npz:'"),
        ("digits:3", {}, r"unknown data 'digits:3'"),
        ("digits", {"batch_size": 0}, r"batch_size is 0, expected a whole number of at least 1"),
        ("digits", {"batches": 1.5}, r"batches is 1\.5, expected a whole number of at least 1"),
        ("digits", {"seed": -1}, r"seed is -1, expected a whole number of at least 0"),
        ("digits", {"batch_size": 1000}, r"digits has 1797 images, 2000 were asked for: lower batch_size or batches"),
        ("digits", {"shape": (32, 30, 3)}, r"digits are 8x8 and cannot become 32x30: ask for multiples of 8, or choose other data"),
        ("digits", {"classes": 100}, r"digits has 10 classes, expected 100: choose other data, or a space with as many classes"),
        ("normal", {"shape": (8, 8)}, r"shape is \(8, 8\), expected \(height, width, channels\) of at least 1 each"),
        ("normal", {"classes": 0}, r"classes is 0, expected at least 1"),
    ],
)
def test_wrong_requests(spec, asked, message):
    with pytest.raises(JaxzcError, match=message):
        load(spec, **{"batch_size": 2, **asked})


@pytest.mark.skipif(not (SHARED / "data/cifar10_sample.npz").is_file(), reason="reference data absent: set JAXZC_SHARED")
def test_real_cifar10():
    data = load(f"npz:{SHARED}/data/cifar10_sample.npz", batch_size=1500, shape=(32, 32, 3), classes=10)
    images, labels = stacked(data)
    np.testing.assert_array_equal(np.bincount(labels), [300] * 10)
    np.testing.assert_allclose(images.mean((0, 1, 2)), 0, atol=0.05)
