"""`jaxzc score` refuses what it cannot do in one sentence, before anything is scored or written."""

import os
from pathlib import Path
from typing import Any

import jax
import numpy as np
import pytest

import jaxzc.embedded
from jaxzc.scoring.space import SpaceScorer
from jaxzc.types import JaxzcError
from tests.support.commands import ARCHS, refused, run, score


@pytest.mark.parametrize(
    ("arguments", "fragments"),
    [
        (["--proxies", "zicoo"], ["unknown proxy 'zicoo': did you mean 'zico'?"]),
        (["--proxies", "zico(std='abs')"], ["unknown setting of zico 'std': did you mean 'std_of'?"]),
        (["--proxies", "zico(std_of=1)"], ["zico: std_of=1: expected text"]),
        (["--proxies", "zico("], ["proxy 'zico(' cannot be read"]),
        (["--proxies", ","], ["no proxy was named"]),
        (["--proxies", "zico", "--batches", "1"], ["batches is 1, too few for zico, ", "at least 2 batches"]),
        (["--batches", "1"], ["batches is 1, too few for zico, sweet_zico, "]),
        (
            ["--proxies", "snip,jacob_cov,naswot,lnwot,tcet_snip", "--batch-size", "1"],
            ["batch_size is 1, too few for jacob_cov, naswot, lnwot"],
        ),
        (["--set", "nonsense=1"], ["unknown option of nasbench201 'nonsense': known: channels, cells"]),
        (["--set", "classes=3"], ["classes follows from the data"]),
        (["--set", "cells"], ["--set cells: expected OPTION=VALUE"]),
        (["--set", "cells=2"], ["--set cells is given twice"]),
        (["--sample", "99999"], ["cannot sample 99,999 distinct architectures from a space of 15,625"]),
        (["--sample", "0"], ["argument --sample: '0' is not a whole number of at least 1"]),
        (["--all", "--sample", "3"], ["--all means every architecture"]),
        (["--batch-size", "99999999999"], ["argument --batch-size: '99999999999' is not"]),
        (["--batch-size", "5000"], ["digits has 1797 images, 10000 were asked for"]),
        (["--seed", "-1"], ["argument --seed: '-1' is not a whole number from 0 to 4294967295"]),
        (["--seed", "0,4294967296"], ["'4294967296' is not"]),
        (["--seed", "1,1"], ["names a seed twice"]),
        (["--init", "he"], ["argument --init: invalid choice: 'he'"]),
        (["--data", "cifar"], ["unknown data 'cifar': choose one of digits"]),
        (["--out", "."], [". is a directory: name a file, for example scores.parquet"]),
        (["--out", ".", "--overwrite"], ["is a directory"]),
        (["--out", "nowhere/x.parquet"], ["there is no directory", "nowhere for x.parquet"]),
        (["--archs", "missing.txt"], ["there is no file missing.txt"]),
        (["--archs", f"{ARCHS[0]},oops"], ["--archs |", "'oops' is no NAS-Bench-201 architecture"]),
        (["--archs", "oops"], ["there is no such file, and it is no architecture of nasbench201: 'oops'"]),
    ],
)
def test_a_mistake_is_named_and_nothing_is_written(here: Path, arguments: list[str], fragments: list[str]) -> None:
    defaults = [] if "--proxies" in arguments or "--batches" in arguments else ["--proxies", "params"]
    refused(score("--out", "x.parquet", *defaults, *arguments), *fragments)
    assert os.listdir(here) == []


@pytest.mark.parametrize("value", ["abc", "0", "-1", "2.5", "True", "None", ""])
def test_options_of_the_space_are_judged(here: Path, value: str) -> None:
    result = run("score", "nasbench201", "--set", f"channels={value}", "--proxies", "params", "--no-cache", "--out", "x.parquet")
    refused(result, "nasbench201", "channels=", "expected a positive integer" if value in ("0", "-1") else "expected a whole number")


def test_existing_file_is_refused_before_anything_else(here: Path) -> None:
    Path("x.parquet").write_text("precious")
    refused(score("--out", "x.parquet", "--archs", "missing.txt"), "x.parquet exists", "--overwrite")
    assert Path("x.parquet").read_text() == "precious"


@pytest.mark.parametrize(
    ("text", "fragments"),
    [
        (f"# mine\n\n{ARCHS[0]}\n|oops\n", ["mine.txt, line 4: '|oops'", "expected 3"]),
        (f"{ARCHS[0]}\n{ARCHS[0].replace('skip', 'jump')}\n", ["mine.txt, line 2: ", "unknown operation 'jump_connect'", "skip_connect"]),
        ("# nothing\n\n", ["mine.txt holds no architecture"]),
    ],
)
def test_a_wrong_line_of_a_file_of_architectures_is_named(here: Path, text: str, fragments: list[str]) -> None:
    Path("mine.txt").write_text(text)
    refused(score("--proxies", "params", "--archs", "mine.txt", "--out", "x.parquet"), *fragments)
    assert os.listdir(here) == ["mine.txt"]


def test_a_sample_larger_than_the_file_is_refused(here: Path) -> None:
    Path("mine.txt").write_text("\n".join(ARCHS))
    result = score("--proxies", "params", "--archs", "mine.txt", "--sample", 5, "--out", "x.parquet")
    refused(result, "--sample 5: mine.txt has only 4 different architectures")


def test_an_embedded_benchmark_that_is_not_there_is_said(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jaxzc.embedded, "table_path", lambda: here / "none.parquet")
    refused(score("--proxies", "params", "--archs", "embedded", "--out", "x.parquet"), "lacks the embedded benchmark")


IMAGES = np.random.default_rng(0).standard_normal((32, 8, 8, 1)).astype(np.float32)
LABELS = np.arange(32) % 10


@pytest.mark.parametrize(
    ("arrays", "fragments"),
    [
        ({"images": IMAGES[..., 0]}, ["[32, 8, 8]", "[N, H, W, C]"]),
        ({"images": IMAGES[:, :7, :7]}, ["(7, 7, 1)", "divisible by 4"]),
        ({"images": IMAGES.astype(np.int64)}, ["int64", "uint8 or float"]),
        ({"labels": LABELS - 1}, ["label -1 at index 0", "out of range"]),
        ({"classes": 5}, ["label 5 at index 5", "expected 0 to 4"]),
        ({"labels": LABELS[:5]}, ["int64 [5], expected integers [32]"]),
        ({"images": np.where(IMAGES > 2, np.nan, IMAGES)}, ["NaN or infinite"]),
    ],
)
def test_arrays_that_are_no_images_or_labels_are_refused(here: Path, arrays: dict[str, Any], fragments: list[str]) -> None:
    np.savez("mine.npz", **{"images": IMAGES, "labels": LABELS, **arrays})
    refused(score("--proxies", "params", "--data", "npz:mine.npz", "--out", "x.parquet"), *fragments)
    assert os.listdir(here) == ["mine.npz"]


@pytest.mark.parametrize(
    ("error", "code", "says"),
    [
        (KeyboardInterrupt(), 130, "interrupted"),
        (jax.errors.JaxRuntimeError("RESOURCE_EXHAUSTED: Out of memory while trying to allocate"), 2, "lower --batch-size"),
        (MemoryError(), 2, "out of memory"),
    ],
)
def test_interruption_or_lack_of_memory_is_one_line(
    here: Path, monkeypatch: pytest.MonkeyPatch, error: BaseException, code: int, says: str
) -> None:
    monkeypatch.setattr(SpaceScorer, "many", failing(error))
    result = score("--proxies", "params", "--out", "x.parquet")
    assert (result.code, result.out) == (code, "")
    assert says in result.err
    assert len(result.err.splitlines()) == 1
    assert os.listdir(here) == []


def failing(error: BaseException) -> Any:
    def many(*_: Any) -> Any:
        raise error

    return many


@pytest.mark.filterwarnings("always::jaxzc.DoubtWarning")
def test_what_a_space_doubts_is_a_note(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(SpaceScorer, "many", failing(JaxzcError("enough")))
    call = ("--data", "normal", "--proxies", "synflow", "--no-cache", "--quiet", "--out", "x.parquet")
    first, last = run("score", "published", "--archs", "resnet10,mobilenetv2_w1", *call).err.splitlines()
    assert first.startswith("jaxzc: published: synflow: the networks mobilenetv2_* ")
    assert last == "jaxzc: error: enough"
    assert run("score", "published", "--archs", "resnet10", *call).err == "jaxzc: error: enough\n"


def test_other_errors_of_jax_are_not_disguised(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(SpaceScorer, "many", failing(jax.errors.JaxRuntimeError("INTERNAL: a bug")))
    with pytest.raises(jax.errors.JaxRuntimeError, match="a bug"):
        score("--proxies", "params", "--out", "x.parquet")
    assert os.listdir(here) == []
