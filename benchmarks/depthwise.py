"""Depthwise convolutions on a CPU: XLA's own and sums of shifted images, in turn; then a whole network's score with both.

    python benchmarks/depthwise.py

Milliseconds (the best of several), their ratio, and XLA's scratch memory in MB.
"""

import itertools
import time
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from timing import best

import jaxzc
from jaxzc._compile import convolutions
from jaxzc._compile.convolutions import depthwise

SHAPES = ((32, 32, 16, 3, 1), (32, 32, 48, 5, 1), (64, 16, 32, 3, 2), (16, 16, 96, 3, 1), (16, 8, 240, 5, 1), (16, 4, 1152, 7, 1))
"""Images, their side, channels, kernel, stride."""


def main() -> None:
    print("| images, pixels, channels, kernel, stride | of | XLA, ms | sums, ms | ratio | scratch, MB |")
    print("|---|---|---|---|---|---|")
    for images, side, channels, size, stride in SHAPES:
        rng = np.random.default_rng(0)
        conv = convolution(stride, (size - 1) // 2)
        x, w = (jnp.asarray(rng.standard_normal(s), jnp.float32) for s in ((images, side, side, channels), (size, size, 1, channels)))
        g = jnp.asarray(rng.standard_normal(jax.eval_shape(conv, x, w).shape), jnp.float32)
        kinds: dict[str, Callable[..., Any]] = {
            "itself": lambda x, w, g, conv=conv: conv(x, w),
            "the gradient of its images": lambda x, w, g, conv=conv: jax.vjp(lambda x: conv(x, w), x)[1](g),
            "the gradient of its kernel": lambda x, w, g, conv=conv: jax.vjp(lambda w: conv(x, w), w)[1](g),
        }
        for kind, function in kinds.items():
            both = [jax.jit(f).lower(x, w, g).compile() for f in (function, convolutions.rewritten(function))]
            scratch = [getattr(program.memory_analysis(), "temp_size_in_bytes", 0) / 1e6 for program in both]
            xla, sums = (1e3 * best(program, x, w, g) for program in both)
            row = f"| {images}, {side}x{side}, {channels}, {size}x{size}, {stride} | {kind} | {xla:.2f} | {sums:.2f} | {xla / sums:.1f} |"
            print(f"{row} {scratch[0]:.1f}, {scratch[1]:.1f} |", flush=True)
    network()


def convolution(stride: int, padding: int) -> Callable[[Any, Any], Any]:
    return lambda x, w: lax.conv_general_dilated(
        x, w, (stride,) * 2, ((padding,) * 2,) * 2, feature_group_count=x.shape[-1], dimension_numbers=("NHWC", "HWIO", "NHWC")
    )


def network() -> None:
    """ZiCo of the initial chain of mobilenetv2_zen, 32x32, batch 32, two batches: processor seconds of scoring it again."""
    space = jaxzc.space("mobilenetv2_zen", classes=10, inputs=(32, 32, 3))
    rng = np.random.default_rng(0)
    batches = [(rng.standard_normal((32, 32, 32, 3)).astype(np.float32), rng.integers(0, 10, 32).astype(np.int32)) for _ in range(2)]
    pixels, scorers = depthwise.MOST_PIXELS, []
    for most in (0, pixels):  # with 0 all is left to XLA
        depthwise.MOST_PIXELS = most
        scorers.append(jaxzc.SpaceScorer(space, batches, "zico"))
        scorers[-1].one(space.initial)
    seconds: list[list[float]] = [[], []]
    for (number, scorer), _ in itertools.product(enumerate(scorers), range(5)):
        start = time.process_time()
        scorer.one(space.initial)
        seconds[number].append(time.process_time() - start)
    xla, sums = map(min, seconds)
    print(f"\nzico of mobilenetv2_zen's initial chain: {xla:.2f} s with XLA's, {sums:.2f} s with sums, ratio {xla / sums:.1f}; ", end="")
    print(f"planned memory {scorers[0].memory / 1e6:.0f} and {scorers[1].memory / 1e6:.0f} MB")


if __name__ == "__main__":
    main()
