"""3x3 convolutions on a CPU: the forms that `jaxzc_spaces/conv3x3.py` chooses from, on one processor and on all.

    python benchmarks/convolutions.py

Prints Markdown: milliseconds (least of 20) of every form of the convolution and of its kernel's gradient, at NAS-Bench-201's widths and
batch 64. The first number is of a process on one processor, the second of one on all; a star marks the form that is taken there.
"""

import json
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxzc_spaces.cells import conv3x3

from jaxzc._parallel.processors import placed, usable

SHAPES = [(32, 16, 16), (32, 32, 16), (16, 32, 32), (16, 64, 32), (8, 64, 64), (8, 128, 64)]
"""(pixels of a side, C, D); twice as many channels go in where a Hessian-vector product adds two convolutions."""
VALUES = (conv3x3.plain, conv3x3.shifted_rows, conv3x3.shifted_columns)
KERNELS = (conv3x3.product, conv3x3.image_kernel, conv3x3.row_kernel)


def best(function: Callable[..., Any], *arrays: jax.Array) -> float:
    """Milliseconds."""
    compiled, times = jax.jit(function), []
    jax.block_until_ready(compiled(*arrays))
    for _ in range(20):
        started = time.perf_counter()
        jax.block_until_ready(compiled(*arrays))
        times.append(time.perf_counter() - started)
    return 1000 * min(times)


def here() -> list[list[float]]:
    """Of every shape the forms' milliseconds, on this process's processors, and the numbers of the two that are chosen."""
    rows, rng = [], np.random.default_rng(0)
    for side, c, d in SHAPES:
        x, ct = (jnp.asarray(rng.standard_normal((64, side, side, n)), jnp.float32) for n in (c, d))
        w = jnp.asarray(rng.standard_normal((3, 3, c, d)), jnp.float32)
        taken: list[int] = []
        for forms, chooser, arrays in ((VALUES, conv3x3.conv3x3, (x, w)), (KERNELS, conv3x3.conv3x3_kernel, (x, ct))):
            program = str(jax.make_jaxpr(chooser.fun)(*arrays))
            taken += [number for number, form in enumerate(forms) if str(jax.make_jaxpr(form)(*arrays)) == program]
        rows.append([*(best(form, x, w) for form in VALUES), *(best(form, x, ct) for form in KERNELS), *taken])
    return rows


def elsewhere(cores: list[int]) -> list[list[float]]:
    with placed(cores):
        told = subprocess.run([sys.executable, __file__, "--here"], stdout=subprocess.PIPE, text=True, check=True)
    return json.loads(told.stdout)


def main() -> None:
    if "--here" in sys.argv:
        print(json.dumps(here()))
        return
    every = usable()
    one, all_of_them = elsewhere(every[:1]), elsewhere(every)
    names = [form.__name__ for form in (*VALUES, *KERNELS)]
    print(f"| pixels, channels in, out | {' | '.join(names)} |\n|{'---|' * (1 + len(names))}")
    for shape, *both in zip(SHAPES, one, all_of_them, strict=True):
        cells = []
        for number in range(6):
            chosen = [int(row[6 + number // 3]) == number % 3 for row in both]
            cells.append(", ".join(f"{row[number]:.1f}{'*' if star else ''}" for row, star in zip(both, chosen, strict=True)))
        print(f"| {shape[0]}x{shape[0]}, {shape[1]}, {shape[2]} | {' | '.join(cells)} |")


if __name__ == "__main__":
    main()
