"""Scores of one network as a pure function of arrays, which can be called inside jit, vmap, grad or scan."""

from collections.abc import Callable, Mapping
from typing import get_args

import jax
import numpy as np

from jaxzc._compile.platforms import float32_products
from jaxzc.catalogue.selection import ProxySpec, select
from jaxzc.definitions.facts import Proxy
from jaxzc.definitions.signatures import needs
from jaxzc.ingredients import RESOLVER, Roots
from jaxzc.scoring.batches import Batches, as_batches
from jaxzc.scoring.results import Unavailable, check_unavailable, warn_of
from jaxzc.tasks import Loss, Task, classification, named_task
from jaxzc.types import Array, Counts, JaxzcError, Network, Norm, Params, PyTree, Score
from jaxzc.types.names import unknown

LARGEST = 2**31 - 1
"""The largest int32. Compiled programs have no wider integers unless `jax_enable_x64` is set."""


def compute_scores(
    proxies: ProxySpec,
    network: Network,
    params: Params,
    batches: Batches,
    task: Task | str = classification,
    norm: Norm = "batch",
    key: Array | None = None,
    fixed: Mapping[str, PyTree] | None = None,
    *,
    loss: Loss | None = None,
    unavailable: Unavailable = "nan",
) -> dict[str, Score]:
    """Proxy -> value `[]` of one network: a pure function of `params`, `batches` and `key`, which may be traced.

    >>> network, params = jaxzc.as_network(model, variables, inputs)
    >>> jax.jit(jax.vmap(lambda p: jaxzc.compute_scores("snip,naswot", network, p, (inputs, targets))))(stacked_params)

    proxies, batches: in every form that `jaxzc.score` takes. The values of batches are not checked, because they may be traced.
    task, loss: as for `jaxzc.Scorer`; without both, classification, since traced targets cannot be looked at.
    key: random key of noise, probes and redrawn weights (default: `jax.random.key(0)`).
    fixed: ingredient -> value; these ingredients are not computed (`{"az_images": images}`).
    unavailable: see `jaxzc.Scorer`. The reasons are in a warning, issued when the function is traced.

    Values are float32 scalars, or `Scaled` where float32 is too small. Counts (params, flops, layers) are exact integers, except inside a
    traced program where they do not fit an int32: there they are float32. Raises `JaxzcError` for names and options that do not exist.
    """
    check_unavailable(unavailable)
    reasons: dict[str, str] | None = None if unavailable == "error" else {}
    meant = named_task(loss, None if loss is not None and task == classification else task) or classification
    roots = Roots(network, params, as_batches(batches), meant, norm, jax.random.key(0) if key is None else key)
    values = compute_values(select(proxies), roots, fixed, reasons)
    warn_of(reasons or {}, "; ".join(f"{label}: {reason}" for label, reason in list((reasons or {}).items())[:1]), stacklevel=2)
    return values


def compute_values(
    proxies: Mapping[str, Proxy], roots: Roots, fixed: Mapping[str, PyTree] | None = None, reasons: dict[str, str] | None = None
) -> dict[str, Score]:
    """As `compute_scores`, for selected proxies.

    reasons: a dictionary that receives, for each proxy that cannot be computed, the reason. None: such a proxy is an error."""
    check_norm(roots.norm)
    known = RESOLVER.with_those_of(proxies.values()).known
    for name in fixed or ():
        if name not in known:
            raise unknown("ingredient", name, known)
    with float32_products():
        return RESOLVER.run(proxies, {**roots._asdict(), **_count_ingredients(roots), **(fixed or {})}, reasons)


def check_norm(norm: str) -> None:
    """Raises `JaxzcError` for anything but a norm mode."""
    if norm not in get_args(Norm):
        raise JaxzcError(f"norm={norm!r}: expected one of {', '.join(map(repr, get_args(Norm)))}")


def _count_ingredients(roots: Roots) -> dict[str, PyTree]:
    """The ingredients `counts` and `param_count` of a network that has a method `counts`; nothing for other networks."""
    count: Callable[[Params], Counts] | None = getattr(roots.network, "counts", None)
    if count is None:
        return {}
    counts = count(roots.params)
    return {"counts": Counts(*(c if c <= LARGEST else np.float32(c) for c in counts)), "param_count": np.float32(counts.params)}


def only_counts(proxy: Proxy) -> bool:
    """Whether a proxy is computed from exact counts, without running the network."""
    return set(needs(proxy)) <= {"counts"}


def scores_from_counts(proxies: Mapping[str, Proxy], counts: Counts | None) -> dict[str, Score]:
    """Label -> value of the proxies that need counts only, computed on the host in exact integers."""
    return {k: f(counts) if needs(f) else f() for k, f in proxies.items() if only_counts(f)}


def traced_proxies(proxies: Mapping[str, Proxy]) -> dict[str, Proxy]:
    """The proxies that run the network, and so need a compiled program."""
    return {label: proxy for label, proxy in proxies.items() if not only_counts(proxy)}
