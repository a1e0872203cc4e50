"""`jaxzc score`: architectures x proxies -> a Parquet table."""

import argparse
import time
from importlib.metadata import version
from pathlib import Path
from typing import Any

import jax
import numpy as np

from jaxzc.cli import common
from jaxzc.scoring import SpaceScorer
from jaxzc.selection import select
from jaxzc.tables import write_scores
from jaxzc.types import JaxzcError

ALWAYS = ("params", "flops")
"""Written whatever is asked for: a proxy that does not beat them measures size."""

HELP = "score architectures of a search space with zero-cost proxies"
EPILOG = """examples:
  jaxzc score nasbench201 --sample 100 --out scores.parquet
  jaxzc score nasbench201 --all --proxies sweet_ntk,zico --data npz:cifar10.npz --out scores.parquet
  jaxzc score nasbench201 --archs mine.txt --proxies "zico(std_of='abs'),sweet_ntk(interval=(1e-4,5e-4))" --out scores.parquet
"""


def add(commands: Any) -> None:
    command = commands.add_parser("score", help=HELP, description=HELP, epilog=EPILOG, formatter_class=argparse.RawDescriptionHelpFormatter)
    common.add_network_arguments(command, batches=2)
    common.add_arch_arguments(command, "default: 100")
    command.add_argument("--proxies", default="all", metavar="A,B,...", help="names, with settings in brackets; `jaxzc proxies` lists them (default: all)")
    command.add_argument("--out", required=True, metavar="FILE", help="Parquet file to write: arch, seed, one column per proxy, params, flops")
    command.add_argument("--overwrite", action="store_true", help="replace FILE if it exists")
    command.add_argument("--quiet", action="store_true", help="no progress bar")
    command.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> None:
    out = Path(arguments.out)
    _check_out(out, arguments.overwrite)
    chosen = select(arguments.proxies)
    chosen = {**chosen, **select([name for name in ALWAYS if name not in chosen] or ALWAYS)}
    space, drawn = common.prepare(arguments)
    archs = common.architectures(arguments, space, sample=100)
    scorer = SpaceScorer(space, drawn.batches, chosen, weights=arguments.weights, init=arguments.init, norm=arguments.norm)
    started = time.perf_counter()
    rows = []
    for row in common.progress(scorer.each(archs, arguments.seed), len(archs), arguments.quiet):
        rows.append(row)
        first = time.perf_counter() - started if len(rows) == 1 else first
    seconds = time.perf_counter() - started
    columns: dict[str, Any] = {"arch": [space.to_string(a) for a in archs], "seed": np.full(len(archs), arguments.seed)}
    columns |= {label: np.array([row[label] for row in rows]) for label in chosen}
    metadata = {
        "space": repr(space),
        "proxies": list(chosen),
        "data": drawn.name,
        "data_notes": drawn.notes,
        "data_digest": drawn.digest,
        "batch_size": arguments.batch_size,
        "batches": arguments.batches,
        "seed": arguments.seed,
        "weights": arguments.weights,
        "init": arguments.init,
        "norm": arguments.norm,
        "seconds": round(seconds, 3),
        "seconds_first": round(first, 3),
        "versions": {name: version(name) for name in ("jaxzc", "jax", "flax")},
        "platform": jax.default_backend(),
    }
    write_scores(out, columns, metadata, overwrite=arguments.overwrite)
    print(_summary(out, columns, chosen, seconds, first))


def _check_out(out: Path, overwrite: bool) -> None:
    """The same refusals as when writing, before an hour of scoring rather than after."""
    if out.exists() and not overwrite:
        raise JaxzcError(f"{out} exists: choose another name, or add --overwrite")
    if not out.absolute().parent.is_dir():
        raise JaxzcError(f"there is no directory {out.absolute().parent} for {out.name}: create it first")


def _summary(out: Path, columns: dict[str, Any], chosen: Any, seconds: float, first: float) -> str:
    n = len(columns["arch"])
    rate = f", then {(seconds - first) / (n - 1):.2f} s per architecture" if n > 1 else ""
    lines = [f"{out}: {n} architectures, {len(chosen)} scores each (compilation and first architecture {first:.1f} s{rate})"]
    for label in chosen:
        missing = int(np.count_nonzero(~np.isfinite(columns[label])))
        if missing:
            lines.append(f"  {label}: {missing} of {n} are NaN or infinite, kept as they are")
    return "\n".join(lines)
