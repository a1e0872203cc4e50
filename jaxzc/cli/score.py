"""`jaxzc score`: architectures x seeds x proxies -> a Parquet table."""

import argparse
import copy
import time
from collections.abc import Iterator, Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxzc.cli import common
from jaxzc.costs import forward_passes
from jaxzc.data import Data
from jaxzc.proxies import PROXIES
from jaxzc.resolver import Proxy
from jaxzc.scoring import SpaceScorer
from jaxzc.selection import select
from jaxzc.tables import write_scores

ALWAYS = ("params", "flops")
"""Written whatever is asked for: a proxy that does not beat them measures size."""

HELP = "score architectures of a search space with zero-cost proxies"
EPILOG = """The first architecture compiles one program for all of them: seconds for naswot or l2_norm, minutes for all proxies.
`jaxzc proxies` lists the proxies; --set channels=4 --set cells=1 makes a small network for a first try.

examples:
  jaxzc score nasbench201 --sample 20 --proxies naswot --set channels=4 --set cells=1 --out first.parquet
  jaxzc score nasbench201 --sample 100 --out scores.parquet
  jaxzc score nasbench201 --all --proxies sweet_ntk,zico --data npz:cifar10.npz --out scores.parquet
  jaxzc score nasbench201 --archs mine.txt --proxies "zico(std_of='abs'),sweet_ntk(interval=(1e-4,5e-4))" --out scores.parquet
  jaxzc score nasbench201 --archs embedded --seed 0,1,2 --out scores.parquet

mine.txt holds one architecture a line, for example |nor_conv_3x3~0|+|none~0|skip_connect~1|+|avg_pool_3x3~0|none~1|nor_conv_1x1~2|
"""


def add(commands: Any) -> None:
    command = commands.add_parser("score", help=HELP, description=HELP, epilog=EPILOG, formatter_class=argparse.RawDescriptionHelpFormatter)
    common.add_network_arguments(command, batches=2)
    command.add_argument(
        "--seed",
        dest="seeds",
        type=common.seeds,
        default=(0,),
        metavar="S[,S...]",
        help="seed of images and weights, and of --sample; several give one row for each architecture and seed, "
        "of the sample that the first one draws (default: 0)",
    )
    common.add_arch_arguments(command, "default: 100")
    command.add_argument(
        "--proxies",
        default="founding",
        metavar="A,B,...",
        help="names, with settings in brackets; params and flops are always added; founding: those of the four founding papers, "
        "the default; all: every one",
    )
    command.add_argument("--out", required=True, metavar="FILE", help="Parquet file to write: arch, seed, one column per proxy")
    command.add_argument("--overwrite", action="store_true", help="replace FILE if it exists")
    command.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> None:
    out, seeds = Path(arguments.out), arguments.seeds
    common.check_out(out, arguments.overwrite)
    chosen = select(arguments.proxies)
    chosen |= {name: PROXIES[name] for name in ALWAYS if name not in chosen}
    common.check_sizes(chosen, arguments)
    space, draws = common.prepare(arguments, seeds)
    archs = common.architectures(arguments, space, sample=100, seed=seeds[0])
    scorer = SpaceScorer(space, draws[0].batches, chosen, weights=arguments.weights, init=arguments.init, norm=arguments.norm)
    total = len(archs) * len(seeds)
    started, first = time.perf_counter(), 0.0
    rows: list[dict[str, float]] = []
    for row in common.progress(_rows(scorer, archs, seeds, draws), total, arguments.quiet):
        rows.append(row)
        first = first or time.perf_counter() - started
    seconds = time.perf_counter() - started
    strings = [space.to_string(arch) for arch in archs]
    columns: dict[str, Any] = {"arch": strings * len(seeds), "seed": np.repeat(np.array(seeds, np.int64), len(archs))}
    columns |= {label: np.array([row[label] for row in rows]) for label in chosen}
    metadata = {
        "command": common.command_line(arguments),
        "space": repr(space),
        "proxies": list(chosen),
        "archs": _which(arguments, len(archs)),
        "seeds": list(seeds),
        "data": draws[0].name,
        "data_notes": [drawn.notes for drawn in draws],
        "data_digests": [drawn.digest for drawn in draws],
        "batch_size": arguments.batch_size,
        "batches": arguments.batches,
        "weights": arguments.weights,
        "init": arguments.init,
        "norm": arguments.norm,
        "costs": _costs(chosen, arguments, float(np.mean(columns["flops"]))),
        "seconds": round(seconds, 3),
        "seconds_first": round(first, 3),
        "versions": {name: version(name) for name in ("jaxzc", "jax", "flax")},
        "platform": jax.default_backend(),
    }
    write_scores(out, columns, metadata, overwrite=arguments.overwrite)
    print(_summary(out, columns, chosen, len(seeds), seconds, first))


def _rows(scorer: SpaceScorer, archs: np.ndarray, seeds: Sequence[int], draws: Sequence[Data]) -> Iterator[dict[str, float]]:
    """The scores of every architecture with the first seed, then with the second ...; every seed has images of its own."""
    for seed, drawn in zip(seeds, draws, strict=True):
        # A copy keeps the compiled program, which takes the images as an argument.
        of_seed = copy.copy(scorer)
        of_seed.batches = jax.tree.map(jnp.asarray, drawn.batches)
        yield from of_seed.each(archs, seed)


def _costs(chosen: Mapping[str, Proxy], arguments: argparse.Namespace, forward_flops: float) -> dict[str, dict[str, float]]:
    """Proxy -> forward passes over one batch that it is worth, and FLOPs for one architecture, whose forward pass of one image takes
    `forward_flops` on the average."""
    passes = {label: forward_passes(f, batch_size=arguments.batch_size, batches=arguments.batches) for label, f in chosen.items()}
    return {label: {"passes": number, "flops": number * arguments.batch_size * forward_flops} for label, number in passes.items()}


def _which(arguments: argparse.Namespace, count: int) -> str:
    """How the architectures were chosen, for the record."""
    if arguments.all:
        return f"all {count}"
    if arguments.archs is None:
        return f"{count} random ones"
    return f"{count} random ones of {arguments.archs}" if arguments.sample else f"all {count} of {arguments.archs}"


def _summary(out: Path, columns: dict[str, Any], chosen: Mapping[str, Proxy], seeds: int, seconds: float, first: float) -> str:
    n = len(columns["arch"])
    times = f" x {seeds} seeds" if seeds > 1 else ""
    rate = f", then {(seconds - first) / (n - 1):.2g} s per row" if n > 1 else ""
    lines = [f"{out}: {n // seeds} architectures{times}, {len(chosen)} scores each (compilation and first row {first:.1f} s{rate})"]
    for label in chosen:
        missing = int(np.count_nonzero(~np.isfinite(columns[label])))
        if missing:
            lines.append(f"  {label}: {missing} of {n} are NaN or infinite, kept as they are")
    return "\n".join(lines)
