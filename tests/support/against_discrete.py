"""How scores of a program for many architectures are compared with those of one architecture's discrete network, in float64."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from jaxzc.definitions.signatures import needs
from jaxzc.ingredients import RESOLVER
from jaxzc.scoring.results import to_float

BY_GROUP = {"meco_opt"}
"""Proxies that draw channels for each group of layers, which the two networks have others of."""
# Logarithms of determinants and eigenvalues lose digits, as do thresholds; everything else agrees nearly to the last bit.
RTOL = {"jacob_cov": 1e-6, "ntk_condition": 1e-5, "ntk_condition_init": 1e-5, "vkdnw": 1e-5, "epe_nas": 1e-6}


def drawn_anew(network: Any, params: Any, key: Any, without: frozenset[str] = frozenset()) -> dict[str, Any]:
    """The kernels and probes that proxies draw anew, drawn once for the program, so that both networks are given the same."""
    given = {"network": network, "params": params, "key": key}
    wanted = {name: function for name, function in RESOLVER.functions.items() if name.endswith("_params") and name not in without}
    return {name: function(*(given[need] for need in needs(function))) for name, function in wanted.items()}


def assert_equal_scores(ours: Mapping[str, Any], theirs: Mapping[str, Any], atol: Mapping[str, float] | None = None) -> None:
    """Of proxies that these networks lack, both are NaN; forty are left at least. atol: of proxies that need more than 1e-12."""
    assert sum(np.isfinite(to_float(score)) for score in theirs.values()) >= 40
    wrong = [
        f"{n}: {to_float(ours[n])!r} != {to_float(theirs[n])!r}"
        for n in theirs
        if not np.allclose(to_float(ours[n]), to_float(theirs[n]), rtol=RTOL.get(n, 1e-8), atol=(atol or {}).get(n, 1e-12), equal_nan=True)
    ]
    assert not wrong, "\n".join(wrong)
