"""A leaderboard's description may say what makes its scores: sizes of tiny networks, which compile nothing."""

from pathlib import Path

import numpy as np
import pytest

import jaxzc
from jaxzc.evaluation import read_description
from jaxzc.jobs.described import score_missing
from jaxzc.tables import read_archs, read_scores, read_truth, write_scores
from jaxzc.types import JaxzcError
from tests.support.commands import run

SCORING = """[benchmark.scoring]
space = "nasbench201"
sample = 12
proxies = "layers"
batch_size = 4
options = { channels = 2, cells = 1 }
"""
DESCRIPTION = f"""
[[benchmark]]
name = "first"
scores = "sizes.parquet"
table = "truth.csv"
metric = "first"
{SCORING}
[[benchmark]]
name = "second"
scores = "sizes.parquet"
table = "truth.csv"
metric = "second"
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    space = jaxzc.space("nasbench201")
    archs = [space.to_string(arch) for arch in space.sample(np.random.default_rng(1), 20)]
    write_scores(tmp_path / "truth.csv", {"arch": archs, "first": np.arange(20.0), "second": np.arange(20.0) % 7}, {})
    file = tmp_path / "board.toml"
    file.write_text(DESCRIPTION)
    return file


def test_missing_scores_are_made_once(path: Path) -> None:
    description = read_description(path)
    with pytest.raises(JaxzcError, match=r"first: there is no score file .*sizes.parquet yet: `jaxzc leaderboard` makes it"):
        jaxzc.leaderboard(description)
    file = path.with_name("sizes.parquet")
    assert score_missing(description) == [file]
    assert score_missing(description) == []
    assert sorted(each.name for each in path.parent.iterdir()) == ["board.toml", "sizes.parquet", "truth.csv"]
    table = read_scores(file)
    space = jaxzc.space("nasbench201", channels=2, cells=1, classes=10, inputs=(8, 8, 1))
    archs = read_archs(path.with_name("truth.csv"), space).drawn(12, 0)
    assert table.columns["arch"].tolist() == [space.to_string(arch) for arch in archs]
    np.testing.assert_array_equal(table.columns["params"], space.counts(archs).params)
    assert table.metadata["archs"] == "12 random ones of truth.csv"
    command = "jaxzc score nasbench201 --archs truth.csv --sample 12 --set channels=2 --set cells=1 --data digits --batch-size 4"
    assert table.metadata["command"] == f"{command} --proxies layers --out sizes.parquet"
    board = jaxzc.leaderboard(description, resamples=0)
    truth = read_truth(path.with_name("truth.csv"), "first")
    assert set(board.judgements[0].evaluation.archs) <= set(truth)
    assert board.judgements[0].benchmark.command == table.metadata["command"]


def test_flags_that_the_scores_are_made_with(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    flag = "--xla_backend_optimization_level=0"
    path.write_text(path.read_text().replace("sample = 12", f'sample = 12\nxla_flags = "{flag}"'))
    monkeypatch.setenv("XLA_FLAGS", "--xla_other=1")
    with pytest.raises(JaxzcError, match=rf"first: its scores are made with XLA_FLAGS={flag}, of which the environment lacks {flag}: "):
        score_missing(read_description(path))
    monkeypatch.setenv("XLA_FLAGS", f"--xla_cpu_use_fusion_emitters=false {flag}")
    score_missing(read_description(path))
    metadata = read_scores(path.with_name("sizes.parquet")).metadata
    assert metadata["xla_flags"] == flag
    assert metadata["command"].startswith(f"XLA_FLAGS={flag} jaxzc score nasbench201 ")


def test_the_command_scores_what_is_missing(path: Path) -> None:
    result = run("leaderboard", path, "--resamples", "0", "--no-cache", "--quiet")
    assert "first: 12 networks, 3 proxies" in result.out
    before = path.with_name("sizes.parquet").read_bytes()
    assert run("leaderboard", path, "--resamples", "0", "--no-cache", "--quiet").out == result.out
    assert path.with_name("sizes.parquet").read_bytes() == before


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('space = "nasbench201"', "", "benchmark 'first', scoring: space is missing: add space = "),
        ("sample = 12", "sampel = 12", "scoring: unknown entry 'sampel': did you mean 'sample'?"),
        ("sample = 12", "sample = 0", "scoring: sample = 0: expected a whole number above 0"),
        ("batch_size = 4", "seeds = 1", "scoring: seeds = 1: expected a list of whole numbers"),
        ("sample = 12", "xla_flags = 1", "scoring: xla_flags = 1: expected a text"),
        ("sample = 12", 'archs = "nowhere.txt"', "there is no table of accuracies .*nowhere.txt"),
        (SCORING, "scoring = 1\n", "scoring = 1: expected a table"),
    ],
)
def test_scorings_that_cannot_be_used(path: Path, old: str, new: str, said: str) -> None:
    path.write_text(path.read_text().replace(old, new, 1))
    with pytest.raises(JaxzcError, match=said):
        read_description(path)


def test_a_sample_that_the_table_lacks(path: Path) -> None:
    path.write_text(path.read_text().replace("sample = 12", "sample = 21", 1))
    with pytest.raises(JaxzcError, match=r"sample = 21: truth.csv has only 20 different architectures"):
        score_missing(read_description(path))
