"""Edges of several architectures side by side on a GPU, where each has the operation that its own gene chooses.

Under `vmap`, JAX computes every branch of a `switch` for every architecture and selects: most 3x3 convolutions would be computed in vain,
for a fifth of the edges have one. One after another, architectures leave a GPU idle: NAS-Bench-201's loss gradient is 2,700 programs of
two microseconds each (measured on an H200; `benchmarks/README.md`, "A GPU"). Here one program, in Pallas for Triton, serves the same edge
of all architectures: `vmap` makes them an axis of its grid, and each block of pixels asks which operation its architecture has, and
computes no other. It reads its source node by number, ReLU included, so that nothing is copied for it.

`value`, `pull` and `kernels_of` are an edge and its first derivatives; nothing differentiates them. `convolution` and `kernels` are the
convolutions alone, of arrays, and can be differentiated: second derivatives use them.

A product of float32 is three of TF32, of the larger and smaller parts of its factors (`TF32_TF32_F32_X3`): tensor cores, with nearly the
accuracy of float32. Where JAX's precision is set below `highest`, it is one product.

Shapes: activations `[B, H, W, C]`, nodes `[N, B, H, W, C]`, kernels `[1, 1, C, D]` and `[3, 3, C, D]`, all float32. which: int32, 0 for the
1x1 convolution, 1 for the 3x3 convolution, 2 for the identity, 3 for average pooling (the last two: of `value` and `pull` only); any
other number is for none, whose result is zero.
"""

import itertools
import math
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax
from jax.experimental import pallas as pl
from jax.experimental.pallas import triton

Array = jax.Array
INTERPRETED = False
"""Whether Pallas interprets the programs, as a CPU can (tests do), and Triton does not compile them."""
AMPERE = 8
"""Compute capability from which Triton compiles for a GPU."""
MOST_CHANNELS = 256
"""Above which kernels are too large for one block of pixels."""
PIXELS = 64
"""Of a block, in the batch's images one after another. With 128, kernels' gradients of 64 channels ask for 96 KB of shared memory, and with
loads ahead of their use (num_stages=2) for 160; an L4 has 99."""
PIXELS_OF_A_SUM = 2048
"""Of a block of a kernel's gradient, which is a sum over them."""
TILE = 64
"""Channels of a block."""
WARPS = 4
"""Threads of a block, in groups of 32."""


def serves(x: Array, kernels: tuple[Array, ...]) -> bool:
    """Whether these can be convolved here, by the GPU that a program is lowered for."""
    shapes = [kernel.shape[:2] for kernel in kernels]
    few = max(kernels[0].shape[2:]) <= MOST_CHANNELS
    return (INTERPRETED or has_triton()) and shapes == [(1, 1), (3, 3)] and few and x.dtype == jnp.float32


def has_triton() -> bool:
    """Whether Triton compiles for the GPU that a program is lowered for: this process's, or the one that `jax.sharding.AbstractDevice`
    describes. Not where none is described and this machine has none, for Triton asks which it is; nor, so far, for GPUs that are not
    NVIDIA's."""
    device: Any = jax.devices()[0]
    if device.platform == "gpu":
        major = str(getattr(device, "compute_capability", "")).partition(".")[0]
        return major.isdecimal() and int(major) >= AMPERE
    described = jax.sharding.get_abstract_mesh().abstract_device
    return described is not None and described.device_kind.startswith("NVIDIA")  # the kinds of older ones start with Tesla


def value(which: Array, source: Array, nodes: Array, w1: Array, w3: Array) -> Array:
    """What an edge's operation gives: a convolution of the source's ReLU (stride 1, zeros around), the source, or its average pooling."""
    return _operated(which, source, nodes, w1, w3, reads="relu")


def pull(which: Array, source: Array, nodes: Array, w1: Array, w3: Array, ct: Array) -> Array:
    """The cotangent of the source, from that of what the operation gave."""
    turned = w1.swapaxes(2, 3), w3[::-1, ::-1].swapaxes(2, 3)
    return _operated(which, source, ct[None], *turned, nodes, reads="cotangent")


def kernels_of(which: Array, source: Array, nodes: Array, ct: Array) -> tuple[Array, Array]:
    """The cotangents of both kernels, likewise; zeros for what was not chosen."""
    return _chosen_taps(which, _summed(which, source, nodes, ct, relu=True))


@jax.custom_vjp
def convolution(which: Array, x: Array, w1: Array, w3: Array) -> Array:
    """The chosen convolution of x, stride 1, zeros around: `[B, H, W, D]`."""
    return _operated(which, jnp.int32(0), x[None], w1, w3, reads="images")


@jax.custom_vjp
def kernels(which: Array, x: Array, ct: Array) -> tuple[Array, Array]:
    """The cotangents of both kernels, from x and the cotangent of the result; zeros for what was not chosen."""
    return _chosen_taps(which, _summed(which, jnp.int32(0), x[None], ct, relu=False))


def images(which: Array, w1: Array, w3: Array, ct: Array) -> Array:
    """The cotangent of x."""
    return convolution(which, ct, w1.swapaxes(2, 3), w3[::-1, ::-1].swapaxes(2, 3))


def _convolution_pull(residuals: Any, ct: Array) -> Any:
    which, x, w1, w3 = residuals
    return None, images(which, w1, w3, ct), *kernels(which, x, ct)


def _kernels_pull(residuals: Any, cotangents: Any) -> Any:
    (which, x, ct), (one, three) = residuals, cotangents
    return None, images(which, one, three, ct), convolution(which, x, one, three)


convolution.defvjp(lambda *inputs: (convolution(*inputs), inputs), _convolution_pull)
kernels.defvjp(lambda *inputs: (kernels(*inputs), inputs), _kernels_pull)


def _operated(which: Array, source: Array, x: Array, w1: Array, w3: Array, *nodes: Array, reads: str) -> Array:
    """The chosen operation of x[source]. reads: `images`, and nothing but convolutions; `relu`, convolutions of its ReLU; `cotangent`, of
    the operation's transpose, where convolutions leave nothing at pixels whose source, of `nodes`, is not positive."""
    shape, c, d = x.shape[1:4], x.shape[-1], w1.shape[-1]
    step, wide = _tile(c), _tile(d)

    def block(which_ref: Any, source_ref: Any, x_ref: Any, w1_ref: Any, w3_ref: Any, *refs: Any) -> None:
        *node_refs, y_ref = refs
        pixels = _Pixels(pl.program_id(0) * PIXELS, shape)
        outs = pl.program_id(1) * wide + jnp.arange(wide)
        source = source_ref[0]

        def load(channels: Array, down: int = 0, right: int = 0) -> Array:
            return pixels.load(x_ref, source if reads == "relu" else 0, channels, down, right)

        def convolved(taps: list[tuple[Any, int, int, int, int]]) -> Array:
            total = jnp.zeros((PIXELS, wide), jnp.float32)
            for ref, i, j, down, right in taps:
                for begin in range(0, c, step):
                    ins = begin + jnp.arange(step)
                    inside = (ins[:, None] < c) & (outs[None, :] < d)
                    kernel = triton.load(ref.at[i, j, ins[:, None], outs[None, :]], mask=inside, other=0.0)
                    pixel = load(ins, down, right)
                    total += _dot(jnp.maximum(pixel, 0) if reads == "relu" else pixel, kernel)
            if reads == "cotangent":
                total = jnp.where(pixels.load(node_refs[0], source, outs) > 0, total, 0)
            return total

        def pooled() -> Array:
            total = jnp.zeros((PIXELS, wide), jnp.float32)
            for down, right in itertools.product((-1, 0, 1), repeat=2):
                near = load(outs, down, right)
                total += near / pixels.window(down, right)[:, None] if reads == "cotangent" else near
            return total if reads == "cotangent" else total / pixels.window()[:, None]

        three = [(w3_ref, i, j, i - 1, j - 1) for i in range(3) for j in range(3)]
        operations = [lambda: convolved([(w1_ref, 0, 0, 0, 0)]), lambda: convolved(three)]
        operations += [] if reads == "images" else [lambda: load(outs), pooled]
        y = jnp.zeros((PIXELS, wide), jnp.float32)
        for number, operation in enumerate(operations):
            y = lax.cond(which_ref[0] == number, operation, lambda y=y: y)
        pixels.store(y_ref, outs, y)

    grid = (-(-math.prod(shape) // PIXELS), -(-d // wide))
    return _call(block, (*shape, d), grid)(which.reshape(1), source.reshape(1), x, w1, w3, *nodes)


def _chosen_taps(which: Array, blocks: Array) -> tuple[Array, Array]:
    """Both kernels' cotangents from the sums of taps `[blocks, 9, C, D]`."""
    taps = blocks.sum(0)
    one, three = (jnp.where(which == number, taps, 0) for number in (0, 1))
    return one[4][None, None], three.reshape(3, 3, *taps.shape[1:])


def _summed(which: Array, source: Array, x: Array, ct: Array, relu: bool) -> Array:
    """The sums of the nine taps `[blocks, 9, C, D]` of x[source], or of its ReLU, each block's over its pixels."""
    c, d = x.shape[-1], ct.shape[-1]
    step, wide = _tile(c), _tile(d)
    count = math.prod(ct.shape[:3])
    blocks = max(1, count // PIXELS_OF_A_SUM)
    rounds, across = -(-count // (blocks * PIXELS)), -(-d // wide)

    def block(which_ref: Any, source_ref: Any, x_ref: Any, ct_ref: Any, out_ref: Any) -> None:
        part, tap, tile = (pl.program_id(axis) for axis in range(3))
        ins, outs = tile // across * step + jnp.arange(step), tile % across * wide + jnp.arange(wide)
        source = source_ref[0]

        def more(k: Array, total: Array) -> Array:
            pixels = _Pixels((part * rounds + k) * PIXELS, ct.shape[:3])
            image = pixels.load(x_ref, source, ins, tap // 3 - 1, tap % 3 - 1)
            return total + _dot((jnp.maximum(image, 0) if relu else image).T, pixels.load(ct_ref, 0, outs))

        number, nothing = which_ref[0], jnp.zeros((step, wide), jnp.float32)
        wanted = (number == 1) | ((number == 0) & (tap == 4))
        sums = lax.cond(wanted, lambda: lax.fori_loop(0, rounds, more, nothing), lambda: nothing)
        inside = (ins[:, None] < c) & (outs[None, :] < d)
        triton.store(out_ref.at[part, tap, ins[:, None], outs[None, :]], sums, mask=inside)

    grid = (blocks, 9, -(-c // step) * across)
    return _call(block, (blocks, 9, c, d), grid)(which.reshape(1), source.reshape(1), x, ct[None])


class _Pixels:
    """`PIXELS` pixels of `[B, H, W]` images one after another, from the one with this number."""

    def __init__(self, first: Array, shape: tuple[int, ...]):
        images, self.height, self.width = shape
        number = first + jnp.arange(PIXELS)
        self.there = number < images * self.height * self.width
        self.image = number // (self.height * self.width)
        self.row, self.column = number // self.width % self.height, number % self.width

    def load(self, ref: Any, node: Any, channels: Array, down: Any = 0, right: Any = 0) -> Array:
        """`[PIXELS, channels]` of a node of `[N, B, H, W, C]`, of the pixels so far below and to the right, zeros outside the images."""
        row, column = self.row + down, self.column + right
        there = self.there & (row >= 0) & (row < self.height) & (column >= 0) & (column < self.width)
        mask = there[:, None] & (channels[None, :] < ref.shape[-1])
        at = ref.at[node, self.image[:, None], row[:, None], column[:, None], channels[None, :]]
        return triton.load(at, mask=mask, other=0.0)

    def window(self, down: int = 0, right: int = 0) -> Array:
        """`[PIXELS]`: how many pixels of the 3x3 window around each of these pixels lie inside the image."""

        def inside(place: Array, size: int) -> Array:
            return 3 - (place == 0).astype(jnp.float32) - (place == size - 1).astype(jnp.float32)

        return inside(self.row + down, self.height) * inside(self.column + right, self.width)

    def store(self, ref: Any, channels: Array, values: Array) -> None:
        mask = self.there[:, None] & (channels[None, :] < ref.shape[-1])
        at = ref.at[self.image[:, None], self.row[:, None], self.column[:, None], channels[None, :]]
        triton.store(at, values, mask=mask)


def _dot(a: Array, b: Array) -> Array:
    if INTERPRETED:
        return jnp.dot(a, b, precision=lax.Precision.HIGHEST)
    exact = jax.config.jax_default_matmul_precision in ("highest", "float32")  # pyright: ignore[reportAttributeAccessIssue]
    preset = lax.DotAlgorithmPreset
    return jnp.dot(a, b, precision=preset.TF32_TF32_F32_X3 if exact else preset.TF32_TF32_F32)


def _tile(channels: int) -> int:
    """Channels of a block: a power of two, as Triton wants it, and 16 at least, as its products do."""
    return min(max(16, 1 << (channels - 1).bit_length()), TILE)


def _call(block: Any, shape: tuple[int, ...], grid: tuple[int, ...]) -> Any:
    """The program of all blocks of a grid, whose result is float32 of this shape."""
    result = jax.ShapeDtypeStruct(shape, jnp.float32)
    parameters = None if INTERPRETED else triton.CompilerParams(num_warps=WARPS, num_stages=1)
    return pl.pallas_call(block, out_shape=result, grid=grid, interpret=INTERPRETED, compiler_params=parameters)
