"""What spaces of genotypes have in common: all that concerns architectures is their encoding's."""

import numpy as np

from jaxzc.types import Genes, JaxzcError
from jaxzc_spaces.core.module import WithModule
from jaxzc_spaces.genotypes.encoding import Encoding, Genotype


class GenotypeSpace(WithModule):
    """A space whose architectures are genotypes. A subclass says which ones by `encoding`, and writes `parse` and `to_string`."""

    @property
    def encoding(self) -> Encoding:
        raise NotImplementedError(f"{type(self).__name__} has no encoding: write the property encoding")

    @property
    def choices(self) -> tuple[int, ...]:  # pyright: ignore[reportIncompatibleVariableOverride]
        return self.encoding.choices

    def genotype(self, arch: Genes) -> Genotype:
        return self.encoding.genotype(arch)

    def sample(self, rng: np.random.Generator, n: int) -> np.ndarray:
        return self.encoding.sample(rng, n)

    def mutate(self, rng: np.random.Generator, archs: np.ndarray) -> np.ndarray:
        return self.encoding.mutate(rng, archs)

    def neighbours(self, arch: Genes) -> np.ndarray:
        return self.encoding.neighbours(arch)

    def canonical(self, archs: np.ndarray) -> np.ndarray:
        return self.encoding.canonical(archs)

    def enumerate(self) -> np.ndarray:
        raise JaxzcError(f"{self.name} has more architectures than can be listed; sample it instead")
