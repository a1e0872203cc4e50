"""NAS-Bench-Suite-Zero: the JSON files of NASLib's zero-cost branch (`zc_nasbench201.json`, `zc_transbench101_micro.json`, ...).

Krishnakumar et al., NAS-Bench-Suite-Zero, NeurIPS 2022. A file is {task: {architecture: {"val_accuracy": number, proxy: {"score": number,
"time": seconds}}}}; an architecture is a Python tuple in text, which is written here as the benchmark's own string (checked on published
accuracies of NAS-Bench-201 and TransNAS-Bench-101).
"""

import ast
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from jaxzc.tables.importers import nasbench101
from jaxzc.tables.importers.json_stream import JsonStream
from jaxzc.tables.importers.means import Means, Table
from jaxzc.types import JaxzcError
from jaxzc.types.names import hint

FAILED = -1e8
"""What the files hold for a score that was NaN or infinite."""


def read_naslib(paths: Sequence[Path], space: str | None = None, progress: Callable[[int], Any] | None = None) -> Table:
    """Ground truth: columns `arch` and `TASK_val_accuracy` for every task of the files (NaN where a task lacks an architecture), the
    validation accuracy in the unit of the file, one training each.

    space: one of `SPACES`; None takes it from the name of the file, `zc_SPACE.json`.
    Memory: one architecture at a time. progress: called with the number of characters read.
    Raises `JaxzcError`: see `JsonStream`; an unknown space; an architecture or entry of another form.
    """
    means = Means()
    for path in paths:
        for task, arch, entry in _entries(path, space, None, progress):
            means.add(arch, {f"{task}_val_accuracy": _number(path, arch, "val_accuracy", entry)})
    if not len(means):
        raise JaxzcError(f"{', '.join(map(str, paths))} hold no architecture: give files such as zc_nasbench201.json")
    return means.table()


def read_naslib_scores(path: Path, task: str, space: str | None = None, progress: Callable[[int], Any] | None = None) -> Table:
    """A score table of one task: columns `arch` and every proxy of the file under NASLib's name (`jacov`, `nwot`, ..., `params` and `flops`
    in millions), float64, NaN for `FAILED`; for `jaxzc evaluate`.

    Raises `JaxzcError`: as `read_naslib`, or a file without that task.
    """
    archs: list[str] = []
    scores: dict[str, list[float]] = {}
    for _, arch, entry in _entries(path, space, task, progress):
        for proxy, value in entry.items():
            if isinstance(value, dict):
                column = scores.setdefault(proxy, [])
                column.extend([np.nan] * (len(archs) - len(column)))
                column.append(_number(path, arch, "score", value))
        archs.append(arch)
    for column in scores.values():
        column.extend([np.nan] * (len(archs) - len(column)))
    return {"arch": archs, **{proxy: np.where(np.array(values) == FAILED, np.nan, values) for proxy, values in scores.items()}}


def _entries(
    path: Path, space: str | None, only: str | None, progress: Callable[[int], Any] | None
) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Task, architecture's string and entry."""
    convert = SPACES.get(space or path.stem.removeprefix("zc_"))
    if convert is None:
        known = ", ".join(SPACES)
        raise JaxzcError(
            f"{space or path.name!r} names no search space: {hint(space or path.stem, SPACES)}give --space, one of {known}, "
            "or the file its own name zc_SPACE.json"
        )
    tasks = []
    with JsonStream(path, progress) as stream:
        for task in stream.keys():  # noqa: SIM118 (a walk through the file)
            tasks.append(task)
            for key in stream.keys():  # noqa: SIM118
                entry = stream.value()
                if only in (None, task):
                    yield task, _arch(path, key, convert), entry if isinstance(entry, dict) else {}
        stream.finish()
    if only is not None and only not in tasks:
        raise JaxzcError(f"{path} has no task {only!r}: {hint(only, tasks)}choose one of {', '.join(tasks) or 'none'}")


def _number(path: Path, arch: str, name: str, entry: dict[str, Any]) -> float:
    value = entry.get(name)
    if not isinstance(value, int | float):
        raise JaxzcError(
            f"{path}, {arch}: {name} is {value!r}, expected a number: give a file such as zc_nasbench201.json of NASLib's release"
        )
    return float(value)


def _arch(path: Path, key: str, convert: Callable[[Any], str]) -> str:
    try:
        return convert(ast.literal_eval(key))
    except (ValueError, SyntaxError, TypeError, IndexError, KeyError, RecursionError, MemoryError) as error:
        reason = str(error) if isinstance(error, JaxzcError) else "it has another form"
        raise JaxzcError(f"{path}: {key[:80]!r} is no architecture of this space ({reason}): check the file, or give --space") from error


def _nasbench201(genes: tuple[int, ...]) -> str:
    names = ("skip_connect", "none", "nor_conv_3x3", "nor_conv_1x1", "avg_pool_3x3")
    a, b, c, d, e, f = (names[_checked(gene, 5)] for gene in genes)  # edges 0->1, 0->2, 0->3, 1->2, 1->3, 2->3
    return f"|{a}~0|+|{b}~0|{d}~1|+|{c}~0|{e}~1|{f}~2|"


def _nasbench101(genes: tuple[int, ...]) -> str:
    names = ("input", "output", "maxpool3x3", "conv1x1-bn-relu", "conv3x3-bn-relu")
    size = {n * n + n: n for n in range(2, 8)}[len(genes)]
    matrix, ops = genes[: size * size], genes[size * size :]
    return nasbench101.arch_string("".join(str(_checked(bit, 2)) for bit in matrix), ",".join(names[_checked(op, 5)] for op in ops))


def _nasbench301(cells: list[list[tuple[int, int]]]) -> str:
    """The form in which DARTS prints a genotype; each pair of the file is (input, operation)."""
    names = ("max_pool_3x3", "avg_pool_3x3", "skip_connect", "sep_conv_3x3", "sep_conv_5x5", "dil_conv_3x3", "dil_conv_5x5")
    normal, reduce = ([(names[_checked(op, 7)], _checked(node, 6)) for node, op in cell] for cell in cells)
    if len(normal) != 8 or len(reduce) != 8:
        raise ValueError("expected eight edges in each cell")
    return f"Genotype(normal={normal}, normal_concat=[2, 3, 4, 5], reduce={reduce}, reduce_concat=[2, 3, 4, 5])"


def _transbench101_micro(genes: tuple[int, ...]) -> str:
    a, b, c, d, e, f = (_checked(gene, 4) for gene in genes)
    return f"64-41414-{a}_{b}{c}_{d}{e}{f}"


def _transbench101_macro(genes: tuple[int, ...]) -> str:
    layers = [str(_checked(gene, 5)) for gene in genes if gene != 0]  # zeros fill up to six layers
    if not 4 <= len(layers) <= 6:
        raise ValueError("expected four to six layers")
    return f"64-{''.join(layers)}-basic"


def _checked(gene: int, choices: int) -> int:
    if isinstance(gene, bool) or not isinstance(gene, int) or not 0 <= gene < choices:
        raise ValueError(f"expected whole numbers below {choices}")
    return gene


SPACES: dict[str, Callable[[Any], str]] = {
    "nasbench101": _nasbench101,
    "nasbench201": _nasbench201,
    "nasbench301": _nasbench301,
    "transbench101_micro": _transbench101_micro,
    "transbench101_macro": _transbench101_macro,
}
"""NASLib's name of a search space -> from its tuple to the benchmark's string."""
