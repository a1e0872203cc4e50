"""NDS: the JSON files of "On Network Design Spaces for Visual Recognition" (`nds_data/DARTS.json`, `ENAS_in.json`, `ResNet.json`, ...).

Radosavovic et al., ICCV 2019. A file is a list of trainings, or {"top": [...], "mid": [...]}; each has `net` (the network's settings,
with a genotype in the cell spaces), `params`, `flops`, and `test_ep_top1`: the test *error* in per cent after each epoch.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from jaxzc.tables.importers.json_stream import JsonStream
from jaxzc.tables.importers.means import Means, Table
from jaxzc.types import JaxzcError


def arch_string(net: Mapping[str, Any]) -> str:
    """The benchmark has no strings: the settings `net` as JSON, names sorted, without blanks."""
    return json.dumps(net, sort_keys=True, separators=(",", ":"))


def read_nds(paths: Sequence[Path], progress: Callable[[int], Any] | None = None) -> Table:
    """Columns `arch` (see `arch_string`), `test_accuracy` (per cent, last epoch), `best_test_accuracy` (best epoch), `params`, `flops`
    (counts) and `runs`. A network that stands there several times (the `_rng` and `_lr-wd` files) has the mean of its trainings.

    paths: files of one data set; CIFAR-10, or ImageNet where the name ends in `_in`.
    progress: called with the number of characters read.
    Memory: one training at a time.
    Raises `JaxzcError`: see `JsonStream`; a training without these entries; no training at all.
    """
    means = Means()
    for path in paths:
        with JsonStream(path, progress) as stream:
            if stream.peek() == "{":
                for key in stream.keys():  # noqa: SIM118 (a walk through the file)
                    _add(means, stream, f"{path}, {key}")
            else:
                _add(means, stream, str(path))
            stream.finish()
    if not len(means):
        raise JaxzcError(f"{', '.join(map(str, paths))} hold no training: give files of nds_data, such as DARTS.json")
    return means.table(runs_of="test_accuracy")


def _add(means: Means, stream: JsonStream, place: str) -> None:
    for number, _ in enumerate(stream.items(), start=1):
        training = stream.value()
        try:
            errors = training["test_ep_top1"]
            values = {
                "test_accuracy": 100.0 - errors[-1],
                "best_test_accuracy": 100.0 - training["min_test_top1"],
                "params": float(training["params"]),
                "flops": float(training["flops"]),
            }
            net = training["net"]
            if not isinstance(net, dict):
                raise TypeError(f"net is {net!r}")
        except (KeyError, TypeError, IndexError, ValueError) as error:
            what = "expected net, params, flops, min_test_top1 and test_ep_top1, as in the files of nds_data"
            raise JaxzcError(f"{place}, training {number} is not of NDS ({type(error).__name__}: {error}): {what}") from error
        means.add(arch_string(net), values)
