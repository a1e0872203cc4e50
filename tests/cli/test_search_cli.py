"""`jaxzc search` as a user meets it: what lies in its directory, interruption, and one sentence for every mistake."""

import os
from pathlib import Path
from typing import Any

import jax
import numpy as np
import pytest
from flax import nnx

import jaxzc
from jaxzc._durable.lease import Lease
from jaxzc._durable.store import store
from jaxzc.cli.search import as_python
from jaxzc.data import load as load_data
from jaxzc.embedded import table_path
from jaxzc.scoring.space import SpaceScorer
from jaxzc.search import Problem, RandomSearch, Search, load, run, save
from jaxzc.search.job import run as job
from jaxzc.search.job.folder import begin, saving
from jaxzc.search.job.scores import proxy_scores, table_scores
from jaxzc.tables import read_archs, read_scores, read_truth
from jaxzc.types import JaxzcError
from tests.support.commands import Result, refused
from tests.support.commands import run as command

TABLE = ("--table", "embedded", "--metric", "test_accuracy", "--duplicates", "exact")
FILES = {"search.json", "state.npz", "evaluated.parquet", "front.parquet", "winner.txt", "winner.py", "leases"}


DRAWN = ("test_a_table_is_searched", "test_a_function_as_cost_and_in_the_budget")
"""Tests that look at pictures. In the others none are drawn: they take longer than searching in a table."""


@pytest.fixture(autouse=True)
def undrawn(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if request.node.name not in DRAWN:
        monkeypatch.setattr(job, "_draw", lambda *_: None)


def search(*arguments: Any) -> Result:
    """One command line in this process."""
    fixed = ["nasbench201", "--set", "channels=4", "--set", "cells=1", "--batch-size", "4", "--no-cache", "--quiet"]
    return command("search", *fixed, *arguments)


def test_a_table_is_searched(here):
    done = search(*TABLE, "--evaluations", 300, "--budget", "params<=13000", "--costs", "flops,params", "--out", "found", "--seed", 3)
    assert done.code == 0
    pictures = ("best_so_far", "lineage", "fitness_against_flops", "fitness_against_params")
    assert {p.name for p in (here / "found").iterdir()} == FILES | {f"{name}.{kind}" for name in pictures for kind in ("png", "pdf")}
    log = read_scores(here / "found" / "evaluated.parquet").columns
    truth = read_truth(table_path(), "test_accuracy")
    np.testing.assert_array_equal(log["test_accuracy"], [truth.get(arch, np.nan) for arch in log["arch"]])
    np.testing.assert_array_equal(log["fitness"], log["test_accuracy"])
    assert len(set(log["arch"])) == 300
    assert log["params"].max() <= 13000
    assert (log["parent"][log["parent"] >= 0] < log["row"][log["parent"] >= 0]).all()
    space = jaxzc.space("nasbench201", classes=10, inputs=(8, 8, 1), channels=4, cells=1)
    winner = int(np.nanargmax(log["fitness"]))
    assert read_archs(here / "found" / "winner.txt", space).strings == [log["arch"][winner]]
    front = read_scores(here / "found" / "front.parquet").columns
    assert log["arch"][winner] in front["arch"]
    assert f"winner: {log['arch'][winner]}" in done.out
    assert f"jaxzc train nasbench201 '{log['arch'][winner]}'" in done.out
    missing = int(np.isnan(log["fitness"]).sum())
    assert f"300 evaluations, {missing} without a finite score" in done.out


def test_the_printed_python_builds_the_winner(here):
    done = search(*TABLE, "--evaluations", 40, "--out", "found", "--generation", 40)
    _, _, code = done.out.partition("as a Flax NNX module, in Python (model.train() and model.eval() switch its normalisation):\n")
    scope: dict[str, Any] = {}
    exec(code, scope)
    assert scope["logits"].shape == (2, 10)
    arch = read_archs(here / "found" / "winner.txt", scope["space"]).archs[0]
    assert sum(leaf.size for leaf in jax.tree.leaves(nnx.state(scope["model"], nnx.Param))) == scope["space"].counts(arch).params.item()


@pytest.mark.parametrize(
    ("name", "shape", "dtype", "settings"),
    [
        ("nasbench_nlp", (3,), "int32", {"emsize": 4, "nhid": 5}),
        ("autoformer", (8, 8, 1), "float32", {"patch": 4, "widths": (16,), "depths": (1,), "heads": (2,), "ratios": (2.0,)}),
    ],
)
def test_the_printed_python_runs_whatever_the_inputs_are(tmp_path: Path, name: str, shape: Any, dtype: str, settings: Any) -> None:
    space = jaxzc.space(name, classes=7, inputs=jaxzc.InputSpec(shape, dtype), **settings)
    arch = space.to_string(space.sample(np.random.default_rng(0), 1)[0])
    names: dict[str, Any] = {}
    exec("\n".join(as_python(name, space, settings, arch, tmp_path)[1:]), names)
    assert names["space"] == space
    assert np.isfinite(names["logits"]).all()


def test_proxies_interrupted_and_resumed(here, monkeypatch):
    """Ctrl-C in the middle of a generation, then the same command: the result of the uninterrupted search, bit for bit."""
    command = ("--fitness", "l2_norm,params", "--evaluations", 21, "--population", 8, "--tournament", 3)
    whole = search(*command, "--out", "whole")
    assert whole.code == 0
    calls = iter(range(100))

    def interrupted(scorer, seed, note):
        score = proxy_scores(scorer, seed, note)

        def scored(archs):
            if next(calls) == 2:
                raise KeyboardInterrupt
            return score(archs)

        return scored

    with monkeypatch.context() as patch:
        patch.setattr(job, "proxy_scores", interrupted)
        patch.setattr(job, "CHUNK", 3)
        stopped = search(*command, "--out", "parts")
    assert stopped.code == 130
    assert "6 evaluations are kept in parts: the same command goes on" in stopped.err
    assert load("parts/state.npz").evaluated == 6
    resumed = search(*command, "--out", "parts")
    assert resumed.code == 0
    assert "going on after 6 evaluations" in resumed.err
    for a, b in zip(load("whole/state.npz"), load("parts/state.npz"), strict=True):
        assert a.tobytes() == b.tobytes()
    assert (
        read_scores("whole/evaluated.parquet").columns["l2_norm"].tolist()
        == read_scores("parts/evaluated.parquet").columns["l2_norm"].tolist()
    )
    # The scores are those of `jaxzc score`.
    log = read_scores("whole/evaluated.parquet").columns
    drawn = load_data("digits", batch_size=4, batches=2, seed=0)
    space = jaxzc.space("nasbench201", classes=10, inputs=(8, 8, 1), channels=4, cells=1)
    assert SpaceScorer(space, drawn.batches, "l2_norm").one(space.parse(log["arch"][4]))["l2_norm"] == log["l2_norm"][4]


def test_two_processes_do_not_search_in_one_directory(here):
    """The second is refused, with --overwrite too, and the first one's files are as they were."""
    assert search(*TABLE, "--evaluations", 20, "--out", "found").code == 0
    lease, before = Lease(store("found"), "search"), Path("found/state.npz").read_bytes()
    lease.take()
    for more in ((), ("--overwrite",)):
        refused = search(*TABLE, "--evaluations", 30, "--out", "found", *more)
        assert refused.code == 2
        assert f"found holds a search that is being run by process {os.getpid()} on" in refused.err
    assert Path("found/state.npz").read_bytes() == before
    lease.release()
    assert search(*TABLE, "--evaluations", 30, "--out", "found").code == 0
    assert not any(Path("found/leases").iterdir())


def test_more_evaluations_later(here):
    assert search(*TABLE, "--evaluations", 101, "--out", "whole").code == 0
    assert search(*TABLE, "--evaluations", 70, "--out", "parts").code == 0
    assert search(*TABLE, "--evaluations", 101, "--out", "parts").code == 0
    assert (
        read_scores("whole/evaluated.parquet").columns["arch"].tolist() == read_scores("parts/evaluated.parquet").columns["arch"].tolist()
    )


def test_another_search_in_the_directory(here):
    assert search(*TABLE, "--evaluations", 64, "--out", "found").code == 0
    refused(search(*TABLE, "--evaluations", 64, "--out", "found", "--seed", 1), "holds a search with seed 0, not 1", "--overwrite")
    refused(search(*TABLE, "--evaluations", 64, "--out", "found", "--budget", "params<=1e6"), "budget 'no constraint'")
    assert search(*TABLE, "--evaluations", 64, "--out", "found", "--seed", 1, "--overwrite").code == 0
    (here / "found" / "search.json").write_text("{")
    refused(search(*TABLE, "--out", "found"), "damaged")
    (here / "found" / "search.json").unlink()
    refused(search(*TABLE, "--out", "found"), "holds other files")


def test_mistakes(here):
    (here / "file").write_text("")
    (here / "other.csv").write_text("arch,accuracy\n101,3\n")
    (here / "empty.csv").write_text("arch,accuracy\n")
    for arguments, words in (
        ((*TABLE, "--out", "no/found"), ["there is no directory", "create it first"]),
        ((*TABLE, "--out", "file"), ["file is a file"]),
        ((*TABLE, "--budget", "watts<3", "--out", "x"), ["watts"]),
        ((*TABLE, "--budget", "params<3", "--out", "x"), ["no architecture of nasbench201 keeps to params<3"]),
        ((*TABLE, "--costs", "watts", "--out", "x"), ["watts"]),
        ((*TABLE, "--algorithm", "random", "--tournament", "3", "--out", "x"), ["--tournament means nothing to --algorithm random"]),
        ((*TABLE, "--evaluations", "0", "--out", "x"), ["'0' is not a whole number"]),
        (("--table", "embedded", "--out", "x"), ["--metric"]),
        (("--fitness", "naswot", "--metric", "a", "--out", "x"), ["--table FILE"]),
        (("--fitness", "naswut", "--out", "x"), ["did you mean 'naswot'"]),
        (("--fitness", "zico", "--batches", "1", "--out", "x"), ["batches is 1, too few for zico, "]),
        (("--table", "other.csv", "--metric", "accuracy", "--out", "y"), ["not of the space nasbench201"]),
        (("--table", "empty.csv", "--metric", "accuracy", "--out", "z"), ["no "]),
        (("--fitness", "naswot", "--table", "embedded", "--out", "x"), ["not allowed with"]),
        (("--out", "x"), ["one of the arguments --fitness --table is required"]),
    ):
        refused(search(*arguments), *words)


def test_a_space_that_is_used_up_ends_early(here):
    done = search(*TABLE, "--budget", "params<=6500,flops<=60000", "--algorithm", "local", "--evaluations", 15000, "--out", "found")
    assert done.code == 0
    assert "no other architecture within params<=6500,flops<=60000: the search ends early" in done.err
    space = jaxzc.space("nasbench201", classes=10, inputs=(8, 8, 1), channels=4, cells=1)
    counts = space.counts(space.enumerate())
    assert load("found/state.npz").evaluated == ((counts.params <= 6500) & (counts.flops <= 60000)).sum()


def test_states_are_kept_now_and_then(tmp_path):
    """At most every `seconds`, and the last one always, whatever ends the loop."""
    space = jaxzc.space("nasbench201", classes=10, inputs=(32, 32, 3))
    one = Search(Problem(space), RandomSearch(batch=2))
    score = table_scores(space, {"a": {space.to_string(space.enumerate()[5]): 1.0}})
    for _ in saving(run(one, one.init(), score, 10), tmp_path, seconds=0):
        pass
    assert load(tmp_path / "state.npz").evaluated == 10
    states = saving(run(one, one.init(), score, 10), tmp_path, seconds=1e9)
    assert next(states).evaluated == 2
    assert next(states).evaluated == 4
    assert load(tmp_path / "state.npz").evaluated == 10
    states.close()
    assert load(tmp_path / "state.npz").evaluated == 4


def test_a_state_of_other_settings_is_never_taken(tmp_path):
    space = jaxzc.space("nasbench201", classes=10, inputs=(32, 32, 3))
    start = Search(Problem(space), RandomSearch()).init()
    directory = tmp_path / "found"
    assert begin(directory, {"seed": 0}, start) is start
    save(directory / "state.npz", start._replace(step=np.array(7)))
    assert begin(directory, {"seed": 0}, start).step == 7
    with pytest.raises(JaxzcError, match="more None, not 1"):
        begin(directory, {"seed": 0, "more": 1}, start)
    assert begin(directory, {"seed": 1}, start, overwrite=True) is start
    assert begin(directory, {"seed": 1}, start) is start


def test_a_function_as_cost_and_in_the_budget(here):
    """`module:function` of the working directory gets strings; its values stand in the log, and its name in the budget."""
    (here / "own_costs.py").write_text("def skips(archs):\n    return [arch.count('skip_connect') for arch in archs]\n")
    done = search(*TABLE, "--evaluations", 40, "--cost", "own_costs:skips,params", "--budget", "skips<=1", "--out", "found")
    assert done.code == 0, done.err
    log = read_scores(here / "found" / "evaluated.parquet").columns
    np.testing.assert_array_equal(log["skips"], [arch.count("skip_connect") for arch in log["arch"]])
    assert set(log["skips"]) <= {0.0, 1.0}
    assert (here / "found" / "fitness_against_skips.png").is_file()
    assert search(*TABLE, "--evaluations", 50, "--cost", "own_costs:skips,params", "--budget", "skips<=1", "--out", "found").code == 0


@pytest.mark.parametrize(
    ("cost", "words"),
    [
        ("nowhere_at_all:f", ["nowhere_at_all cannot be imported", "ModuleNotFoundError"]),
        ("bad_costs:missing", ["has no function 'missing'"]),
        ("bad_costs:fails", ["bad_costs:fails failed (KeyError"]),
        ("bad_costs:short", ["cost short returned int64 [1]", "one number per architecture"]),
        ("bad_costs:text", ["cost text returned <U1"]),
        ("bad costs:x", ["is not module:function"]),
        ("broken_costs:x", ["broken_costs cannot be imported (SyntaxError"]),
    ],
)
def test_cost_functions_that_cannot_be_used(here, cost, words):
    (here / "bad_costs.py").write_text(
        "def fails(archs):\n    return {}['x']\ndef short(archs):\n    return [1]\ndef text(archs):\n    return ['a' for _ in archs]\n"
    )
    (here / "broken_costs.py").write_text("def x(:\n")
    refused(search(*TABLE, "--evaluations", 5, "--cost", cost, "--out", "found"), *words)
    assert not (here / "found" / "evaluated.parquet").exists()
