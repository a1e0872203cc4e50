"""Jobs whose scoring fails: some architectures, all of them, memory, the process. Only counts are scored: nothing compiles."""

import json
from pathlib import Path
from typing import Any

import jax
import numpy as np
import pyarrow.parquet as pq
import pytest

from jaxzc.proxies import PROXIES
from jaxzc.scoring.results import Scores
from jaxzc.scoring.space import SpaceScorer
from tests.support.commands import run
from tests.support.job_commands import MANY, Many, done, failing, merged, refused, score


def bad(strings: list[str]) -> bool:
    return any(s.startswith("|nor_conv_3x3~0|") for s in strings)


@pytest.mark.parametrize("chunk", [1, 8])
def test_one_bad_architecture_does_not_stop_the_job(here: Path, monkeypatch: pytest.MonkeyPatch, chunk: int) -> None:
    done(score("--out", "whole", sample=60))
    whole = merged("whole").columns
    expected = [bad([arch]) for arch in whole["arch"]]
    assert 0 < sum(expected) < 30
    monkeypatch.setattr(SpaceScorer, "width", chunk)
    failing(monkeypatch, jax.errors.JaxRuntimeError("INTERNAL: the compiler\nfell over"), bad)
    result = done(score("--out", "job", sample=60))
    assert f"{sum(expected)} failed and are recorded with their errors" in result.out
    assert "JaxRuntimeError: INTERNAL: the compiler fell over" in result.out
    table = merged()
    assert table.missing == 0
    assert [error is not None for error in table.columns["error"]] == expected
    np.testing.assert_array_equal(np.isnan(table.columns["layers"]), expected)
    np.testing.assert_array_equal(table.columns["layers"][~np.array(expected)], whole["layers"][~np.array(expected)])
    assert "INTERNAL: the compiler fell over" in done(run("status", "job", "--failures")).out
    assert "rows failed (column error)" in done(run("merge", "job", "--out", "m.parquet")).out
    # They are not tried again, unless that is asked for.
    monkeypatch.setattr(SpaceScorer, "many", MANY)
    assert "nothing was left" in done(score("--out", "job", sample=60)).out
    done(score("--out", "job", "--retry-failures", sample=60))
    again = merged().columns
    assert "error" not in again
    np.testing.assert_array_equal(again["layers"], whole["layers"])


def test_memory_that_runs_out_is_answered_with_smaller_chunks(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The real halving, of lanes that a GPU would have; the calls are made on the CPU one by one."""
    sizes: list[int] = []

    def many(self: SpaceScorer, archs: np.ndarray, seed: int = 0) -> list[Scores]:
        sizes.append(len(archs))
        if len(archs) > 2:
            raise jax.errors.JaxRuntimeError("RESOURCE_EXHAUSTED: Out of memory while trying to allocate 1 byte")
        return MANY(self, archs, seed)

    begin = SpaceScorer.__init__

    def wide(self: SpaceScorer, *arguments: Any, **options: Any) -> None:
        begin(self, *arguments, lanes=options["chunk"], **options)

    monkeypatch.setattr(SpaceScorer, "__init__", wide)
    monkeypatch.setattr(SpaceScorer, "width", property(lambda self: self.chunk))
    monkeypatch.setattr(SpaceScorer, "many", many)
    result = done(score("--out", "job", "--chunk", "8", sample=20))
    assert sizes == [8, 4, *[2] * 10]  # the chunk that fits is kept
    assert "out of memory with 8 architectures at a time: going on with 4" in result.err
    assert "error" not in merged().columns


def test_a_broken_process_blames_no_architecture(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """From the fifth call on everything fails, what had succeeded as well: nothing of that is recorded."""
    monkeypatch.setattr(SpaceScorer, "width", 1)
    error = jax.errors.JaxRuntimeError("CUDA_ERROR_ILLEGAL_ADDRESS")
    monkeypatch.setattr(SpaceScorer, "many", _after(5, error))
    with pytest.raises(jax.errors.JaxRuntimeError, match="ILLEGAL_ADDRESS"):
        score("--out", "job", sample=40)
    table = merged()
    assert table.missing == 35 * 3
    assert "error" not in table.columns
    assert done(run("status", "job", "--json")).out
    assert json.loads(run("status", "job", "--json").out)["stripes"][0]["state"] == "failed"


def _after(calls: int, error: Exception) -> Many:
    made: list[int] = []

    def many(self: SpaceScorer, archs: np.ndarray, seed: int = 0) -> list[Scores]:
        made.append(len(archs))
        if len(made) > calls:
            raise error
        return MANY(self, archs, seed)

    return many


@pytest.mark.parametrize("out", ["x.parquet", "job"])
def test_where_all_rows_failed_the_command_fails(here: Path, monkeypatch: pytest.MonkeyPatch, out: str) -> None:
    """Fewer than raise a doubt about the process: recorded, but no table of nothing, and no exit code of success."""
    with monkeypatch.context() as patch:
        failing(patch, jax.errors.JaxRuntimeError("INTERNAL: no luck"), lambda strings: True)
        said = ("all 3 rows failed, the first |", "JaxRuntimeError: INTERNAL: no luck", "--retry-failures scores them again")
        refused(score("--out", out, sample=3), *said)
        assert not Path("x.parquet").exists()
        refused(score("--out", out, sample=3), *said)
    assert done(score("--out", out, "--retry-failures", sample=3))


def test_nan_is_a_score(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def layers(counts: Any) -> float:
        """Not a number."""
        return float("nan")

    monkeypatch.setitem(PROXIES, "layers", layers)
    result = done(score("--out", "x.parquet", sample=3))
    assert "layers: 3 of 3 are NaN or infinite" in result.out
    assert pq.read_table("x.parquet")["layers"].null_count == 0
