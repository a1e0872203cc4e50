"""The macro-level search space of TransNAS-Bench-101 (Duan et al., CVPR 2021): 3,256 networks of four to six layers of basic blocks.

>>> space = TransNasMacro(classes=75)
>>> arch = space.parse("64-1234-basic")
>>> program = program_of(space, arch)                          # of jaxzc.spacekit
>>> params = program.init(jax.random.key(0))
>>> program.network(arch).forward(params, images, norm="batch").outputs

All six genes change shapes: they decide the depth, the widths and the sizes. So every macro string is a program of its own, or steps of
padded widths, which are compiled once for all.
"""

from dataclasses import dataclass
from functools import lru_cache, partial
from typing import Any

import numpy as np

from jaxzc.spacekit import vectors
from jaxzc.spacekit.steps import Step
from jaxzc.types import Counts, Genes, InputSpec, JaxzcError
from jaxzc_spaces.core.discrete import DiscreteNetwork, OneNetworkEach, discrete_network
from jaxzc_spaces.core.module import WithModule
from jaxzc_spaces.core.sizes import check_images, check_positive
from jaxzc_spaces.transnas101 import encoding as encoding
from jaxzc_spaces.transnas101.macro_steps import macro_steps
from jaxzc_spaces.transnas101.network import MacroNet


def check_sizes(space: Any) -> None:
    """Raises `JaxzcError` for sizes that a network of TransNAS-Bench-101 cannot have."""
    if space.channels < 2 or space.channels % 2:
        raise JaxzcError(f"{space.name}: channels={space.channels}: expected an even number, because the stem begins with half of them")
    check_positive(space, "classes")
    check_images(space)


@dataclass(frozen=True)
class TransNasMacro(OneNetworkEach, WithModule):
    """TransNAS-Bench-101's macro space: 3,256 architectures.

    channels: width of the first layer, 64 in the benchmark, whose images are 256 x 256. classes: of the task: 75 scenes, 100 objects, 1,000
    jigsaw permutations (whose head, over nine patches, is not built: here every task classifies one image).
    """

    channels: int = 64
    classes: int = 75
    inputs: InputSpec = InputSpec((256, 256, 3))

    name = "transnas101_macro"
    choices = encoding.MACRO_CHOICES

    def __post_init__(self) -> None:
        super().__post_init__()
        check_sizes(self)

    def parse(self, text: str) -> np.ndarray:
        return encoding.parse_macro(text)

    def to_string(self, arch: Genes) -> str:
        return encoding.macro_to_string(arch)

    def canonical(self, archs: np.ndarray) -> np.ndarray:
        return encoding.check_macro(archs)

    def enumerate(self) -> np.ndarray:
        return encoding.all_macros()

    def sample(self, rng: np.random.Generator, n: int) -> np.ndarray:
        """`n` distinct architectures, uniformly."""
        table = self.enumerate()
        if not 0 <= n <= len(table):
            raise JaxzcError(f"cannot sample {n:,} distinct architectures from a space of {len(table):,}; expected 0 to {len(table):,}")
        return table[rng.choice(len(table), n, replace=False)]

    def mutate(self, rng: np.random.Generator, archs: np.ndarray) -> np.ndarray:
        """A copy of `archs` int `[n, 6]` in which one layer is another one, added at the end or taken from it; in the benchmark."""
        return np.stack([near[rng.integers(len(near))] for near in map(self.neighbours, np.atleast_2d(archs))])

    def neighbours(self, arch: Genes) -> np.ndarray:
        """Architectures of the benchmark that differ from `arch` int `[6]` in one gene: a digit, or a layer more or less at the end."""
        near = vectors.neighbours_of(self.choices, arch)
        return near[encoding.in_benchmark(near)]

    def counts(self, archs: np.ndarray) -> Counts:
        return encoding.macro_counts(np.atleast_2d(archs), self.channels, self.classes, self.inputs.shape)

    def layers(self, arch: Genes) -> tuple[tuple[int, int], ...]:
        """(width, stride) of each layer."""
        genes = encoding.check_macro(np.asarray(arch)[None])
        width, layers = self.channels, []
        for gene, wide, small in zip(genes[0], encoding.widens(genes)[0], encoding.strides(genes)[0], strict=True):
            if gene != encoding.ABSENT:
                width *= 2 if wide else 1
                layers.append((width, 2 if small else 1))
        return tuple(layers)

    def steps(self, arch: Genes) -> tuple[Step, ...]:
        """The same network as steps of padded widths."""
        return macro_steps(self.layers(arch), self.channels, self.classes, self.inputs.shape)

    def network(self, arch: Genes) -> DiscreteNetwork:
        """The network of genes `[6]`."""
        return _network(self, self.layers(arch))


@lru_cache(maxsize=64)
def _network(space: TransNasMacro, layers: tuple[tuple[int, int], ...]) -> DiscreteNetwork:
    return discrete_network(partial(MacroNet, layers, space.channels, space.classes, space.inputs.shape[2]), space.inputs.shape)
