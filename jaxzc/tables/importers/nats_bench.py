"""NATS-Bench, topology (= NAS-Bench-201) and size space: the directories `NATS-tss-v1_0-3ffb9-simple` and `NATS-sss-v1_0-50262-simple`.

Source: Dong et al., NATS-Bench, TPAMI 2021. Each architecture has one file: a bz2-compressed pickle of a dictionary, from the number of
training epochs (text) to the results of all data sets and seeds. The benchmark's own package `nats_bench` loads these files with
`pickle.load`, which runs any code that a file contains. The files hold plain dictionaries only, so the restricted reader
(`jaxzc.tables.importers.pickles`) can read them without the package. This module averages over seeds as the package does; the tests compare
both. A .tar is read as a stream, so nobody has to unpack its 15,625 files.
"""

import bz2
import re
import tarfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, Any

import numpy as np

from jaxzc.tables.importers import pickles
from jaxzc.tables.importers.means import Table, whole
from jaxzc.types import JaxzcError

ADVICE = "give the official NATS-tss-v1_0-3ffb9-simple or NATS-sss-v1_0-50262-simple, as a directory or as its .tar, downloaded again"

COLUMNS = {
    "cifar10_valid": ("cifar10-valid", "x-valid"),
    "cifar10_valid_test": ("cifar10-valid", "ori-test"),
    "cifar10_test": ("cifar10", "ori-test"),
    "cifar100_valid": ("cifar100", "x-valid"),
    "cifar100_test": ("cifar100", "x-test"),
    "imagenet16_120_valid": ("ImageNet16-120", "x-valid"),
    "imagenet16_120_test": ("ImageNet16-120", "x-test"),
}
"""Column of the table -> the benchmark's names of the data set that a network was trained on and of the split that it was evaluated on.
The networks of `cifar10_test` were trained on all 50,000 training images, those of `cifar10_valid_test` on the training half only."""

REFERENCE_SEED = 888
"""In some files the seeds disagree about parameters and FLOPs, a known defect. The values of this seed are right; the package uses it,
too."""

_FILE = re.compile(r"(?:^|/)\d+\.pickle\.pbz2$")


def read_nats_bench(paths: Sequence[Path], epochs: int | None = None, progress: Callable[[int], Any] | None = None) -> Table:
    """Reads the benchmark into a table with one row per architecture.

    The columns are `arch` (the official string); one for each name in `COLUMNS` (top-1 accuracy in per cent after the last epoch, the mean
    over seeds, NaN where the file has no such result); `params` and `flops`, counts of the CIFAR-10 network; and `runs`, the number of
    seeds that `cifar10_test` averages.

    paths: directories or .tar files. Every architecture may occur once only.
    epochs: length of the training to read. None means the longest: 200 epochs in the topology space, 90 in the size space.
    progress: called with 1 after each architecture.
    Memory: holds the file of one architecture at a time.
    Raises `JaxzcError` where a path does not exist or holds no architectures, where a file is damaged or of another format, where an
    architecture occurs twice, and where no training has the wanted length.
    """
    names = [*COLUMNS, "params", "flops", "runs"]
    archs: dict[str, str] = {}
    values: dict[str, list[float]] = {name: [] for name in names}
    for name, file in (pair for path in paths for pair in _files(path)):
        try:
            content = pickles.load(file, name, ADVICE)
            arch, row = _row(content, epochs)
        except (KeyError, TypeError, AttributeError, IndexError, ValueError) as error:
            if isinstance(error, JaxzcError):
                raise
            raise JaxzcError(f"{name} holds no results of NATS-Bench ({type(error).__name__}: {error}): {ADVICE}") from error
        if arch in archs:
            raise JaxzcError(f"{name} repeats {arch} of {archs[arch]}: give each architecture once")
        archs[arch] = name
        for column in names:
            values[column].append(row.get(column, np.nan))
        if progress is not None:
            progress(1)
    return {"arch": list(archs), **{name: whole(name, np.array(column)) for name, column in values.items()}}


def _files(path: Path) -> Iterator[tuple[str, IO[bytes]]]:
    """Yields the name of each architecture's file, and a file object that reads its decompressed content."""
    if not path.exists():
        raise JaxzcError(f"there is no {path}: check the path")
    if path.is_dir():
        files = sorted(file for file in path.iterdir() if _FILE.search(file.name))
        empty = not files
        for file in files:
            try:
                raw = open(file, "rb")  # noqa: SIM115 (closed by the next with)
            except OSError as error:
                raise JaxzcError(f"{file} cannot be opened ({error.strerror}): {ADVICE}") from error
            with raw, bz2.open(raw, "rb") as content:
                yield str(file), content
    elif path.name.endswith(".tar"):
        empty = True
        try:
            with tarfile.open(path, "r:") as archive:
                for member in archive:
                    content = archive.extractfile(member) if member.isfile() and _FILE.search(member.name) else None
                    if content is not None:
                        empty = False
                        with bz2.open(content, "rb") as content:
                            yield f"{path}/{member.name}", content
                _check_end(path, archive.offset)
        except (OSError, tarfile.TarError) as error:
            raise JaxzcError(f"{path} cannot be read ({error}): {ADVICE}") from error
    else:
        raise JaxzcError(f"{path} is neither a directory nor a .tar: {ADVICE} (the single .pickle.pbz2 file needs tens of GB to open)")
    if empty:
        raise JaxzcError(f"{path} has no files such as 000000.pickle.pbz2: {ADVICE}")


def _check_end(path: Path, end: int) -> None:
    """Raises `JaxzcError` where the archive is incomplete: a whole archive has a block of zeros at byte `end`.

    The check is needed because `tarfile` stops at a truncated or damaged header as if the archive ended there."""
    with open(path, "rb") as file:
        file.seek(end)
        block = file.read(tarfile.BLOCKSIZE)
    if block != bytes(tarfile.BLOCKSIZE):
        raise JaxzcError(f"{path} is cut short or damaged at byte {end}, where its end or another file should stand: {ADVICE}")


def _row(content: Any, epochs: int | None) -> tuple[str, dict[str, float]]:
    """The official string of the architecture in one file, and its values by column. epochs: as in `read_nats_bench`."""
    wanted = max(content, key=int) if epochs is None else next((key for key in content if int(key) == epochs), None)
    if wanted is None:
        raise JaxzcError(f"NATS-Bench has no training of {epochs} epochs here: choose --epochs among {', '.join(sorted(content))}")
    results = content[wanted]
    arch = results["arch_str"]
    if not isinstance(arch, str):
        raise TypeError(f"the architecture is {arch!r}")
    row: dict[str, float] = {}
    for column, (dataset, split) in COLUMNS.items():
        runs = _runs(results, dataset)
        accuracies = [run["eval_acc1es"][f"{split}@{run['epochs'] - 1}"] for run in runs if split in run["eval_names"]]
        if accuracies:
            row[column] = sum(accuracies) / len(accuracies)
    trained = _runs(results, "cifar10") or _runs(results, "cifar10-valid")
    row["runs"] = len(_runs(results, "cifar10"))
    for column, key in (("params", "params"), ("flops", "flop")):
        row[column] = float(round(1e6 * _agreed(trained, key)))  # the files count millions
    return arch, row


def _runs(results: Mapping[str, Any], dataset: str) -> list[Mapping[str, Any]]:
    """The results of every seed that was trained on a data set."""
    return [results["all_results"][dataset, seed] for seed in results["dataset_seed"].get(dataset, ())]


def _agreed(runs: Sequence[Mapping[str, Any]], key: str) -> float:
    """The value that all seeds share, or that of `REFERENCE_SEED` where they disagree."""
    if len({f"{run[key]:.5f}" for run in runs}) == 1:
        return runs[0][key]
    return {run["seed"]: run[key] for run in runs}[REFERENCE_SEED]
