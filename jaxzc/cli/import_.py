"""`jaxzc import`: ground truth from the official files of the benchmarks."""

import argparse
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from jaxzc.catalogue import spaces
from jaxzc.cli.arguments import Subcommands
from jaxzc.cli.arguments.numbers import positive
from jaxzc.cli.arguments.outputs import check_table
from jaxzc.cli.terminal import note
from jaxzc.tables import write_scores
from jaxzc.types import JaxzcError

HELP = "turn a benchmark's official files into a small table of ground truth"
EPILOG = """The table is for `jaxzc evaluate --table`. The benchmarks' own packages (and TensorFlow, PyTorch) are not needed, pickles are
not trusted, and memory stays small whatever the size of the files.

examples:
  jaxzc import nats-bench NATS-tss-v1_0-3ffb9-simple.tar --out nasbench201.parquet
  jaxzc import nasbench101 nasbench_only108.tfrecord --out nasbench101.parquet
  jaxzc import nds nds_data/DARTS.json --out nds_darts.parquet
  jaxzc import transnasbench101 transnas-bench_v10141024.pth --out transnas.parquet
  jaxzc import naslib zc_nasbench201.json --out nasbench201_valid.parquet
  jaxzc import naslib zc_nasbench201.json --scores cifar10 --out published_scores.parquet
  jaxzc import table pytorchcv.csv --space published --arch-column model --where section=ImageNet-1K --error top1_error --out truth.csv
"""

Progress = Callable[[int], Any]

WHOLE = {"nats-bench": (15_625, 32_768), "nasbench101": (423_624,), "transnasbench101": (7_352,)}
"""Architectures of the whole benchmark: topology or size space; ...; 4,096 of micro and 3,256 of macro. A file cut between two records
shows nothing else."""


def add(commands: Subcommands) -> None:
    formatter = argparse.RawDescriptionHelpFormatter
    command = commands.add_parser("import", help=HELP, description=HELP, epilog=EPILOG, formatter_class=formatter)
    kinds = command.add_subparsers(dest="benchmark", metavar="BENCHMARK", required=True, title="benchmarks")

    nats = _add(kinds, "nats-bench", _nats_bench, "NATS-Bench (NAS-Bench-201, size space): the -simple directory, or its .tar unopened")
    nats.add_argument("--epochs", type=positive, metavar="N", help="which training (default: the longest: 200, size space 90)")

    nasbench101 = _add(kinds, "nasbench101", _nasbench101, "NAS-Bench-101: nasbench_full.tfrecord or nasbench_only108.tfrecord")
    nasbench101.add_argument(
        "--epochs", type=positive, default=108, metavar="N", help="which training: 4, 12, 36 or 108 (default: %(default)s)"
    )
    _add(kinds, "nds", _nds, "NDS: JSON files of nds_data, of one data set")
    _add(kinds, "transnasbench101", _transnasbench101, "TransNAS-Bench-101: transnas-bench_v10141024.pth")

    naslib = _add(kinds, "naslib", _naslib, "NAS-Bench-Suite-Zero: zc_SPACE.json; accuracies, or with --scores its 13 proxies")
    naslib.add_argument("--scores", metavar="TASK", help="write the scores of this task's proxies, for `jaxzc evaluate`, and no accuracies")
    naslib.add_argument("--space", metavar="NAME", help="search space (default: from the name of the file)")

    table = _add(kinds, "table", _table, "anybody's CSV or Parquet: architectures that a space can read, and columns of numbers")
    table.add_argument("--space", required=True, metavar="NAME", help="search space")
    table.add_argument("--arch-column", default="arch", metavar="NAME", help="column of the architectures (default: %(default)s)")
    table.add_argument("--where", action="append", default=[], metavar="NAME=TEXT", help="only rows with this text there; repeatable")
    table.add_argument("--error", action="append", default=[], metavar="NAME", help="errors in per cent: add 100 less them; repeatable")


def _add(kinds: Any, name: str, read: Callable[[argparse.Namespace, list[Path]], dict[str, Any]], text: str) -> argparse.ArgumentParser:
    command = kinds.add_parser(name, help=text, description=text)
    command.add_argument("files", nargs="+", metavar="FILE", help="official files")
    command.add_argument("--out", required=True, metavar="TABLE", help="Parquet or CSV file to write: arch, metrics, params, flops")
    command.add_argument("--overwrite", action="store_true", help="replace TABLE if it exists")
    command.add_argument("--quiet", action="store_true", help="no progress bar")
    command.set_defaults(run=run, read=read)
    return command


def run(arguments: argparse.Namespace) -> None:
    out = Path(arguments.out)
    check_table(out, arguments.overwrite)
    paths = [Path(file) for file in arguments.files]
    if len(set(paths)) < len(paths):
        raise JaxzcError(f"{' '.join(arguments.files)}: a file is given twice: keep one of them")
    columns = arguments.read(arguments, paths)
    metadata = {
        "benchmark": arguments.benchmark,
        "files": [path.name for path in paths],
        **{name: value for name in ("epochs", "scores", "space") if (value := getattr(arguments, name, None)) is not None},
    }
    if metadata.get("scores"):
        metadata["proxies"] = [name for name in columns if name != "arch"]
    write_scores(out, columns, metadata, overwrite=arguments.overwrite)
    print(_summary(out, columns))
    if (whole := WHOLE.get(arguments.benchmark)) is not None and len(columns["arch"]) not in whole:
        print(f"  the benchmark has {' or '.join(f'{n:,}' for n in whole)} architectures: this is a part, or a download that broke off")


def _nats_bench(arguments: argparse.Namespace, paths: list[Path]) -> dict[str, Any]:
    from jaxzc.tables.importers import read_nats_bench

    with _bar(arguments, None, "arch") as progress:
        return read_nats_bench(paths, arguments.epochs, progress)


def _nasbench101(arguments: argparse.Namespace, paths: list[Path]) -> dict[str, Any]:
    from jaxzc.tables.importers import read_nasbench101

    with _bar(arguments, paths) as progress:
        return read_nasbench101(paths, arguments.epochs, progress)


def _nds(arguments: argparse.Namespace, paths: list[Path]) -> dict[str, Any]:
    from jaxzc.tables.importers import read_nds

    with _bar(arguments, paths) as progress:
        return read_nds(paths, progress)


def _transnasbench101(arguments: argparse.Namespace, paths: list[Path]) -> dict[str, Any]:
    from jaxzc.tables.importers import read_transnasbench101

    return read_transnasbench101(paths)


def _naslib(arguments: argparse.Namespace, paths: list[Path]) -> dict[str, Any]:
    from jaxzc.tables.importers import read_naslib, read_naslib_scores

    with _bar(arguments, paths) as progress:
        if arguments.scores is None:
            return read_naslib(paths, arguments.space, progress)
        if len(paths) > 1:
            raise JaxzcError(f"--scores takes the proxies of one file, {len(paths)} were given: import them one by one")
        return read_naslib_scores(paths[0], arguments.scores, arguments.space, progress)


def _table(arguments: argparse.Namespace, paths: list[Path]) -> dict[str, Any]:
    from jaxzc.tables.importers import read_foreign

    if len(paths) > 1:
        raise JaxzcError(f"one table at a time, {len(paths)} were given: import them one by one")
    where = {}
    for condition in arguments.where:
        name, equals, text = condition.partition("=")
        if not (name and equals):
            raise JaxzcError(f"--where {condition!r}: expected NAME=TEXT, a column and what stands there")
        where[name] = text
    foreign = read_foreign(paths[0], spaces.maker(arguments.space)(), arguments.arch_column, where=where, errors=arguments.error)
    if foreign.refused:
        unread = f"{len(foreign.refused)} of {foreign.rows} rows"
        note(f"{unread} are left out, because their architectures are none of {arguments.space}, such as {foreign.refused[0]!r}")
    return foreign.table


@contextmanager
def _bar(arguments: argparse.Namespace, paths: list[Path] | None, unit: str = "B") -> Iterator[Progress]:
    """A progress bar over the bytes of the files (None: of unknown length); gives its update."""
    from tqdm.auto import tqdm

    total = None if paths is None else sum(path.stat().st_size for path in paths if path.is_file())
    interval = 0.1 if sys.stderr.isatty() else 30
    with tqdm(total=total, unit=unit, unit_scale=paths is not None, desc="reading", mininterval=interval, disable=arguments.quiet) as bar:
        yield bar.update


def _summary(out: Path, columns: dict[str, Any]) -> str:
    lines = [f"{out}: {len(columns['arch']):,} architectures, {out.stat().st_size / 1e6:.2f} MB"]
    for name, values in columns.items():
        if name == "arch":
            continue
        finite = np.asarray(values)[np.isfinite(values)]
        spread = f"{finite.min():.6g} to {finite.max():.6g}, median {np.median(finite):.6g}" if len(finite) else "nothing"
        missing = len(values) - len(finite)
        lines.append(f"  {name:24} {spread}" + (f"; {missing:,} missing" if missing else ""))
    return "\n".join(lines)
