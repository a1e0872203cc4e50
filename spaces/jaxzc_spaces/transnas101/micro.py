"""The cell-level search space of TransNAS-Bench-101 (Duan et al., CVPR 2021): 4,096 cells in the skeleton 41414, one program for all.

>>> space = TransNasMicro(classes=75)
>>> arch = space.parse("64-41414-3_10_012")
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
from jaxzc_spaces.nasbench201.encoding import EDGES
from jaxzc_spaces.nasbench201.network import is_conv
from jaxzc_spaces.transnas101 import encoding as encoding
from jaxzc_spaces.transnas101.encoding import CONV1, CONV3, SKIP
from jaxzc_spaces.transnas101.macro import check_sizes
from jaxzc_spaces.transnas101.micro_network import ENTERING, INNER, STAGES, MicroNet
from jaxzc_spaces.transnas101.network import BLOCK
from jaxzc_spaces.transnas101.own import OwnNet, own_params


@dataclass(frozen=True)
class TransNasMicro(WithModule):
    """TransNAS-Bench-101's cell space: 4^6 = 4,096 architectures.

    channels: width in front of the first cell, 64 in the benchmark, whose images are 256 x 256. classes: of the task: 75 scenes, 100
    objects, 1,000 jigsaw permutations (whose head, over nine patches, is not built: here every task classifies one image).
    """

    channels: int = 64
    classes: int = 75
    inputs: InputSpec = InputSpec((256, 256, 3))

    name = "transnas101_micro"
    choices = encoding.MICRO_CHOICES

    def __post_init__(self) -> None:
        super().__post_init__()
        check_sizes(self)

    def parse(self, text: str) -> np.ndarray:
        return encoding.parse_micro(text)

    def to_string(self, arch: Genes) -> str:
        return encoding.micro_to_string(arch)

    def same_network(self, archs: np.ndarray) -> np.ndarray:
        """For each of `archs` int `[n, 6]` the smallest genes, in lexicographic order, of those that are the same network with weights
        drawn anew, int32 `[n, 6]`: 2,132 networks. In a cell that halves the image, skip connections from its input are layers."""
        return encoding.micro_networks()[np.ravel_multi_index(tuple(vectors.check_vectors(self.choices, archs).T), self.choices)]

    def counts(self, archs: np.ndarray) -> Counts:
        return encoding.micro_counts(np.atleast_2d(archs), self.channels, self.classes, self.inputs.shape)

    # Networks.

    def program(self, key: tuple[int, ...] = ()) -> "TransNasMicroProgram":
        """The one program of all architectures."""
        return transnas_micro_program(self.channels, self.classes, self.inputs.shape[2])

    def network(self, arch: Genes) -> DiscreteNetwork:
        """The discrete network of genes `[6]`, with parameters of its own only (`program.discrete_params`)."""
        return _network(self, tuple(vectors.check_vector(self.choices, arch).tolist()))


class MicroNetwork(SharedNetwork):
    """The network of genes int32 `[6]`, which may be traced."""

    offers_norms = False

    def _chosen(self, op: int, edges: Sequence[int]) -> Array:
        return jnp.stack([self.arch[e] == op for e in edges])

    def active(self) -> list[Array]:
        entering = [self._chosen(op, ENTERING) for op in (CONV1, CONV3, SKIP, SKIP)]
        inner = [self._chosen(op, INNER) for op in (CONV1, CONV3)]
        everywhere = [self._chosen(op, range(len(EDGES))) for op in (CONV1, CONV3)]
        always = jnp.ones(1, bool)
        cells = [on for count in STAGES for on in (*entering, *inner, *(jnp.tile(all_edges, count) for all_edges in everywhere))]
        return [always, always, *cells, always]

    def activation_counts(self) -> dict[str, Array]:
        """Every convolution of a cell and every factorised reduction has a ReLU of its own."""
        conv, skip = is_conv(self.arch).astype(jnp.float32), (self.arch == SKIP).astype(jnp.float32)
        per_node = jnp.stack([sum(conv[e] for e, (source, _) in enumerate(EDGES) if source == node) for node in range(3)])
        reductions = jnp.stack([skip[e] for e in ENTERING]).sum(keepdims=True)
        counts: dict[str, Array] = OrderedDict(stem_relu=jnp.ones((1, 1)))
        for stage, count in enumerate(STAGES):
            counts[f"widenings/{stage}/input"] = jnp.stack([per_node[:1], reductions], axis=1)
            counts[f"widenings/{stage}/nodes"] = per_node[1:, None]
            counts[f"stages/{stage}/nodes"] = jnp.tile(per_node, count)[:, None]
        return counts


@dataclass(frozen=True)
class TransNasMicroProgram(SharedProgram):
    """The program of all architectures at one size; its parameters (nested dict of float32 arrays) serve all of them."""

    network_type = MicroNetwork

    channels: int
    classes: int
    in_channels: int

    def make(self) -> MicroNet:
        return MicroNet(self.channels, self.classes, self.in_channels)

    def discrete_params(self, params: Params, arch: Genes) -> Params:
        return own_params(params, arch)

    @cached_property
    def groups(self) -> tuple[LayerGroup, ...]:
        """Layer groups in depth order: the edges entering and the edges inside a widening cell, [3] layers each; [cells * 6] in a stage."""
        c, half = self.channels, self.channels // 2

        def conv(name: str, k: int, c_in: int, c_out: int, cells: Sequence[int] = (-1,)) -> LayerGroup:
            return LayerGroup(name, (k, k, c_in, c_out), k * k * c_in, c_out, tuple(cells))

        groups, cell = [conv("stem0", 3, self.in_channels, half), conv("stem1", 3, half, c)], 0
        for stage, count in enumerate(STAGES):
            c_in, c = c, 2 * c
            here, block = (cell,) * 3, f"widenings/{stage}/"
            groups += [conv(block + "conv1x1_in", 1, c_in, c, here), conv(block + "conv3x3_in", 3, c_in, c, here)]
            groups += [conv(block + name, 1, c_in, c // 2, here) for name in ("reduce_a", "reduce_b")]
            groups += [conv(block + "conv1x1", 1, c, c, here), conv(block + "conv3x3", 3, c, c, here)]
            cells = np.repeat(np.arange(cell + 1, cell + 1 + count), 6).tolist()
            groups += [conv(f"stages/{stage}/conv1x1", 1, c, c, cells), conv(f"stages/{stage}/conv3x3", 3, c, c, cells)]
            cell += 1 + count
        return (*groups, LayerGroup("head", (c, self.classes), c, self.classes))

    @property
    def activations(self) -> tuple[ActivationGroup, ...]:
        """The inputs of the ReLUs in depth order: of each widening cell its input, in the authors' ReLUConvBN blocks and in factorised
        reductions, and its other nodes; of the stage behind it the cells' nodes."""
        conv = ("ReLU", BLOCK)
        groups = [ActivationGroup("stem_relu", modules=(conv,))]
        for stage in range(len(STAGES)):
            groups.append(ActivationGroup(f"widenings/{stage}/input", modules=(conv, ("ReLU",))))
            groups += [ActivationGroup(f"{cells}/{stage}/nodes", modules=(conv,)) for cells in ("widenings", "stages")]
        return tuple(groups)


@lru_cache(maxsize=64)
def _network(space: TransNasMicro, genes: tuple[int, ...]) -> DiscreteNetwork:
    return discrete_network(partial(OwnNet, genes, space.channels, space.classes, space.inputs.shape[2]), space.inputs.shape)


transnas_micro_program = lru_cache(maxsize=16)(TransNasMicroProgram)
