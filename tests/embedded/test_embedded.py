"""The embedded benchmark: the shipped table, the task, the trainer, and the command that makes the table."""

import json
import os
import subprocess
import sys
from dataclasses import replace
from typing import Any

import jax
import numpy as np
import pytest

from jaxzc import tables
from jaxzc.cli import main
from jaxzc.cli import train_benchmark as train
from jaxzc.embedded import SPACE_OPTIONS, digits, table_path
from jaxzc.evaluation import noise_ceiling
from jaxzc.training.scanned import ProgramTrainer, table_columns
from jaxzc.types import Batch, JaxzcError

CONVS = "|nor_conv_3x3~0|+|nor_conv_3x3~0|nor_conv_3x3~1|+|skip_connect~0|nor_conv_3x3~1|nor_conv_3x3~2|"
NONES = "|none~0|+|none~0|none~1|+|none~0|none~1|none~2|"
SHIPPED = tables.read_scores(table_path())
SPACE = digits.space()


def test_shipped_table_holds_distinct_architectures_of_the_documented_draw() -> None:
    strings = SHIPPED.columns["arch"].tolist()
    archs = np.stack([SPACE.parse(text) for text in strings])
    assert len(archs) == SHIPPED.metadata["architectures"] >= 500
    assert len(np.unique(SPACE.canonical(archs), axis=0)) == len(archs)
    assert [SPACE.to_string(arch) for arch in digits.architectures(SPACE, len(archs))] == strings
    counts = SPACE.counts(archs)
    np.testing.assert_array_equal(SHIPPED.columns["params"], counts.params)
    np.testing.assert_array_equal(SHIPPED.columns["flops"], counts.flops)


def test_shipped_accuracies_are_percentages_of_the_splits_and_means_over_seeds() -> None:
    seeds = SHIPPED.metadata["seeds"]
    for split, images in zip(digits.SPLITS, np.multiply(digits.SIZES, digits.COPIES), strict=True):
        each = np.stack([SHIPPED.columns[f"{split}_accuracy_seed{seed}"] for seed in range(seeds)])
        assert each.min() >= 0
        assert each.max() <= 100
        correct = each * images / 100
        np.testing.assert_allclose(correct, np.round(correct), atol=1e-6)
        np.testing.assert_allclose(SHIPPED.columns[f"{split}_accuracy"], each.mean(0))
    assert not np.array_equal(SHIPPED.columns["test_accuracy_seed0"], SHIPPED.columns["test_accuracy_seed1"])


def test_shipped_metadata_say_how_the_table_was_made() -> None:
    made = SHIPPED.metadata
    assert made["task"] == digits.facts()
    assert made["settings"] == train._facts(SPACE, digits.SETTINGS)["settings"]
    assert made["space"] == repr(SPACE)
    assert set(made["versions"]) == set(digits.VERSIONS)
    assert made["command"].startswith("jaxzc train-benchmark --architectures")
    assert made["noise_ceiling"] == pytest.approx(noise_ceiling(SHIPPED.columns))
    assert made["noise_ceiling"]["seed_to_seed"] > 0.6
    assert table_path().stat().st_size < 500_000


def test_shipped_table_has_room_to_rank() -> None:
    test = SHIPPED.columns["test_accuracy"]
    assert test.min() < 15
    assert 70 < test.max() < 80
    assert np.subtract(*np.percentile(test, [90, 10])) > 10


def test_table_is_ground_truth_for_evaluate() -> None:
    truth = tables.read_truth(table_path(), "test_accuracy")
    assert len(truth) == SHIPPED.metadata["architectures"]


def test_space_fits_the_data_that_the_command_line_draws() -> None:
    assert (SPACE.classes, SPACE.inputs.shape) == (10, (8, 8, 1))
    assert all(getattr(SPACE, name) == value for name, value in SPACE_OPTIONS.items())


def test_splits_share_no_image_and_are_stratified() -> None:
    parts = digits.split()
    assert tuple(len(part.targets) for part in parts) == digits.SIZES
    assert len({image.tobytes() for part in parts for image in part.inputs}) == sum(digits.SIZES)
    whole = np.bincount(np.concatenate([part.targets for part in parts])) / sum(digits.SIZES)
    for part in parts:
        np.testing.assert_allclose(np.bincount(part.targets), whole * len(part.targets), atol=2)
    assert abs(parts[0].inputs.mean()) < 1e-5
    assert parts[0].inputs.std() == pytest.approx(1, abs=1e-5)


def test_distortion_shifts_lets_another_digit_through_and_adds_noise(monkeypatch: pytest.MonkeyPatch) -> None:
    clean, key = digits.split()[0].inputs, jax.random.key(3)
    np.testing.assert_array_equal(digits.distort(key, clean), digits.distort(key, clean))
    distorted, noise, contrast = np.asarray(digits.distort(key, clean)), digits.NOISE, digits.CLUTTER
    monkeypatch.setattr(digits, "NOISE", 0.0)
    cluttered = np.asarray(digits.distort(key, clean))
    assert (distorted - cluttered).std() == pytest.approx(noise, rel=0.02)
    monkeypatch.setattr(digits, "CLUTTER", 0.0)
    shifted = np.asarray(digits.distort(key, clean))
    assert all(is_shifted(image, result, clean.min()) for image, result in zip(clean[:20], shifted[:20], strict=True))
    others = (cluttered - shifted) / contrast + clean.min()
    (turn,) = (r for r in range(1, len(clean)) if is_shifted(clean[-r], others[0], clean.min()))
    assert all(is_shifted(clean[k - turn], others[k], clean.min()) for k in range(20))


def is_shifted(image: np.ndarray, result: np.ndarray, black: float) -> bool:
    padded = np.pad(image, ((digits.SHIFT,) * 2, (digits.SHIFT,) * 2, (0, 0)), constant_values=black)
    size, reach = len(image), range(2 * digits.SHIFT + 1)
    return any(np.allclose(padded[i : i + size, j : j + size], result, atol=1e-5) for i in reach for j in reach)


def test_measured_images_are_mixed_with_others_and_not_with_their_own_copies() -> None:
    for name, clean, copies in zip(digits.SPLITS, digits.split(), digits.COPIES, strict=True):
        made = digits.training_data().splits[name]
        assert made.inputs.shape == (copies * len(clean.targets), 8, 8, 1)
        np.testing.assert_array_equal(made.targets, np.tile(clean.targets, copies))
        # An image on itself would stay as contrasted as it was, 1 + CLUTTER times; two different ones are not.
        own = np.mean([np.corrcoef(image.ravel(), clean.inputs[k].ravel())[0, 1] for k, image in enumerate(made.inputs[:100])])
        assert 0.4 < own < 0.8


def test_longer_draws_begin_with_shorter_ones() -> None:
    longer = digits.architectures(SPACE, 60)
    np.testing.assert_array_equal(longer[:20], digits.architectures(SPACE, 20))
    assert len(digits.architectures(SPACE, 10**6)) == 6466


@pytest.fixture(scope="module")
def trainer() -> ProgramTrainer:
    """For a short training, measured on a part of the images."""
    whole = digits.training_data()
    parts = {name: Batch(split.inputs[::4], split.targets[::4]) for name, split in whole.splits.items()}
    return ProgramTrainer(SPACE, replace(whole, splits=parts), replace(digits.SETTINGS, steps=60))


@pytest.fixture(scope="module")
def accuracies(trainer: ProgramTrainer) -> list[dict[str, float]]:
    """Of both architectures, trained once for all tests: each takes seconds."""
    return [trainer.one(SPACE.parse(text), seed) for text, seed in ((CONVS, 0), (NONES, 1))]


@pytest.mark.slow  # test_econas.py trains with the same trainer, less
def test_training_depends_on_genes_and_seed_only(trainer: ProgramTrainer, accuracies: list[dict[str, float]]) -> None:
    convs = SPACE.parse(CONVS)
    assert trainer.one(convs, 1) != accuracies[0]
    assert trainer.one(convs, 0) == accuracies[0]


def test_convolutions_learn_and_a_disconnected_cell_stays_at_chance(accuracies: list[dict[str, float]]) -> None:
    convs, nones = accuracies
    assert set(convs) == set(digits.SPLITS)
    assert max(nones.values()) < 16
    assert min(convs.values()) > 30


def test_trainer_refuses_what_does_not_fit() -> None:
    task = digits.training_data()
    with pytest.raises(JaxzcError, match="larger than the 900 training images"):
        ProgramTrainer(SPACE, task, replace(digits.SETTINGS, batch_size=901))
    with pytest.raises(JaxzcError, match="expected HxWxC = 8x8x1"):
        ProgramTrainer(SPACE, replace(task, splits={"half": Batch(task.train.inputs[:, :4], task.train.targets)}), digits.SETTINGS)
    with pytest.raises(JaxzcError, match="no labels"):
        ProgramTrainer(SPACE, replace(task, train=Batch(task.train.inputs)), digits.SETTINGS)


def test_columns_and_noise_ceiling() -> None:
    archs = digits.architectures(SPACE, 4)
    values = {0: [10, 20, 30, 40], 1: [20, 10, 30, 40], 2: [10, 20, 40, 30]}
    runs = {
        (SPACE.to_string(arch), seed): {"validation": 1.0, "test": values[seed][row]} for row, arch in enumerate(archs) for seed in values
    }
    columns = table_columns(SPACE, archs, runs, 3)
    np.testing.assert_allclose(columns["test_accuracy"], [40 / 3, 50 / 3, 100 / 3, 110 / 3])
    np.testing.assert_array_equal(columns["test_accuracy_seed1"], values[1])
    np.testing.assert_array_equal(columns["validation_accuracy"], np.ones(4))
    rho = (0.8 + 0.8 + 0.6) / 3
    assert noise_ceiling(columns) == pytest.approx({"seed_to_seed": rho, "mean_of_seeds": 3 * rho / (1 + 2 * rho)})
    assert np.isnan(noise_ceiling(table_columns(SPACE, archs, runs, 1))["seed_to_seed"])


class FakeTrainer:
    """Accuracies from genes and seed without training; stops as if interrupted once `left` networks are trained."""

    left = 1000

    def __init__(self, space: Any, *_: Any):
        self.space = space

    def one(self, arch: np.ndarray, seed: int) -> dict[str, float]:
        if FakeTrainer.left == 0:
            raise KeyboardInterrupt
        FakeTrainer.left -= 1
        return {"train": 50, "validation": float(arch.sum()), "test": float(arch.sum()) + seed * float(arch[0])}


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(train, "ProgramTrainer", FakeTrainer)
    monkeypatch.setattr(FakeTrainer, "left", 1000)


COMMAND = ["train-benchmark", "--architectures", "5", "--seeds", "2", "--quiet", "--out"]


@pytest.mark.usefixtures("fake")
def test_command_in_parts_interrupted_and_resumed_writes_the_same_table(tmp_path, monkeypatch, capsys) -> None:
    whole, out = str(tmp_path / "whole.parquet"), str(tmp_path / "parts.parquet")
    assert main([*COMMAND, whole]) == 0
    monkeypatch.setattr(FakeTrainer, "left", 3)
    assert main([*COMMAND, out, "--part", "0/2"]) == 130
    monkeypatch.setattr(FakeTrainer, "left", 2)
    assert main([*COMMAND, out, "--part", "0/2"]) == 0
    assert "5 of 10 networks" in capsys.readouterr().out
    monkeypatch.setattr(FakeTrainer, "left", 5)
    assert main([*COMMAND, out, "--part", "1/2"]) == 0
    assert "5 architectures, 2 seeds" in capsys.readouterr().out
    tables_made = [tables.read_scores(path) for path in (whole, out)]
    assert tables_made[0].metadata == tables_made[1].metadata
    for name, values in tables_made[0].columns.items():
        np.testing.assert_array_equal(values, tables_made[1].columns[name])


@pytest.mark.usefixtures("fake")
def test_command_refuses_an_existing_table_and_foreign_or_damaged_journals(tmp_path, capsys) -> None:
    out = tmp_path / "table.parquet"
    journal = tmp_path / "table.parquet.part0of1.jsonl"
    assert main([*COMMAND, str(out)]) == 0
    assert main([*COMMAND, str(out)]) == 2
    assert "--overwrite" in capsys.readouterr().err
    assert main([*COMMAND, str(out), "--overwrite", "--steps", "3"]) == 2
    assert "other settings" in capsys.readouterr().err
    text = journal.read_text()
    journal.write_text(text[:-5])
    assert main([*COMMAND, str(out), "--overwrite"]) == 2
    assert "damaged" in capsys.readouterr().err
    journal.write_text("".join(text.splitlines(keepends=True)[:-1]))
    assert main([*COMMAND, str(out), "--overwrite"]) == 0
    assert main([*COMMAND, str(tmp_path / "absent" / "table.parquet")]) == 2
    assert "create it first" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        main([*COMMAND, str(out), "--part", "2/2"])


@pytest.mark.usefixtures("fake")
def test_command_trains_the_architectures_of_a_file(tmp_path) -> None:
    (tmp_path / "archs.txt").write_text(f"{CONVS}\n{NONES}\n")
    out = tmp_path / "table.parquet"
    assert main(["train-benchmark", "--archs", str(tmp_path / "archs.txt"), "--seeds", "1", "--quiet", "--out", str(out)]) == 0
    assert tables.read_scores(out).columns["arch"].tolist() == [CONVS, NONES]


@pytest.mark.slow
def test_shipped_rows_can_be_trained_again(tmp_path) -> None:
    """From the worst to the best. Trains in a process of its own, because this suite switches XLA's optimisations off. One machine gives
    the same bits twice; another CPU, XLA or order of additions rounds differently, which 200 steps of training magnify, so that a network
    may differ as much as between two seeds: by a standard deviation of 4 points, where networks differ by up to 60."""
    order = np.argsort(SHIPPED.columns["test_accuracy"])
    rows = order[[0, len(order) // 20, len(order) // 2, -1]]
    strings = SHIPPED.columns["arch"][rows]
    listed, out = tmp_path / "archs.txt", tmp_path / "again.parquet"
    listed.write_text("\n".join(strings))
    command = ["train-benchmark", "--archs", str(listed), "--seeds", "1", "--quiet", "--out", str(out)]
    environment = {name: value for name, value in os.environ.items() if name not in ("JAX_DISABLE_MOST_OPTIMIZATIONS", "XLA_FLAGS")}
    subprocess.run([sys.executable, "-m", "jaxzc", *command], check=True, env=environment)
    again = tables.read_scores(out)
    assert json.dumps(again.metadata["task"]) == json.dumps(SHIPPED.metadata["task"])
    assert again.columns["arch"].tolist() == strings.tolist()
    np.testing.assert_allclose(again.columns["test_accuracy_seed0"], SHIPPED.columns["test_accuracy_seed0"][rows], atol=10)
