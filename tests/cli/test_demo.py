"""`jaxzc demo`: scores, leaderboard and report in one command."""

from pathlib import Path

import pytest

from jaxzc.cli import main
from jaxzc.report import files
from jaxzc.tables import read_scores

SMALL = ["demo", "--architectures", "12", "--proxies", "l2_norm,naswot", "--quiet"]


def test_demo_writes_scores_and_report(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert main(SMALL) == 0
    said = capsys.readouterr().out
    scores = read_scores(tmp_path / "jaxzc-demo" / "scores.parquet")
    assert len(scores.columns["arch"]) == 12
    assert scores.metadata["proxies"] == ["l2_norm", "naswot", "params", "flops"]
    assert "$ jaxzc score nasbench201 --archs embedded --sample 12" in said
    assert "noise ceiling" in said
    page = (tmp_path / "jaxzc-demo" / "index.html").read_text(encoding="utf-8")
    assert scores.metadata["command"] in page
    assert main(SMALL) == 2
    assert "add --overwrite" in capsys.readouterr().err
    monkeypatch.setattr(files, "drawings", lambda evaluation, comparisons: {})  # they have been drawn above
    assert main([*SMALL, "--overwrite"]) == 0


def test_demo_refuses_what_score_would_refuse(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["demo", "--proxies", "nothing"]) == 2
    assert "nothing" in capsys.readouterr().err
