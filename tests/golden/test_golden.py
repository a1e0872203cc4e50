"""Every stored score of the authors' own code against ours, on whatever networks lie in the golden directory.

Set JAXZC_GOLDEN to a directory of the same form (default ../shared/golden/dev). float64 is compared with the authors' code in float64,
float32 with their float32 values, at the tolerances stored beside the values and no tighter than ours below.
"""

import math
from functools import cache
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxzc.catalogue.selection import select
from jaxzc.scoring.compute import compute_scores, traced_proxies
from jaxzc.scoring.results import to_float
from jaxzc.scoring.space.sweet_interval import EDGES, best_interval, cell_ratios, trends
from jaxzc.types import Batch
from tests.support.golden import Golden, batches, read, shared
from tests.support.golden_scores import (
    COMPARE_WITH_F64,
    DRAWN,
    ELSEWHERE,
    PROXIES,
    QUICK_NETWORKS,
    QUICK_SCORES,
    RTOL32,
    RTOL64,
    SAVED,
    SIZES,
    VARIANTS,
    explain,
    networks_of,
    stored_values,
)


class Scores(NamedTuple):
    """ours: by name of scores.json, of the first networks, as many as were scored."""

    networks: list[Golden]
    stored: dict[str, Any]
    ours: dict[str, np.ndarray]
    logits: dict[str, list[np.ndarray]]
    trend: np.ndarray


def _ratios(loss_grads: Any, active: Any, cells: Any) -> Any:
    return cell_ratios(loss_grads, active, cells)


def _score(dtype: Any, whole: bool) -> Scores:
    """whole: all stored scores of all networks."""
    networks, stored, inputs = networks_of(None if whole else QUICK_NETWORKS)
    batch = batches(inputs, dtype)
    known = {
        **{k: v for k, v in PROXIES.items() if k in stored["proxies"]},
        **{k: v for k, v in VARIANTS.items() if k in stored["variants"]},
    }
    known = {name: label for name, label in known.items() if whole or name in QUICK_SCORES}
    programs: dict[Any, Any] = {}
    traced = []
    rows, ratios, logits = [], [], {"train": [], "eval": []}
    for golden in networks:
        space = golden.space
        if space not in programs:
            chosen = {**select(list(dict.fromkeys(known.values()))), "ratios": _ratios, "logits": lambda logits: logits}

            def program(p: Any, arch: Any, b: tuple[Batch, ...], space: Any = space, chosen: Any = chosen) -> Any:
                traced.append(space)
                network = space.program().network(arch)
                eval_mode = network.forward(p, b[0].inputs, norm="init").outputs
                return compute_scores(traced_proxies(chosen), network, p, b), eval_mode

            programs[space] = jax.jit(program)
        made, eval_mode = programs[space](golden.params(dtype), jnp.asarray(golden.arch, jnp.int32), batch)
        ratios.append(np.asarray(made.pop("ratios")))
        logits["train"].append(np.asarray(made.pop("logits")))
        logits["eval"].append(np.asarray(eval_mode))
        rows.append({label: to_float(value) for label, value in made.items()})
    assert traced == list(programs), "one compilation per space"
    ours = {name: np.array([row[label] for row in rows]) for name, label in known.items()}
    return Scores(networks, stored, ours, logits, np.stack([trends(r) for r in ratios]))


@cache
def float64(whole: bool) -> Scores:
    with jax.enable_x64(True):
        return _score(jnp.float64, whole)


@cache
def float32() -> Scores:
    return _score(jnp.float32, whole=True)


EVERY_SCORE = [
    *(pytest.param(False, name, id=f"quick-{name}") for name in QUICK_SCORES),
    *(pytest.param(True, name, id=f"whole-{name}", marks=pytest.mark.slow) for name in (*PROXIES, *VARIANTS)),
]


@pytest.mark.parametrize(("whole", "name"), EVERY_SCORE)
def test_float64_equals_the_authors_code_in_float64(whole: bool, name: str) -> None:
    scores = float64(whole)
    theirs, entry = stored_values(scores, name, "values_f64")
    ours = scores.ours[name]
    rtol = max(RTOL64, float(entry.get("rtol_float64", 0)))
    np.testing.assert_allclose(ours, theirs, rtol=rtol, atol=1e-12, err_msg=explain(scores, ours, theirs))


@pytest.mark.slow
@pytest.mark.parametrize("name", [*PROXIES, *VARIANTS])
def test_float32_equals_the_authors_code(name: str) -> None:
    base, scores = name.partition("@")[0], float32()
    theirs, entry = stored_values(scores, name, "values_f64" if base.startswith(COMPARE_WITH_F64) else "values")
    ours = scores.ours[name]
    rtol = max(1e-4, next((v for k, v in RTOL32.items() if base.startswith(k)), 0), float(entry.get("rtol_float32", 0)))
    # One weight that crosses a threshold is a whole step of a count.
    steps = (
        2.0 * max(2, math.ceil(1e-4 * np.max(np.abs(theirs[np.isfinite(theirs)]), initial=0)))
        if "gradsign" in base or "capacity" in base
        else 0
    )
    np.testing.assert_allclose(ours, theirs, rtol=rtol, atol=max(steps, 1e-6), err_msg=explain(scores, ours, theirs))


def test_every_stored_proxy_is_compared_or_said_why_not() -> None:
    _, stored, _ = read(shared("JAXZC_GOLDEN", "../shared/golden/dev"))
    compared = {*PROXIES, *SAVED, *DRAWN}
    assert not compared & set(ELSEWHERE)
    assert [n for n in stored["proxies"] if n not in compared and n.partition("@")[0] not in ELSEWHERE] == []


@pytest.mark.slow
def test_zico_in_float32_is_close_for_most_networks() -> None:
    theirs, _ = stored_values(float32(), "zico", "values_f64")
    ours = float32().ours["zico"]
    assert np.median(np.abs(ours - theirs) / np.maximum(np.abs(theirs), 1e-12)) < 1e-4


@pytest.mark.parametrize("whole", SIZES)
@pytest.mark.parametrize("mode", ["train", "eval"])
def test_logits(whole: bool, mode: str) -> None:
    for golden, ours in zip(float64(whole).networks, float64(whole).logits[mode], strict=True):
        theirs = golden.arrays[f"logits_{mode}"]
        np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-4 * max(1, np.abs(theirs).max()), err_msg=golden.path.name)


def test_counts_are_exact() -> None:
    networks, stored, _ = read(shared("JAXZC_GOLDEN", "../shared/golden/dev"))
    for golden in networks:
        counts = golden.space.counts(golden.arch)
        assert counts.params[0] == stored["proxies"]["params"]["values"][golden.index]
        size = f"{golden.space.inputs.shape[0]}x{golden.space.inputs.shape[1]}"
        if f"flops_xautodl_{size}" in stored["proxies"]:
            assert counts.flops[0] + golden.space.classes == stored["proxies"][f"flops_xautodl_{size}"]["values"][golden.index]
        assert counts.layers[0] == len(golden.arrays["layers"])


def _finder() -> dict[str, Any]:
    _, stored, _ = read(shared("JAXZC_GOLDEN", "../shared/golden/dev"))
    if "per_network_float64" not in stored["interval_finder"]:
        pytest.skip("this golden directory has no interval finder")
    return stored["interval_finder"]


@pytest.mark.parametrize("whole", SIZES)
def test_interval_finder(whole: bool) -> None:
    """The trend of every network in every interval."""
    theirs = _finder()["per_network_float64"]
    np.testing.assert_allclose(float64(whole).trend, [theirs[golden.index] for golden in float64(whole).networks], atol=1e-9)


def test_best_interval() -> None:
    """Of the stored trends."""
    finder = _finder()
    trend = np.array(finder["per_network_float64"])
    for name, entry in finder.items():
        if isinstance(entry, dict) and "float64" in entry:
            count = len(trend) if name.startswith("all") else int(name.removeprefix("first"))
            found = best_interval(trend[:count].mean(0))
            np.testing.assert_allclose(found.trend, entry["float64"]["score"], atol=1e-9)
            best = entry["float64"]["best_index"]
            assert found.interval == (EDGES[best], EDGES[best + 1])
