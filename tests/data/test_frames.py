"""Frames of sound and their symbols: of a file, and noise."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from jaxzc.data import load
from jaxzc.scoring.space.setting import Setting
from jaxzc.types import InputSpec, JaxzcError

RNG = np.random.default_rng(0)
FRAMES, LABELS = RNG.standard_normal((5, 6, 3)), np.array([[1, 2], [3, 0], [2, 2], [1, 0], [3, 1]])


def saved(directory: Path, **arrays: Any) -> str:
    np.savez(directory / "a.npz", **({"frames": FRAMES, "labels": LABELS} | arrays))
    return f"frames:{directory / 'a.npz'}"


def test_examples_of_a_file(tmp_path: Path) -> None:
    data = load(saved(tmp_path), batch_size=2, seed=3)
    order = np.random.default_rng(3).permutation(5)[:4]
    np.testing.assert_array_equal(np.concatenate([batch.inputs for batch in data.batches]), FRAMES[order].astype(np.float32))
    np.testing.assert_array_equal(np.concatenate([batch.targets for batch in data.batches]), LABELS[order])
    assert (data.classes, data.batches[0].targets.dtype) == (4, np.int32)
    assert load(saved(tmp_path, classes=9), batch_size=2).classes == 9


def test_a_space_is_made_for_noise() -> None:
    setting = Setting(data="frames:normal@16x4", batch_size=3, options={"filters": (4, 4, 4, 4), "groups": 2})
    space, (data,) = setting.prepared("nasbench_asr", [0])
    assert (space.classes, space.inputs) == (49, InputSpec((16, 4)))
    assert data.batches[1].targets.shape == (3, 2)
    assert data.batches[1].targets.min() >= 1
    _, (again,) = Setting(data="frames:normal", batch_size=3).prepared(space, [0])  # as large as the space's
    assert again.digest == data.digest
    with pytest.raises(JaxzcError, match=r"inputs float32 \(8, 8, 1\): expected frames of floats"):
        Setting(batch_size=3).prepared("nasbench_asr", [0])


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"frames": FRAMES[0]}, r"frames of .* are float64 \[6, 3\], expected normalised floats"),
        ({"labels": LABELS[:, 0]}, r"labels of .* are int64 \[5\], expected integers \[5, L\]"),
        ({"labels": -LABELS}, "labels of .* go from -3 to 0, expected 0, the blank"),
        ({"frames": np.full_like(FRAMES, np.inf)}, "hold NaN or infinite values"),
    ],
)
def test_mistakes(arrays: dict[str, np.ndarray], message: str, tmp_path: Path) -> None:
    with pytest.raises(JaxzcError, match=message):
        load(saved(tmp_path, **arrays), batch_size=2)


@pytest.mark.parametrize(
    ("spec", "message"), [("frames:normal@3", "expected frames and features behind the @"), ("frames:no.npz", "cannot be")]
)
def test_wrong_names(spec: str, message: str) -> None:
    with pytest.raises(JaxzcError, match=message):
        load(spec, batch_size=2)
