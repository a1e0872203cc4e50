"""The table that ships with jaxzc: its architectures, accuracies, how it was made, and that it can be made again."""

import json
import os
import subprocess
import sys

import numpy as np
import pytest

from jaxzc import tables
from jaxzc.cli import train_benchmark as train
from jaxzc.embedded import SPACE_OPTIONS, digits, table_path
from jaxzc.evaluation import noise_ceiling

SPACE = digits.space()

SHIPPED = tables.read_scores(table_path())


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
