"""What spaces share whose networks choose from a menu, and those of them that have a variable depth (`transformers.depth`).

The network of every architecture is a program of its own.
"""

from typing import Protocol

import numpy as np

from jaxzc.types import Genes
from jaxzc_spaces.core.discrete import OneNetworkEach
from jaxzc_spaces.core.module import WithModule
from jaxzc_spaces.transformers.depth import VariableDepth

DOUBTS = {
    "synflow_grads": "without layer normalisation positive weights drive attention's products so high that its softmax saturates "
    "and what it mixes cancels: rounding decides, and in large networks gradients overflow; take synflow_bn, which keeps normalisation"
}
"""See `jaxzc.types.WithDoubts`. synflow of networks of AutoFormer's tiny space changes up to a hundredfold where their weights change by a
part in 1e15; of PiT's, four tried, by less than 2e-14."""


class Menu(Protocol):
    """What there is to choose from, and how architectures, int32 `[genes]`, are written as strings."""

    def parse(self, text: str) -> np.ndarray: ...

    def to_string(self, arch: Genes) -> str: ...


class MenuOfDepths(Menu, Protocol):
    """A menu with a choice of depths."""

    @property
    def vectors(self) -> VariableDepth: ...


class OfMenu(OneNetworkEach, WithModule):
    """For spaces: they write `menu`, `choices`, `counts` and `network`."""

    @property
    def menu(self) -> Menu:
        raise NotImplementedError(f"{type(self).__name__} does not say what there is to choose from: write menu")

    def parse(self, text: str) -> np.ndarray:
        return self.menu.parse(text)

    def to_string(self, arch: Genes) -> str:
        return self.menu.to_string(arch)


class OfVariableDepth(OfMenu):
    """For spaces: they write `menu`, `counts` and `network`."""

    @property
    def menu(self) -> MenuOfDepths:
        raise NotImplementedError(f"{type(self).__name__} does not say what there is to choose from: write menu")

    @property
    def vectors(self) -> VariableDepth:
        return self.menu.vectors

    @property
    def choices(self) -> tuple[int, ...]:  # pyright: ignore[reportIncompatibleVariableOverride]
        return self.vectors.choices

    def doubts(self, archs: np.ndarray) -> dict[str, str]:
        """synflow's gradients of every network, in whose pass attention's weights are all or nothing."""
        return DOUBTS

    def canonical(self, archs: np.ndarray) -> np.ndarray:
        """The architectures, genes of absent layers 0."""
        return self.vectors.canonical(archs)

    def enumerate(self) -> np.ndarray:
        return self.vectors.enumerate()

    def sample(self, rng: np.random.Generator, n: int) -> np.ndarray:
        return self.vectors.sample(rng, n)

    def mutate(self, rng: np.random.Generator, archs: np.ndarray) -> np.ndarray:
        return self.vectors.mutate(rng, archs)

    def neighbours(self, arch: Genes) -> np.ndarray:
        return self.vectors.neighbours(arch)

    def program_keys(self, archs: np.ndarray) -> np.ndarray:
        """int32 `[n, genes]`: the architectures themselves, in their canonical form."""
        return self.canonical(archs)
