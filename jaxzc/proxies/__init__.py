"""Zero-cost proxies: pure functions whose argument names are ingredients (`jaxzc.ingredients`) and whose keywords are settings.

The docstring of each is its card: definition, source, what the authors' code does differently, labels, init, norm mode, weights, direction,
failure modes. To add one: write the function with its card and name it below.
"""

from jaxzc.proxies.az_nas import az_expressivity, az_progressivity, az_trainability
from jaxzc.proxies.epe_nas import epe_nas
from jaxzc.proxies.fisher import fisher
from jaxzc.proxies.grad_norm import grad_norm
from jaxzc.proxies.gradsign import grad_angle, grad_conflict, gradsign
from jaxzc.proxies.grasp import grasp
from jaxzc.proxies.jacob_cov import jacob_cov
from jaxzc.proxies.l2_norm import l2_norm
from jaxzc.proxies.meco import meco, meco_opt
from jaxzc.proxies.naswot import naswot, nwot_outputs
from jaxzc.proxies.ntk import jacob_trace, knas, nasi, ntk_trace
from jaxzc.proxies.size import flops, layers, params
from jaxzc.proxies.snip import plain, snip
from jaxzc.proxies.swap import swap, swap_regularised
from jaxzc.proxies.sweet import sweet_grad_norm, sweet_gradsign, sweet_ntk, sweet_snip, sweet_zico, sweetimator
from jaxzc.proxies.synflow import logsynflow, synflow, synflow_bn
from jaxzc.proxies.tcet import lnwot, snr_snip, snr_synflow, tcet_snip, tcet_synflow
from jaxzc.proxies.te_nas import linear_regions, ntk_condition, ntk_condition_init
from jaxzc.proxies.vkdnw import vkdnw, vkdnw_single
from jaxzc.proxies.wrcor import wrcor
from jaxzc.proxies.zen import zen
from jaxzc.proxies.zico import l_swag, zico, zico_bc
from jaxzc.resolver import Proxy

PROXIES: dict[str, Proxy] = {
    f.__name__: f
    for f in (
        *(grad_norm, snip, grasp, fisher, jacob_cov, plain, synflow, synflow_bn, l2_norm),
        *(zico, sweetimator, sweet_snip, sweet_ntk, sweet_zico, sweet_gradsign),
        *(tcet_snip, tcet_synflow, snr_snip, snr_synflow, lnwot, naswot),
        *(params, flops, layers),
        *(ntk_condition, ntk_condition_init, linear_regions, gradsign, grad_conflict, grad_angle, epe_nas, zen),
        *(az_expressivity, az_progressivity, az_trainability, logsynflow, nwot_outputs, sweet_grad_norm),
        *(swap, swap_regularised, meco, meco_opt, zico_bc, l_swag, vkdnw, vkdnw_single),
        *(nasi, ntk_trace, knas, jacob_trace, wrcor),
    )
}

FOUNDING = tuple(PROXIES)[:24]
"""Those of the four papers that the library began with, and the sizes that everything is compared with."""

__all__ = [
    "FOUNDING",
    "PROXIES",
    "az_expressivity",
    "az_progressivity",
    "az_trainability",
    "epe_nas",
    "fisher",
    "flops",
    "grad_angle",
    "grad_conflict",
    "grad_norm",
    "gradsign",
    "grasp",
    "jacob_cov",
    "jacob_trace",
    "knas",
    "l2_norm",
    "l_swag",
    "layers",
    "linear_regions",
    "lnwot",
    "logsynflow",
    "meco",
    "meco_opt",
    "nasi",
    "naswot",
    "ntk_condition",
    "ntk_condition_init",
    "ntk_trace",
    "nwot_outputs",
    "params",
    "plain",
    "snip",
    "snr_snip",
    "snr_synflow",
    "swap",
    "swap_regularised",
    "sweet_grad_norm",
    "sweet_gradsign",
    "sweet_ntk",
    "sweet_snip",
    "sweet_zico",
    "sweetimator",
    "synflow",
    "synflow_bn",
    "tcet_snip",
    "tcet_synflow",
    "vkdnw",
    "vkdnw_single",
    "wrcor",
    "zen",
    "zico",
    "zico_bc",
]
