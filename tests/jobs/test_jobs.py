"""Jobs in this process: what is resumed, what is refused, what is told. Only counts are scored: nothing compiles."""

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

import jaxzc
from jaxzc import jobs
from jaxzc.catalogue import spaces
from jaxzc.catalogue.selection import identity, parse_proxy
from jaxzc.jobs import manifest, parts
from jaxzc.proxies import PROXIES
from jaxzc.tables import read_scores
from tests.support.commands import run
from tests.support.job_commands import SPACE, done, merged, refused, score

# What is there is not scored again.


def test_a_job_grows_by_architectures_seeds_and_proxies(here: Path, count: list[str]) -> None:
    done(score("--out", "job"))
    assert len(count) == 20
    assert "nothing was left to score" in done(score("--out", "job")).out
    assert len(count) == 20
    done(score("--out", "job", "--seed", "0,1"))
    assert len(count) == 40
    done(score("--out", "job", proxies="params"))  # which was always scored
    assert len(count) == 40
    table = merged()
    assert len(table.columns["arch"]) == 40
    assert table.missing == 0
    done(score("--out", "more", sample=15))
    archs = pq.read_table(done(run("merge", "more", "--out", "more.parquet")) and "more.parquet")["arch"].to_pylist()
    Path("archs.txt").write_text("\n".join([*archs, *table.columns["arch"][:5]]))
    size = ["--set", "channels=2", "--set", "cells=1", "--batch-size", "8", "--no-cache", "--quiet"]
    done(run("score", "nasbench201", *size, "--archs", "archs.txt", "--proxies", "layers", "--out", "job"))
    new = set(archs) - set(table.columns["arch"])
    assert len(count) == 40 + 15 + len(new)
    grown = merged()
    assert len(grown.columns["arch"]) == 40 + len(new)  # each row once, and those of before first
    np.testing.assert_array_equal(grown.columns["params"][:40], table.columns["params"])
    assert grown.missing == 0


def test_what_was_not_asked_for_together_is_missing_and_not_nan(here: Path) -> None:
    done(score("--out", "job", sample=5, proxies="params"))
    done(score("--out", "job", "--seed", "1", sample=3, proxies="layers"))
    assert merged().missing == 5
    said = done(run("merge", "job", "--out", "m.parquet"))
    assert "8 rows, 3 scores each; 5 scores are not there yet" in said.out
    table = pq.read_table("m.parquet")
    assert table["layers"].null_count == 5
    assert table["params"].null_count == 0
    refused(run("merge", "job", "--out", "n.parquet", "--complete"), "5 scores of job are still missing")
    assert not Path("n.parquet").exists()


@pytest.mark.parametrize(
    ("arguments", "names"),
    [
        (["--batch-size", "4"], "batch_size 8, not 4"),
        (["--batches", "1"], "batches 2, not 1"),
        (["--weights", "shared"], "weights 'redrawn', not 'shared'"),
        (["--init", "normal"], "init 'torch', not 'normal'"),
        (["--norm", "init"], "norm 'batch', not 'init'"),
        (["--set", "channels=3"], "channels=2"),
    ],
)
def test_other_settings_are_refused(here: Path, arguments: list[str], names: str) -> None:
    done(score("--out", "job", sample=3))
    before = {p: p.read_bytes() for p in Path("job").rglob("*") if p.is_file()}
    size = ["--set", "cells=1"] + ([] if "--set" in arguments else ["--set", "channels=2"])
    size += [] if "--batch-size" in arguments else ["--batch-size", "8"]
    call = ["score", "nasbench201", *size, "--no-cache", "--quiet", "--sample", 3, "--proxies", "layers", "--out", "job", *arguments]
    refused(run(*call), "job holds a job with ", names)
    assert {p: p.read_bytes() for p in Path("job").rglob("*") if p.is_file()} == before
    done(run(*call, "--overwrite"))  # forgets it


def test_other_images_are_refused(here: Path) -> None:
    rng = np.random.default_rng(0)
    for fill in (0, 1):
        np.savez("mine.npz", images=rng.standard_normal((32, 8, 8, 1)).astype(np.float32) + fill, labels=np.arange(32) % 10)
        result = score("--data", "npz:mine.npz", "--out", "job", sample=3)
        if fill:
            refused(result, "job holds scores on other images for seed 0")
        else:
            done(result)
    np.savez("other.npz", images=rng.standard_normal((32, 8, 8, 1)).astype(np.float32), labels=np.arange(32) % 10)
    refused(score("--data", "npz:other.npz", "--seed", "3", "--out", "job", sample=3), "data 'npz:mine.npz', not 'npz:other.npz'")


def test_a_new_version_of_a_proxy_is_scored_anew(here: Path, count: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    @jaxzc.proxy(version=2)
    def layers(counts: Any) -> Any:
        return 2 * counts.layers

    done(score("--out", "job", sample=4))
    first = merged().columns["layers"]
    assert identity(PROXIES["naswot"]) == "naswot(once=False)@1"
    monkeypatch.setitem(PROXIES, "layers", layers)
    assert identity(layers) == "layers()@2"
    done(score("--out", "job", sample=4))
    assert len(count) == 8
    np.testing.assert_array_equal(merged().columns["layers"], 2 * first)


def test_settings_written_in_two_ways_are_one_proxy() -> None:
    same = [parse_proxy(text) for text in ("zico", "zico(std_of='signed')", 'zico(std_of = "signed")')]
    assert len({identity(proxy) for proxy in same}) == 1
    assert identity(parse_proxy("zico(std_of='abs')")) != identity(same[0])


def test_settings_of_ingredients_and_whose_proxy_it_is_are_part_of_an_identity() -> None:
    assert identity(PROXIES["swap"]) == "swap(images=16, repeats=8)@1"
    assert identity(parse_proxy("swap(repeats=32)")) == "swap(images=16, repeats=32)@1"
    assert identity(PROXIES["meco"]) == "meco(size=64)@2"

    def snip(weights: Any) -> Any:
        return weights

    assert identity(snip).startswith(f"{__name__}:test_settings_of_ingredients")
    assert identity(snip).endswith("snip()@1")


# Isomorphs.


def test_isomorphs_share_one_score(here: Path, count: list[str]) -> None:
    archs = SPACE.enumerate()
    chosen = jobs.representatives(SPACE, archs)
    assert len(np.unique(chosen, axis=0)) == 6410
    strings = [SPACE.to_string(arch) for arch in archs]
    same = np.flatnonzero((chosen == chosen[7]).all(1))
    assert len(same) > 1
    Path("archs.txt").write_text("\n".join(strings[i] for i in same))
    size = ["--set", "channels=2", "--set", "cells=1", "--batch-size", "8", "--no-cache", "--quiet", "--proxies", "layers"]
    done(run("score", "nasbench201", *size, "--archs", "archs.txt", "--isomorphs", "once", "--out", "s.parquet"))
    assert len(count) == 1
    table = read_scores("s.parquet").columns
    assert list(table["arch"]) == [strings[i] for i in same]
    assert set(table["scored"]) == set(count)
    assert len(set(table["layers"])) == 1


def test_isomorphs_of_other_spaces_have_one_canonical_form_and_equal_counts() -> None:
    space = spaces.space("darts", classes=10, inputs=(32, 32, 3))
    assert not hasattr(space, "same_network")
    archs = space.sample(np.random.default_rng(0), 20)
    both = jobs.representatives(space, np.concatenate([archs, space.canonical(archs)]))
    np.testing.assert_array_equal(both, np.concatenate([space.canonical(archs)] * 2))
    assert (both[:20] != archs).any()


# Heartbeats and status.


def test_heartbeat_and_status(here: Path) -> None:
    done(score("--out", "job", "--stripe", "1/3", sample=10))
    beat = json.loads(Path("job/heartbeats/1-of-3.json").read_text())
    assert {k: beat[k] for k in ("state", "total", "done", "failed", "unwritten", "there_before")} == {
        "state": "finished",
        "total": 3,
        "done": 3,
        "failed": 0,
        "unwritten": 0,
        "there_before": 0,
    }
    said = done(run("status", "job")).out
    assert " s a row" in said
    assert "9 of 30 scores are there (30.0 %): 10 rows, 3 proxies" in said
    assert "stripe 1-of-3: 3 of 3 rows; finished" in said
    facts = json.loads(done(run("status", "job", "--json")).out)
    assert (facts["missing"], facts["rows"], facts["bad_parts"]) == (21, 10, [])
    beat["state"] = "scoring"
    Path("job/heartbeats/1-of-3.json").write_text(json.dumps(beat))
    assert "ended without a word" in run("status", "job").out
    watched = done(run("status", "job", "--watch", "1")).out  # nobody is at work: once, and it ends
    assert watched.count("9 of 30 scores are there") == 1
    assert run("status", "job", "--watch", "--json").err.startswith("jaxzc: error: --watch is for readers and --json for programs")


def test_stripes_of_any_number_make_one_table(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    done(score("--out", "whole", sample=23))
    for stripe in ("0/2", "3/4", "1/4"):  # machines come and go
        done(score("--out", "job", "--stripe", stripe, sample=23))
    monkeypatch.setenv("JAXZC_STRIPE", "0/1")
    done(score("--out", "job", sample=23))
    one, other = merged("whole").columns, merged().columns
    for name in one:
        np.testing.assert_array_equal(one[name], other[name])


@pytest.mark.parametrize("stripe", ["", "1", "2/2", "a/b", "1/2/3", "0/0", "slurm"])
def test_stripes_that_are_none(here: Path, stripe: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SLURM_PROCID", raising=False)
    refused(score("--out", "job", "--stripe", stripe), "SLURM_PROCID" if stripe == "slurm" else "is not I/N")
    assert os.listdir(here) == []


def test_stripes_need_a_directory(here: Path) -> None:
    refused(score("--out", "x.parquet", "--stripe", "0/2"), "is one table, which stripes cannot share")
    refused(score("--out", "job", "--stripe", "0/2", "--overwrite"), "would take away what other stripes have scored")
    assert os.listdir(here) == []


def test_more_devices_than_there_are(here: Path) -> None:
    refused(score("--out", "x.parquet", "--devices", 64), "devices=64: this process has 1 (cpu)", "device_count=64 simulates them")
    assert os.listdir(here) == []


# Object stores, by fsspec's own in memory.


def test_a_job_in_an_object_store(here: Path, count: list[str]) -> None:
    where = "memory://bucket/night"
    try:
        done(score("--out", where, sample=10))
        assert "nothing was left" in done(score("--out", where, sample=10)).out
        assert len(count) == 10
        store = jobs.store(where)
        (name,) = parts.names(store)
        store.write(f"parts/{name}", b"torn")
        again = done(score("--out", where, sample=10))
        assert "torn or was changed" in again.err
        assert store.names("parts")[0].endswith(".corrupt") or store.names("parts")[1].endswith(".corrupt")
        done(run("merge", where, "--out", "m.parquet"))
        assert pq.read_table("m.parquet").num_rows == 10
        assert "30 of 30 scores are there" in done(run("status", where)).out
        refused(score("--out", where, "--weights", "shared", sample=10), "weights 'redrawn', not 'shared'")
    finally:
        jobs.store(where).remove_all()
    assert manifest.read_settings(jobs.store(where)) is None
    refused(score("--out", "nonsense://bucket/night", sample=3), "nonsense://bucket/night cannot be opened")
