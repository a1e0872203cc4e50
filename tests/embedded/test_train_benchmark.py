"""Training the embedded benchmark's networks, and the command that makes the table, in parts and interrupted."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from jaxzc import tables
from jaxzc.cli import main
from jaxzc.cli import train_benchmark as train
from jaxzc.embedded import digits
from jaxzc.evaluation import noise_ceiling
from jaxzc.training.scanned import ProgramTrainer, table_columns
from jaxzc.types import Batch, JaxzcError

CONVS = "|nor_conv_3x3~0|+|nor_conv_3x3~0|nor_conv_3x3~1|+|skip_connect~0|nor_conv_3x3~1|nor_conv_3x3~2|"
NONES = "|none~0|+|none~0|none~1|+|none~0|none~1|none~2|"
SPACE = digits.space()


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
