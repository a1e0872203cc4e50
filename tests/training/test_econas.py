"""EcoNAS's proxy: reduced images, training that learns, a score table that `evaluate` reads, and its cost."""

from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxzc import data
from jaxzc.catalogue import spaces
from jaxzc.cli import econas as command
from jaxzc.cli import main
from jaxzc.tables import ScoreTable, read_scores, write_scores
from jaxzc.training import econas
from jaxzc.training.scanned import ProgramTrainer
from jaxzc.types import Batch, JaxzcError

CONVS = "|nor_conv_3x3~0|+|skip_connect~0|nor_conv_3x3~1|+|skip_connect~0|nor_conv_1x1~1|skip_connect~2|"
NONES = "|none~0|+|none~0|none~1|+|none~0|none~1|none~2|"
TINY = ["econas", "nasbench201", "--no-flip", "--epochs", "8", "--images", "500", "--held-out", "300", "--batch-size", "32"]
SMALL = ["--set", "cells=1", "--no-cache", "--quiet"]


def refused(capsys: pytest.CaptureFixture[str], arguments: list[Any], *fragments: str) -> None:
    assert main([str(a) for a in arguments]) == 2
    (line,) = capsys.readouterr().err.strip().splitlines()
    assert all(fragment in line for fragment in fragments), line


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> ScoreTable:
    folder = tmp_path_factory.mktemp("econas")
    (folder / "archs.txt").write_text(f"{CONVS}\n{NONES}\n")
    out = folder / "econas.parquet"
    assert main([*TINY, *SMALL, "--learning-rate", "0.2", "--archs", str(folder / "archs.txt"), "--out", str(out)]) == 0
    return read_scores(out)


def test_convolutions_learn_and_a_disconnected_cell_stays_at_chance(trained: ScoreTable) -> None:
    convs, nones = trained.columns["econas"]
    assert convs > 60
    assert nones < 20
    assert trained.columns["arch"].tolist() == [CONVS, NONES]
    assert trained.metadata["proxies"] == ["econas", "params", "flops"]


def test_scores_depend_on_genes_and_seed_only(trained: ScoreTable) -> None:
    drawn = data.load("digits", batch_size=800, batches=1, seed=0)
    space = spaces.space("nasbench201", classes=10, inputs=(8, 8, 1), channels=4, cells=1)
    task = econas.training_data(drawn.batches[0], 300, flip=False)
    trainer = ProgramTrainer(space, task, econas.settings(task, 8, batch_size=32, learning_rate=0.2))
    other, again = (trainer.one(space.parse(CONVS), seed)[econas.HELD_OUT] for seed in (1, 0))
    assert trained.columns["econas"][0] == again != other


def test_cost_is_that_of_every_image_seen_forward_and_backward(trained: ScoreTable) -> None:
    """By hand: without operations there are left the stem, two reductions (3x3, 3x3, and 1x1 on the shortcut) and the head."""
    stem = 9 * 1 * 4 * 64
    first = (9 * 4 * 8 + 9 * 8 * 8 + 4 * 8) * 16
    second = (9 * 8 * 16 + 9 * 16 * 16 + 8 * 16) * 4
    nones = stem + first + second + 16 * 10
    # Two 3x3 and one 1x1 convolution per cell, at 64 pixels of 4 channels, 16 of 8 and 4 of 16.
    convs = nones + (2 * 9 + 1) * (4 * 4 * 64 + 8 * 8 * 16 + 16 * 16 * 4)
    steps = 125  # 8 epochs of 500 images in batches of 32
    assert trained.metadata["econas"]["settings"]["steps"] == steps
    assert trained.columns["flops"].tolist() == [convs, nones]
    assert trained.metadata["costs"]["econas"]["flops"] == 3 * steps * 32 * (convs + nones) / 2


def test_the_last_batch_is_filled_up() -> None:
    task = econas.training_data(Batch(np.zeros((11, 8, 8, 1), np.float32), np.zeros(11, np.int32)), 1)
    assert econas.settings(task, 3, batch_size=8).steps == 4
    assert econas.flops(np.array([10, 20]), econas.settings(task, 3, batch_size=8)).tolist() == [960, 1920]


def test_resolution_is_reduced_by_means_of_boxes() -> None:
    images = np.random.default_rng(0).standard_normal((3, 8, 8, 2)).astype(np.float32)
    reduced = econas.reduce_resolution(images, 4)
    assert reduced.dtype == np.float32
    for row, column in np.ndindex(4, 4):
        box = images[:, 2 * row : 2 * row + 2, 2 * column : 2 * column + 2]
        np.testing.assert_allclose(reduced[:, row, column], box.mean((1, 2)), rtol=1e-5, atol=1e-6)
    np.testing.assert_array_equal(econas.reduce_resolution(images, 8), images)
    for size, resolution in (((8, 8), 3), ((8, 8), 16), ((8, 16), 4)):
        with pytest.raises(JaxzcError, match=f"{size[0]}x{size[1]} cannot be averaged down to {resolution}x{resolution}"):
            econas.reduce_resolution(np.zeros((1, *size, 1), np.float32), resolution)


def test_task_trains_on_shifted_and_mirrored_images_and_tests_on_the_others() -> None:
    images = np.arange(6 * 16, dtype=np.float32).reshape(6, 4, 4, 1) + 1
    batch = Batch(images, np.arange(6))
    task = econas.training_data(batch, 2)
    np.testing.assert_array_equal(task.train.inputs, images[:4])
    np.testing.assert_array_equal(task.splits[econas.HELD_OUT].inputs, images[4:])
    np.testing.assert_array_equal(task.splits[econas.HELD_OUT].targets, [4, 5])

    def found(flip: bool) -> set[bool]:
        """Whether images come back mirrored; every one must be a crop of the image with a margin of zeros."""
        distorted = np.asarray(econas.training_data(batch, 2, flip=flip).distort(jax.random.key(0), jnp.repeat(images, 10, axis=0)))
        mirrored = set()
        for image, result in zip(np.repeat(images, 10, axis=0), distorted, strict=True):
            padded = np.pad(image, ((1, 1), (1, 1), (0, 0)))
            crops = [padded[i : i + 4, j : j + 4] for i in range(3) for j in range(3)]
            (matching,) = {way for way in (False, True) if any(np.array_equal(c[:, ::-1] if way else c, result) for c in crops)}
            mirrored.add(matching)
        return mirrored

    assert found(flip=True) == {False, True}
    assert found(flip=False) == {False}
    for held_out in (0, 6):
        with pytest.raises(JaxzcError, match=f"held_out is {held_out} of 6"):
            econas.training_data(batch, held_out)


class FakeTrainer:
    def __init__(self, space: Any, *_: Any):
        self.space = space

    def one(self, arch: np.ndarray, seed: int) -> dict[str, float]:
        return {econas.HELD_OUT: 100 * seed + float(arch.sum())}


@pytest.fixture
def scores(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A table as of `jaxzc score`, with the real trainer put aside."""
    monkeypatch.setattr(command, "ProgramTrainer", FakeTrainer)
    columns = {
        "arch": [NONES, CONVS, NONES, CONVS],
        "seed": np.array([3, 3, 5, 5]),
        "snip": np.arange(4.0),
        "flops": np.array([1, 2, 1, 2]),
    }
    metadata = {"proxies": ["snip", "flops"], "costs": {"snip": {"passes": 3, "flops": 1.0}}, "norm": "batch"}
    write_scores(tmp_path / "scores.parquet", columns, metadata)
    return tmp_path / "scores.parquet"


def test_append_adds_a_column_to_the_rows_of_a_score_table(scores: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out, truth = scores.with_name("both.parquet"), scores.with_name("truth.csv")
    assert main([*TINY, *SMALL, "--append", str(scores), "--out", str(out)]) == 0
    before, after = read_scores(scores), read_scores(out)
    for name, values in before.columns.items():
        np.testing.assert_array_equal(after.columns[name], values)
    total = float(spaces.space("nasbench201", classes=10, inputs=(8, 8, 1)).parse(CONVS).sum())
    assert after.columns["econas"].tolist() == [300, 300 + total, 500, 500 + total]
    assert after.metadata["proxies"] == ["snip", "flops", "econas"]
    assert set(after.metadata["costs"]) == {"snip", "econas"}
    assert after.metadata["norm"] == "batch"
    truth.write_text(f"arch,accuracy\n{NONES},10\n{CONVS},90\n")
    assert main(["evaluate", str(out), "--table", str(truth), "--metric", "accuracy"]) == 0
    assert "econas" in capsys.readouterr().out


def test_seeds_give_a_row_each(scores: Path) -> None:
    out = scores.with_name("seeds.parquet")
    assert main([*TINY, *SMALL, "--sample", "3", "--seed", "0,7", "--out", str(out)]) == 0
    table = read_scores(out)
    assert table.columns["seed"].tolist() == [0, 0, 0, 7, 7, 7]
    assert table.columns["arch"][:3].tolist() == table.columns["arch"][3:].tolist()
    assert (table.columns["econas"][3:] - table.columns["econas"][:3]).tolist() == [700] * 3


def test_mistakes(scores: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = scores.with_name("out.parquet")
    usual = [*TINY, *SMALL, "--out", out]
    refused(capsys, [*usual, "--resolution", "3"], "8x8 cannot be averaged down to 3x3", "divisor")
    refused(capsys, [*usual, "--images", "1500"], "digits has 1797 images, 1800 were asked for")
    refused(capsys, [*usual, "--set", "channels=8"], "--set channels is given beside --channels")
    refused(capsys, [*usual, "--append", scores, "--sample", "2"], "--append takes architectures and seeds of its table")
    refused(capsys, [*usual, "--append", scores.with_name("absent.parquet")], "there is no file")
    refused(capsys, [*TINY, *SMALL, "--out", scores], "exists")
    write_scores(scores.with_name("has.parquet"), {"arch": [NONES], "seed": [0], "econas": [1.0]}, {})
    refused(capsys, [*usual, "--append", scores.with_name("has.parquet")], "has a column 'econas' already")
    write_scores(scores.with_name("no_seed.parquet"), {"arch": [NONES]}, {})
    refused(capsys, [*usual, "--append", scores.with_name("no_seed.parquet")], "has no column 'seed'")
    for option, value in (("--learning-rate", "-1"), ("--learning-rate", "nan"), ("--epochs", "0")):
        with pytest.raises(SystemExit, match="2"):
            main([*TINY, *SMALL, "--out", str(out), option, value])
    assert not out.exists()
