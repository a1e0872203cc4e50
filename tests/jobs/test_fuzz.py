"""200 damaged inputs: files of architectures, tables, options, parts and images. Each gives a right result or one sentence, and what stood
at the place of the output stays whole."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

from jaxzc import jobs
from jaxzc.tables import read_scores, write_scores
from jaxzc.types import JaxzcError
from tests.support.commands import run
from tests.support.job_commands import SPACE

PER_KIND = 40
SIZE = ["--set", "channels=2", "--set", "cells=1", "--batch-size", "8", "--no-cache", "--quiet", "--proxies", "layers"]
ARCHS = [SPACE.to_string(arch) for arch in SPACE.sample(np.random.default_rng(0), 12)]
OUT = ("--out", "x.parquet", "--overwrite")
PIECES = [b"", b"\0", b"\n", b"|", b"~", b",", b"arch", b"nan", b"-1", b"\xff\xfe", b"'", b'"', b"#", b"1e999", "é".encode(), b"0" * 400]


def damaged(content: bytes, rng: np.random.Generator) -> bytes:
    """Cut, repeated, overwritten or sprinkled, one to three times."""
    for _ in range(rng.integers(1, 4)):
        at, end = sorted(rng.integers(0, len(content) + 1, 2)) if content else (0, 0)
        kind = rng.integers(5)
        if kind == 0:
            content = content[:at]
        elif kind == 1:
            content = content[:at] + content[end:]
        elif kind == 2:
            content = content[:at] + bytes(rng.integers(0, 256, 8, np.uint8)) + content[at + 8 :]
        elif kind == 3:
            content = content[:at] + PIECES[rng.integers(len(PIECES))] + content[at:]
        else:
            content = content + content[at:end]
    return content


def judged(out: Path, before: bytes | None, *command: Any) -> int:
    """Runs the command: all is well and the output can be read, or one sentence was said and the output is what it was."""
    result = run(*command)
    assert result.code in (0, 2), (command, result)
    assert "Traceback" not in result.err
    if result.code == 0:
        assert pq.read_table(out).num_rows > 0
    else:
        assert len([line for line in result.err.splitlines() if "error: " in line]) == 1, result.err
        assert (out.read_bytes() if out.exists() else None) == before, command
    return result.code


def archs(here: Path, rng: np.random.Generator) -> list[Any]:
    kind = rng.choice(["txt", "csv", "parquet"])
    path = here / f"archs.{kind}"
    if kind == "parquet":
        write_scores(path, {"arch": ARCHS}, {}, overwrite=True)
    else:
        path.write_text("\n".join(ARCHS if kind == "txt" else ["arch,acc", *(f"{arch},1" for arch in ARCHS)]))
    path.write_bytes(damaged(path.read_bytes(), rng))
    return ["score", "nasbench201", *SIZE, "--archs", path, *OUT]


def images(here: Path, rng: np.random.Generator) -> list[Any]:
    arrays = {"images": rng.standard_normal((32, 8, 8, 1)).astype(np.float32), "labels": np.arange(32) % 10}
    wrong: list[Any] = [np.zeros(0), np.array(["a"]), np.array([None]), np.full((32,), 1e30), np.zeros((32, 8, 8), bool), np.int64(3)]
    if rng.random() < 0.5:
        arrays[str(rng.choice(["images", "labels", "classes", "mean"]))] = wrong[rng.integers(len(wrong))]
    np.savez(here / "mine.npz", **arrays)
    if rng.random() < 0.7:
        (here / "mine.npz").write_bytes(damaged((here / "mine.npz").read_bytes(), rng))
    return ["score", "nasbench201", *SIZE, "--sample", "3", "--data", "npz:mine.npz", *OUT]


def options(here: Path, rng: np.random.Generator) -> list[Any]:
    values = [
        "",
        "0",
        "-1",
        "1",
        "2",
        "1e3",
        "nan",
        "x",
        "None",
        "[1]",
        "0/2",
        "99999999999999999999",
        "a=b",
        "naswot(",
        "zico(std_of=3)",
        "\0",
    ]
    names = [
        "--set",
        "--seed",
        "--sample",
        "--proxies",
        "--data",
        "--batch-size",
        "--batches",
        "--stripe",
        "--devices",
        "--chunk",
        "--every",
    ]
    names += ["--weights", "--init", "--norm", "--isomorphs", "--archs", "--every"]
    chosen: list[str] = []
    for _ in range(rng.integers(1, 3)):
        if rng.random() < 0.5:
            chosen += [str(rng.choice(["--seed", "--sample", "--batch-size", "--batches", "--every", "--chunk"])), str(rng.integers(1, 9))]
        else:
            chosen += [str(rng.choice(names)), values[rng.integers(len(values))]]
    return ["score", "nasbench201", *SIZE, "--sample", "2", *OUT, *chosen]


def tables(here: Path, rng: np.random.Generator) -> list[Any]:
    """A table of scores or of accuracies, read by `jaxzc evaluate`, whose output is a CSV; and the same table merged of nothing."""
    kind = rng.choice(["scores.parquet", "truth.csv", "truth.parquet"])
    values = rng.standard_normal(len(ARCHS))
    if kind == "truth.csv":
        lines = [f"{arch},{value}" for arch, value in zip(ARCHS, values, strict=True)]
        for _ in range(rng.integers(4)):  # lines left out, repeated, of another value
            at = rng.integers(len(lines))
            lines[at : at + 1] = [[], [lines[at]] * 2, [f"{ARCHS[0]},"], [f"{ARCHS[1]},nan"]][rng.integers(4)]
        content = "\n".join(["arch,acc", *lines]).encode()
    else:
        write_scores(here / "t.parquet", {"arch": ARCHS, "acc": values, "naswot": values}, {"proxies": ["naswot"]}, overwrite=True)
        content = (here / "t.parquet").read_bytes()
    good = here / "good.parquet"
    write_scores(good, {"arch": ARCHS, "seed": [0] * 12, "naswot": values, "acc": values}, {"proxies": ["naswot"]}, overwrite=True)
    (here / kind).write_bytes(content if kind == "truth.csv" and rng.random() < 0.7 else damaged(content, rng))
    scores, truth = (kind, "good.parquet") if kind == "scores.parquet" else ("good.parquet", kind)
    return ["evaluate", scores, "--table", truth, "--metric", "acc", "--resamples", "10"]


def job(here: Path, rng: np.random.Generator) -> list[Any]:
    """Any file of a finished job; then the job is gone on with, or merged."""
    shutil.rmtree(here / "job", ignore_errors=True)
    shutil.copytree(here / "whole", here / "job")
    files = sorted(path for path in (here / "job").rglob("*") if path.is_file())
    for _ in range(rng.integers(1, 3)):
        path = files[rng.integers(len(files))]
        path.write_bytes(damaged(path.read_bytes(), rng))
    return ["score", "nasbench201", *SIZE, "--sample", "6", "--out", "job"] if rng.random() < 0.5 else ["merge", "job", *OUT]


@pytest.mark.parametrize("kind", [archs, images, options])
def test_score(here: Path, kind: Callable[[Path, np.random.Generator], list[Any]]) -> None:
    codes = []
    write_scores(here / "x.parquet", {"arch": ["old"]}, {})
    for number in range(PER_KIND):
        before = (here / "x.parquet").read_bytes()
        codes.append(judged(here / "x.parquet", before, *kind(here, np.random.default_rng(number))))
        assert not (here / "x.parquet.job").exists()
        assert [path.name for path in here.iterdir() if path.name.endswith(".tmp")] == []
    assert {2} <= set(codes) <= {0, 2}  # whether a damage is one that nothing reads depends on the version that wrote the file


def test_evaluate(here: Path) -> None:
    codes = []
    for number in range(PER_KIND):
        result = run(*tables(here, np.random.default_rng(number)))
        assert result.code in (0, 2), result
        assert "Traceback" not in result.err
        assert (result.code == 2) == ("error: " in result.err)
        codes.append(result.code)
    assert {0, 2} == set(codes)


def test_parts_manifests_and_leases(here: Path) -> None:
    assert run("score", "nasbench201", *SIZE, "--sample", "6", "--out", "whole").code == 0
    whole = jobs.merge(jobs.store("whole")).columns
    write_scores(here / "x.parquet", {"arch": ["old"]}, {})
    codes = []
    for number in range(PER_KIND):
        command = job(here, np.random.default_rng(number))
        before = (here / "x.parquet").read_bytes()
        codes.append(judged(here / "x.parquet", before, *command))
        if codes[-1]:
            continue
        # Whatever was damaged: no score is there that is not the right one.
        columns = jobs.merge(jobs.store("job")).columns if command[0] == "score" else read_scores("x.parquet").columns
        assert list(columns["arch"]) == list(whole["arch"])
        for name in ("layers", "params", "flops"):
            value = np.ma.filled(columns[name], np.nan)
            np.testing.assert_array_equal(value, whole[name] if command[0] == "score" else np.where(np.isnan(value), np.nan, whole[name]))
    assert {0, 2} == set(codes)


def test_a_damaged_request_is_named(here: Path) -> None:
    assert run("score", "nasbench201", *SIZE, "--sample", "6", "--out", "job").code == 0
    (path,) = Path("job/requests").iterdir()
    path.write_bytes(path.read_bytes()[:-5])
    with pytest.raises(JaxzcError, match=rf"{path.name} is damaged .* delete it, and run its command again"):
        jobs.merge(jobs.store("job"))
