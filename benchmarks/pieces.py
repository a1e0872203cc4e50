"""What a network costs in a space where each is a program of its own: compiled whole, and in pieces that others have had before.

    python benchmarks/pieces.py resnet_zen --proxies tcet_snip --size 16
    python benchmarks/pieces.py mobilenetv2_zen --proxies zico --networks 16 --whole 2
    python benchmarks/pieces.py autoformer --set size=tiny --set patch=8 --init normal_0.02 --batch 8 --random --networks 6 --whole 0

    python benchmarks/pieces.py nds_darts --random --networks 14 --dry

The networks are those of a search's first steps: each has two blocks of one of the 16 before it replaced; or random ones. Processor seconds
of the first score (weights drawn, traced, compiled and run), and of scoring again; nothing is kept on disk. With --dry nothing is compiled
and all pieces are held: how many each network is the first to need.
"""

import argparse
import ast
import statistics
import time
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

import jaxzc
from jaxzc._compile import memory, pieces


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("space")
    parser.add_argument("--proxies", default="zico")
    parser.add_argument("--size", type=int, default=32, help="of the images")
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--set", action="append", default=[], metavar="OPTION=VALUE", help="of the space")
    parser.add_argument("--init", default="torch", help="initialiser")
    parser.add_argument("--random", action="store_true", help="random networks")
    parser.add_argument("--networks", type=int, default=30)
    parser.add_argument("--whole", type=int, default=2, help="how many, the last, are compiled whole as well")
    parser.add_argument("--dry", action="store_true", help="count pieces, compile none")
    arguments = parser.parse_args()
    shape = (arguments.size, arguments.size, 3)
    options = dict(option(text) for text in arguments.set)
    space = jaxzc.space(arguments.space, classes=10, inputs=shape, **options)
    rng = np.random.default_rng(0)
    batches = [
        (rng.standard_normal((arguments.batch, *shape)).astype(np.float32), rng.integers(0, 10, arguments.batch).astype(np.int32))
        for _ in range(2)
    ]
    archs = space.sample(rng, arguments.networks) if arguments.random else networks(space, arguments.networks, rng)
    cut, whole = (jaxzc.SpaceScorer(space, batches, arguments.proxies, init=arguments.init, pieces=by) for by in (True, False))
    if arguments.dry:
        count(cut, archs)
        return
    first: list[float] = []
    for number, arch in enumerate(archs):
        before = set(pieces.HELD)
        first.append(seconds(cut, arch))
        new = len(set(pieces.HELD) - before)
        line = f"{number}: {space.counts(arch[None]).layers[0]} layers; pieces {first[-1]:.2f} s, {new} compiled"
        line += f", again {seconds(cut, arch):.2f} s"
        if number >= len(archs) - arguments.whole:
            line += f"; whole {seconds(whole, arch):.2f} s, again {seconds(whole, arch):.2f} s"
        print(line, flush=True)
    half = len(first) // 2
    print(f"median of the first {half}: {statistics.median(first[:half]):.2f} s, of the others: {statistics.median(first[half:]):.2f} s")


def option(text: str) -> tuple[str, Any]:
    """`patch=8`, `size=tiny`, `widths=(8,12)`."""
    name, _, value = text.partition("=")
    return name, ast.literal_eval(value) if value[:1].isdigit() or value[:1] == "(" else value


def count(scorer: jaxzc.SpaceScorer, archs: np.ndarray) -> None:
    """Prints how many pieces each network has that none before it had. Pieces give zeros."""

    def compile_none(program: Any, folder: Any, settings: Any, piece: pieces.Piece) -> pieces.Compiled:
        return pieces.Compiled(lambda *values: [zeros(program.avals[value]) for value in piece.outputs], 0)

    def zeros(aval: Any) -> Any:
        if not jnp.issubdtype(aval.dtype, jax.dtypes.prng_key):
            return np.zeros(aval.shape, aval.dtype)
        return jax.random.split(jax.random.key(0), aval.shape) if aval.shape else jax.random.key(0)

    pieces._compile, memory.MOST, memory.SHORT = compile_none, 10**9, 0
    for number, arch in enumerate(archs):
        before = len(pieces.HELD)
        scorer.one(arch)
        print(f"{number}: {len(pieces.HELD) - before} new pieces, {len(pieces.HELD)} in all", flush=True)


def networks(space: Any, count: int, rng: np.random.Generator) -> list[np.ndarray]:
    """The space's initial network, or a random one, and what a search makes of it."""
    chain = [space.initial if hasattr(space, "initial") else space.sample(rng, 1)[0]]
    while len(chain) < count:
        parent = chain[rng.integers(max(0, len(chain) - 16), len(chain))][None]
        chain.append(space.mutate(rng, space.mutate(rng, parent))[0])
    return chain


def seconds(scorer: jaxzc.SpaceScorer, arch: np.ndarray) -> float:
    """Processor seconds of one network's scores."""
    before = time.process_time()
    scorer.one(arch)
    return time.process_time() - before


if __name__ == "__main__":
    main()
