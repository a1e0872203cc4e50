"""NATS-Bench, topology (= NAS-Bench-201) and size space: the directories `NATS-tss-v1_0-3ffb9-simple` and `NATS-sss-v1_0-50262-simple`.

Dong et al., NATS-Bench, TPAMI 2021. One file per architecture, a bz2-compressed pickle of {training epochs as text: results of all data
sets and seeds}. The benchmark's own package `nats_bench` hands these files to `pickle.load`, which runs whatever they say; they hold plain
dictionaries, so the restricted reader (`jaxzc.tables.importers.pickles`) suffices and the package is not needed. Its averages are
repeated here and compared with it in the tests. The 15,625 files need not be unpacked: a .tar is read as a stream.
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
"""Column -> data set (what was trained on) and evaluation set, in the benchmark's words. `cifar10_test` was trained on train and validation
images, `cifar10_valid_test` on the training half only."""

REFERENCE_SEED = 888
"""Whose parameters and FLOPs are right where those of the seeds disagree, a known defect of some files (the package takes it, too)."""

_FILE = re.compile(r"(?:^|/)\d+\.pickle\.pbz2$")


def read_nats_bench(paths: Sequence[Path], epochs: int | None = None, progress: Callable[[int], Any] | None = None) -> Table:
    """Columns `arch` (official string), those of `COLUMNS` (top-1 accuracy in per cent after the last epoch, mean over seeds, NaN where a
    file lacks it), `params` and `flops` of the CIFAR-10 network (counts), `runs` (seeds of `cifar10_test`).

    paths: directories or .tar files; each architecture once.
    epochs: which training; None takes the longest (200 in the topology space, 90 in the size space).
    progress: called with 1 after each architecture.
    Memory: one architecture's file at a time.
    Raises `JaxzcError`: no such path, no files of architectures in it, a damaged or foreign file, trainings of other lengths only.
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
    """Name and decompressed content of every architecture's file."""
    if not path.exists():
        raise JaxzcError(f"there is no {path}: check the path")
    if path.is_dir():
        found = sorted(file for file in path.iterdir() if _FILE.search(file.name))
        for file in found:
            try:
                raw = open(file, "rb")  # noqa: SIM115 (closed by the next with)
            except OSError as error:
                raise JaxzcError(f"{file} cannot be opened ({error.strerror}): {ADVICE}") from error
            with raw, bz2.open(raw, "rb") as content:
                yield str(file), content
    elif path.name.endswith(".tar"):
        found = False
        try:
            with tarfile.open(path, "r:") as archive:
                for member in archive:
                    content = archive.extractfile(member) if member.isfile() and _FILE.search(member.name) else None
                    if content is not None:
                        found = True
                        with bz2.open(content, "rb") as content:
                            yield f"{path}/{member.name}", content
                _check_end(path, archive.offset)
        except (OSError, tarfile.TarError) as error:
            raise JaxzcError(f"{path} cannot be read ({error}): {ADVICE}") from error
    else:
        raise JaxzcError(f"{path} is neither a directory nor a .tar: {ADVICE} (the single .pickle.pbz2 file needs tens of GB to open)")
    if not found:
        raise JaxzcError(f"{path} has no files such as 000000.pickle.pbz2: {ADVICE}")


def _check_end(path: Path, end: int) -> None:
    """Raises `JaxzcError` where the archive does not end with a block of zeros at byte `end`, as every whole one does: `tarfile` takes a
    header that is cut short or damaged for the end."""
    with open(path, "rb") as file:
        file.seek(end)
        block = file.read(tarfile.BLOCKSIZE)
    if block != bytes(tarfile.BLOCKSIZE):
        raise JaxzcError(f"{path} is cut short or damaged at byte {end}, where its end or another file should stand: {ADVICE}")


def _row(content: Mapping[str, Any], epochs: int | None) -> tuple[str, dict[str, float]]:
    """Architecture and values of one file."""
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
    return [results["all_results"][dataset, seed] for seed in results["dataset_seed"].get(dataset, ())]


def _agreed(runs: Sequence[Mapping[str, Any]], key: str) -> float:
    if len({f"{run[key]:.5f}" for run in runs}) == 1:
        return runs[0][key]
    return {run["seed"]: run[key] for run in runs}[REFERENCE_SEED]
