"""The order in which a program's layers run, those in loops step by step."""

import itertools
from collections.abc import Sequence

from jaxzc.networks.analysis.records import Layer


def places(layers: Sequence[Layer]) -> dict[int, tuple[int, ...]]:
    """Of each kernel's leaf, the places of the layers stacked in it, in the order in which they first run."""
    firsts: dict[tuple[int, int], tuple[int, ...]] = {}
    for layer in layers:
        for source in layer.kernels:
            stack = layer.where.lengths[: source.depth]
            for number, steps in enumerate(itertools.product(*map(range, stack))):
                every = (*steps, *[0] * (len(layer.where.loops) - len(steps)))
                around = (n for pair in zip(layer.where.loops, every, strict=True) for n in pair)
                when = (*around, layer.product[0], layer.kernels.index(source))
                firsts[source.leaf, number] = min(when, firsts.get((source.leaf, number), when))
    ordered = {key: place for place, key in enumerate(sorted(firsts, key=lambda key: (firsts[key], key)))}
    return {leaf: tuple(ordered[leaf, n] for one, n in sorted(firsts) if one == leaf) for leaf, _ in firsts}
