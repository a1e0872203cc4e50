"""What spaces of variable depth share (`transformers.depth`): their networks are one program each."""

import numpy as np

from jaxzc.types import Genes
from jaxzc_spaces.core.discrete import OneNetworkEach
from jaxzc_spaces.core.module import WithModule
from jaxzc_spaces.transformers.depth import VariableDepth


class OfVariableDepth(OneNetworkEach, WithModule):
    """For spaces: they write `vectors`, `parse`, `to_string`, `counts` and `network`."""

    @property
    def vectors(self) -> VariableDepth:
        raise NotImplementedError(f"{type(self).__name__} does not say what its genes are: write vectors")

    @property
    def choices(self) -> tuple[int, ...]:  # pyright: ignore[reportIncompatibleVariableOverride]
        return self.vectors.choices

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
