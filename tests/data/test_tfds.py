"""Data sets in the format of tensorflow-datasets, written here without TensorFlow."""

import io
from pathlib import Path

import numpy as np
import pytest

from jaxzc.data import load
from jaxzc.types import JaxzcError

RNG = np.random.default_rng(0)


def stacked(data) -> tuple[np.ndarray, np.ndarray]:
    return np.concatenate([batch.inputs for batch in data.batches]), np.concatenate([batch.targets for batch in data.batches])


def prepare(
    root: Path,
    name: str,
    images: np.ndarray,
    labels: np.ndarray,
    classes: int,
    form: str = "array_record",
    split: str = "train",
    key: str = "label",
) -> None:
    """Writes one split as tfds does, without TensorFlow: NAME or NAME/CONFIG, and its version."""
    import tensorflow_datasets as tfds
    from array_record.python.array_record_module import ArrayRecordWriter
    from etils import epath
    from PIL import Image

    base, folder = name.split("/")[0], root / name
    folder.mkdir(parents=True)
    shape = images.shape[1:] if images.dtype == np.uint8 else (None, None, 3)
    features = tfds.features.FeaturesDict({"image": tfds.features.Image(shape=shape), key: tfds.features.ClassLabel(num_classes=classes)})
    writer = ArrayRecordWriter(str(folder / f"{base}-{split}.{form}-00000-of-00001"), "group_size:1")
    for image, label in zip(images, labels, strict=True):
        Image.fromarray(image.squeeze()).save(png := io.BytesIO(), "png")
        writer.write(features.serialize_example({"image": png.getvalue(), key: int(label)}))
    writer.close()
    template = tfds.core.ShardedFileTemplate(data_dir=epath.Path(folder), dataset_name=base, split=split, filetype_suffix=form)
    info = tfds.core.SplitInfo(name=split, shard_lengths=[len(images)], num_bytes=0, filename_template=template)
    tfds.folder_dataset.write_metadata(data_dir=folder, features=features, split_infos=[info], filename_template=template, check_data=False)


@pytest.fixture
def tfds_dir(tmp_path, monkeypatch) -> Path:
    pytest.importorskip("array_record", reason="array_record is not installed: tfds data sets are not readable here")
    monkeypatch.setenv("TFDS_DATA_DIR", str(tmp_path))
    return tmp_path


@pytest.mark.parametrize(
    ("name", "classes", "mean", "std"),
    [
        ("cifar10", 10, [0.4914, 0.4822, 0.4465], [0.2023, 0.1994, 0.2010]),
        ("cifar100", 100, [0.5071, 0.4865, 0.4409], [0.2673, 0.2564, 0.2762]),
    ],
)
def test_tfds_cifar(tfds_dir, name, classes, mean, std):
    images, labels = RNG.integers(0, 256, (20, 32, 32, 3), np.uint8), RNG.integers(0, classes, 20)
    prepare(tfds_dir, f"{name}/3.0.2", images, labels, classes)
    data = load(f"tfds:{name}", batch_size=5, batches=3, seed=1, shape=(32, 32, 3), classes=classes)
    order = np.random.default_rng(1).permutation(20)[:15]
    drawn, drawn_labels = stacked(data)
    np.testing.assert_array_equal(drawn_labels, labels[order])
    np.testing.assert_allclose(drawn, (images[order] / 255 - mean) / std, rtol=1e-5, atol=1e-5)
    assert (data.name, data.classes, drawn.dtype, drawn_labels.dtype) == (f"tfds:{name}", classes, np.float32, np.int32)
    assert data.notes == f"train split; mean and std of {name.upper().replace('R1', 'R-1')}"


def test_tfds_imagenet16_keeps_120_classes(tfds_dir):
    images, labels = RNG.integers(0, 256, (40, 16, 16, 3), np.uint8), RNG.permutation(np.arange(100, 140))
    prepare(tfds_dir, "imagenet_resized/16x16/0.1.0", images, labels, 1000)
    data = load("tfds:imagenet_resized/16x16", batch_size=10, seed=2)
    drawn, drawn_labels = stacked(data)
    assert sorted(drawn_labels.tolist()) == list(range(100, 120))
    order = [index for index in np.random.default_rng(2).permutation(40) if labels[index] < 120]
    mean, std = np.array([122.68, 116.66, 104.01]), np.array([63.22, 61.26, 65.09])
    np.testing.assert_allclose(drawn, (images[order] - mean) / std, rtol=1e-4, atol=1e-5)
    assert (data.classes, data.notes) == (120, "train split; ImageNet16-120: labels below 120, mean and std of ImageNet16")
    with pytest.raises(JaxzcError, match=r"tfds:imagenet_resized/16x16 has 20 images, 22 were asked for: lower batch_size or batches"):
        load("tfds:imagenet_resized/16x16", batch_size=11)


def test_tfds_unknown_data_set_is_normalised_by_the_images_drawn(tfds_dir, monkeypatch):
    images, labels = RNG.integers(0, 256, (30, 8, 8, 1), np.uint8), RNG.integers(0, 4, 30)
    prepare(tfds_dir, "my_set/1.0.0", images, labels, 4)
    monkeypatch.setattr("jaxzc.data.prepared.POOL", 12)
    order = np.random.default_rng(0).permutation(30)
    pool = images[order[:12]] / 255
    for batch_size in (2, 10):
        data = load("tfds:my_set", batch_size=batch_size)
        drawn, drawn_labels = stacked(data)
        chosen = order[: 2 * batch_size]
        np.testing.assert_allclose(drawn, (images[chosen] / 255 - pool.mean()) / pool.std(), rtol=1e-4, atol=1e-5)
        np.testing.assert_array_equal(drawn_labels, labels[chosen])
        assert data.notes == f"train split; mean [{pool.mean():.4g}] and std [{pool.std():.4g}] of the first 12 images drawn"


def test_names_that_are_not_there(tfds_dir):
    command = "pip install tensorflow && python -c \"import tensorflow_datasets as tfds; tfds.data_source('cifar10')\""
    with pytest.raises(JaxzcError) as caught:
        load("tfds:cifar10", batch_size=1)
    assert str(caught.value) == f"tfds:cifar10 is not prepared in {tfds_dir}/cifar10/3.0.2: prepare it once with: {command}"
    with pytest.raises(JaxzcError, match=r"tensorflow-datasets knows no data set 'cifar_10': choose a name of https://www\.tensorflow"):
        load("tfds:cifar_10", batch_size=1)
    with pytest.raises(JaxzcError, match=r"cannot open 'imagenet_resized/17x17' \(.*17x17 not found.*\): check name, configuration"):
        load("tfds:imagenet_resized/17x17", batch_size=1)


TWO = RNG.integers(0, 256, (2, 32, 32, 3), np.uint8)


@pytest.mark.parametrize(
    ("images", "options", "message"),
    [
        (TWO, {"form": "tfrecord"}, r"is in a format that only TensorFlow reads: set TFDS_DATA_DIR to another directory and prepare it"),
        (TWO, {"split": "test"}, r"tfds:my_set has no split 'train' \(it has test\): choose other data"),
        (TWO, {"key": "name"}, r"tfds:my_set has no features 'image' and 'label': choose an image classification data set"),
        (TWO * 0, {}, r"a channel of tfds:my_set is constant and cannot be normalised: choose other data"),
        (TWO[:1], {}, r"tfds:my_set has 1 images, 2 were asked for: lower batch_size or batches"),
        (np.array([TWO[0], TWO[1, :16]], object), {}, r"has images of several sizes \(.*32x32x3.*\): resize them and use npz:FILE"),
    ],
)
def test_data_sets_that_cannot_be_used(tfds_dir, images, options, message):
    prepare(tfds_dir, "my_set/1.0.0", images, np.zeros(len(images), int), 2, **options)
    with pytest.raises(JaxzcError, match=message):
        load("tfds:my_set", batch_size=1)


def test_a_damaged_file_and_missing_readers(tfds_dir, monkeypatch):
    prepare(tfds_dir, "my_set/1.0.0", TWO, np.array([0, 1]), 2)

    def absent(*_, **__):
        raise ImportError

    with monkeypatch.context() as patch:
        patch.setattr("tensorflow_datasets.core.features.image_feature.Image.decode_example_np", absent)
        with pytest.raises(JaxzcError, match=r"my_set stores compressed images and no decoder is installed: pip install pillow"):
            load("tfds:my_set", batch_size=1)
    with monkeypatch.context() as patch:
        patch.setattr("tensorflow_datasets.core.dataset_builder.DatasetBuilder.as_data_source", absent)
        with pytest.raises(JaxzcError, match=r"my_set is stored as array_record, which is not installed: pip install array_record"):
            load("tfds:my_set", batch_size=1)
    (file,) = (tfds_dir / "my_set/1.0.0").glob("*array_record*")
    file.write_bytes(file.read_bytes()[:70_000])
    with pytest.raises(JaxzcError, match=r"tfds:my_set cannot be read \(.*\): prepare it again"):
        load("tfds:my_set", batch_size=1)
    file.unlink()
    with pytest.raises(JaxzcError, match=r"tfds:my_set cannot be read \(.*No such file.*\): prepare it again"):
        load("tfds:my_set", batch_size=1)
