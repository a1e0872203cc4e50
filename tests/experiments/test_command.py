"""`jaxzc experiment sample-efficiency`: its table and files, and one sentence for every mistake."""

import numpy as np

from jaxzc.experiments import sample_efficiency
from jaxzc.experiments.sample_efficiency import Curve
from jaxzc.tables import read_scores
from tests.support.commands import refused, run

COMMAND = ("experiment", "sample-efficiency")


def test_the_table_says_after_how_many_models_a_target_is_reached():
    best = np.array([[1, 5, 9], [5, 5, 5], [1, 1, 1], [9, 9, 9]], np.float32)
    plain, helped = Curve("random", "none", best.astype(int), best), Curve("random", "warmup", best.astype(int), best + 4)
    assert sample_efficiency.reached(plain, 5) == (5, 1.0, 1.0, 2.0, 3)
    assert sample_efficiency.reached(plain, 9) == (9, 1.0, 3.0, np.inf, 2)
    table = sample_efficiency.format_table([plain, helped], [9.0])
    assert "3 (1 to never)" in table
    assert "3.0x" in table
    mean, low, high = sample_efficiency.mean_and_interval(plain)
    np.testing.assert_allclose(mean, best.mean(0), rtol=1e-6)
    # Student's t, 3 degrees of freedom, 97.5 %: 3.182.
    np.testing.assert_allclose(high - mean, 3.18245 * best.std(0, ddof=1) / 2, rtol=1e-4)
    np.testing.assert_allclose(mean - low, high - mean, rtol=1e-5)


def test_it_writes_every_network_trained_and_a_figure(tmp_path):
    out = tmp_path / "found"
    given = ("--table", "embedded", "--metric", "test_accuracy", "--proxy", "params,flops", "--methods", "random")
    code, text, err = run(*COMMAND, *given, "--seeds", 3, "--models", 70, "--target", "90,93.5", "--out", out)
    assert code == 0
    assert {p.name for p in out.iterdir()} == {"trained.parquet", "sample_efficiency.png", "sample_efficiency.pdf"}
    assert "models to 93.5" in text
    assert err.count("done") == 3
    columns = read_scores(out / "trained.parquet").columns
    assert len(columns["arch"]) == 3 * 3 * 70
    first = columns["models"] == 1
    np.testing.assert_array_equal(columns["best"][first], columns["accuracy"][first])


def test_a_mistake_is_one_sentence(tmp_path):
    given = ("--table", "embedded", "--metric", "test_accuracy")
    for arguments, word in (
        ((*given, "--proxy", "zico", "--out", tmp_path / "x"), "has no column 'zico'"),
        ((*given, "--proxy", "params", "--out", tmp_path), "exists: name a new directory"),
        ((*given, "--proxy", "params", "--out", tmp_path / "no" / "x"), "create it first"),
        ((*given, "--proxy", ",", "--out", tmp_path / "x"), "--proxy is empty"),
        ((*given, "--proxy", "params", "--methods", "random,hill", "--out", tmp_path / "x"), "there is no method 'hill'"),
        ((*given, "--proxy", "params", "--models", 501, "--out", tmp_path / "x"), "501 models"),
        ((*given, "--proxy", "params", "--target", "a", "--out", tmp_path / "x"), "'a' is not a number"),
        ((*given, "--proxy", "params", "--space", "darts99", "--out", tmp_path / "x"), "darts99"),
    ):
        refused(run(*COMMAND, *arguments), word)
