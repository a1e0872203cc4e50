"""Scores that a golden directory of the NAS-Bench-201 space holds: their names and ours, how near they come, which are compared when."""

from collections.abc import Collection
from typing import Any, Protocol

import numpy as np
import pytest
from jaxzc_spaces.nasbench201.encoding import CONV1

from tests.support.golden import Golden, read, shared

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
QUICK_NETWORKS = (2, 9)
"""What every change is tried on, in float64: nothing, and every operation; the other eighteen, four of another size, are slow."""
_FIRST = {label.partition("(")[0]: label for label in reversed(PROXIES.values())}
"""Proxy -> its first setting above."""
QUICK_SCORES = tuple(name for name, label in PROXIES.items() if label in _FIRST.values())
"""Every proxy in one setting: the others take half as long again to compile, and are slow."""
SIZES = [pytest.param(False, id="quick"), pytest.param(True, id="whole", marks=pytest.mark.slow)]

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


class Compared(Protocol):
    """Scores of these networks: the content of scores.json, and ours by its names."""

    @property
    def networks(self) -> list[Golden]: ...

    @property
    def stored(self) -> dict[str, Any]: ...

    @property
    def ours(self) -> dict[str, np.ndarray]: ...


def networks_of(chosen: Collection[int] | None) -> tuple[list[Golden], dict[str, Any], dict[str, np.ndarray]]:
    """By number; None: all."""
    networks, stored, inputs = read(shared("JAXZC_GOLDEN", "../shared/golden/dev"))
    return [golden for golden in networks if chosen is None or golden.index in chosen], stored, inputs


def stored_values(scores: Compared, name: str, field: str) -> tuple[np.ndarray, dict[str, Any]]:
    entry = scores.stored["proxies"].get(name) or scores.stored["variants"].get(name)
    if entry is None:
        pytest.skip(f"this golden directory has no {name}")
    return np.array(entry.get(field, entry["values"]), np.float64)[[golden.index for golden in scores.networks]], entry


def explain(scores: Compared, ours: np.ndarray, theirs: np.ndarray) -> str:
    return "\n".join(
        f"{g.path.name} {g.space.to_string(g.arch)}: {a!r} != {b!r}" for g, a, b in zip(scores.networks, ours, theirs, strict=True)
    )


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
