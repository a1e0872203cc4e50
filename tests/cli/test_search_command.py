"""`jaxzc search` as a user meets it: what lies in its directory, what it prints, and one sentence for every mistake."""

from pathlib import Path
from typing import Any

import jax
import numpy as np
import pytest
from flax import nnx

import jaxzc
from jaxzc.cli.search import as_python
from jaxzc.embedded import table_path
from jaxzc.search import load
from jaxzc.tables import read_archs, read_scores, read_truth
from tests.support.commands import refused
from tests.support.search_commands import TABLE, search

FILES = {"search.json", "state.npz", "evaluated.parquet", "front.parquet", "winner.txt", "winner.py", "leases"}


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


@pytest.mark.usefixtures("undrawn")
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


def test_a_mistake_is_named(here):
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


@pytest.mark.usefixtures("undrawn")
def test_a_space_that_is_used_up_ends_early(here):
    done = search(*TABLE, "--budget", "params<=6500,flops<=60000", "--algorithm", "local", "--evaluations", 15000, "--out", "found")
    assert done.code == 0
    assert "no other architecture within params<=6500,flops<=60000: the search ends early" in done.err
    space = jaxzc.space("nasbench201", classes=10, inputs=(8, 8, 1), channels=4, cells=1)
    counts = space.counts(space.enumerate())
    assert load("found/state.npz").evaluated == ((counts.params <= 6500) & (counts.flops <= 60000)).sum()


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
