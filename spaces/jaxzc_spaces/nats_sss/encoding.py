"""The size search space of NATS-Bench without its network: genes, official strings and exact counts; numpy only.

An architecture is int32 `[5]`: gene `i` in 0 .. 7 stands for 8, 16, ... 64 channels behind the stem and the first cell, the first residual
block, the second cell, the second residual block and the third cell. Source: Dong et al., NATS-Bench, TPAMI 2021, section 3.2.
"""

from typing import Any

import numpy as np

from jaxzc.spacekit.vectors import check_vector, check_vectors
from jaxzc.types import Counts, Genes, JaxzcError

LAYERS, STEPS, UNIT = 5, 8, 8
CHOICES = (STEPS,) * LAYERS
CELLS, CONVS, SKIP = (0, 2, 4), ((0, 1), (0, 2), (1, 2), (1, 3), (2, 3)), (0, 3)
"""Layers that are cells; in each, the 3x3 convolutions and the skip connection, as (source node, target node)."""


def parse(text: str) -> np.ndarray:
    """The genes int32 `[5]` of an official string such as `8:16:32:64:64`. Raises `JaxzcError` that quotes the string."""
    words = text.strip().split(":") if isinstance(text, str) else []
    if len(words) != LAYERS:
        raise _malformed(text, f"it has {len(words)} numbers separated by ':'", f"{LAYERS}, as in 8:16:32:64:64")
    for word in words:
        if not word.isdecimal() or int(word) % UNIT or not 1 <= int(word) // UNIT <= STEPS:
            raise _malformed(text, f"{word!r} channels", f"multiples of {UNIT} from {UNIT} to {UNIT * STEPS}")
    return np.array([int(word) // UNIT - 1 for word in words], np.int32)


def _malformed(text: Any, wrong: str, expected: str) -> JaxzcError:
    return JaxzcError(f"{text!r} is no NATS-Bench size architecture: {wrong}; expected {expected}")


def to_string(arch: Genes) -> str:
    """The official string of the genes int `[5]`; the inverse of `parse`. Raises `JaxzcError` for invalid genes."""
    return ":".join(str(UNIT * (gene + 1)) for gene in check_vector(CHOICES, arch).tolist())


def macs_params_layers(archs: Genes, unit: int, classes: int, image_shape: tuple[int, ...] = (32, 32, 3)) -> Counts:
    """Exact counts, int64 `[n]` each, for `archs` int `[n, 5]`; the benchmark's unit is 8 channels.

    params: every trainable parameter: convolutions (no bias), normalisation (scale and shift), linear layer (with bias). flops:
    multiply-accumulates of convolutions and the linear layer for one image. layers: convolutions and the linear layer.
    """
    widths = unit * (check_vectors(CHOICES, archs).astype(np.int64) + 1)
    height, width, colours = image_shape
    before = np.concatenate([widths[:, :1], widths[:, :-1]], axis=1)
    stem, head = 9 * colours * widths[:, 0], widths[:, -1] * classes
    params = stem + 2 * widths[:, 0] + 2 * widths[:, -1] + head + classes
    flops = stem * height * width + head
    layers = np.full(len(widths), 2)
    for layer in range(LAYERS):
        c_in, c = before[:, layer], widths[:, layer]
        if layer in CELLS:
            projected = c_in != c
            kernels = 9 * c * sum(c_in if source == 0 else c for source, _ in CONVS) + projected * c_in * c
            norms = 2 * c * (len(CONVS) + projected)
            layers += len(CONVS) + projected
        else:
            height, width = height // 2, width // 2
            kernels = 9 * c_in * c + 9 * c * c + c_in * c
            norms = 4 * c
            layers += 3
        params += kernels + norms
        flops += kernels * height * width
    return Counts(params, flops, layers)
