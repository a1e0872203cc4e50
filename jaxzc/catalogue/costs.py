"""What a proxy costs in arithmetic, from the passes that its card states, so that it can stand beside a proxy that trains.

The unit is the forward pass: a backward pass counts as two of them (one product for the gradient of the inputs, one for that of the
weights), so that a step of training is three. FLOPs are multiply-accumulates of convolution and linear layers, as in `Counts.flops`.
"""

import re
from typing import Any

from jaxzc.ingredients import RESOLVER
from jaxzc.resolver import Maker, Proxy

FORWARD, BACKWARD = 1, 2
"""Forward passes' worth of arithmetic."""


def forward_passes(*proxies: Proxy, batch_size: int, batches: int) -> float:
    """Forward passes over one batch that are worth as much arithmetic as the proxies scored together: F + B is 3.

    Ingredients that one pass gives count once, and what several proxies share counts once. Eigenvalues, kernels and sums over weights are
    not counted. 0 for a proxy that runs no network.
    """
    dearest: dict[Any, float] = {}
    for name in RESOLVER.wanted({str(position): proxy for position, proxy in enumerate(proxies)}):
        if name in RESOLVER.maker:
            maker: Maker = RESOLVER.maker[name]
            dearest[maker.function] = max(dearest.get(maker.function, 0), _passes(RESOLVER.cost(name), batch_size, batches))
    return sum(dearest.values())


def _passes(cost: str, batch_size: int, batches: int) -> float:
    """The number that a cost in the words of `jaxzc.resolver.makes` stands for."""
    each_alone = re.fullmatch(r"B examples x \((.*) of one\)", cost)
    if each_alone:
        return _passes(each_alone[1], batch_size, batches)  # as many passes over one image as the batch has images
    if cost.endswith(" of one"):
        return _passes(cost.removesuffix(" of one"), batch_size, batches) / batch_size
    of_images = re.fullmatch(r"(.*) of (\d+) images", cost)
    if of_images:
        return _passes(of_images[1], batch_size, batches) * int(of_images[2]) / batch_size
    if cost.endswith(" per further batch"):
        return _passes(cost.removesuffix(" per further batch"), batch_size, batches) * (batches - 1)
    total = 0
    for term in cost.split(" + ") if cost else ():
        matched = re.fullmatch(r"(\d*)([FB])", term)
        if not matched:
            raise ValueError(f"{cost!r} is no cost in passes: write it as in '2F + 4B'")
        total += int(matched[1] or 1) * (FORWARD if matched[2] == "F" else BACKWARD)
    return total


def training_flops(forward_flops: Any, images: int) -> Any:
    """FLOPs of training on `images` images, repeats counted, of a network whose forward pass takes `forward_flops` for one image."""
    return (FORWARD + BACKWARD) * forward_flops * images
