"""The score tables that the repository keeps for `docs/leaderboard.md`: there, small, scores only, and said how to be made."""

import tomllib
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from jaxzc.catalogue.spaces import check_options
from jaxzc.evaluation.across.scoring import read_scoring
from jaxzc.jobs.described import request_of
from jaxzc.proxies import PROXIES
from jaxzc.tables import read_scores

ROOT = Path(__file__).parents[2]
BENCHMARKS = tomllib.loads((ROOT / "benchmarks/leaderboard.toml").read_text(encoding="utf-8"))["benchmark"]
FILES = sorted({entry["scores"] for entry in BENCHMARKS})


@pytest.mark.parametrize("file", FILES)
def test_score_tables_hold_scores_only(file: str) -> None:
    path = ROOT / "benchmarks" / file
    if path.parent.name == "scores":
        assert path.stat().st_size < 300_000
    table = read_scores(path)
    scores = {name: column for name, column in table.columns.items() if name not in ("arch", "seed", "scored", "error")}
    assert {"params", "flops", "layers"} <= set(scores)
    assert set(scores) <= set(PROXIES)  # no accuracies
    assert len(set(table.columns["arch"].tolist())) == len(table.columns["arch"])
    nowhere = {name for name, column in scores.items() if not np.isfinite(np.asarray(column, float)).any()}
    assert nowhere <= set(table.metadata.get("doubts", {})), "a score that is never a number says why"
    assert "/" not in str(table.metadata.get("data", "")) + str(table.metadata.get("data_notes", ""))


@pytest.mark.parametrize("file", [file for file in FILES if file.startswith("scores/")])
def test_every_small_table_says_how_it_is_made(file: str) -> None:
    entries = [entry for entry in BENCHMARKS if entry["scores"] == file and "scoring" in entry]
    assert len(entries) == 1  # benchmarks that share it need no second one
    scoring = read_scoring(file, entries[0]["scoring"])
    columns = read_scores(ROOT / "benchmarks" / file).columns
    assert {name.strip() for name in scoring.proxies.split(",")} <= set(columns)
    rows = len(columns["arch"])
    assert scoring.sample in (None, rows) or entries[0]["note"].startswith(f"The {rows} of {scoring.sample} ")


def test_the_page_has_every_benchmark() -> None:
    page = (ROOT / "docs/leaderboard.md").read_text(encoding="utf-8")
    for entry in BENCHMARKS:
        assert f"## {entry['name']}\n" in page


@pytest.mark.parametrize("entry", [entry for entry in BENCHMARKS if "scoring" in entry], ids=lambda entry: entry["name"])
def test_scores_can_be_asked_for_as_described(entry: dict[str, Any]) -> None:
    request = request_of(read_scoring(entry["scores"], entry["scoring"]), Path("job"))
    check_options(str(request.space), request.options)
    assert {"sweet_ntk", "jacob_cov", "snr_snip", "params", "flops", "layers"} <= set(request.chosen)
