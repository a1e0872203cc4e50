"""Ingredients: what proxies ask for by argument name, each computed once per architecture.

Everything that belongs to layers comes as a list with one array per layer group (layers whose kernels have one shape), with a leading axis
[layers]: kernels and their gradients flattened to `[layers, n]`, so that `axis=1` is "within a layer". A layer that does not exist in the
architecture has weights and gradients of exactly zero.

To add one: write a function whose argument names are ingredients and decorate it with its cost, `@ingredient(Passes(...))`; name
a new file in FILES.
"""

from importlib import import_module

from jaxzc.definitions.facts import FACTS, IngredientFacts
from jaxzc.definitions.resolver import Resolver
from jaxzc.ingredients.roots import Roots

ROOTS = (*Roots._fields, "counts", "param_count")
"""What is provided and not computed: `counts` and `param_count` are of networks that count themselves."""

FILES = (
    "statics",
    "drawn",
    "gradients",
    "examples",
    "activations",
    "synflow",
    "attention",
    "ntk",
    "distinct",
    "maps",
    "zen",
    "channels",
    "fisher_information",
    "responses",
    "states",
    "extrinsic",
    "effective_ranks",
    "components",
    "participation",
)
"""Every decorated function of these files makes ingredients."""

_CONTENTS = [value for file in FILES for value in vars(import_module(f"{__name__}.{file}")).values()]
RESOLVER = Resolver(dict.fromkeys(f for f in _CONTENTS if callable(f) and isinstance(getattr(f, FACTS, None), IngredientFacts)), ROOTS)
"""Knows all ingredients, and computes those that proxies ask for."""

__all__ = ["FILES", "RESOLVER", "ROOTS", "Roots"]
