"""Proxies of networks made of steps: which of them padded layers do not change, and their scores, one layer at a time."""

import inspect
from collections.abc import Callable, Mapping
from typing import Any

import jax.numpy as jnp

from jaxzc.definitions.facts import OverLayers, Proxy, parts, proxy_facts
from jaxzc.definitions.signatures import needs, settings
from jaxzc.types import Array, JaxzcError, Scaled

INGREDIENTS: Mapping[OverLayers, frozenset[str]] = {
    "terms": frozenset(
        ("weights", "loss_grads", "batch_grads", "synflow_grads", "synflow_exponent", "layer_kernels", "active", "existing"),
    ),
    "kernels": frozenset(("relu_kernels", "layer_kernels", "relu_counts", "relu_hooks")),
}
"""What a proxy of each form may ask for here."""

Labelled = tuple[tuple[str, Proxy], ...]


def served(proxies: Mapping[str, Proxy]) -> bool:
    """Whether all of these are scored by steps."""
    return all(form(proxy) is not None for proxy in proxies.values())


def form(proxy: Proxy) -> OverLayers | None:
    """What the score is over layers, with its settings; None where padded layers would change it, or it asks for what steps do not give."""
    facts, stated = proxy_facts(proxy), proxy_facts(proxy).over_layers
    if parts(proxy)[1] or facts.ingredients:
        return None
    if callable(stated):
        chosen = settings(proxy)
        stated = stated(**{name: chosen[name] for name in inspect.signature(stated).parameters})
    return stated if stated is not None and set(needs(proxy)) <= INGREDIENTS[stated] else None


def split(proxies: Mapping[str, Proxy]) -> tuple[Labelled, Labelled]:
    """(label, proxy) of the proxies that are sums of terms, and of the proxies that are computed from summed kernels."""
    terms, kernels = (tuple(pair for pair in proxies.items() if form(pair[1]) == kind) for kind in INGREDIENTS)
    return terms, kernels


def wanted(proxies: Mapping[str, Proxy]) -> frozenset[str]:
    """The ingredients that these proxies ask for."""
    return frozenset(name for proxy in proxies.values() for name in needs(proxy))


def add_terms(proxies: Labelled) -> Callable[..., tuple[dict[str, Array], dict[str, Array | int]]]:
    """A function that adds the term of one layer: (label -> sum so far, ingredient -> its value for the layer) -> (label -> sum with this
    layer's term, label -> exponent). Only scores that are `Scaled` have an exponent, which is the same for every layer.

    `batch_grads` is a tuple of the batches' gradients; `synflow_exponent` is a scalar.
    """

    def run(sums: dict[str, Array], values: dict[str, Any]) -> tuple[dict[str, Array], dict[str, Array | int]]:
        groups = {name: value if name == "synflow_exponent" else [value] for name, value in values.items()}
        if "batch_grads" in values:
            groups["batch_grads"] = [jnp.stack(values["batch_grads"])]
        groups["active"] = [jnp.ones(1, bool)]
        terms = _scores(proxies, groups)
        added = {label: sums[label] + (term.value if isinstance(term, Scaled) else term) for label, term in terms.items()}
        return added, {label: term.exponent for label, term in terms.items() if isinstance(term, Scaled)}

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
