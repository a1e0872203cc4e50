"""A proxy that cannot be computed is NaN with its reason and leaves the others alone; scores inside the user's transformations."""

import math
import pickle
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.extend.core import Primitive

import jaxzc
from jaxzc._durable.store import store
from jaxzc.catalogue.selection import select
from jaxzc.jobs.about import metadata
from jaxzc.jobs.parts import Row, read, write
from jaxzc.networks import as_network
from jaxzc.proxies import FOUNDING
from jaxzc.scoring.results import Scores, UnavailableWarning
from jaxzc.tables import write_scores
from jaxzc.types import JaxzcError

rng = np.random.default_rng(1)
X, Y = rng.normal(size=(4, 6)).astype(np.float32), np.array([0, 1, 2, 1])
PARAMS = {"w": jnp.asarray(rng.normal(size=(6, 3)).astype(np.float32))}
STACKED = {"w": jnp.asarray(rng.normal(size=(2, 6, 3)).astype(np.float32))}


def smooth(params: Any, x: Any) -> Any:
    return jnp.tanh(x @ params["w"])


def rectified(params: Any, x: Any) -> Any:
    return jax.nn.relu(x @ params["w"])


def deep(params: Any, x: Any) -> Any:
    return jax.nn.relu(x @ params["v"]) @ params["w"].T


DEEP = {"v": jnp.asarray(rng.normal(size=(6, 3)).astype(np.float32)), "w": PARAMS["w"]}


def test_one_batch_and_the_default_proxies() -> None:
    with pytest.warns(UnavailableWarning, match=r"^could not be computed and is NaN: zico, sweet_zico; see `reasons` of the scores$"):
        scores = jaxzc.score(deep, DEEP, (X, Y))
    assert list(scores) == list(FOUNDING)
    assert [name for name, value in scores.items() if math.isnan(value)] == list(scores.reasons) == ["zico", "sweet_zico"]
    assert scores.reasons["zico"].startswith("needs the gradients of at least 2 batches and got 1")


@pytest.mark.slow
def test_all_proxies_of_the_smallest_network() -> None:
    with pytest.warns(UnavailableWarning, match=r" and is NaN: .*, \d+ more; see"):
        scores = jaxzc.score(smooth, PARAMS, [(X, Y), (X, Y)], "all")
    assert list(scores) == list(select("all"))
    assert {"naswot", "zen", "az_expressivity", "wrcor"} <= scores.reasons.keys()
    assert {"snip", "zico", "synflow", "jacob_cov", "params", "ntk_trace"}.isdisjoint(scores.reasons)
    assert all(math.isnan(scores[name]) for name in scores.reasons)


def test_the_others_are_as_without_it() -> None:
    names = ["snip", "naswot", "jacob_cov", "l2_norm"]
    with pytest.warns(UnavailableWarning, match="naswot"):
        scores = jaxzc.score(smooth, PARAMS, (X, Y), names)
    assert scores.reasons.keys() == {"naswot"}
    assert "this network has no ReLU" in scores.reasons["naswot"]
    names.remove("naswot")
    assert {name: scores[name] for name in names} == pytest.approx(jaxzc.score(smooth, PARAMS, (X, Y), names), rel=1e-6)
    # two reasons in one pass: neither labels nor ReLUs
    with pytest.warns(UnavailableWarning, match="snip, naswot"):
        scores = jaxzc.score(smooth, PARAMS, (X, None), ["snip", "naswot", "jacob_cov"])
    assert scores.reasons["snip"].startswith("needs labels")
    assert scores.reasons["naswot"].startswith("needs the patterns of ReLU")
    assert math.isfinite(scores["jacob_cov"])


def test_errors_on_wish_and_of_options() -> None:
    with pytest.raises(JaxzcError, match=r"^naswot: needs the patterns of ReLU inputs"):
        jaxzc.score(smooth, PARAMS, (X, Y), "snip,naswot", unavailable="error")
    with pytest.raises(JaxzcError, match=r"^unavailable='zero': expected 'nan' .* or 'error'"):
        jaxzc.score(smooth, PARAMS, (X, Y), "snip", unavailable="zero")  # type: ignore[arg-type]


def test_scores_are_a_dict_that_can_be_pickled() -> None:
    scores = Scores({"a": 1.0}, {"b": "because"})
    copy = pickle.loads(pickle.dumps(scores))
    assert copy == {"a": 1.0}
    assert copy.reasons == {"b": "because"}


def test_inside_jit_vmap_and_map() -> None:
    network, _ = as_network(rectified, PARAMS, X)
    names = ["snip", "naswot", "params"]

    def scores(params: Any) -> Any:
        return jaxzc.compute_scores(names, network, params, (X, Y))

    expected = [jaxzc.score(rectified, {"w": w}, (X, Y), names) for w in STACKED["w"]]
    for many in (jax.jit(jax.vmap(scores))(STACKED), jax.jit(lambda stack: jax.lax.map(scores, stack))(STACKED)):
        for lane, one in enumerate(expected):
            assert {name: float(value[lane]) for name, value in many.items()} == pytest.approx(one, rel=1e-5)
    # the gradient of a proxy by the parameters: snip of a linear network and a linear loss is sum |w g| with constant g
    gradient = jax.grad(lambda p: jaxzc.compute_scores("l2_norm", network, p, (X, Y))["l2_norm"])(PARAMS)["w"]
    np.testing.assert_allclose(gradient, PARAMS["w"] / jnp.linalg.norm(PARAMS["w"]), rtol=1e-5)


def test_all_forms_of_proxies_and_batches() -> None:
    network, _ = as_network(rectified, PARAMS, X)

    def own(logits: Any) -> Any:
        return logits.sum()

    expected = float(rectified(PARAMS, X).sum())
    for batches in ((X, Y), [(X, Y)], jaxzc.Batch(X, Y), (jaxzc.Batch(X, Y),), (X, None)):
        for proxies in ([own], {"own": own}):
            assert float(jaxzc.compute_scores(proxies, network, PARAMS, batches)["own"]) == pytest.approx(expected)
    counts = jaxzc.compute_scores("params,flops,layers", network, PARAMS, (X, Y))
    assert {name: float(value) for name, value in counts.items()} == {"params": 18, "flops": 18, "layers": 1}
    with pytest.warns(UnavailableWarning, match=r"is NaN: zico; see zico: needs the gradients of at least 2 batches"):
        assert math.isnan(jaxzc.compute_scores("zico", network, PARAMS, (X, Y))["zico"])
    with pytest.raises(JaxzcError, match=r"^zico: needs the gradients of at least 2 batches"):
        jaxzc.compute_scores("zico", network, PARAMS, (X, Y), unavailable="error")


def test_score_inside_a_transformation_names_the_pure_function() -> None:
    def inside(params: Any) -> Any:
        return jaxzc.score(rectified, params, (X, Y), "snip")["snip"]

    for transformed in (jax.jit(inside), jax.grad(inside)):
        with pytest.raises(JaxzcError, match=r"^params are traced \(inside jit, .*: use the pure function jaxzc.compute_scores\("):
            transformed(PARAMS)
    with pytest.raises(JaxzcError, match=r"^params are traced"):
        jax.vmap(inside)(STACKED)
    with pytest.raises(JaxzcError, match=r"^batches are traced"):
        jax.jit(lambda x: jaxzc.Scorer(rectified, "snip").score(PARAMS, (x, Y))["snip"])(X)


def test_complex_kernels_have_the_scores_that_are_defined_for_them() -> None:
    """A kernel of a real and an imaginary part, and a complex one: the same network, but for what counts as a parameter."""
    rng = np.random.default_rng(0)
    parts = {name: rng.normal(size=(5, 8)).astype(np.float32) for name in ("re", "im")} | {"head": np.ones((8, 3), np.float32)}
    one = {"w": parts["re"] + 1j * parts["im"], "head": parts["head"]}
    x, y = rng.normal(size=(6, 5)).astype(np.float32), np.array([0, 1, 2, 1, 0, 2])

    def apart(p: Any, x: Any) -> Any:
        return jnp.abs(x @ (p["re"] + 1j * p["im"])) @ p["head"]

    def joined(p: Any, x: Any) -> Any:
        return jnp.abs(x @ p["w"]) @ p["head"]

    with pytest.warns(jaxzc.UnavailableWarning):
        both = [jaxzc.score(*model, (x, y), "jacob_cov,l2_norm,fisher") for model in ((apart, parts), (joined, one))]
    assert both[0]["jacob_cov"] == pytest.approx(both[1]["jacob_cov"], rel=1e-3)
    assert both[1]["l2_norm"] == pytest.approx(np.linalg.norm(one["w"]) + np.linalg.norm(one["head"]), rel=1e-5)
    assert "made of several parameters" in both[0].reasons["fisher"]
    assert "is complex" in both[1].reasons["fisher"]


def refusing(weights: Any) -> Any:
    raise JaxzcError("needs what no network here has: leave it out")


def test_a_job_goes_on_without_a_proxy_that_cannot_be_computed(tmp_path: Path) -> None:
    notes: list[str] = []
    proxies, size = {"refusing": refusing, "l2_norm": "l2_norm"}, {"channels": 2, "cells": 1}
    job: Any = {"sample": 3, "proxies": proxies, "batch_size": 4, "batches": 1, "options": size}
    reason = "needs what no network here has: leave it out"
    # The second run has nothing left to score, and says the same.
    first, second = (jaxzc.run_scoring("nasbench201", out=tmp_path / "job", note=notes.append, **job) for _ in range(2))
    for merged in (first, second):
        assert np.isnan(merged.columns["refusing"]).all()
        assert np.isfinite(merged.columns["l2_norm"]).all()
        assert merged.reasons == metadata(merged)["unavailable"] == {"refusing": {reason: 3}}
        assert (merged.failed, merged.missing) == ([], 0)
    assert [note.partition(" cannot")[0] for note in notes] == ["refusing"]
    assert reason in notes[0]
    write_scores(tmp_path / "scores.parquet", second.columns, metadata(second))
    (tmp_path / "truth.csv").write_text("arch,accuracy\n" + "".join(f"{arch},{row}\n" for row, arch in enumerate(second.columns["arch"])))
    evaluation = jaxzc.evaluate(tmp_path / "scores.parquet", tmp_path / "truth.csv", metric="accuracy", resamples=20)
    assert f"refusing cannot be computed in 3 scored rows: {reason}" in str(evaluation)


def test_where_one_network_of_several_is_refused(tmp_path: Path) -> None:
    """Two networks of one table: rows keep their own reasons, through parts and merge."""
    place = store(str(tmp_path))
    rows = [Row("a", 0, {"naswot": math.nan}, 0.1, reasons={"naswot": "no ReLU"}), Row("b", 0, {"naswot": 1.0}, 0.1)]
    write(place, "0" * 16, "0-of-1", 0, rows)
    (part,) = read(place, "0" * 16, [])
    assert part.reasons == [{"naswot": "no ReLU"}, {}]
    assert list(part.values) == ["naswot"]


ELSEWHERE = Primitive("elsewhere")
"""An operation that JAX compiles for no platform, as some are that it has on GPUs alone."""
ELSEWHERE.def_abstract_eval(lambda x: x)


def elsewhere(loss_grads: Any) -> Any:
    return ELSEWHERE.bind(sum(abs(g).sum() for g in loss_grads))


PROXIES = {"elsewhere": elsewhere, "l2_norm": "l2_norm", "grad_norm": "grad_norm"}


def test_a_proxy_that_this_platform_does_not_compile() -> None:
    alone = jaxzc.score(deep, DEEP, (X, Y), "l2_norm,grad_norm")
    with pytest.warns(UnavailableWarning, match="is NaN: elsewhere;"):
        scores = jaxzc.score(deep, DEEP, (X, Y), PROXIES)
    assert list(scores) == list(PROXIES)
    assert math.isnan(scores["elsewhere"])
    assert "'elsewhere' not found for platform cpu" in scores.reasons["elsewhere"]
    assert {label: scores[label] for label in alone} == dict(alone)
    with pytest.raises(JaxzcError, match=r"does not compile for cpu what a proxy asks for .elsewhere: .*: leave it out"):
        jaxzc.score(deep, DEEP, (X, Y), PROXIES, unavailable="error")


@pytest.mark.parametrize("options", [{"pieces": True}, {"lanes": 2, "chunk": 2}])
def test_a_proxy_that_this_platform_does_not_compile_for_a_space(options: dict[str, Any]) -> None:
    space = jaxzc.space("nasbench201", classes=3, inputs=(8, 8, 1), channels=2, cells=1)
    archs = space.sample(np.random.default_rng(0), 2)
    images = np.random.default_rng(1).standard_normal((4, 8, 8, 1)).astype(np.float32)
    scorer = jaxzc.SpaceScorer(space, (images, np.array([0, 1, 2, 0])), PROXIES, unavailable="nan", **options)
    for scores in scorer.many(archs):
        assert list(scores) == list(PROXIES)
        assert [label for label, value in scores.items() if math.isnan(value)] == list(scores.reasons) == ["elsewhere"]
    strict = jaxzc.SpaceScorer(space, (images, np.array([0, 1, 2, 0])), PROXIES, **options)
    with pytest.raises(JaxzcError, match=r"elsewhere: .*: leave it out"):
        strict.many(archs)
