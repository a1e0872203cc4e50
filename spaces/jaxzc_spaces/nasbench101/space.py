"""The search space NAS-Bench-101 (Ying et al., ICML 2019): 423,624 cells of up to 7 vertices and 9 edges.

>>> space = NasBench101()
>>> arch = space.parse("0110001000010000:input,conv3x3-bn-relu,maxpool3x3,output")
>>> program = program_of(space, arch)                              # of jaxzc.spacekit
>>> params = program.init(jax.random.key(0))                       # serve every cell of the program
>>> program.network(arch).forward(params, images, norm="batch").outputs

The output's channels are divided among the vertices that lead to it, so edges change the shapes of kernels. But only through the widths of
the vertices, and the 423,624 cells have nine patterns of these at the benchmark's 128 channels: each pattern is one program, in which
edges and operations are data (`jaxzc_spaces.nasbench101.program`). Masks over the widest network would be one program for all, but, as for
nats_sss, would change proxies that look at whole layers.
"""

from dataclasses import dataclass
from functools import lru_cache, partial

import numpy as np

from jaxzc.spacekit import check_key
from jaxzc.spacekit.vectors import check_vector
from jaxzc.types import Counts, Genes, InputSpec, JaxzcError
from jaxzc_spaces.core.discrete import DiscreteNetwork, discrete_network
from jaxzc_spaces.core.module import WithModule
from jaxzc_spaces.core.sizes import check_images, check_positive
from jaxzc_spaces.nasbench101 import encoding as encoding
from jaxzc_spaces.nasbench101 import isomorphism as isomorphism
from jaxzc_spaces.nasbench101.network import Graph, NasBench101Net, widths_of
from jaxzc_spaces.nasbench101.shared import KEY, NasBench101Program, nasbench101_program, program_keys, unreached


@dataclass(frozen=True)
class NasBench101(WithModule):
    """NAS-Bench-101: 423,624 cells.

    channels: width of the stem and of the first stack (doubles twice), 128 in the benchmark. modules: per stack. inputs: images (H, W,
    channels), H and W divisible by 4.
    """

    channels: int = 128
    modules: int = 3
    classes: int = 10
    inputs: InputSpec = InputSpec((32, 32, 3))

    name = "nasbench101"
    choices = encoding.CHOICES

    def __post_init__(self) -> None:
        super().__post_init__()
        check_positive(self, "modules", "classes")
        if self.channels < encoding.VERTICES - 2:
            raise JaxzcError(
                f"nasbench101: channels={self.channels}: expected at least {encoding.VERTICES - 2}, because up to "
                f"{encoding.VERTICES - 2} vertices share them"
            )
        check_images(self, 4, "two poolings halve them")

    def parse(self, text: str) -> np.ndarray:
        return encoding.parse(text)

    def to_string(self, arch: Genes) -> str:
        return encoding.to_string(arch)

    def canonical(self, archs: np.ndarray) -> np.ndarray:
        return isomorphism.canonical(archs)

    module_hash = staticmethod(encoding.module_hash)

    def sample(self, rng: np.random.Generator, n: int) -> np.ndarray:
        return isomorphism.sample(rng, n)

    def mutate(self, rng: np.random.Generator, archs: np.ndarray) -> np.ndarray:
        return isomorphism.mutate(rng, archs)

    def neighbours(self, arch: Genes) -> np.ndarray:
        return isomorphism.neighbours(arch)

    def enumerate(self) -> np.ndarray:
        return isomorphism.all_cells()

    def counts(self, archs: np.ndarray) -> Counts:
        return encoding.macs_params_layers(np.atleast_2d(archs), self.channels, self.modules, self.classes, self.inputs.shape)

    def program_keys(self, archs: np.ndarray) -> np.ndarray:
        """int32 `[n, 16]`: widths of the vertices. Raises `JaxzcError` where an output is not reached from its input."""
        return program_keys(archs, self.channels)

    def program(self, key: tuple[int, ...] = ()) -> NasBench101Program:
        """The program of the cells with this key (a row of `program_keys`)."""
        check_key(self, key, KEY)
        return nasbench101_program(tuple(key), self.channels, self.modules, self.classes, self.inputs.shape[2])

    def network(self, arch: Genes) -> DiscreteNetwork:
        """The discrete network of genes `[26]`, whose parameters have the authors' names. Raises `JaxzcError` where the output is not
        reached from the input."""
        genes = check_vector(self.choices, arch)
        edges, ops = (part[0] for part in encoding.pruned(encoding.cells(genes[None])))
        if not edges.any():
            raise unreached(genes)
        graph = Graph(tuple((int(x), int(y)) for x, y in np.argwhere(edges)), tuple(ops.tolist()))
        return _network(self, graph)


@lru_cache(maxsize=64)
def _network(space: NasBench101, graph: Graph) -> DiscreteNetwork:
    widths = tuple(widths_of(graph, space.channels << stack) for stack in range(3))
    make = partial(NasBench101Net, graph, widths, space.channels, space.modules, space.classes, space.inputs.shape[2])
    return discrete_network(make, space.inputs.shape)
