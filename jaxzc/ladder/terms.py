"""Proxies of networks made of steps: which of them padded layers do not change, and their scores, one layer at a time."""

from collections.abc import Callable, Mapping
from typing import Any

import jax.numpy as jnp

from jaxzc.facts import Proxy, parts, proxy_facts
from jaxzc.proxies.grad_norm import grad_norm
from jaxzc.proxies.l2_norm import l2_norm
from jaxzc.proxies.naswot import naswot, nwot_outputs
from jaxzc.proxies.snip import plain, snip
from jaxzc.proxies.sweet import sweet_ntk, sweet_snip, sweet_zico, sweetimator
from jaxzc.proxies.synflow import logsynflow, synflow
from jaxzc.proxies.tcet import lnwot, snr_snip, snr_synflow, tcet_snip, tcet_synflow
from jaxzc.proxies.zico import zico
from jaxzc.resolver import needs, settings
from jaxzc.types import Array, JaxzcError, Scaled


def _always(chosen: Mapping[str, Any]) -> bool:
    return True


def _no_logarithm(chosen: Mapping[str, Any]) -> bool:
    return not chosen["log"]  # of the sum over all layers


def _without_zero(chosen: Mapping[str, Any]) -> bool:
    try:
        return float(chosen["interval"][0]) > 0  # padding would be counted
    except (TypeError, ValueError, IndexError):
        return False  # the discrete program says what is wrong


TERMS: dict[Callable[..., Any], Callable[[Mapping[str, Any]], bool]] = {
    zico: _always,
    snip: _always,
    plain: _always,
    grad_norm: _always,
    l2_norm: _always,
    synflow: _no_logarithm,
    logsynflow: _always,
    tcet_snip: _always,
    tcet_synflow: _always,
    snr_snip: _always,
    snr_synflow: _always,
    lnwot: _always,
    sweetimator: _without_zero,
    sweet_snip: _without_zero,
    sweet_ntk: _without_zero,
    sweet_zico: _without_zero,
}
"""Proxies that are sums over layers of terms which weights of zero with a gradient of zero do not change -> whether that holds for their
settings. A further one must be such a sum, and ask for `existing` where it counts weights."""

TOTALS = {naswot: ("relu_kernels",), nwot_outputs: ("layer_kernels",)}
"""Proxies of the sum of all layers' Hamming kernels -> the ingredient that the sum may stand for."""

Labelled = tuple[tuple[str, Proxy], ...]


def served(proxies: Mapping[str, Proxy]) -> bool:
    """Whether all of these are scored by steps."""
    return all(_served(proxy) for proxy in proxies.values())


def _served(proxy: Proxy) -> bool:
    function, bound, _ = parts(proxy)
    if bound or proxy_facts(proxy).ingredients:
        return False
    if function in TOTALS:
        return not settings(proxy).get("once", False)
    return function in TERMS and TERMS[function](settings(proxy))


def split(proxies: Mapping[str, Proxy]) -> tuple[Labelled, Labelled]:
    """(label, proxy) of those that are sums of terms, and of those of summed kernels."""
    pairs = tuple(proxies.items())
    return tuple(p for p in pairs if parts(p[1])[0] in TERMS), tuple(p for p in pairs if parts(p[1])[0] in TOTALS)


def wanted(proxies: Mapping[str, Proxy]) -> frozenset[str]:
    """The ingredients that these proxies ask for."""
    return frozenset(name for proxy in proxies.values() for name in needs(proxy))


def add_terms(proxies: Labelled) -> Callable[..., dict[str, Array]]:
    """(label -> sum so far, ingredient -> its value of one layer) -> label -> sum with this layer's term.

    `batch_grads` is a tuple of the batches' gradients; `synflow_exponent` is a scalar, and the exponent of a score that has one."""

    def run(sums: dict[str, Array], values: dict[str, Any]) -> dict[str, Array]:
        groups = {name: value if name == "synflow_exponent" else [value] for name, value in values.items()}
        if "batch_grads" in values:
            groups["batch_grads"] = [jnp.stack(values["batch_grads"])]
        groups["active"] = [jnp.ones(1, bool)]
        results = _scores(proxies, groups)
        return {label: sums[label] + (value.value if isinstance(value, Scaled) else value) for label, value in results.items()}

    return run


def of_totals(proxies: Labelled) -> Callable[..., dict[str, Array]]:
    """(ingredient -> sum of the Hamming kernels `[B, B]`) -> label -> score."""

    def run(kernels: dict[str, Array]) -> dict[str, Array]:
        groups: dict[str, Any] = {name: [kernel[None]] for name, kernel in kernels.items()}
        groups |= {"relu_counts": [jnp.ones(1)], "relu_hooks": [jnp.ones(1)]}
        return _scores(proxies, groups)

    return run


def _scores(proxies: Labelled, ingredients: Mapping[str, Any]) -> dict[str, Any]:
    scores = {}
    for label, proxy in proxies:
        try:
            scores[label] = proxy(*(ingredients[name] for name in needs(proxy)))
        except JaxzcError as error:
            raise JaxzcError(f"{label}: {error}") from error
    return scores


def with_exponents(labelled: Labelled, sums: Mapping[str, Any], exponent: Any) -> dict[str, Any]:
    """The sums as scores: those of synflow with their exponent."""
    return {label: Scaled(sums[label], exponent) if parts(proxy)[0] is synflow else sums[label] for label, proxy in labelled}
