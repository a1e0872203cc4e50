"""TransNAS-Bench-101: `transnas-bench_v10141024.pth`, without PyTorch.

Duan et al., TransNAS-Bench-101, CVPR 2021. The file is a pickle of plain dictionaries in the container of `torch.save`:
`data[space][architecture][task]` with `metrics` (a list over epochs each) and `model_info`. A pickle cannot be read in parts: all of it
(51,464 training logs) is in memory once, some 700 MB.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from jaxzc.tables.importers.means import Means, Table
from jaxzc.tables.importers.pickles import load_torch
from jaxzc.types import JaxzcError

ADVICE = "give the official transnas-bench_v10141024.pth, downloaded again"
INFO = {"params": "encoder_params", "flops": "encoder_FLOPs"}
"""Column -> entry of `model_info`; the encoder is what the tasks share, their heads differ."""


def read_transnasbench101(paths: Sequence[Path]) -> Table:
    """Columns `arch` (official string, of both spaces: `64-41414-...` micro, `64-...-basic` macro), `TASK_METRIC` for every validation and
    test metric of the seven tasks after the last epoch, as the file has them (higher is better except `..._loss`; `..._neg_loss` is a loss
    turned round), `params` and `flops` of the encoder, in the file's unit.

    Raises `JaxzcError`: see `jaxzc.tables.importers.pickles.load_torch`; entries of another form.
    """
    means = Means()
    for path in paths:
        content = load_torch(path, ADVICE)
        try:
            for archs in content["data"].values():
                for arch, tasks in archs.items():
                    means.add(arch, _row(tasks))
        except (KeyError, TypeError, AttributeError, IndexError, ValueError) as error:
            raise JaxzcError(f"{path} is not TransNAS-Bench-101 ({type(error).__name__}: {error}): {ADVICE}") from error
    if not len(means):
        raise JaxzcError(f"{', '.join(map(str, paths))} hold no architecture: {ADVICE}")
    return means.table()


def _row(tasks: dict[str, Any]) -> dict[str, float]:
    row: dict[str, float] = {}
    for task, results in tasks.items():
        for metric, epochs in results["metrics"].items():
            if metric.startswith(("valid_", "test_")):
                row[f"{task}_{metric}"] = float(epochs[-1])
        for column, entry in INFO.items():
            if column not in row and entry in results["model_info"]:
                row[column] = float(results["model_info"][entry])
    return row
