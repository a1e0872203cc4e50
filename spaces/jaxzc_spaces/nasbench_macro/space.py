"""The search space NAS-Bench-Macro: 6,561 chains of eight layers, each an identity or one of two mobile inverted bottlenecks.

Source: Su et al., Prioritized Architecture Sampling with Monto-Carlo Tree Search, CVPR 2021, section 4 and the benchmark's code.
"""

from dataclasses import dataclass
from functools import lru_cache, partial
from typing import Any

import numpy as np

from jaxzc.spacekit import vectors
from jaxzc.spacekit.steps import Step
from jaxzc.types import Counts, Genes, InputSpec, JaxzcError
from jaxzc_spaces.core.blueprint import blueprint
from jaxzc_spaces.core.discrete import DiscreteNetwork, OneNetworkEach
from jaxzc_spaces.core.module import WithModule
from jaxzc_spaces.core.sizes import check_images, check_positive
from jaxzc_spaces.nasbench_macro.network import FIRST_OF_STAGE, LAYERS, OPS, MacroNet
from jaxzc_spaces.nasbench_macro.steps import macro_steps

CHOICES = (len(OPS),) * LAYERS


@dataclass(frozen=True)
class NasBenchMacro(OneNetworkEach, WithModule):
    """NAS-Bench-Macro. The fields are the size of its network; the defaults are the benchmark's own.

    channels: width of the stem. head: width of the last convolution, which does not grow with `channels`.
    """

    channels: int = 32
    head: int = 1280
    classes: int = 10
    inputs: InputSpec = InputSpec((32, 32, 3))

    name = "nasbench_macro"
    choices = CHOICES

    def __post_init__(self) -> None:
        super().__post_init__()
        check_positive(self, "channels", "head", "classes")
        check_images(self)

    # Architectures.

    def parse(self, text: str) -> np.ndarray:
        """The genes int32 `[8]` of eight digits such as `01201201`. Raises `JaxzcError` that quotes what is wrong."""
        digits = text.strip() if isinstance(text, str) else ""
        if len(digits) != LAYERS or set(digits) - set("012"):
            raise JaxzcError(f"{text!r} is no NAS-Bench-Macro architecture: expected {LAYERS} digits 0 (identity), 1 or 2, as in 01201201")
        return np.array([int(digit) for digit in digits], np.int32)

    def to_string(self, arch: Genes) -> str:
        return "".join(map(str, vectors.check_vector(CHOICES, arch)))

    def canonical(self, archs: np.ndarray) -> np.ndarray:
        """The same network with the identities of each stage behind its other layers. The first layer of a stage stays where it is: its
        identity is a convolution."""
        sorted_genes = vectors.check_vectors(CHOICES, archs).copy()
        for first, end in zip(FIRST_OF_STAGE, (*FIRST_OF_STAGE[1:], LAYERS), strict=True):
            rest = sorted_genes[:, first + 1 : end]
            sorted_genes[:, first + 1 : end] = np.take_along_axis(rest, np.argsort(rest == 0, axis=1, kind="stable"), axis=1)
        return sorted_genes

    def counts(self, archs: np.ndarray) -> Counts:
        """Exact; `flops` are multiply-accumulates of convolutions and the linear layer, as in the benchmark's own table."""
        genes = vectors.check_vectors(CHOICES, np.atleast_2d(archs))
        params, flops, layers = (np.zeros(len(genes), np.int64) for _ in range(3))
        height, width, colours = self.inputs.shape
        c = self.channels
        params += 9 * colours * c + 2 * c
        flops += 9 * colours * c * height * width
        for layer in range(LAYERS):
            c_in, before = c, height * width
            if layer in FIRST_OF_STAGE:
                c, height, width = 2 * c, (height + 1) // 2, (width + 1) // 2
            for op, shape in enumerate(OPS):
                one = np.array(_layer_counts(shape, c_in, c, before, height * width))
                for total, number in zip((params, flops, layers), one, strict=True):
                    total += (genes[:, layer] == op) * number
        params += c * self.head + 2 * self.head + (self.head + 1) * self.classes
        flops += c * self.head * height * width + self.head * self.classes
        return Counts(params, flops, layers + 3)

    # Networks.

    def steps(self, arch: Genes) -> tuple[Step, ...]:
        """The same network as steps of padded widths."""
        genes = vectors.check_vector(CHOICES, arch)
        return macro_steps(genes.tolist(), self.channels, self.head, self.classes, self.inputs.shape)

    def network(self, arch: Genes) -> DiscreteNetwork:
        """The network of genes `[8]`."""
        genes = vectors.check_vector(CHOICES, arch)
        return DiscreteNetwork(_blueprint(self, tuple(genes.tolist())))


@lru_cache(maxsize=64)
def _blueprint(space: NasBenchMacro, arch: tuple[int, ...]) -> Any:
    def cell(word: str) -> int:
        return int(word.removeprefix("layer")) if word.startswith("layer") else -1

    make = partial(MacroNet, arch, space.channels, space.head, space.classes, space.inputs.shape[2])
    return blueprint(make, space.inputs.shape, cell)


def _layer_counts(shape: tuple[int, ...], c_in: int, c: int, before: int, after: int) -> tuple[int, int, int]:
    """Parameters, multiply-accumulates and layers of one layer, from `before` pixels to `after`."""
    if not shape:
        return (c_in * c + 2 * c, c_in * c * after, 1) if before != after or c_in != c else (0, 0, 0)
    expansion, k = shape
    wide = expansion * c_in
    params = c_in * wide + k * k * wide + wide * c + 2 * (wide + wide + c)
    return params, c_in * wide * before + k * k * wide * after + wide * c * after, 3
