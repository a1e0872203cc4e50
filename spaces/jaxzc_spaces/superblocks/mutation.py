"""Mutation of a chain of super blocks, on its genes; `space.PlainNetSpace` says what the genes are."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from jaxzc_spaces.superblocks.blocks import round8

SLOTS = 3
WIDTHS = 128
"""Widths are 8, 16, ..., 1024 channels."""
LAYERS = 16
"""The most sub-layers of one block."""
SPLIT = 6
"""Mutation splits a block of so many sub-layers in two, the first with half of this number, where its stage has an empty slot."""
FACTORS = (2.5, 2, 1.5, 1.25, 1, 1 / 1.25, 1 / 1.5, 1 / 2, 1 / 2.5)
STEPS = (-2, -1, 0, 1, 2)


@dataclass(frozen=True)
class Mutation:
    """kinds: how many kinds of blocks there are. free_head: whether the width of the last convolution is a gene, the last one."""

    kinds: int
    free_head: bool

    def mutated(self, rng: np.random.Generator, row: np.ndarray) -> np.ndarray:
        """A copy of the genes `[genes]` with one block replaced, and split where it is long now and its stage has room."""
        convolutions, slots = self._convolutions(row), self._slots(row)
        place = rng.integers(len(slots) + len(convolutions))
        mutated = row.copy()
        # in the order of the chain: the stem, the blocks, the last convolution
        if place == 0 or place > len(slots):
            gene = convolutions[0 if place == 0 else 1]
            options = [width for width in scaled(int(row[gene])) if width != row[gene]]
            mutated[gene] = options[rng.integers(len(options))]
            return mutated
        slot = slots[place - 1]
        start = 1 + 4 * slot
        _, width, bottleneck, layers = row[start : start + 4].tolist()
        depths = sorted({min(max(layers + step, 0), LAYERS - 1) for step in STEPS})
        while np.array_equal(mutated, row):
            mutated[start : start + 4] = [rng.choice(values) for values in (self._kinds(slot), scaled(width), scaled(bottleneck), depths)]
        return split(mutated, slot)

    def neighbours(self, row: np.ndarray) -> np.ndarray:
        """Every vector `[n, genes]` in which one property of one block has another of the values that a mutation may give it."""
        near = []
        options: list[tuple[int, Sequence[int]]] = [(gene, scaled(int(row[gene]))) for gene in self._convolutions(row)]
        for slot in self._slots(row):
            kind, width, bottleneck, layers = (1 + 4 * slot + k for k in range(4))
            depths = [int(row[layers]) + step for step in (-1, 1) if 0 <= row[layers] + step < LAYERS]
            options += [(kind, self._kinds(slot)), (width, scaled(int(row[width]))), (bottleneck, scaled(int(row[bottleneck])))]
            options.append((layers, depths))
        for gene, values in options:
            for value in values:
                if value != row[gene]:
                    near.append(row.copy())
                    near[-1][gene] = value
        return np.stack(near)

    def _convolutions(self, row: np.ndarray) -> list[int]:
        """The genes that are the width of the stem and, where that is free, of the last convolution."""
        return [0, len(row) - 1] if self.free_head else [0]

    def _slots(self, row: np.ndarray) -> list[int]:
        """The slots that hold a block."""
        return [slot for slot in range((len(row) - 1) // 4) if slot % SLOTS == 0 or row[1 + 4 * slot] > 0]

    def _kinds(self, slot: int) -> range:
        """The genes that are a kind of block in this slot: 0 is an empty slot, which a stage's first never is."""
        return range(self.kinds) if slot % SLOTS == 0 else range(1, self.kinds + 1)


def split(row: np.ndarray, slot: int) -> np.ndarray:
    """The genes with the block of this slot split where it is long and its stage has room. Changes `row`."""
    first = slot - slot % SLOTS
    stage = row[1 + 4 * first : 1 + 4 * (first + SLOTS)].reshape(SLOTS, 4)
    used = 1 + int((stage[1:, 0] > 0).sum())
    layers = int(row[4 + 4 * slot]) + 1
    if layers < SPLIT or used == SLOTS:
        return row
    here = slot - first
    kind = stage[here, 0] + (here == 0)
    second = np.array([kind, *stage[here, 1:3], layers - SPLIT // 2 - 1], np.int32)
    blocks = [*stage[:here], np.array([*stage[here, :3], SPLIT // 2 - 1], np.int32), second, *stage[here + 1 : used]]
    row[1 + 4 * first : 1 + 4 * (first + SLOTS)] = np.stack([*blocks, *np.zeros((SLOTS - len(blocks), 4), np.int32)]).ravel()
    return row


def scaled(width: int) -> list[int]:
    """The width genes that a mutation may make of this one, ascending."""
    return sorted({min(round8(8 * (width + 1) * factor), 8 * WIDTHS) // 8 - 1 for factor in FACTORS})
