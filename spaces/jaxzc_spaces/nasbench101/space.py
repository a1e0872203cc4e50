"""The search space NAS-Bench-101 (Ying et al., ICML 2019): 423,624 cells of up to 7 vertices and 9 edges.

>>> space = NasBench101()
>>> arch = space.parse("0110001000010000:input,conv3x3-bn-relu,maxpool3x3,output")
>>> params = space.init(jax.random.key(0), "torch", arch)           # of the discrete network
>>> space.network(arch).forward(params, images, norm="batch").outputs

The output's channels are divided among the vertices that lead to it, so edges change the shapes of kernels. But only through the widths of
the vertices, and the 423,624 cells have nine patterns of these at the benchmark's 128 channels: each pattern is one program, in which
edges and operations are data (`nasbench101_program`). Masks over the widest network would be one program for all, but, as for nats_sss,
would change proxies that look at whole layers.
"""

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import jax
import numpy as np

from jaxzc.types import Array, Counts, JaxzcError, Keyed
from jaxzc_spaces.core.discrete import DiscreteNetwork, discrete_genes, discrete_network
from jaxzc_spaces.core.module import WithModule
from jaxzc_spaces.core.sizes import check_images, check_positive
from jaxzc_spaces.nasbench101 import encoding as encoding
from jaxzc_spaces.nasbench101 import isomorphism as isomorphism
from jaxzc_spaces.nasbench101.network import Graph, NasBench101Net
from jaxzc_spaces.nasbench101.shared import Program, ProgramNetwork, discrete_params, program, program_keys, unreached


@dataclass(frozen=True)
class NasBench101(WithModule):
    """NAS-Bench-101: 423,624 cells.

    channels: width of the stem and of the first stack (doubles twice), 128 in the benchmark. modules: per stack. image_shape: (H, W,
    channels), H and W divisible by 4.
    """

    channels: int = 128
    modules: int = 3
    classes: int = 10
    image_shape: tuple[int, int, int] = (32, 32, 3)

    name = "nasbench101"
    choices = encoding.CHOICES

    def __post_init__(self) -> None:
        check_positive(self, "modules", "classes")
        if self.channels < encoding.VERTICES - 2:
            raise JaxzcError(
                f"nasbench101: channels={self.channels}: expected at least {encoding.VERTICES - 2}, because up to "
                f"{encoding.VERTICES - 2} vertices share them"
            )
        check_images(self, 4, "two poolings halve them")

    parse = staticmethod(encoding.parse)
    to_string = staticmethod(encoding.to_string)
    canonical = staticmethod(isomorphism.canonical)
    module_hash = staticmethod(encoding.module_hash)
    sample = staticmethod(isomorphism.sample)
    mutate = staticmethod(isomorphism.mutate)
    neighbours = staticmethod(isomorphism.neighbours)

    def enumerate(self) -> np.ndarray:
        return isomorphism.all_cells()

    def counts(self, archs: np.ndarray) -> Counts:
        return encoding.macs_params_layers(np.atleast_2d(archs), self.channels, self.modules, self.classes, self.image_shape)

    def program_keys(self, archs: np.ndarray) -> np.ndarray:
        """Int64 `[n, 16]`: widths of the vertices. Raises `JaxzcError` where an output is not reached from its input."""
        return program_keys(archs, self.channels)

    def program(self, key: tuple[int, ...]) -> Program:
        """The program of the cells with this key (a row of `program_keys`)."""
        return program(key, self.channels, self.modules, self.classes, self.image_shape[2])

    def init(self, key: Array, initialiser: str = "torch", *arch: Any) -> Any:
        """Parameters (nested dict of float32 arrays) of the architecture's program where it is `Keyed`, else of its discrete network."""
        if len(arch) != 1:
            raise JaxzcError("nasbench101: init needs the architecture, as in space.init(key, 'torch', arch): its kernels depend on it")
        (only,) = arch
        return (self.program(only.key) if isinstance(only, Keyed) else self._discrete(only)).init(key, initialiser)

    def network(self, arch: Any) -> DiscreteNetwork | ProgramNetwork:
        """The network of one architecture: genes `[26]` as Python ints or a numpy array give the discrete network, `Keyed` genes that of
        the program which they share. Raises `JaxzcError` where the output is not reached from the input."""
        if isinstance(arch, Keyed):
            return self.program(arch.key).network(arch.genes)
        return self._discrete(arch)

    def _discrete(self, arch: Any) -> DiscreteNetwork:
        genes = np.array(discrete_genes(arch))
        edges, ops = (part[0] for part in encoding.pruned(encoding.cells(genes[None])))
        if not edges.any():
            raise unreached(genes)
        graph = Graph(tuple((int(x), int(y)) for x, y in np.argwhere(edges)), tuple(ops.tolist()))
        return _network(self, graph)

    def own_params(self, params: Any, arch: Any) -> Any:
        return self.discrete_params(params, arch)

    def discrete_params(self, params: Any, arch: Any) -> Any:
        """The parameters of the discrete network of genes `[26]` (ints), cut from those `params` of its program."""
        (key,) = self.program_keys(np.asarray(arch)[None]).tolist()
        return discrete_params(self.program(tuple(key)), params, arch, jax.eval_shape(self._discrete(arch).init, jax.random.key(0)))


@lru_cache(maxsize=64)
def _network(space: NasBench101, graph: Graph) -> DiscreteNetwork:
    return discrete_network(
        lambda: NasBench101Net(graph, space.channels, space.modules, space.classes, space.image_shape[2]), space.image_shape
    )
