"""Trees without some of their leaves."""

from collections.abc import Callable, Sequence
from typing import Any

import jax


def without(tree: Any, numbers: frozenset[int]) -> tuple[Any, Callable[[Any, Sequence[Any]], Any]]:
    """The tree with the leaves of these numbers replaced by None, and a function `restored(tree, leaves)` that puts them back."""
    leaves, structure = jax.tree.flatten(tree)

    def restored(rest: Any, taken: Sequence[Any]) -> Any:
        own, others = iter(jax.tree.leaves(rest)), iter(taken)
        return jax.tree.unflatten(structure, [next(others if number in numbers else own) for number in range(len(leaves))])

    return jax.tree.unflatten(structure, [None if number in numbers else leaf for number, leaf in enumerate(leaves)]), restored
