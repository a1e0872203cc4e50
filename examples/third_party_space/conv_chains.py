"""A search space of your own in one file: chains of four layers, each a 1x1, 3x3 or 5x5 convolution or nothing.

    pip install ./examples/third_party_space
    jaxzc score conv_chains --proxies snip,naswot,synflow --sample 5 --out scores.parquet

The network is an ordinary function of parameters and images; jaxzc reads its program and finds layers and ReLUs itself.
"""

from dataclasses import dataclass
from math import prod
from typing import Any

import jax
import numpy as np

from jaxzc.spacekit import FunctionProgram, VectorSpace
from jaxzc.types import Array, Counts, InputSpec

SIZES = (0, 1, 3, 5)
"""Of the kernel that each value of a gene stands for; 0: there is no layer."""


@dataclass(frozen=True)
class ConvChains(VectorSpace):
    """Genes: four numbers below 4. Every layer has `channels` channels; the option is set by `--set channels=16`."""

    channels: int = 8
    classes: int = 10
    inputs: InputSpec = InputSpec((32, 32, 3))

    name = "conv_chains"
    choices = (4, 4, 4, 4)

    def canonical(self, archs: np.ndarray) -> np.ndarray:
        """Layers that are nothing behind the others: the same network."""
        return np.take_along_axis(archs, np.argsort(archs == 0, axis=1, kind="stable"), axis=1)

    def program_keys(self, archs: np.ndarray) -> np.ndarray:
        """The layers that there are, and so the shapes of the parameters, depend on all genes: architectures share none."""
        return self.canonical(archs)

    def program(self, key: tuple[int, ...] = ()) -> FunctionProgram:
        """The program of the architectures with this key."""
        shapes: dict[str, tuple[int, ...]] = {}
        for layer, size in enumerate([3, *(SIZES[gene] for gene in key if gene)]):  # the stem is a 3x3 convolution
            shapes[f"kernel{layer}"] = (size, size, self.channels if layer else self.inputs.shape[-1], self.channels)
            shapes |= {f"scale{layer}": (self.channels,), f"shift{layer}": (self.channels,)}
        return FunctionProgram(forward, {**shapes, "head": (self.channels, self.classes), "head_bias": (self.classes,)}, self.inputs)

    def counts(self, archs: np.ndarray) -> Counts:
        """A convolution multiplies by all of its kernel at every pixel, the linear layer once."""
        rows, pixels, linear = [], prod(self.inputs.shape[:2]), self.channels * self.classes
        for key in self.program_keys(np.atleast_2d(archs)).tolist():
            sizes = {name: prod(shape) for name, shape in self.program(key).shapes.items()}
            kernels = [size for name, size in sizes.items() if name.startswith("kernel")]
            rows.append((sum(sizes.values()), sum(kernels) * pixels + linear, len(kernels) + 1))
        return Counts(*np.array(rows, np.int64).reshape(-1, 3).T)


def forward(params: dict[str, Array], x: Array, norm: str = "batch") -> Any:
    """Logits `[B, classes]` of images `[B, H, W, C]`. norm: how normalisation acts, see `jaxzc.types.Norm`."""
    for layer in range(sum(name.startswith("kernel") for name in params)):
        x = jax.lax.conv_general_dilated(x, params[f"kernel{layer}"], (1, 1), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC"))
        if norm == "batch":
            x = x - x.mean((0, 1, 2))
            x = x * jax.lax.rsqrt((x * x).mean((0, 1, 2)) + 1e-5)
        if norm != "none":
            x = x * params[f"scale{layer}"] + params[f"shift{layer}"]
        x = jax.nn.relu(x)
    return x.mean((1, 2)) @ params["head"] + params["head_bias"]
