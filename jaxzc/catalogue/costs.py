"""What proxies cost in arithmetic, so that they can stand beside each other, and beside what trains.

The unit is the forward pass over one batch: `passes`, wherever jaxzc prints or stores them, are the forward passes that are worth as much
arithmetic. A backward pass counts as two (see `jaxzc.facts`), so that a step of training is three. FLOPs are multiply-accumulates of
convolution and linear layers, as in `Counts.flops`.
"""

from typing import Any

from jaxzc.facts import BACKWARD, FORWARD, Proxy, Sizes
from jaxzc.ingredients import RESOLVER
from jaxzc.resolver import Resolver

PASSES = "forward passes over one batch that are worth as much arithmetic, a backward pass counting as two"
"""What `passes` are, in words for reports and tables."""


def forward_passes(*proxies: Proxy, sizes: Sizes, resolver: Resolver = RESOLVER) -> float:
    """The passes of proxies that are scored together.

    Ingredients that one pass gives count once, and what several proxies share counts once. Eigenvalues, kernels and sums over weights are
    not counted. 0 for a proxy that runs no network.
    """
    resolver = resolver.with_those_of(proxies)
    calls = resolver.calls({str(position): proxy for position, proxy in enumerate(proxies)})
    return sum(max(resolver.cost(need).forward_passes(sizes) for need in call) for call in calls)


def in_words(proxy: Proxy, resolver: Resolver = RESOLVER) -> str:
    """The passes of all that one proxy is made from, in the order in which it asks: `F + B; F`; `none` where it runs no network."""
    resolver = resolver.with_those_of([proxy])
    calls = [[resolver.cost(need) for need in call] for call in resolver.calls({"": proxy})]
    dearest = [max(call, key=lambda cost: cost.forward_passes(ANY)) for call in calls]
    return "; ".join(filter(None, map(str, dearest))) or "none"


ANY = Sizes(batch_size=64, batches=2)
"""Sizes by which ingredients of one pass are compared, and which the documentation assumes."""


def training_flops(forward_flops: Any, images: int) -> Any:
    """FLOPs of training on `images` images, repeats counted, of a network whose forward pass takes `forward_flops` for one image."""
    return (FORWARD + BACKWARD) * forward_flops * images
