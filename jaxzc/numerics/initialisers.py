"""Weight initialisers by the names the papers use.

Half of the differences between published rank correlations come from this choice, so it is always named, never implied. All kernels of a
network are cut from one long draw: one random stream per network compiles in a second, one per kernel took minutes.
"""

import math
import zlib
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import lru_cache
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer

from jaxzc._compile.cache import StoredFunction
from jaxzc.types import Array, InitialiserSpec, JaxzcError, LayerGroup
from jaxzc.types.names import hint

EMBEDDING_DEVIATION = 0.02
"""Standard deviation of `embeddings`."""


class Initialiser(NamedTuple):
    """sample(key, n): float32 numbers, uniform in [-1, 1) or standard normal; kernel(fan_in, fan_out) and bias(fan_in): their scales."""

    sample: Callable[[Array, int], Array]
    kernel: Callable[[int, int], float]
    bias: Callable[[int], float]


def _uniform(key: Array, n: int) -> Array:
    return jax.random.uniform(key, (n,), jnp.float32, -1, 1)


def _normal(key: Array, n: int) -> Array:
    return jax.random.normal(key, (n,), jnp.float32)


def _zero(fan_in: int) -> float:
    return 0.0


INITIALISERS: dict[str, Initialiser] = {
    # PyTorch's default for Conv2d and Linear, kaiming_uniform_(a=sqrt(5)): uniform with bound 1/sqrt(fan_in), biases too.
    "torch": Initialiser(_uniform, lambda fan_in, fan_out: fan_in**-0.5, lambda fan_in: fan_in**-0.5),
    # He et al., 2015: standard deviation sqrt(2/fan).
    "kaiming_normal_fan_in": Initialiser(_normal, lambda fan_in, fan_out: math.sqrt(2 / fan_in), _zero),
    "kaiming_normal_fan_out": Initialiser(_normal, lambda fan_in, fan_out: math.sqrt(2 / fan_out), _zero),
    "kaiming_uniform_fan_in": Initialiser(_uniform, lambda fan_in, fan_out: math.sqrt(6 / fan_in), _zero),
    # Glorot & Bengio, 2010.
    "xavier_uniform": Initialiser(_uniform, lambda fan_in, fan_out: math.sqrt(6 / (fan_in + fan_out)), _zero),
    "normal": Initialiser(_normal, lambda fan_in, fan_out: 1.0, _zero),
    # Devlin et al., 2019 (BERT), and most vision transformers, where it is called truncated: at 100 standard deviations.
    "normal_0.02": Initialiser(_normal, lambda fan_in, fan_out: EMBEDDING_DEVIATION, _zero),
}


def initialiser(name: str) -> Initialiser:
    """The initialiser of that name; raises `JaxzcError` with the known names otherwise."""
    if name not in INITIALISERS:
        raise JaxzcError(f"unknown initialiser {name!r}: {hint(name, INITIALISERS)}expected one of {', '.join(INITIALISERS)}")
    return INITIALISERS[name]


def draw(
    name: InitialiserSpec, key: Array, groups: Sequence[LayerGroup], biases: Sequence[tuple[int, int]] = ()
) -> tuple[list[Array], list[Array]]:
    """Kernels `[layers, *kernel]` float32 for each layer group, and a vector for each (size, fan_in) of `biases`.

    name: of an initialiser, or a function (key, shape, dtype) -> kernel, which says nothing of vectors: these are zeros.
    fan_out of a kernel is its height x width x output channels. Kernels are drawn in the order of execution where groups tell their places,
    so that a stack in a loop gets the numbers that it gets where the loop is unrolled. Traceable: the key may be a tracer; where it is none
    these are numpy arrays, of the same numbers.
    """
    if any(g.places for g in groups):
        places = [(place, number) for number, g in enumerate(groups) for place in g.places]
        singles = [replace(groups[number], cells=(-1,), places=()) for _, number in sorted(places)]
        kernels, vectors = draw(name, key, singles, biases)
        by_place = dict(zip((place for place, _ in sorted(places)), kernels, strict=True))
        joined: Any = jnp.concatenate if isinstance(key, Tracer) else np.concatenate
        return [joined([by_place[place] for place in g.places]) for g in groups], vectors
    if not isinstance(name, str):
        return _drawn_by(name, key, groups), [jnp.zeros(size) for size, _ in biases]
    chosen = initialiser(name)
    shapes = [(len(g.cells), *g.kernel) for g in groups] + [(size,) for size, _ in biases]
    scales = [chosen.kernel(g.fan_in, math.prod(g.kernel[:-2]) * g.channels) for g in groups] + [
        chosen.bias(fan_in) for _, fan_in in biases
    ]
    sizes = [math.prod(s) for s in shapes]
    ends = [sum(sizes[: i + 1]) for i in range(len(sizes))]
    numbers: Any = chosen.sample(key, ends[-1]) if isinstance(key, Tracer) else _on_host(name, key, ends[-1])
    drawn = [scale * numbers[end - n : end].reshape(s) for scale, n, end, s in zip(scales, sizes, ends, shapes, strict=True)]
    return drawn[: len(groups)], drawn[len(groups) :]


def embeddings(key: Array, shapes: Sequence[tuple[int, ...]]) -> list[Array]:
    """Learned arrays of these shapes that are no kernels: class tokens, positions, tables of relative positions. They are normal with
    standard deviation 0.02 whatever the initialiser, as the authors of transformers draw them. key: that of the kernels; as for `draw`."""
    if not shapes:
        return []
    apart = jax.random.fold_in(key, zlib.crc32(b"embeddings"))
    return [EMBEDDING_DEVIATION * a[0] for a in draw("normal", apart, [LayerGroup("", shape, 1, shape[-1]) for shape in shapes])[0]]


def _drawn_by(function: Callable[..., Any], key: Array, groups: Sequence[LayerGroup]) -> list[Array]:
    """Kernels that a function (key, shape, dtype) draws, each from a key of its own; `JaxzcError` where it is no such function."""
    if not callable(function):
        raise JaxzcError(f"init={function!r}: expected one of {', '.join(INITIALISERS)}, or a function (key, shape, dtype) -> kernel")
    kernels = []
    for number, group in enumerate(groups):
        keys = jax.random.split(jax.random.fold_in(key, number), len(group.cells))
        kernels.append(jnp.stack([jnp.asarray(function(one, group.kernel, jnp.float32), jnp.float32) for one in keys]))
        if kernels[-1].shape[1:] != group.kernel:
            raise JaxzcError(f"the initialiser returned {kernels[-1].shape[1:]} for a kernel of shape {group.kernel}: return that shape")
    return kernels


def _on_host(name: str, key: Array, n: int) -> np.ndarray:
    """`n` numbers of the initialiser. The program that draws them is compiled for powers of two only: with counters for a generator the
    first numbers of a longer draw are those of a shorter one."""
    by_counters = str(jax.random.key_impl(key)) == "threefry2x32" and jax.config.jax_threefry_partitionable  # type: ignore[attr-defined]
    return np.asarray(_sampler(name, 1 << (n - 1).bit_length() if by_counters else n)(key))[:n]


@lru_cache(maxsize=64)
def _sampler(name: str, n: int) -> StoredFunction:
    sample = INITIALISERS[name].sample
    return StoredFunction(lambda key: sample(key, n), "sample", name, n)
