"""Images in folders, files named alone, and labels that cannot be right."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from jaxzc.data import load
from jaxzc.data.loading import size
from jaxzc.types import JaxzcError

RNG = np.random.default_rng(0)


def folders(root: Path, *, channels: int = 3, shape: tuple[int, int] = (6, 8)) -> Path:
    """Two classes: 3 images of `cat`, 2 of `dog` (one of them in a folder below), and files that are no images."""
    for k, name in enumerate(["cat/a.png", "cat/b.png", "cat/c.png", "dog/x.png", "dog/more/y.png"]):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        values = RNG.integers(0, 256, (*shape, channels) if channels > 1 else shape, np.uint8)
        values[0, 0] = 40 * k  # by which the test tells the images apart
        Image.fromarray(values).save(root / name)
    (root / "cat/notes.txt").write_text("no image")
    (root / "readme.md").write_text("no class")
    (root / "empty").mkdir()
    return root


def test_a_folder_is_a_class(tmp_path: Path) -> None:
    data = load(f"folder:{folders(tmp_path)}", batch_size=5, batches=1, seed=3)
    images, labels = data.batches[0]
    assert (images.shape, images.dtype, labels.dtype, data.classes) == ((5, 6, 8, 3), np.float32, np.int32, 2)
    order = np.random.default_rng(3).permutation(5)
    np.testing.assert_array_equal(labels, np.array([0, 0, 0, 1, 1])[order])
    np.testing.assert_allclose(images.mean((0, 1, 2)), 0, atol=1e-6)
    np.testing.assert_allclose(images.std((0, 1, 2)), 1, atol=1e-5)
    corner = images[:, 0, 0, 0]  # grows with the number of the file: cat/a, cat/b, cat/c, dog/more/y, dog/x
    assert list(np.argsort(corner)) == list(np.argsort(np.array([0, 40, 80, 160, 120])[order]))
    assert data.notes.startswith("classes cat, dog; mean [")
    assert data.notes.endswith("of the first 5 images drawn")
    assert size(f"folder:{tmp_path}") == 5


def test_batches_do_not_depend_on_how_many_are_drawn(tmp_path: Path) -> None:
    spec = f"folder:{folders(tmp_path)}"
    one, two = load(spec, batch_size=2, batches=1, seed=1), load(spec, batch_size=2, batches=2, seed=1)
    np.testing.assert_array_equal(one.batches[0].inputs, two.batches[0].inputs)


def test_grey_images_stay_grey_until_one_is_not(tmp_path: Path) -> None:
    spec = f"folder:{folders(tmp_path, channels=1)}"
    assert load(spec, batch_size=5, batches=1).batches[0].inputs.shape == (5, 6, 8, 1)
    Image.fromarray(RNG.integers(0, 256, (6, 8, 3), np.uint8)).save(tmp_path / "dog/z.png")
    assert load(spec, batch_size=6, batches=1).batches[0].inputs.shape == (6, 6, 8, 3)


def test_sizes_are_checked_or_made_equal(tmp_path: Path) -> None:
    spec = f"folder:{folders(tmp_path)}"
    Image.fromarray(np.full((4, 4, 3), 9, np.uint8)).save(tmp_path / "dog/z.png")
    with pytest.raises(JaxzcError, match=r"have several sizes \(\w+\.png is \dx\d and \w+\.png is \dx\d\): have them scaled, folder:"):
        load(spec, batch_size=6, batches=1)
    data = load(f"{spec}@16x12", batch_size=6, batches=1)
    assert data.batches[0].inputs.shape == (6, 16, 12, 3)
    assert "scaled to 16x12, bilinear" in data.notes


def test_folders_that_cannot_be_used(tmp_path: Path) -> None:
    with pytest.raises(JaxzcError, match=r"there is no directory .*none: name one that holds a folder of images for each class"):
        load(f"folder:{tmp_path}/none", batch_size=1)
    with pytest.raises(JaxzcError, match="holds no images in folders: expected a folder for each of two or more classes"):
        load(f"folder:{tmp_path}", batch_size=1)
    (tmp_path / "cat").mkdir()
    (tmp_path / "cat/a.png").write_text("text")
    with pytest.raises(JaxzcError, match="holds images of one class only, 'cat'"):
        load(f"folder:{tmp_path}", batch_size=1)
    (tmp_path / "dog").mkdir()
    Image.fromarray(np.zeros((4, 4), np.uint8)).save(tmp_path / "dog/b.png")
    with pytest.raises(JaxzcError, match=r"cat.a\.png cannot be read as an image \(.*\): remove it or replace it"):
        load(f"folder:{tmp_path}", batch_size=1)
    Image.fromarray(np.zeros((4, 4), np.uint8)).save(tmp_path / "cat/a.png")
    with pytest.raises(JaxzcError, match=r"a channel of the images in .* is constant"):
        load(f"folder:{tmp_path}", batch_size=1)
    with pytest.raises(JaxzcError, match="has 2 images, 4 were asked for"):
        load(f"folder:{tmp_path}", batch_size=2)
    with pytest.raises(JaxzcError, match="asks for images of 0x4"):
        load(f"folder:{tmp_path}@0x4", batch_size=2)
    with pytest.raises(JaxzcError, match="is a directory: write folder:"):
        load(str(tmp_path), batch_size=2)


def saved(path: Path, labels: list[int], **arrays: object) -> str:
    np.savez(path, images=np.zeros((len(labels), 4, 4, 3), np.uint8), labels=np.array(labels), **arrays)  # type: ignore[arg-type]
    return str(path)


def test_a_file_may_be_named_alone(tmp_path: Path) -> None:
    path = saved(tmp_path / "a.npz", [0, 1, 2])
    assert load(path, batch_size=3, batches=1).digest == load(f"npz:{path}", batch_size=3, batches=1).digest
    assert size(path) == 3


def test_labels_of_one_class_and_labels_from_one(tmp_path: Path) -> None:
    with pytest.raises(JaxzcError, match=r"all 4 labels of .*a\.npz are 0: proxies of the loss need two classes or more"):
        load(saved(tmp_path / "a.npz", [0, 0, 0, 0]), batch_size=2)
    with pytest.raises(
        JaxzcError, match=r"the labels of .*b\.npz go from 1 to 3, and none is 0: labels are numbered from 0, so save labels - 1"
    ):
        load(saved(tmp_path / "b.npz", [1, 2, 3, 1]), batch_size=2)
    assert load(saved(tmp_path / "c.npz", [1, 2, 3, 1], classes=4), batch_size=2).classes == 4  # that class is not among these images
