"""Spaces of chains of super blocks, as fixed-length vectors: what `mobilenetv2_zen` and `resnet_zen` share.

A network is a stem convolution, stages of up to `SLOTS` blocks, and a 1x1 convolution. A stage's first block has the stage's stride, its
others have stride 1. Genes: the stem's width, for each slot (kind, width, bottleneck width, sub-layers), and the last convolution's width
where that is free; widths are numbers of 8 channels. A slot that is empty has kind 0, which a stage's first never is.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import Any, ClassVar

import numpy as np

from jaxzc.spacekit.steps import Step
from jaxzc.spacekit.vectors import check_vector, check_vectors
from jaxzc.types import Counts, Genes, InputSpec, JaxzcError, Params
from jaxzc_spaces.core.blueprint import Blueprint, blueprint
from jaxzc_spaces.core.discrete import DiscreteNetwork, OneNetworkEach
from jaxzc_spaces.core.module import WithModule
from jaxzc_spaces.core.sizes import check_images, check_positive
from jaxzc_spaces.genotypes.counts import as_counts
from jaxzc_spaces.superblocks.blocks import Block, parse_blocks, print_blocks
from jaxzc_spaces.superblocks.counts import CodeCounts, code_counts, network_tally
from jaxzc_spaces.superblocks.mutation import LAYERS, SLOTS, WIDTHS, Mutation
from jaxzc_spaces.superblocks.network import PlainNet, plainnet_steps

WALK = 16
"""A random architecture is the initial one after 1 to `WALK` mutations."""


@dataclass(frozen=True)
class PlainNetSpace(OneNetworkEach, WithModule):
    """residual: build the shortcuts. The authors score without them (the default) and train with them; counts are always of the network
    with them, which a budget is about. classes, inputs: of the data."""

    residual: bool = False
    classes: int = 10
    inputs: InputSpec = InputSpec((32, 32, 3))

    kinds: ClassVar[tuple[str, ...]]
    strides: ClassVar[tuple[int, ...]]
    """Of the stem and of each stage."""
    initial_string: ClassVar[str]
    """The network that the authors' search begins with."""
    free_head: ClassVar[bool]

    def __post_init__(self) -> None:
        super().__post_init__()
        check_positive(self, "classes")
        check_images(self)

    @property
    def choices(self) -> tuple[int, ...]:  # pyright: ignore[reportIncompatibleVariableOverride]
        shape = (WIDTHS, WIDTHS, LAYERS)
        stage = (len(self.kinds), *shape) + (SLOTS - 1) * (len(self.kinds) + 1, *shape)
        return (WIDTHS, *stage * (len(self.strides) - 1), *((WIDTHS,) if self.free_head else ()))

    # Architectures.

    def blocks(self, arch: Genes) -> list[Block]:
        """The network's blocks."""
        genes = check_vector(self.choices, arch).tolist()
        stem, *slots = self._units(genes)
        blocks = [Block("SuperConvK3BNRELU", self.inputs.shape[2], stem[1], self.strides[0], 0, 1)]
        for position, (kind, width, bottleneck, layers) in slots:
            stride = self.strides[1 + position // SLOTS] if position % SLOTS == 0 else 1
            blocks.append(Block(kind, blocks[-1].c_out, width, stride, bottleneck, layers))
        return [*blocks, Block("SuperConvK1BNRELU", blocks[-1].c_out, self._head(genes), 1, 0, 1)]

    def _units(self, genes: Sequence[int]) -> list[Any]:
        """("stem", width), then (slot, (kind, width, bottleneck, layers)) of every slot that is not empty."""
        units: list[Any] = [("stem", 8 * (genes[0] + 1))]
        for slot in range(SLOTS * (len(self.strides) - 1)):
            kind, width, bottleneck, layers = genes[1 + 4 * slot : 5 + 4 * slot]
            number = kind if slot % SLOTS == 0 else kind - 1
            if number >= 0:
                units.append((slot, (self.kinds[number], 8 * (width + 1), 8 * (bottleneck + 1), layers + 1)))
        return units

    def _head(self, genes: Sequence[int]) -> int:
        return 8 * (genes[-1] + 1)

    def genes(self, blocks: Sequence[Block]) -> np.ndarray:
        """The genes int32 of a chain of blocks. Raises `JaxzcError` where it is none of this space."""
        text = print_blocks(blocks)
        first, *middle, last = blocks if len(blocks) > 2 else (None, None)
        if first is None or last is None or first.kind != "SuperConvK3BNRELU" or last.kind != "SuperConvK1BNRELU":
            raise self._foreign(text, "it is not a 3x3 convolution, residual blocks and a 1x1 convolution", self.initial_string)
        if (first.stride, first.layers, last.stride, last.layers) != (self.strides[0], 1, 1, 1):
            raise self._foreign(text, "its first or last convolution has another stride or number", self.initial_string)
        stages: list[list[Block]] = []
        for block in middle:
            if not stages or block.stride > 1:
                stages.append([])
            stages[-1].append(block)
        strides = tuple(stage[0].stride for stage in stages)
        if strides != self.strides[1:] or max(map(len, stages)) > SLOTS:
            raise self._foreign(
                text,
                f"its stages have strides {strides}",
                f"{self.strides[1:]}, each of at most {SLOTS} blocks, only the first of them strided",
            )
        genes = [self._width(text, first.c_out)]
        for stage in stages:
            for position in range(SLOTS):
                genes += self._slot(text, stage[position] if position < len(stage) else None, position)
        return np.array([*genes, *self._head_genes(text, last)], np.int32)

    def _slot(self, text: str, block: Block | None, position: int) -> list[int]:
        if block is None:
            return [0, 0, 0, 0]
        if block.kind not in self.kinds:
            raise self._foreign(text, f"it has the block {block.kind}", f"one of {', '.join(self.kinds)}")
        if block.layers > LAYERS:
            raise self._foreign(text, f"{block} has {block.layers} sub-layers", f"at most {LAYERS}")
        kind = self.kinds.index(block.kind) + (position > 0)
        return [kind, self._width(text, block.c_out), self._width(text, block.bottleneck), block.layers - 1]

    def _head_genes(self, text: str, last: Block) -> list[int]:
        return [self._width(text, last.c_out)]

    def _width(self, text: str, channels: int) -> int:
        if channels % 8 or not 8 <= channels <= 8 * WIDTHS:
            raise self._foreign(text, f"it has {channels} channels", f"multiples of 8 up to {8 * WIDTHS}")
        return channels // 8 - 1

    def _foreign(self, text: str, wrong: str, expected: str) -> JaxzcError:
        return JaxzcError(f"{text!r} is no {self.name} architecture: {wrong}; expected {expected}")

    def parse(self, text: str) -> np.ndarray:
        """The genes int32 of the authors' string. Raises `JaxzcError` that quotes what is wrong."""
        return self.genes(parse_blocks(text, self.inputs.shape[2]))

    def to_string(self, arch: Genes) -> str:
        return print_blocks(self.blocks(arch))

    @property
    def initial(self) -> np.ndarray:
        """The architecture that the authors' search begins with."""
        return self.parse(self.initial_string.replace("(3,", f"({self.inputs.shape[2]},", 1))

    def sample(self, rng: np.random.Generator, n: int) -> np.ndarray:
        """`n` architectures, each the initial one after 1 to 16 mutations (the space itself is far larger than what its users consider)."""
        archs = np.tile(self.initial, (n, 1))
        lengths = rng.integers(1, WALK + 1, size=n)
        for row, length in zip(range(n), lengths, strict=True):
            for _ in range(length):
                archs[row] = self._mutation.mutated(rng, archs[row])
        return archs

    def mutate(self, rng: np.random.Generator, archs: np.ndarray) -> np.ndarray:
        """A copy of `archs` in which one block of each row was replaced.

        The block is uniform among those that can change; the new one differs, and is otherwise uniform: any kind, width and bottleneck
        width times 2.5, 2, 1.5, 1.25, 1 or one of their inverses, rounded to 8, sub-layers -2 .. +2, at least 1. A convolution changes
        its width only. Source: ZiCo's appendix and code, which keeps an unchanged draw and draws the kinds that its list names first more
        often; widths end at 1,024 here.
        """
        return np.stack([self._mutation.mutated(rng, row) for row in check_vectors(self.choices, archs)])

    def neighbours(self, arch: Genes) -> np.ndarray:
        """Every architecture in which one property of one block has another of the values that a mutation may give it."""
        return self._mutation.neighbours(check_vector(self.choices, arch))

    @property
    def _mutation(self) -> Mutation:
        return Mutation(len(self.kinds), self.free_head)

    def canonical(self, archs: np.ndarray) -> np.ndarray:
        """The same networks with empty slots behind the others and zeros in them."""
        genes = check_vectors(self.choices, archs)
        return np.stack([self.genes(self.blocks(row)) for row in genes]) if len(genes) else genes

    def enumerate(self) -> np.ndarray:
        raise JaxzcError(f"{self.name} has more architectures than can be listed; sample it instead")

    def counts(self, archs: np.ndarray) -> Counts:
        """Exact, of the network with its shortcuts whatever `residual` says."""
        size = self.inputs.shape[:2]
        return as_counts([network_tally(self.blocks(arch), self.classes, (size[0], size[1])) for arch in np.atleast_2d(archs)])

    def code_counts(self, arch: Genes) -> CodeCounts:
        """As the authors' code counts, of the network with its shortcuts, for square images. Their budgets are in these numbers."""
        return code_counts(self.blocks(arch), self.classes, self.inputs.shape[0])

    @property
    def own_counts(self) -> dict[str, Callable[[np.ndarray], np.ndarray]]:
        """`code_counts` by the names that a search's budget takes: code_flops, code_model_size, code_layers."""

        def of(field: str, archs: np.ndarray) -> np.ndarray:
            return np.array([getattr(self.code_counts(arch), field) for arch in archs], np.int64)

        return {f"code_{field}": partial(of, field) for field in CodeCounts._fields}

    # Networks.

    def network(self, arch: Genes) -> DiscreteNetwork:
        """The network of these genes, without shortcuts unless `residual`."""
        blocks = tuple(self.blocks(arch))
        return DiscreteNetwork(plainnet_blueprint(blocks, self.classes, self.inputs.shape, self.residual))

    def steps(self, arch: Genes) -> tuple[Step, ...] | None:
        """The same network as steps of padded widths; None with shortcuts."""
        return None if self.residual else plainnet_steps(self.blocks(arch), self.classes, self.inputs.shape)

    def own_network(self, arch: Genes) -> DiscreteNetwork:
        """With the shortcuts, with which the authors train, and `counts` counts."""
        return DiscreteNetwork(plainnet_blueprint(tuple(self.blocks(arch)), self.classes, self.inputs.shape, residual=True))

    def own_params(self, params: Params, arch: Genes) -> Any:
        if not self.residual:
            raise JaxzcError(
                f"{self.name}: parameters of a network without shortcuts: expected those of a space with residual=True, because a module "
                "is trained with them and some of them are layers"
            )
        return params


@lru_cache(maxsize=64)
def plainnet_blueprint(blocks: tuple[Block, ...], classes: int, image_shape: tuple[int, ...], residual: bool) -> Blueprint:
    """Cells are the residual blocks."""

    def cell(word: str) -> int:
        number = int(word.removeprefix("block")) if word.startswith("block") else 0
        return number - 1 if 0 < number < len(blocks) - 1 else -1

    return blueprint(partial(PlainNet, blocks, classes, residual), image_shape, cell)
