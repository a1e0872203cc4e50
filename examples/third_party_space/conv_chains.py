"""A search space of your own in one file: chains of four layers, each a 1x1, 3x3 or 5x5 convolution or nothing.

    pip install ./examples/third_party_space
    jaxzc score conv_chains --proxies snip,naswot,synflow --sample 5 --out scores.parquet

Nothing here is of the catalogue `jaxzc_spaces`: a space is any object with the attributes and methods of `jaxzc.types.Space`. The network
is an ordinary function of parameters and images; jaxzc reads its program (`jaxzc.networks.as_network`) and finds layers and ReLUs itself.
"""

import itertools
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxzc.networks import as_network
from jaxzc.numerics import initialisers
from jaxzc.types import Counts, JaxzcError, LayerGroup

WORDS = ("none", "conv1", "conv3", "conv5")
SIZES = (0, 1, 3, 5)


@dataclass(frozen=True)
class ConvChains:
    """Genes: four numbers below 4. Every layer has `channels` channels; the option is set by `--set channels=16`."""

    channels: int = 8
    classes: int = 10
    image_shape: tuple[int, int, int] = (32, 32, 3)

    name = "conv_chains"
    choices = (4, 4, 4, 4)
    # The layers that exist, and their kernels, depend on the genes: each architecture is a program of its own.
    static_genes = (0, 1, 2, 3)

    # Architectures.

    def parse(self, text: str) -> np.ndarray:
        words = text.split("-")
        if len(words) != 4 or set(words) - set(WORDS):
            raise JaxzcError(f"{text!r} is no chain: expected four of {', '.join(WORDS)} joined by '-', as in conv3-none-conv5-conv1")
        return np.array([WORDS.index(word) for word in words], np.int8)

    def to_string(self, arch: Any) -> str:
        return "-".join(WORDS[int(gene)] for gene in arch)

    def enumerate(self) -> np.ndarray:
        return np.array(list(itertools.product(range(4), repeat=4)), np.int8)

    def sample(self, rng: np.random.Generator, n: int) -> np.ndarray:
        return rng.permutation(self.enumerate())[:n]

    def mutate(self, rng: np.random.Generator, archs: np.ndarray) -> np.ndarray:
        made, rows = archs.copy(), np.arange(len(archs))
        genes = rng.integers(4, size=len(archs))
        made[rows, genes] = (made[rows, genes] + rng.integers(1, 4, size=len(archs))) % 4
        return made

    def neighbours(self, arch: Any) -> np.ndarray:
        everything = self.enumerate()
        return everything[(everything != np.asarray(arch)).sum(axis=1) == 1]

    def canonical(self, archs: np.ndarray) -> np.ndarray:
        """Layers that are nothing behind the others: the same network."""
        return np.take_along_axis(archs, np.argsort(archs == 0, axis=1, kind="stable"), axis=1)

    def counts(self, archs: np.ndarray) -> Counts:
        height, width, _ = self.image_shape
        rows = []
        for arch in np.atleast_2d(archs):
            sizes = [int(np.prod(shape)) for name, shape in self._shapes(arch).items() if name.startswith("kernel")]
            linear = self.channels * self.classes
            norms = 2 * self.channels * len(sizes)
            rows.append((sum(sizes) + norms + linear + self.classes, sum(sizes) * height * width + linear, len(sizes) + 1))
        return Counts(*np.array(rows, np.int64).reshape(-1, 3).T)

    # Networks.

    def _shapes(self, arch: Any) -> dict[str, tuple[int, ...]]:
        """Every parameter of one architecture: the kernels of its convolutions, of the stem first, and the classifier."""
        sizes = [3, *(SIZES[int(gene)] for gene in arch if gene)]
        shapes: dict[str, tuple[int, ...]] = {}
        for layer, size in enumerate(sizes):
            shapes[f"kernel{layer}"] = (size, size, self.image_shape[2] if layer == 0 else self.channels, self.channels)
            shapes[f"scale{layer}"] = shapes[f"shift{layer}"] = (self.channels,)
        return shapes | {"linear": (self.channels, self.classes), "linear_bias": (self.classes,)}

    def init(self, key: jax.Array, initialiser: str = "torch", *arch: Any) -> dict[str, jax.Array]:
        shapes = self._shapes(arch[0])
        kernels = [name for name in shapes if name.startswith("kernel") or name == "linear"]
        groups = [LayerGroup(name, shapes[name], int(np.prod(shapes[name][:-1])), shapes[name][-1]) for name in kernels]
        drawn, (bias,) = initialisers.draw(initialiser, key, groups, [(self.classes, self.channels)])
        params = {name: jnp.ones(shape) if name.startswith("scale") else jnp.zeros(shape) for name, shape in shapes.items()}
        return params | {name: stack[0] for name, stack in zip(kernels, drawn, strict=True)} | {"linear_bias": bias}

    def network(self, arch: Any) -> Any:
        params = {name: jax.ShapeDtypeStruct(shape, jnp.float32) for name, shape in self._shapes(arch).items()}
        network, _ = as_network(forward, params, jax.ShapeDtypeStruct((1, *self.image_shape), jnp.float32))
        return network


def forward(params: dict[str, jax.Array], x: jax.Array, norm: str = "batch") -> jax.Array:
    """Logits `[B, classes]` of images `[B, H, W, C]`. jaxzc says in `norm` how normalisation is to act: with the statistics of the batch,
    as initialised, or not at all."""
    layers = sum(name.startswith("kernel") for name in params)
    for layer in range(layers):
        x = jax.lax.conv_general_dilated(x, params[f"kernel{layer}"], (1, 1), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC"))
        if norm == "batch":
            x = x - x.mean((0, 1, 2))
            x = x * jax.lax.rsqrt(jnp.square(x).mean((0, 1, 2)) + 1e-5)
        if norm != "none":
            x = x * params[f"scale{layer}"] + params[f"shift{layer}"]
        x = jax.nn.relu(x)
    return x.mean((1, 2)) @ params["linear"] + params["linear_bias"]
