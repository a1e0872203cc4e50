"""Which sizes of blocks suit the Triton programs of a GPU's side-by-side form (`jaxzc_spaces/cells/side_by_side.py`).

    python benchmarks/gpu_kernels.py            # writes gpu_kernels.jsonl: two minutes on a GPU
    python benchmarks/gpu_kernels.py --toy      # tries the script on a CPU, where Pallas interprets the programs

For each stage of NAS-Bench-201 (C=16, batch 64), an edge of sixteen architectures side by side, a fifth of which has each operation:
microseconds of what the operations give and of the kernels' gradients, and the bytes that must be moved, for each combination of sizes.
"""

import argparse
import itertools
import json
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxzc_spaces.cells import side_by_side

LANES, NODES = 16, 2
STAGES = [(64, 32, 16), (64, 16, 32), (64, 8, 64)]
"""Batch, height and width, channels."""
SIZES: dict[str, dict[str, list[int]]] = {
    "value": {"PIXELS": [32, 64, 128], "WARPS": [1, 2, 4, 8]},
    "kernels_of": {"PIXELS": [32, 64], "WARPS": [1, 2, 4], "PIXELS_OF_A_SUM": [512, 2048]},
}
REPEATS = 20


def main(argv: Sequence[str] | None = None) -> list[dict[str, Any]]:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--toy", action="store_true", help="one small stage and one combination of sizes, interpreted")
    parser.add_argument("--out", type=Path, default=Path("gpu_kernels.jsonl"))
    arguments = parser.parse_args(argv)
    side_by_side.INTERPRETED = arguments.toy
    rows = []
    for stage in [(2, 4, 16)] if arguments.toy else STAGES:
        for name, sizes in SIZES.items():
            for values in itertools.product(*(some[:1] if arguments.toy else some for some in sizes.values())):
                chosen = dict(zip(sizes, values, strict=True))
                rows.append({"stage": stage, "program": name, **chosen, **measure(name, chosen, *stage)})
                print(json.dumps(rows[-1]), flush=True)
                arguments.out.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return rows


def measure(name: str, sizes: dict[str, int], batch: int, side: int, channels: int) -> dict[str, Any]:
    """Microseconds of one program with these sizes, or why it does not run."""
    for size, value in sizes.items():
        setattr(side_by_side, size, value)
    rng = np.random.default_rng(0)
    which = jnp.asarray(rng.permutation([0, 1, 2, 3, -1] * LANES)[:LANES], jnp.int32)
    nodes, ct = (jnp.asarray(rng.normal(size=(LANES, *axes, side, side, channels)), jnp.float32) for axes in ((NODES, batch), (batch,)))
    w1, w3 = (jnp.asarray(rng.normal(size=(LANES, k, k, channels, channels)), jnp.float32) for k in (1, 3))
    given = (which, jnp.int32(1), nodes, *((w1, w3) if name == "value" else (ct,)))
    jax.clear_caches()  # of programs of other sizes
    with jax.default_matmul_precision("highest"):
        program = jax.jit(jax.vmap(getattr(side_by_side, name), (0, None, *[0] * (len(given) - 2))))
        try:
            jax.block_until_ready(program(*given))
        except Exception as error:  # too much shared memory, say: the next sizes are to be tried
            return {"error": str(error).splitlines()[0][:120]}
        started = time.perf_counter()
        jax.block_until_ready([program(*given) for _ in range(REPEATS)])
    seconds = (time.perf_counter() - started) / REPEATS
    read = int((which >= 0).sum())
    convolved = int(((which == 0) | (which == 1)).sum())
    images = read + LANES if name == "value" else 2 * convolved
    return {"us": round(1e6 * seconds, 1), "bytes": images * 4 * batch * side * side * channels}


if __name__ == "__main__":
    main()
