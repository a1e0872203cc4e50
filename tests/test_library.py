"""The commands as functions, called as a notebook calls them: by names that are all in `jaxzc`."""

from dataclasses import MISSING, fields
from typing import Any

import numpy as np
import pytest

import jaxzc
from jaxzc.cli import parser
from jaxzc.embedded import table_path
from jaxzc.report import files

TINY = {"channels": 2, "cells": 1}
A = "|nor_conv_3x3~0|+|none~0|skip_connect~1|+|avg_pool_3x3~0|none~1|nor_conv_1x1~2|"
B = "|skip_connect~0|+|none~0|skip_connect~1|+|none~0|none~1|nor_conv_1x1~2|"


def test_scores_are_evaluated_and_reported(tmp_path, monkeypatch):
    space = jaxzc.space("nasbench201", classes=10, inputs=(8, 8, 1), **TINY)
    archs = np.stack([space.parse(A), space.parse(B)])
    scores = jaxzc.score_space(space, [A, B], jaxzc.data.load("digits", batch_size=4).batches, "l2_norm,params")
    assert scores["params"].tolist() == space.counts(archs).params.tolist()

    job: dict[str, Any] = {"proxies": "l2_norm", "batch_size": 4, "options": TINY}
    job["out"] = tmp_path / "job"
    merged = jaxzc.run_scoring("nasbench201", [A, B], **job)
    assert list(merged.columns["arch"]) == [A, B]
    np.testing.assert_allclose(np.asarray(merged.columns["l2_norm"], float), scores["l2_norm"])
    assert set(merged.labels) == {"l2_norm", "params", "flops"}

    kept_nowhere = jaxzc.run_scoring("nasbench201", [A, B], **{**job, "out": None})
    np.testing.assert_array_equal(kept_nowhere.columns["l2_norm"], merged.columns["l2_norm"])

    archs, which = jaxzc.ScoreRequest("nasbench201", "embedded").architectures(space)
    assert (len(archs), which) == (500, "all 500 of embedded")
    with pytest.raises(jaxzc.JaxzcError, match="names a table: name a directory for the job"):
        jaxzc.run_scoring("nasbench201", [A], out="scores.parquet")
    with pytest.raises(jaxzc.JaxzcError, match="isomorphs is 'twice', expected 'each' or 'once'"):
        jaxzc.run_scoring("nasbench201", [A], isomorphs="twice", **job)

    truth = jaxzc.tables.read_truth(table_path(), "test_accuracy")
    some = list(truth)[:40]
    columns = {"arch": some, "mine": [-truth[arch] for arch in some], "params": np.arange(40.0)}
    judged = jaxzc.evaluate(columns, truth, "test_accuracy", compare=[("mine", "params")], resamples=50)
    rows = {row.proxy: row.statistics["spearman"].value for row in judged.evaluation.rows}
    assert rows["mine"] == pytest.approx(-1)
    assert "mine" in str(judged)
    assert [(one.a, one.b) for one in judged.comparisons] == [("mine", "params")]
    jaxzc.tables.write_scores(tmp_path / "scores.csv", columns, {})
    request = jaxzc.EvaluateRequest(tmp_path / "scores.csv", "embedded", metric="test_accuracy", resamples=50)
    again = jaxzc.evaluate(request)
    assert {row.proxy: row.statistics["spearman"].value for row in again.evaluation.rows}["mine"] == pytest.approx(-1)
    assert again.evaluation.settings["scores"] == str(tmp_path / "scores.csv")
    monkeypatch.setattr(files, "drawings", lambda evaluation, comparisons: {})  # seconds; tests/report draws them
    page = jaxzc.write_report(judged, tmp_path / "report")
    assert page == tmp_path / "report" / "index.html"
    assert "mine" in page.read_text()


def test_a_search(tmp_path):
    found = jaxzc.run_search("nasbench201", "l2_norm", budget="params<=5000", evaluations=10, batch_size=4, options=TINY)
    assert (found.state.evaluated, found.winner) == (10, int(np.argmax(found.state.fitness)))
    assert found.scores == {"l2_norm": max(found.table["l2_norm"])}
    assert max(found.table["params"]) <= 5000
    assert found.arch in found.front["arch"]
    space: Any = found.space
    assert space.module(found.genes)(np.zeros((2, 8, 8, 1), np.float32)).shape == (2, 10)
    seen = []
    request = jaxzc.SearchRequest("nasbench201", table="embedded", metric="test_accuracy", evaluations=20, out=tmp_path / "found")
    first = jaxzc.run_search(request, on_state=lambda search, state: seen.append(state.evaluated))
    assert (seen[0], seen[-1]) == (0, 20)
    assert (tmp_path / "found" / "winner.txt").read_text().splitlines()[1] == first.arch
    notes = []
    assert jaxzc.run_search(request, note=notes.append).arch == first.arch
    assert notes == [f"{tmp_path / 'found'}: going on after 20 evaluations"]


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({}, "either a fitness, for example 'naswot', or a table"),
        ({"fitness": "naswot", "table": "embedded"}, "either a fitness, for example 'naswot', or a table"),
        ({"table": "embedded"}, "the table embedded has many columns: name those that are the fitness as metric"),
        ({"fitness": "naswot", "metric": "a"}, "metric a names columns of a table: give the table"),
        ({"fitness": "zico", "batches": 1}, "batches is 1, too few for zico, which need at least 2 batches: make it 2"),
        ({"fitness": "naswot", "algorithm": "luck"}, "algorithm 'luck' is not known: expected one of random, evolution"),
        ({"fitness": "naswot", "out": "no/where"}, "there is no directory .*no for where"),
    ],
)
def test_searches_that_cannot_be(settings, words):
    with pytest.raises(jaxzc.JaxzcError, match=words):
        jaxzc.run_search("nasbench201", **settings)


def test_the_commands_have_the_defaults_of_the_requests():
    """Options that are named as a field of the request."""
    for command, needed, request in (
        ("train", [B, "--out", "x"], jaxzc.TrainRequest),
        ("score", ["--out", "x"], jaxzc.ScoreRequest),
        ("search", ["--fitness", "naswot", "--out", "x"], jaxzc.SearchRequest),
    ):
        typed = vars(parser().parse_args([command, "nasbench201", *needed]))
        defaults = {field.name: field.default for field in fields(request) if field.default is not MISSING}
        other = {"data", "fitness", "metric", "budget", "costs", "sample", "out"}  # text that is parsed, or asked for
        shared = (defaults.keys() & typed.keys()) - other
        assert len(shared) > 10
        assert {name: typed[name] for name in shared} == {name: defaults[name] for name in shared}


def test_training():
    settings = {"images": 100, "batch_size": 40, "crop": 1, "flip": False, "options": TINY}
    epochs = []
    trained = jaxzc.train("nasbench201", B, epochs=2, on_epoch=lambda number, epoch: epochs.append((number, epoch)), **settings)
    assert epochs == list(enumerate(trained.history, 1))
    assert (len(trained.history), trained.trained, trained.tested) == (2, 80, 20)
    assert trained.accuracy == trained.history[-1].test
    images = jaxzc.training.split("digits", images=100)
    hits = np.asarray(trained.module(images.test.inputs)).argmax(1) == images.test.targets
    assert 100 * hits.mean() == pytest.approx(trained.accuracy)

    space = jaxzc.space("nasbench201", classes=10, inputs=(8, 8, 1), **TINY)
    request = jaxzc.TrainRequest(space, space.parse(B), epochs=2)
    with pytest.raises(jaxzc.JaxzcError, match="a TrainRequest and also epochs: put that into the request"):
        jaxzc.train(request, epochs=3)
    with pytest.raises(jaxzc.JaxzcError, match="made already, without channels"):
        jaxzc.train(space, B, options={"channels": 2})
