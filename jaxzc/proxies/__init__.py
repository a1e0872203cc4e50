"""Zero-cost proxies: pure functions whose argument names are ingredients (`jaxzc.ingredients`) and whose keywords are settings.

The docstring of each is its card: definition, source, what the authors' code does differently, labels, init, norm mode, weights, direction,
failure modes. To add one: write the function with its card and name it below.
"""

from jaxzc.proxies.fisher import fisher
from jaxzc.proxies.grad_norm import grad_norm
from jaxzc.proxies.grasp import grasp
from jaxzc.proxies.jacob_cov import jacob_cov
from jaxzc.proxies.l2_norm import l2_norm
from jaxzc.proxies.naswot import naswot
from jaxzc.proxies.size import flops, layers, params
from jaxzc.proxies.snip import plain, snip
from jaxzc.proxies.sweet import sweet_gradsign, sweet_ntk, sweet_snip, sweet_zico, sweetimator
from jaxzc.proxies.synflow import synflow, synflow_bn
from jaxzc.proxies.tcet import lnwot, snr_snip, snr_synflow, tcet_snip, tcet_synflow
from jaxzc.proxies.zico import zico
from jaxzc.resolver import Proxy

PROXIES: dict[str, Proxy] = {
    f.__name__: f
    for f in (
        *(grad_norm, snip, grasp, fisher, jacob_cov, plain, synflow, synflow_bn, l2_norm),
        *(zico, sweetimator, sweet_snip, sweet_ntk, sweet_zico, sweet_gradsign),
        *(tcet_snip, tcet_synflow, snr_snip, snr_synflow, lnwot, naswot),
        *(params, flops, layers),
    )
}

__all__ = [
    "PROXIES",
    "fisher",
    "flops",
    "grad_norm",
    "grasp",
    "jacob_cov",
    "l2_norm",
    "layers",
    "lnwot",
    "naswot",
    "params",
    "plain",
    "snip",
    "snr_snip",
    "snr_synflow",
    "sweet_gradsign",
    "sweet_ntk",
    "sweet_snip",
    "sweet_zico",
    "sweetimator",
    "synflow",
    "synflow_bn",
    "tcet_snip",
    "tcet_synflow",
    "zico",
]
