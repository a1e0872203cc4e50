"""`jaxzc evaluate` as a user meets it: what it prints and writes, and one sentence for every mistake."""

from pathlib import Path

import pytest

import jaxzc.embedded
from jaxzc.cli import main
from jaxzc.evaluation import STATISTICS
from jaxzc.tables import write_scores
from tests.support.commands import ARCHS, Scored, refused, run, scored_file


@pytest.fixture(scope="module")
def scored(tmp_path_factory: pytest.TempPathFactory) -> Scored:
    """Compiled once for the tests that read it."""
    return scored_file(tmp_path_factory.mktemp("scored"))


@pytest.fixture
def accuracies(here: Path) -> Path:
    path = here / "truth.csv"
    path.write_text("arch,acc,name\n" + "".join(f"{arch},{acc},n\n" for arch, acc in zip(ARCHS, (70.5, 80.1, 90.2, 20.3), strict=True)))
    return path


def test_evaluate_prints_correlations(scored: Scored, accuracies: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    result = run("evaluate", scored.path, "--table", accuracies, "--metric", "acc")
    assert (result.code, result.err) == (0, "")
    head, _, names, *rows = result.out.splitlines()
    assert head == f"8 rows of {scored.path} against acc of {accuracies} (4 architectures)"
    assert names.split() == ["proxy", "spearman", "kendall", "top", "10%", "coverage", "seeds"]  # of 4 networks nothing else is defined
    assert max(map(len, result.out.splitlines()[2:])) <= 100
    assert {row.split()[0] for row in rows} == {"naswot(once=True)", "l2_norm", "params", "flops"}
    monkeypatch.setattr(jaxzc.embedded, "table_path", lambda: accuracies)
    chosen = run("evaluate", scored.path, "--table", "embedded", "--metric", "acc", "--proxies", "naswot(once=True)")
    assert {line.split()[0] for line in chosen.out.splitlines()[3:]} == {"naswot(once=True)", "params", "flops"}


def test_evaluate_in_full(scored: Scored, accuracies: Path) -> None:
    call = ("evaluate", scored.path, "--table", accuracies, "--metric", "acc", "--resamples", "20")
    result = run(*call, "--statistics", "ndcg, kendall", "--compare", "l2_norm,params", "--csv", "all.csv")
    assert (result.code, result.err) == (0, "")
    assert [line.split()[1] for line in result.out.splitlines() if line.startswith("proxy ")] == ["spearman", "kendall", "ndcg"]
    assert "spearman on 4 common networks: l2_norm " in result.out
    assert result.out.endswith("all.csv: every statistic of 2 proxies and 2 sizes\n")
    header = Path("all.csv").read_text().splitlines()[0].split(",")
    assert {"proxy", "spearman_low", "regret_64_high", "ndcg_over_seeds", "passes"} <= set(header)
    again = run(*call, "--statistics", "all", "--seed", "1")
    assert [line.split()[1] for line in again.out.splitlines() if line.startswith("proxy ")] == ["spearman", *STATISTICS]
    bare = run(*call[:-1], "0")
    assert "nan" not in bare.out


def test_evaluate_compares_score_files(accuracies: Path) -> None:
    for name, scores in (("one", [1.0, 2, 3, 0]), ("two", [2.0, 1, 3, 0])):
        write_scores(f"{name}.parquet", {"arch": ARCHS, "zico": scores}, {"proxies": ["zico"]})
    call = ("evaluate", "one.parquet", "two.parquet", "--table", accuracies, "--metric", "acc", "--resamples", "20")
    result = run(*call)
    assert (result.code, result.err) == (0, "")
    assert {line.split()[0] for line in result.out.splitlines()[3:7]} == {"zico(one)", "zico(two)", "params", "flops"}
    assert "spearman on 4 common networks: zico(one) 1.000, zico(two) 0.800; difference +0.200" in result.out
    assert "zico(two)" in run(*call, "--proxies", "zico").out
    refused(run(*call, "--proxies", "snip"), "no proxy 'snip(one)'", "zico(one)")
    refused(run("evaluate", "one.parquet", *call[1:2], *call[3:]), "one file is named twice")


def test_evaluate_refuses_options(scored: Scored, accuracies: Path) -> None:
    call = ("evaluate", scored.path, "--table", accuracies, "--metric", "acc")
    refused(run(*call, "--statistics", "rho"), "unknown statistic 'rho': choose some of spearman, kendall")
    refused(run(*call, "--compare", "l2_norm"), "--compare l2_norm: expected two proxies")
    refused(run(*call, "--compare", "l2_norm,zico"), "the evaluation has no proxy 'zico'")
    refused(run(*call, "--resamples", "-1"), "'-1' is not a whole number")
    refused(run(*call, "--csv", "no/all.csv"), "there is no directory", "for all.csv")
    Path("there.csv").write_text("")
    refused(run(*call, "--csv", "there.csv"), "there.csv exists: choose another name, or add --overwrite")
    assert run(*call, "--resamples", "0", "--csv", "there.csv", "--overwrite").code == 0
    assert Path("there.csv").read_text().startswith("proxy,")


def test_evaluate_ignores_nothing_silently(scored: Scored, accuracies: Path) -> None:
    accuracies.write_text("\n".join(accuracies.read_text().splitlines()[:-1]) + "\n")
    result = run("evaluate", scored.path, "--table", accuracies, "--metric", "acc")
    assert "2 scored rows left out: the ground truth has no accuracy for their architecture" in result.out
    assert f"without an accuracy: {ARCHS[-1]}" in result.out
    write_scores("extra.parquet", {"arch": ARCHS, "mine": [1.0, 2, 3, 4], "words": ["a", "b", "c", "d"]}, {"proxies": ["mine"]})
    result = run("evaluate", "extra.parquet", "--table", accuracies, "--metric", "acc")
    assert result.code == 0
    assert result.err.strip().endswith("hold no numbers: words")
    written = {"arch": ARCHS, "scored": ARCHS, "mine": [1.0, 2, 3, 4], "error": [None, "why", None, None]}  # as a job writes them
    write_scores("job.parquet", written, {"proxies": ["mine"]})
    assert run("evaluate", "job.parquet", "--table", accuracies, "--metric", "acc").err == ""


@pytest.mark.parametrize(
    ("table", "metric", "fragments"),
    [
        ("truth.csv", "accuracy", ["truth.csv has no column 'accuracy'", "numeric columns acc"]),
        ("truth.csv", "name", ["column 'name' of truth.csv is not numeric"]),
        ("missing.csv", "acc", ["there is no file missing.csv"]),
        ("other.csv", "acc", ["none of the 8 scored rows has an accuracy", "same search space"]),
        ("mine.txt", "acc", ["mine.txt is no table by its name"]),
    ],
)
def test_evaluate_refuses_tables(scored: Scored, accuracies: Path, table: str, metric: str, fragments: list[str]) -> None:
    accuracies.with_name("other.csv").write_text("arch,acc\nsomething,1\n")
    accuracies.with_name("mine.txt").write_text("")
    refused(run("evaluate", scored.path, "--table", table, "--metric", metric), *fragments)


def test_evaluate_refuses_scores(scored: Scored, accuracies: Path) -> None:
    table = ["--table", accuracies, "--metric", "acc"]
    refused(run("evaluate", "missing.parquet", *table), "there is no file missing.parquet")
    (Path("damaged.parquet")).write_bytes(b"PAR1 and no more")
    refused(run("evaluate", "damaged.parquet", *table), "cannot be read as Parquet")
    refused(run("evaluate", scored.path, *table, "--proxies", "snip"), "no proxy 'snip'", "naswot(once=True), l2_norm")
    refused(run("evaluate", scored.path, "--table", accuracies), "the following arguments are required: --metric")


def test_evaluate_adds_the_majority_vote(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Three architectures in one order by two of three voters; the third voter is outvoted."""
    archs = ["a", "b", "c", "d"]
    columns = {"arch": archs, "seed": [0] * 4, "synflow": [1.0, 2, 3, 4], "jacob_cov": [1.0, 2, 3, 4], "snip": [4.0, 3, 2, 1]}
    write_scores(tmp_path / "s.parquet", columns, {"proxies": ["synflow", "jacob_cov", "snip"]})
    (tmp_path / "t.csv").write_text("arch,acc\na,10\nb,20\nc,30\nd,40\n")
    call = ["evaluate", str(tmp_path / "s.parquet"), "--table", str(tmp_path / "t.csv"), "--metric", "acc", "--vote"]
    assert main(call) == 0
    line = next(line for line in capsys.readouterr().out.splitlines() if line.startswith("vote"))
    assert line.split()[1:3] == ["1.000", "1.000"]  # four networks have no interval: there is no such column
    assert main([*call, "--proxies", "snip,vote"]) == main([*call, "--proxies", "snip"]) == 0
    shown = [line.split()[0] for line in capsys.readouterr().out.splitlines() if line]
    assert shown.count("vote") == shown.count("snip") == 2
    assert "synflow" not in shown
    columns.pop("snip")
    write_scores(tmp_path / "two.parquet", columns, {})
    assert main(["evaluate", str(tmp_path / "two.parquet"), "--table", str(tmp_path / "t.csv"), "--metric", "acc", "--vote"]) == 2
    assert "the table lacks snip (it has synflow, jacob_cov): score them first" in capsys.readouterr().err
