"""The cost of proxies in arithmetic, in a unit in which they can be compared with each other and with training.

The unit is one forward pass over one batch. Wherever jaxzc prints or stores `passes`, it means the number of forward passes that take as
much arithmetic. A backward pass counts as two (see `jaxzc.definitions.facts`), so a training step is three passes. FLOPs are
multiply-accumulates of convolution and linear layers, as in `Counts.flops`.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from jaxzc.catalogue.selection import parse_proxy
from jaxzc.definitions.facts import BACKWARD, FORWARD, Proxy, Sizes
from jaxzc.ingredients import RESOLVER
from jaxzc.proxies import PROXIES
from jaxzc.types import JaxzcError

PASSES = "forward passes over one batch that are worth as much arithmetic, a backward pass counting as two"
"""Definition of `passes`, for reports and tables."""


def forward_passes(*proxies: Proxy, sizes: Sizes) -> float:
    """The cost, in forward passes, of scoring these proxies together. 0 if none of them runs the network.

    A pass that several ingredients share, and an ingredient that several proxies share, count once. Work outside the network (eigenvalues,
    kernel matrices, sums over weights) is not counted.
    """
    resolver = RESOLVER.with_those_of(proxies)
    calls = resolver.calls({str(position): proxy for position, proxy in enumerate(proxies)})
    return sum(max(resolver.cost(need).forward_passes(sizes) for need in call) for call in calls)


def passes_of(label: str, metadata: Mapping[str, Any]) -> float:
    """The passes of one of the library's proxies, by its label in a score table with these metadata (`batch_size`, `batches`). NaN for a
    label of the user's own, and where the metadata do not say what the passes depend on."""
    if label.partition("(")[0] not in PROXIES:
        return np.nan
    sizes = [number if isinstance(number := metadata.get(name), int) else np.nan for name in ("batch_size", "batches")]
    try:
        return forward_passes(parse_proxy(label), sizes=Sizes(*sizes, outputs=np.nan, pixels=np.nan))
    except JaxzcError:  # the passes of a proxy with settings that do not exist are not known
        return np.nan


def in_words(proxy: Proxy) -> str:
    """The passes of a proxy's ingredients as text, in the order in which they run, such as `F + B; F`; `none` if it does not run the
    network."""
    resolver = RESOLVER.with_those_of([proxy])
    calls = [[resolver.cost(need) for need in call] for call in resolver.calls({"": proxy})]
    dearest = [max(call, key=lambda cost: cost.forward_passes(ANY)) for call in calls]
    return "; ".join(filter(None, map(str, dearest))) or "none"


ANY = Sizes(batch_size=64, batches=2)
"""Sizes that the documentation assumes, and by which the ingredients of one pass are compared."""


def training_flops(forward_flops: Any, images: int) -> Any:
    """FLOPs of a training that sees `images` images in total (images times epochs). forward_flops: of one forward pass of one image."""
    return (FORWARD + BACKWARD) * forward_flops * images
