"""Ingredients: what proxies ask for by argument name, each computed once per architecture.

Everything that belongs to layers comes as a list with one array per layer group (layers whose kernels have one shape), with a leading axis
[layers]: kernels and their gradients flattened to `[layers, n]`, so that `axis=1` is "within a layer". A layer that does not exist in the
architecture has weights and gradients of exactly zero.

To add one: write a function whose argument names are ingredients, decorate it with `makes(name="cost")`, and list it in MAKERS.
"""

from jaxzc.ingredients import (
    activations,
    channels,
    distinct,
    drawn,
    examples,
    fisher_information,
    gradients,
    maps,
    ntk,
    responses,
    statics,
    synflow,
    zen,
)
from jaxzc.resolver import Resolver

ROOTS = {
    "network": "",
    "params": "",
    "batches": "",
    "task": "",
    "norm": "",
    "counts": "",
    "key": "",
    "param_count": "",
}

_FILES = (statics, drawn, gradients, examples, activations, synflow, ntk, distinct, maps, zen, channels, fisher_information, responses)
MAKERS = [maker for file in _FILES for maker in file.MAKERS]

RESOLVER = Resolver(MAKERS, ROOTS)

__all__ = ["MAKERS", "RESOLVER", "ROOTS"]
