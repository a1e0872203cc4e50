"""Zero-cost proxies: pure functions whose argument names are ingredients (`jaxzc.ingredients`) and whose keywords are settings.

The docstring of each is the prose of its card: definition, source, what the authors' code does differently, weights, failure modes. Its
facts are data: `@proxy(direction=..., labels=..., ...)`. To add one: write the decorated function, and import it below.
"""

# ruff: noqa: F401 (an import is what registers a proxy)

from jaxzc.definitions.facts import FACTS, Proxy, ProxyFacts
from jaxzc.proxies.attention import attention_confidence, head_importance, softmax_confidence, synaptic_diversity, synaptic_saliency
from jaxzc.proxies.az_nas import az_expressivity, az_progressivity, az_trainability
from jaxzc.proxies.dextr import dextr
from jaxzc.proxies.dss import dss
from jaxzc.proxies.epe_nas import epe_nas
from jaxzc.proxies.fisher import fisher
from jaxzc.proxies.grad_norm import grad_norm
from jaxzc.proxies.gradsign import grad_angle, grad_conflict, gradsign
from jaxzc.proxies.grasp import grasp
from jaxzc.proxies.intrain import intrain
from jaxzc.proxies.jacob_cov import jacob_cosine, jacob_cov
from jaxzc.proxies.l2_norm import l2_norm
from jaxzc.proxies.meco import meco, meco_opt
from jaxzc.proxies.naswot import naswot, naswot_gelu, nwot_outputs
from jaxzc.proxies.near import near
from jaxzc.proxies.ntk import jacob_trace, knas, nasi, ntk_trace
from jaxzc.proxies.recurrent import activation_distance, hidden_covariance, hidden_jacob_cosine, hidden_jacob_cov
from jaxzc.proxies.size import flops, layers, params
from jaxzc.proxies.snip import plain, snip
from jaxzc.proxies.swap import swap, swap_regularised
from jaxzc.proxies.sweet import sweet_grad_norm, sweet_gradsign, sweet_ntk, sweet_snip, sweet_zico, sweetimator
from jaxzc.proxies.synflow import logsynflow, synflow, synflow_bn
from jaxzc.proxies.tcet import lnwot, snr_snip, snr_synflow, tcet_snip, tcet_synflow
from jaxzc.proxies.te_nas import linear_regions, ntk_condition, ntk_condition_init
from jaxzc.proxies.vkdnw import vkdnw, vkdnw_single
from jaxzc.proxies.w_pca import v_pca, w_pca
from jaxzc.proxies.wrcor import wrcor
from jaxzc.proxies.zen import zen
from jaxzc.proxies.zico import l_swag, zico, zico_bc

FOUNDING = (
    *("grad_norm", "snip", "grasp", "fisher", "jacob_cov", "plain", "synflow", "synflow_bn", "l2_norm"),
    *("zico", "sweetimator", "sweet_snip", "sweet_ntk", "sweet_zico", "sweet_gradsign"),
    *("tcet_snip", "tcet_synflow", "snr_snip", "snr_synflow", "lnwot", "naswot"),
    *("params", "flops", "layers"),
)
"""Names of those of the four papers that the library began with, and of the sizes that everything is compared with."""

FOR_TRANSFORMERS = (
    *("dss", "naswot_gelu", "attention_confidence", "softmax_confidence", "head_importance"),
    *("synaptic_diversity", "synaptic_saliency"),
)
"""Names of those that ask for attention or GELU, which other networks lack."""

TRANSFORMERS = (*(name for name in FOUNDING if name != "naswot"), *FOR_TRANSFORMERS, "az_expressivity")
"""Names of those that transformers are scored with: the founding ones but for ReLU's, and their own."""

RECURRENT = ("hidden_covariance", "hidden_jacob_cov", "hidden_jacob_cosine")
"""Names of those that only recurrent networks have: they read hidden states."""

_IMPORTED: dict[str, Proxy] = {f.__name__: f for f in list(globals().values()) if isinstance(getattr(f, FACTS, None), ProxyFacts)}

PROXIES: dict[str, Proxy] = {name: _IMPORTED[name] for name in dict.fromkeys([*FOUNDING, *_IMPORTED])}
"""Name -> proxy, the founding ones first: every decorated function that is imported above."""
