"""What it costs to score a deep network of one's own: a bottleneck ResNet, by default ResNet-50 (25.6 million parameters) at 224 pixels.

    python benchmarks/own_network.py                       # batch 16, founding: minutes
    python benchmarks/own_network.py --plan                # compiles nothing: the memory of each form, and how many pieces are equal
    python benchmarks/own_network.py --size 64 --width 16 --whole   # and compiles whole as well

Prints seconds of the first score (traced, compiled, run) and of the next, the bytes that the program plans, the number of pieces and of
different ones, and the largest memory that the process has taken.
"""

import argparse
import math
import resource
import time
from collections.abc import Sequence
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import linen as nn

import jaxzc
from jaxzc._compile import pieces
from jaxzc._compile.cutting import cut
from jaxzc._compile.jaxpr import Trace, flatten
from jaxzc._compile.platforms import here
from jaxzc._compile.recomputing import recomputed

STAGES = (3, 4, 6, 3)


class Bottleneck(nn.Module):
    width: int
    stride: int = 1

    @nn.compact
    def __call__(self, x: Any, train: bool) -> Any:
        norm, conv = partial(nn.BatchNorm, use_running_average=not train), partial(nn.Conv, use_bias=False)
        y = nn.relu(norm()(conv(self.width, (1, 1))(x)))
        y = nn.relu(norm()(conv(self.width, (3, 3), (self.stride, self.stride))(y)))
        y = norm()(conv(4 * self.width, (1, 1))(y))
        if x.shape != y.shape:
            x = norm()(conv(4 * self.width, (1, 1), (self.stride, self.stride))(x))
        return nn.relu(x + y)


class ResNet(nn.Module):
    stages: Sequence[int] = STAGES
    width: int = 64
    classes: int = 1000

    @nn.compact
    def __call__(self, x: Any, train: bool = False) -> Any:
        x = nn.Conv(self.width, (7, 7), (2, 2), use_bias=False)(x)
        x = nn.max_pool(nn.relu(nn.BatchNorm(use_running_average=not train)(x)), (3, 3), (2, 2), "SAME")
        for stage, blocks in enumerate(self.stages):
            for block in range(blocks):
                x = Bottleneck(self.width * 2**stage, 2 if stage and not block else 1)(x, train)
        return nn.Dense(self.classes)(x.mean((1, 2)))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--proxies", default="founding")
    parser.add_argument("--size", type=int, default=224, help="of the images (default: %(default)s)")
    parser.add_argument("--batch", type=int, default=16, help="(default: %(default)s)")
    parser.add_argument("--width", type=int, default=64, help="of the first stage (default: %(default)s)")
    parser.add_argument("--stages", type=int, nargs="+", default=STAGES, help="blocks of each (default: %(default)s)")
    parser.add_argument("--plan", action="store_true", help="compile nothing")
    parser.add_argument("--whole", action="store_true", help="compile whole as well")
    arguments = parser.parse_args()
    model = ResNet(tuple(arguments.stages), arguments.width)
    rng = np.random.default_rng(0)
    images = rng.standard_normal((arguments.batch, arguments.size, arguments.size, 3), np.float32)
    batch = images, rng.integers(0, model.classes, arguments.batch)
    if arguments.plan:
        plan(model, batch, arguments.proxies)
        return
    variables = jax.jit(model.init)(jax.random.key(0), images[:1])
    print(f"{sum(leaf.size for leaf in jax.tree.leaves(variables['params'])) / 1e6:.1f} million parameters")
    for in_pieces in (True, False) if arguments.whole else (True,):
        measure(jaxzc.Scorer(model, arguments.proxies, pieces=in_pieces), variables, batch)


def measure(scorer: jaxzc.Scorer, variables: Any, batch: Any) -> None:
    """Prints what the first and the second score of one scorer cost."""
    before, processor = time.perf_counter(), time.process_time()
    planned = scorer.memory_of(variables, batch)
    print(f"{'in pieces' if scorer.recipe.pieces else 'whole'}: plans {planned / 1e9:.2f} GB", flush=True)
    compiled = time.perf_counter() - before, time.process_time() - processor
    scores: dict[str, float] = {}
    for number in range(2):
        start = time.perf_counter()
        scores = scorer.score(variables, batch)
        print(f"  score {number + 1}: {time.perf_counter() - start:.1f} s", flush=True)
    pieces_ = f"; {len(pieces.HELD)} different pieces" if scorer.recipe.pieces else ""
    print(f"  traced and compiled in {compiled[0]:.0f} s ({compiled[1]:.0f} of processors){pieces_}")
    print(f"  largest memory so far {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6:.2f} GB")
    print(f"  {scores}")


def plan(model: nn.Module, batch: Any, proxies: str) -> None:
    """Prints the memory of values that are alive together, and how many pieces are different, with and without recomputation."""
    inputs, targets = (jax.ShapeDtypeStruct(part.shape, part.dtype) for part in map(jnp.asarray, batch))
    variables = jax.eval_shape(model.init, jax.random.key(0), inputs)
    network, params = jaxzc.as_network(model, variables, inputs)

    def scores(params: Any, inputs: Any, targets: Any, key: Any) -> Any:
        return jaxzc.compute_scores(proxies, network, params, (inputs, targets), jaxzc.tasks.classification, key=key)

    before = time.perf_counter()
    program = flatten(jax.make_jaxpr(scores)(params, inputs, targets, jax.random.key(0)), here())
    print(f"traced in {time.perf_counter() - before:.0f} s: {len(program.ops)} operations")
    for name, form in (("as traced", program), ("recomputed", recomputed(program))):
        different = {piece.key for piece in cut(form)}
        print(f"{name}: {peak(form) / 1e9:.2f} GB alive at most; {len(cut(form))} pieces, {len(different)} different")


def peak(program: Trace) -> int:
    """Bytes of the values that are alive together, at most, without the temporaries of pieces."""
    sizes = [math.prod(aval.shape) * aval.dtype.itemsize for aval in program.avals]
    alive, most = set(program.outputs), 0
    total = sum(sizes[value] for value in alive)
    for piece in reversed(cut(program)):
        new = {*piece.outputs, *piece.inputs} - alive
        alive |= new
        total += sum(sizes[value] for value in new)
        most = max(most, total)
        gone = alive & set(piece.outputs)
        alive -= gone
        total -= sum(sizes[value] for value in gone)
    return most


if __name__ == "__main__":
    main()
