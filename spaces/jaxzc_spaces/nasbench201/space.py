"""The search space NAS-Bench-201 (Dong & Yang, ICLR 2020): 15,625 cells of 4 nodes whose 6 edges carry one of 5 operations.

>>> space = NasBench201()
>>> arch = space.parse("|nor_conv_3x3~0|+|none~0|skip_connect~1|+|avg_pool_3x3~0|none~1|nor_conv_1x1~2|")
>>> program = space.program()
>>> params = program.init(jax.random.key(0))                   # serves every architecture
>>> program.network(arch).forward(params, images, norm="batch").outputs
"""

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache, partial

import jax.numpy as jnp
import numpy as np

from jaxzc.spacekit import vectors
from jaxzc.types import ActivationGroup, Array, Counts, Genes, InputSpec, LayerGroup, Params
from jaxzc_spaces.core.discrete import DiscreteNetwork, discrete_network
from jaxzc_spaces.core.module import WithModule
from jaxzc_spaces.core.shared import SharedNetwork, SharedProgram
from jaxzc_spaces.core.sizes import check_images, check_positive
from jaxzc_spaces.nasbench201 import encoding as encoding
from jaxzc_spaces.nasbench201.encoding import CONV1, CONV3, EDGES, OPS
from jaxzc_spaces.nasbench201.graph import graph
from jaxzc_spaces.nasbench201.network import BLOCK, NasBench201Net, is_conv
from jaxzc_spaces.nasbench201.own import OwnNet, own_params


@dataclass(frozen=True)
class NasBench201(WithModule):
    """NAS-Bench-201 (NATS-Bench topology): 15,625 cells of 4 nodes and 6 edges.

    The fields are the size of its network; the defaults are the benchmark's own.

    channels: width C of the first stage (doubles twice). cells: N per stage. inputs: images (H, W, channels), H and W divisible by 4.
    """

    channels: int = 16
    cells: int = 5
    classes: int = 10
    inputs: InputSpec = InputSpec((32, 32, 3))

    name = "nasbench201"
    choices = (len(OPS),) * len(EDGES)

    def __post_init__(self) -> None:
        super().__post_init__()
        check_positive(self, "channels", "cells", "classes")
        check_images(self, 4, "two reductions halve them")

    # Architectures.

    def parse(self, text: str) -> np.ndarray:
        return encoding.parse(text)

    def to_string(self, arch: Genes) -> str:
        return encoding.to_string(arch)

    def canonical(self, archs: np.ndarray) -> np.ndarray:
        return encoding.canonical(archs)

    same_network = staticmethod(encoding.same_network)
    graph = staticmethod(graph)

    def counts(self, archs: np.ndarray) -> Counts:
        return encoding.macs_params_layers(np.atleast_2d(archs), self.channels, self.cells, self.classes, self.inputs.shape)

    # Networks.

    def program(self, key: tuple[int, ...] = ()) -> "NasBench201Program":
        """The one program of all architectures."""
        return nasbench201_program(self.channels, self.cells, self.classes, self.inputs.shape[2])

    def network(self, arch: Genes) -> DiscreteNetwork:
        """The discrete network of genes `[6]`, with parameters of its own only (`program.discrete_params`)."""
        return _network(self, tuple(vectors.check_vector(self.choices, arch).tolist()))


class CellNetwork(SharedNetwork):
    """The network of genes int32 `[6]`, which may be traced."""

    def active(self) -> list[Array]:
        chosen = {"conv1x1": self.arch == CONV1, "conv3x3": self.arch == CONV3}
        exists = []
        for group in self.groups:
            on = chosen.get(group.name.split("/")[-1])
            exists.append(jnp.ones(1, bool) if on is None else jnp.tile(on, self.space.cells))
        return exists

    def activation_counts(self) -> dict[str, Array]:
        """Every convolution of a cell has a ReLU of its own."""
        conv = is_conv(self.arch).astype(jnp.float32)
        per_node = jnp.stack([sum(conv[e] for e, (source, _) in enumerate(EDGES) if source == node) for node in range(3)])
        nodes = jnp.tile(per_node, self.space.cells)[:, None]
        return OrderedDict((g.name, nodes if g.name.endswith("nodes") else jnp.ones((1, 1))) for g in self.activations)


@dataclass(frozen=True)
class NasBench201Program(SharedProgram):
    """The program of all architectures at one size; its parameters (nested dict of float32 arrays) serve all of them."""

    network_type = CellNetwork

    channels: int
    cells: int
    classes: int
    in_channels: int

    def make(self) -> NasBench201Net:
        return NasBench201Net(self.channels, self.cells, self.classes, self.in_channels)

    def discrete_params(self, params: Params, arch: Genes) -> Params:
        return own_params(params, arch)

    @cached_property
    def groups(self) -> tuple[LayerGroup, ...]:
        """Layer groups in depth order: every stage has one of 1x1 and one of 3x3 kernels, [cells * 6] layers each."""
        c, n = self.channels, self.cells

        def conv(name: str, k: int, c_in: int, c_out: int, cells: Sequence[int] = (-1,)) -> LayerGroup:
            return LayerGroup(name, (k, k, c_in, c_out), k * k * c_in, c_out, tuple(cells))

        groups = [conv("stem", 3, self.in_channels, c)]
        for stage in range(3):
            width, first = c * 2**stage, stage * (n + 1)
            cells = np.repeat(np.arange(first, first + n), 6).tolist()
            groups += [conv(f"stages/{stage}/conv1x1", 1, width, width, cells), conv(f"stages/{stage}/conv3x3", 3, width, width, cells)]
            if stage < 2:
                block = f"reductions/{stage}/"
                groups += [
                    conv(block + "conv_a", 3, width, 2 * width, (first + n,)),
                    conv(block + "conv_b", 3, 2 * width, 2 * width, (first + n,)),
                    conv(block + "shortcut", 1, width, 2 * width, (first + n,)),
                ]
        return (*groups, LayerGroup("head", (4 * c, self.classes), 4 * c, self.classes))

    @property
    def activations(self) -> tuple[ActivationGroup, ...]:
        """The inputs of the ReLUs in depth order: per stage of its cells' nodes, in the authors' ReLUConvBN blocks."""
        names = []
        for stage in range(3):
            names += [f"stages/{stage}/nodes", *([f"reductions/{stage}/relu_a", f"reductions/{stage}/relu_b"] if stage < 2 else [])]
        return (*(ActivationGroup(name, modules=(("ReLU", BLOCK),)) for name in names), ActivationGroup("head_relu"))


@lru_cache(maxsize=64)
def _network(space: NasBench201, genes: tuple[int, ...]) -> DiscreteNetwork:
    sizes = space.channels, space.cells, space.classes, space.inputs.shape[2]
    return discrete_network(partial(OwnNet, genes, *sizes), space.inputs.shape)


nasbench201_program = lru_cache(maxsize=16)(NasBench201Program)
