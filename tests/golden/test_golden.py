"""Every stored score of the authors' own code against ours, on whatever networks lie in the golden directory.

Set JAXZC_GOLDEN to a directory of the same form (default ../shared/golden/dev). float64 is compared with the authors' code in float64,
float32 with their float32 values, at the tolerances stored beside the values and no tighter than ours below.
"""

import math
from collections.abc import Collection
from functools import cache
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jaxzc_spaces.nasbench201.encoding import CONV1

from jaxzc.catalogue.selection import select
from jaxzc.scoring.compute import compute_scores, traced_proxies
from jaxzc.scoring.results import to_float
from jaxzc.scoring.space.sweet_interval import EDGES, best_interval, cell_ratios, trends
from jaxzc.types import Batch
from tests.support.golden import Golden, batches, given, read, shared

LOW, HIGH = "interval=(1e-4,5e-4)", "interval=(1e-3,5e-3)"

# Name in scores.json -> ours. Left of the line break: authors' code; `variants` are the paper's forms where the code deviates.
PROXIES = {
    "grad_norm": "grad_norm",
    "snip": "snip",
    "plain": "plain",
    "grasp": "grasp",
    "fisher": "fisher",
    "jacob_cov": "jacob_cov",
    "synflow": "synflow",
    "synflow_bn": "synflow_bn",
    "l2_norm": "l2_norm",
    "zico": "zico",
    "effective_capacity@1e-4_5e-4": f"sweetimator({LOW})",
    "effective_snip@1e-4_5e-4": f"sweet_snip({LOW})",
    "effective_ntktrace@1e-4_5e-4": f"sweet_ntk({LOW})",
    "effective_zico@1e-4_5e-4": f"sweet_zico({LOW})",
    "effective_gradsign@1e-4_5e-4": f"sweet_gradsign({LOW})",
    "effective_capacity@1e-3_5e-3": f"sweetimator({HIGH})",
    "effective_snip@1e-3_5e-3": f"sweet_snip({HIGH})",
    "effective_ntktrace@1e-3_5e-3": f"sweet_ntk({HIGH})",
    "effective_zico@1e-3_5e-3": f"sweet_zico({HIGH})",
    "effective_gradsign@1e-3_5e-3": f"sweet_gradsign({HIGH})",
    "sweet_ntktrace": "sweet_ntk(interval=(0,1e30))",
    "sweet_params": "sweetimator(interval=(0,1e30))",
    "sweet_zico": "sweet_zico(interval=(0,1e30))",
    "tcet_official_snip": "tcet_snip",
    "tcet_official_synflow": "tcet_synflow",
    "tcet_snr_snip_layers_sum": "snr_snip",
    "tcet_snr_synflow_layers_sum": "snr_synflow",
    "tcet_lnwot_layers_sum": "lnwot",
    "alethiometer_tcet_snip_none": "tcet_snip(compress='none')",
    "alethiometer_tcet_syn_none": "tcet_synflow(compress='none')",
    "alethiometer_tcet_snip_log1p": "tcet_snip(compress='log1p')",
    "alethiometer_tcet_syn_log1p": "tcet_synflow(compress='log1p')",
    "naswot": "naswot",
    "naswot_relu_once": "naswot(once=True)",
    "naslib_nwot_relu_once": "naswot(once=True)",
    "freerea_naswot_train_mode": "naswot(once=True)",
    "alethiometer_tcet_snip_log": "tcet_snip",
    "alethiometer_tcet_syn_log": "tcet_synflow",
    "alethiometer_snr_snip": "snr_snip",
    "alethiometer_snr_syn": "snr_synflow",
    "alethiometer_lnwot": "lnwot",
    "alethiometer_nwot": "nwot_outputs",
    "freerea_synflow": "synflow",
    "logsynflow": "logsynflow",
    "effective_gradnorm@1e-4_5e-4": f"sweet_grad_norm({LOW})",
    "effective_gradnorm@1e-3_5e-3": f"sweet_grad_norm({HIGH})",
    "gradsign_mean": "gradsign(reduce='mean')",
    "aznas_port_gradsign_rev": "gradsign(reduce='mean')",
    "gradsign_sum": "gradsign",
    "sweet_grad_conflict": "grad_conflict",
    "sweet_grad_angle": "grad_angle",
    "epe_nas": "epe_nas",
    "naslib_epe_nas": "epe_nas",
    "epe_nas_branchA_n_classes_101": "epe_nas(many_classes=True)",
}
# With noise, probes and weights drawn anew as the directory stores them: weights saved, and drawn by its scheme.
SAVED = {
    "ntk_cond": "ntk_condition",
    "ntk_cond_eval_mode": "ntk_condition_init",
    "linear_regions": "linear_regions",
    "az_nas_fixed_expressivity": "az_expressivity",
    "az_nas_fixed_progressivity": "az_progressivity",
    "az_nas_fixed_trainability": "az_trainability",
    "zen_fixed_weights": "zen",
    "zen_fixed_weights_paper_form_L2_batchvar": "zen(form='paper')",
    "swap_fixed_weights": "swap",
    "swap_fixed_weights_regular_mu10_sigma200": "swap_regularised(mu=10,sigma=200)",
}
DRAWN = {
    "az_nas_kaiming_expressivity": "az_expressivity",
    "az_nas_kaiming_progressivity": "az_progressivity",
    "az_nas_kaiming_trainability": "az_trainability",
    "zen": "zen",
    "zen_paper_form_L2_batchvar": "zen(form='paper')",
    "swap_gaussian_mean4": "swap",
}
ELSEWHERE = {
    "effective_grasp": "needs a Hessian product of its own for each interval, which is no ingredient",
    "alethiometer_tcet_syn_norm": "a toolkit's normalisation over layers that no paper uses",
    "alethiometer_tcet_snip_norm": "a toolkit's normalisation over layers that no paper uses",
    "alethiometer_nwot_relu": "a toolkit's naswot in eval mode",
    "sweet_size": "output channels, summed over layers: no proxy of ours",
    "sweet_flops": "thop's counting rules, pooling and normalisation included",
    "aznas_port_te_nas_minus_ntk": "the negative of ntk_cond",
    "meco": "hooks containers too: test_meco_of_every_convolution compares its layers",
    "te_nas_rank_sum_aznas_notebook": "an aggregate over the directory's networks",
    "az_nas_fixed_aggregate": "an aggregate over the directory's networks",
    "az_nas_kaiming_aggregate": "an aggregate over the directory's networks",
    "params": "test_counts_are_exact",
    "flops_xautodl_16x16": "test_counts_are_exact",
    "flops_xautodl_32x32": "test_counts_are_exact, at the stored image size",
}
"""Stored names that the tables above do not hold, and why."""
VARIANTS = {
    "zico_paper_var_of_abs": "zico(std_of='abs')",
    "effective_zico_zeroed_grads@1e-4_5e-4": f"sweet_zico({LOW},zeroed=True)",
    "effective_zico_zeroed_grads@1e-3_5e-3": f"sweet_zico({HIGH},zeroed=True)",
    "effective_gradsign_abs_gate@1e-4_5e-4": f"sweet_gradsign({LOW},signed_gate=False)",
    "effective_gradsign_abs_gate@1e-3_5e-3": f"sweet_gradsign({HIGH},signed_gate=False)",
    "fisher_channel_sum": "fisher(per_channel=True)",
}
COUNTS = {"params": "params", "flops_xautodl_16x16": "flops"}  # exact integers, at the stored image size; xautodl adds the head's biases

QUICK_NETWORKS = (0, 2, 5, 9)
"""What every change is tried on, in float64: convolutions only, nothing, an identity, and every operation; the other sixteen, four of
another size, are slow."""
QUICK_NOISE = (5, 9)
"""And with the stored noise, where a network takes seconds to run."""
FIRST = {label.partition("(")[0]: label for label in reversed(PROXIES.values())}
"""Proxy -> its first setting above."""
QUICK_SCORES = tuple(name for name, label in PROXIES.items() if label in FIRST.values())
"""Every proxy in one setting: the others take half as long again to compile, and are slow."""
RTOL64 = 1e-6
# Ours in float32: the scores whose float32 rounding is larger than 1e-4 of the value, and why.
RTOL32 = {
    "zico": 3e-2,  # heavy tail: one weight whose two gradients nearly agree can carry a layer
    "effective_zico": 3e-2,
    "sweet_zico": 3e-2,
    "plain": 2e-3,  # a signed sum near zero
    "grasp": 2e-3,
    "jacob_cov": 1e-3,  # 1/(v + 1e-5) at the smallest eigenvalue of Jacobians rounded to float32
    "effective_capacity": 1e-2,  # weights within rounding of a threshold
    "effective_snip": 1e-2,
    "effective_ntktrace": 1e-2,
    "effective_gradsign": 1e-2,
    "effective_gradnorm": 1e-2,
    "ntk_cond": 2e-2,  # the smallest eigenvalue of a kernel accumulated in float32
    "zen_fixed_weights": 5e-3,  # a difference of nearly equal features
    "az_nas_kaiming_trainability": 1e-2,  # terms near 0
    "alethiometer_lnwot": 1e-3,  # a unit within rounding of zero
    "alethiometer_nwot": 1e-3,
}
# Where the authors' float32 itself cancels (a difference of two large sums), ours is compared with their float64 value.
COMPARE_WITH_F64 = ("effective_gradnorm", "effective_snip", "effective_ntktrace", "zico", "effective_zico", "sweet_zico", "synflow")


class Scores(NamedTuple):
    """ours: by name of scores.json, of the first networks, as many as were scored."""

    networks: list[Golden]
    stored: dict[str, Any]
    ours: dict[str, np.ndarray]
    logits: dict[str, list[np.ndarray]]
    trend: np.ndarray


def _ratios(loss_grads: Any, active: Any, cells: Any) -> Any:
    return cell_ratios(loss_grads, active, cells)


def _networks(chosen: Collection[int] | None) -> tuple[list[Golden], dict[str, Any], dict[str, np.ndarray]]:
    """By number; None: all."""
    networks, stored, inputs = read(shared("JAXZC_GOLDEN", "../shared/golden/dev"))
    return [golden for golden in networks if chosen is None or golden.index in chosen], stored, inputs


def _score(dtype: Any, whole: bool) -> Scores:
    """whole: all stored scores of all networks."""
    networks, stored, inputs = _networks(None if whole else QUICK_NETWORKS)
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


SIZES = [pytest.param(False, id="quick"), pytest.param(True, id="whole", marks=pytest.mark.slow)]


class Drawn(NamedTuple):
    """Scores with the stored noise: by name of scores.json, of the networks that were scored; and MeCo's terms of each network."""

    networks: list[Golden]
    stored: dict[str, Any]
    ours: dict[str, np.ndarray]
    meco: list[list[np.ndarray]]


def _score_drawn(dtype: Any, tables: Any, whole: bool) -> Drawn:
    networks, stored, inputs = _networks(None if whole else QUICK_NOISE)
    chosen = {**select(list(SAVED.values())), "meco_minima": lambda meco_minima: meco_minima}
    programs: dict[Any, Any] = {}
    rows: list[list[dict[str, float]]] = [[] for _ in tables]
    minima = []
    for golden in networks:
        if golden.space not in programs:

            def program(p: Any, arch: Any, b: Any, drawn: Any, space: Any = golden.space) -> Any:
                return compute_scores(traced_proxies(chosen), space.program().network(arch), p, b, fixed=drawn)

            programs[golden.space] = jax.jit(program)
        arguments = golden.params(dtype), jnp.asarray(golden.arch, jnp.int32), batches(inputs, dtype)
        for into, table in zip(rows, tables, strict=True):
            made = jax.device_get(programs[golden.space](*arguments, given(golden, inputs, dtype, redrawn=table is DRAWN)))
            minima.append(made.pop("meco_minima"))
            into.append({label: to_float(value) for label, value in made.items()})
    ours = {
        name: np.array([row[label] for row in of_table])
        for of_table, table in zip(rows, tables, strict=True)
        for name, label in ({**table, **{n: p for n, p in SAVED.items() if "cond" in n or "regions" in n}}).items()
    }
    return Drawn(networks, stored, ours, minima[:: len(tables)])


@cache
def drawn64(whole: bool) -> Drawn:
    with jax.enable_x64(True):
        return _score_drawn(jnp.float64, (SAVED, DRAWN), whole)


@cache
def drawn32() -> Drawn:
    return _score_drawn(jnp.float32, (DRAWN,), whole=True)


@cache
def float64(whole: bool) -> Scores:
    with jax.enable_x64(True):
        return _score(jnp.float64, whole)


@cache
def float32() -> Scores:
    return _score(jnp.float32, whole=True)


def _stored(scores: Scores | Drawn, name: str, field: str) -> tuple[np.ndarray, dict[str, Any]]:
    entry = scores.stored["proxies"].get(name) or scores.stored["variants"].get(name)
    if entry is None:
        pytest.skip(f"this golden directory has no {name}")
    return np.array(entry.get(field, entry["values"]), np.float64)[[golden.index for golden in scores.networks]], entry


def _explain(scores: Scores | Drawn, ours: np.ndarray, theirs: np.ndarray) -> str:
    return "\n".join(
        f"{g.path.name} {g.space.to_string(g.arch)}: {a!r} != {b!r}" for g, a, b in zip(scores.networks, ours, theirs, strict=True)
    )


EVERY_SCORE = [
    *(pytest.param(False, name, id=f"quick-{name}") for name in QUICK_SCORES),
    *(pytest.param(True, name, id=f"whole-{name}", marks=pytest.mark.slow) for name in (*PROXIES, *VARIANTS)),
]


@pytest.mark.parametrize(("whole", "name"), EVERY_SCORE)
def test_float64_equals_the_authors_code_in_float64(whole: bool, name: str) -> None:
    scores = float64(whole)
    theirs, entry = _stored(scores, name, "values_f64")
    ours = scores.ours[name]
    rtol = max(RTOL64, float(entry.get("rtol_float64", 0)))
    np.testing.assert_allclose(ours, theirs, rtol=rtol, atol=1e-12, err_msg=_explain(scores, ours, theirs))


@pytest.mark.slow
@pytest.mark.parametrize("name", [*PROXIES, *VARIANTS])
def test_float32_equals_the_authors_code(name: str) -> None:
    base, scores = name.partition("@")[0], float32()
    theirs, entry = _stored(scores, name, "values_f64" if base.startswith(COMPARE_WITH_F64) else "values")
    ours = scores.ours[name]
    rtol = max(1e-4, next((v for k, v in RTOL32.items() if base.startswith(k)), 0), float(entry.get("rtol_float32", 0)))
    # One weight that crosses a threshold is a whole step of a count.
    steps = (
        2.0 * max(2, math.ceil(1e-4 * np.max(np.abs(theirs[np.isfinite(theirs)]), initial=0)))
        if "gradsign" in base or "capacity" in base
        else 0
    )
    np.testing.assert_allclose(ours, theirs, rtol=rtol, atol=max(steps, 1e-6), err_msg=_explain(scores, ours, theirs))


def _with_their_nan(name: str, ours: np.ndarray) -> np.ndarray:
    """TE-NAS writes 100000 where the kernel is zero; we leave NaN."""
    return np.where(np.isnan(ours), 100000, ours) if name.startswith("ntk_cond") else ours


@pytest.mark.parametrize("whole", SIZES)
@pytest.mark.parametrize("name", [*SAVED, *DRAWN])
def test_float64_with_the_stored_noise(whole: bool, name: str) -> None:
    scores = drawn64(whole)
    theirs, entry = _stored(scores, name, "values_f64")
    ours = _with_their_nan(name, scores.ours[name])
    rtol = max(RTOL64, float(entry.get("rtol_float64", 0)))
    np.testing.assert_allclose(ours, theirs, rtol=rtol, atol=1e-12, err_msg=_explain(scores, ours, theirs))


@pytest.mark.slow
@pytest.mark.parametrize("name", [*DRAWN, "ntk_cond", "ntk_cond_eval_mode", "linear_regions"])
def test_float32_with_the_stored_noise(name: str) -> None:
    scores = drawn32()
    theirs, entry = _stored(scores, name, "values")
    ours = _with_their_nan(name, scores.ours[name])
    rtol = max(1e-4, next((v for k, v in RTOL32.items() if name.startswith(k)), 0), float(entry.get("rtol_float32", 0)))
    # A unit within rounding of zero changes a count by a pattern or two; entropies of adjacent maps nearly agree.
    steps = 3 if name.startswith(("swap", "linear_regions")) else 1e-5
    np.testing.assert_allclose(ours, theirs, rtol=rtol, atol=steps, err_msg=_explain(scores, ours, theirs))


@pytest.mark.parametrize("whole", SIZES)
def test_meco_of_every_convolution(whole: bool) -> None:
    for golden, ours in zip(drawn64(whole).networks, drawn64(whole).meco, strict=True):
        path = golden.path.parents[1] / "layerwise" / golden.path.name
        if not path.exists():
            pytest.skip("this golden directory has no layerwise values")
        stored = np.load(path)
        convolutions = [str(m).endswith((".op.1", "stem.0", "downsample.1")) for m in stored["meco_modules"]]
        theirs = stored["code32/meco"][np.array(convolutions)]
        of_group = dict(zip((group.name for group in golden.space.program().groups), ours, strict=True))
        names = [str(n) for n in golden.arrays["layers"] if not str(n).startswith("head")]
        mine = [layer_value(golden, of_group, name) for name in names]
        # Pooling edges have a module op.1 of no kind; every convolution has one.
        assert len(mine) == len(theirs), golden.path.name
        np.testing.assert_allclose(mine, theirs, rtol=1e-3, atol=1e-5, err_msg=golden.path.name)


def layer_value(golden: Golden, of_group: dict[str, np.ndarray], name: str) -> float:
    """The value of one stored layer, such as stage0/cell1/edge2/conv, among those of our groups."""
    where, _, rest = name.partition("/")
    if where == "stem":
        return float(of_group["stem"][0])
    if where.startswith("reduction"):
        return float(of_group[f"reductions/{where[-1]}/{rest}"][0])
    cell, edge, _ = rest.split("/")
    kernel = "conv1x1" if golden.arch[int(edge[4:])] == CONV1 else "conv3x3"
    return float(of_group[f"stages/{where[5:]}/{kernel}"][int(cell[4:]) * 6 + int(edge[4:])])


def test_every_stored_proxy_is_compared_or_said_why_not() -> None:
    _, stored, _ = read(shared("JAXZC_GOLDEN", "../shared/golden/dev"))
    compared = {*PROXIES, *SAVED, *DRAWN}
    assert not compared & set(ELSEWHERE)
    assert [n for n in stored["proxies"] if n not in compared and n.partition("@")[0] not in ELSEWHERE] == []


@pytest.mark.slow
def test_zico_in_float32_is_close_for_most_networks() -> None:
    theirs, _ = _stored(float32(), "zico", "values_f64")
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
