"""The search space NAS-Bench-101 (Ying et al., ICML 2019): 423,624 cells of up to 7 vertices and 9 edges.

>>> space = NasBench101()
>>> arch = space.parse("0110001000010000:input,conv3x3-bn-relu,maxpool3x3,output")
>>> params = space.init(jax.random.key(0), "torch", arch)
>>> space.network(arch).forward(params, images, norm="batch").logits

All 26 genes are static, one program for each cell: the output's channels are divided among the vertices that lead to it, so edges change
the shapes of kernels. (As for nats_sss, masks over the widest network would change proxies that look at whole layers.)
"""

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from jaxzc.types import Counts, JaxzcError
from jaxzc_spaces import nasbench101_encoding as encoding
from jaxzc_spaces import nasbench101_isomorphism as isomorphism
from jaxzc_spaces.discrete import DiscreteNetwork, OneNetworkEach, discrete_network
from jaxzc_spaces.nasbench101_net import Graph, NasBench101Net
from jaxzc_spaces.sizes import check_images, check_positive


@dataclass(frozen=True)
class NasBench101(OneNetworkEach):
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

    def network(self, arch: Any) -> DiscreteNetwork:
        """The network of genes `[26]`, Python ints or a numpy array. Raises `JaxzcError` where the output is not reached from the input."""
        edges, ops = (part[0] for part in encoding.pruned(encoding.cells(np.asarray(arch)[None])))
        if not edges.any():
            raise JaxzcError(
                f"nasbench101: no path leads from the input to the output of the cell {np.asarray(arch).tolist()}: expected a connected "
                "cell, as all of the benchmark are (`is_connected` tells them apart)"
            )
        graph = Graph(tuple((int(x), int(y)) for x, y in np.argwhere(edges)), tuple(ops.tolist()))
        return _network(self, graph)


@lru_cache(maxsize=64)
def _network(space: NasBench101, graph: Graph) -> DiscreteNetwork:
    return discrete_network(
        lambda: NasBench101Net(graph, space.channels, space.modules, space.classes, space.image_shape[2]), space.image_shape
    )
