"""What makes scores doubtful though they can be computed: kernels of zeros, stored statistics of normalisation that no pass reads, and what
a space says of its networks."""

import warnings
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np

from jaxzc.definitions.facts import Proxy
from jaxzc.ingredients import RESOLVER
from jaxzc.types import Array, JaxzcError, Network, Norm, Params, PyTree, Space, WithDoubts


class DoubtWarning(UserWarning):
    """Scores were computed, and may not be what they are taken for; the warning says why."""


class Doubts(NamedTuple):
    """zero: whether all kernels of a layer group are zeros, bool `[groups]`. stale: whether running statistics that the norm mode replaces
    differ from those of an untrained network (mean 0, variance 1), bool scalar. Both are computed with the scores."""

    zero: Array
    stale: Array


def doubts(network: Network, params: Params, inputs: PyTree) -> Doubts:
    """What is doubtful about these parameters, which may be traced."""
    try:
        zero = jnp.stack([~jnp.any(kernels) for kernels in network.weights(params)])
    except JaxzcError:  # kernels without weights; the proxies that need them say so
        zero = jnp.zeros(len(network.groups), bool)
    stored = [leaf for leaf in _replaced(network, params, inputs) if jnp.issubdtype(jnp.result_type(leaf), jnp.floating)]
    fresh = [jnp.all(leaf == 0) | jnp.all(leaf == 1) for leaf in stored]
    return Doubts(zero, ~jnp.stack(fresh).all() if fresh else jnp.zeros((), bool))


def is_frozen(network: Network, params: Params, inputs: PyTree) -> bool:
    """Whether a model without a train mode normalises by stored statistics: it has no pass with the statistics of a batch."""
    return getattr(network, "evaluates", False) and bool(_replaced(network, params, inputs))


def _replaced(network: Network, params: Params, inputs: PyTree) -> list[Array]:
    replaced = getattr(network, "replaced_statistics", None)
    return [] if replaced is None else replaced(params, inputs)


def doubts_of_space(space: Space, proxies: Mapping[str, Proxy], archs: np.ndarray) -> dict[str, str]:
    """Label of a proxy -> why its score says little of some of the architectures `[n, genes]`; of a proxy that asks for several such
    ingredients, the first reason."""
    doubtful = space.doubts(archs) if isinstance(space, WithDoubts) and len(archs) else {}
    users = RESOLVER.wanted(proxies) if doubtful else {}
    return {label: reason for ingredient, reason in reversed([*doubtful.items()]) for label in users.get(ingredient, ())}


def warn_of_space(space: Space, proxies: Mapping[str, Proxy], archs: np.ndarray, told: set[str], stacklevel: int) -> None:
    """Issues a `DoubtWarning` for each reason for which a score says little of these architectures, but those `told`, to which it adds."""
    doubtful = doubts_of_space(space, proxies, archs)
    for reason in dict.fromkeys(doubtful.values()):
        if reason not in told:
            told.add(reason)
            labels = ", ".join(label for label in doubtful if doubtful[label] == reason)
            warnings.warn(f"{space.name}: {labels}: {reason}", DoubtWarning, stacklevel=stacklevel + 1)


INSTEAD = {"batch": "those of the batch", "init": "mean 0 and variance 1", "none": "none"}


def warn_of_doubts(noted: Doubts, groups: Sequence[str], norm: Norm, frozen: bool, stacklevel: int) -> None:
    """Issues a `DoubtWarning` for each doubt. noted: with a leading axis where several networks were scored at a time."""
    flags: Any = np.asarray(noted.zero).reshape(-1, len(groups)).any(0)
    zero = [name for name, is_zero in zip(groups, flags, strict=True) if is_zero]
    if zero:
        named = f"{', '.join(zero[:3])}{' and others' if len(zero) > 3 else ''}"
        warnings.warn(
            f"the kernel of {named} is all zeros: no gradient passes it, so that snip, fisher, synflow may be 0 and jacob_cov NaN; draw it "
            "at random to compare networks",
            DoubtWarning,
            stacklevel=stacklevel + 1,
        )
    reason = ""
    if frozen and norm == "batch":
        reason = "the model has no argument for a train mode and normalises by stored statistics"
    elif np.any(noted.stale):
        reason = "the running statistics are not those of an untrained network"
    if reason:
        warnings.warn(
            f"{reason}, and no pass reads them: with norm={norm!r} passes in train mode use {INSTEAD[norm]}; norm='init' uses mean 0 and "
            "variance 1, and a function apply_fn(params, x, norm) that ignores norm uses the stored ones",
            DoubtWarning,
            stacklevel=stacklevel + 1,
        )
