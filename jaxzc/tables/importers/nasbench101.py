"""NAS-Bench-101: `nasbench_full.tfrecord` and `nasbench_only108.tfrecord`, without TensorFlow.

Ying et al., NAS-Bench-101, ICML 2019. A record is a JSON list: hash of the module, epochs, adjacency matrix (row by row, digits),
operations (comma separated), and one training's metrics (a protocol buffer in base64: evaluations before, half-way and after, and the
number of parameters).
"""

import base64
import json
import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.message import DecodeError

from jaxzc.tables.importers.means import Means, Table
from jaxzc.tables.importers.tfrecord import records
from jaxzc.types import JaxzcError

OPERATIONS = ("conv3x3-bn-relu", "conv1x1-bn-relu", "maxpool3x3")
EVALUATION = ("current_epoch", "training_time", "train_accuracy", "validation_accuracy", "test_accuracy")
"""Fields 1 to 5 of an evaluation, all of them doubles (model_metrics.proto)."""


def _metrics_message() -> Any:
    """The class of `ModelMetrics`; field 3 and the evaluation's field 6 (a path) are never read and so left unknown."""
    field = descriptor_pb2.FieldDescriptorProto
    file = descriptor_pb2.FileDescriptorProto(name="jaxzc/nasbench101.proto", package="jaxzc.nasbench101", syntax="proto2")
    evaluation = file.message_type.add(name="EvaluationData")
    for number, name in enumerate(EVALUATION, start=1):
        evaluation.field.add(name=name, number=number, type=field.TYPE_DOUBLE, label=field.LABEL_OPTIONAL)
    metrics = file.message_type.add(name="ModelMetrics")
    metrics.field.add(
        name="evaluation_data",
        number=1,
        type=field.TYPE_MESSAGE,
        type_name=".jaxzc.nasbench101.EvaluationData",
        label=field.LABEL_REPEATED,
    )
    metrics.field.add(name="trainable_parameters", number=2, type=field.TYPE_INT32, label=field.LABEL_OPTIONAL)
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("jaxzc.nasbench101.ModelMetrics"))


_Metrics = _metrics_message()


def arch_string(adjacency: str, operations: str) -> str:
    """`MATRIX:OPERATIONS`, both as the benchmark writes them: the digits of the upper triangular matrix row by row, and the names of all
    vertices from `input` to `output`, comma separated.

    Raises `JaxzcError`: a matrix that is not square, not of digits 0 and 1 or not upper triangular, operations of another number or name.
    """
    size = math.isqrt(len(adjacency))
    names = operations.split(",")
    if size < 2 or size * size != len(adjacency) or not set(adjacency) <= {"0", "1"}:
        raise JaxzcError(f"{adjacency!r} is no adjacency matrix: expected the digits 0 and 1 of a square matrix, row by row")
    if any("1" in adjacency[row * size : row * size + row + 1] for row in range(size)):
        raise JaxzcError(f"{adjacency!r} is no adjacency matrix of the benchmark: expected edges to later vertices only")
    if len(names) != size or names[0] != "input" or names[-1] != "output" or not set(names[1:-1]) <= set(OPERATIONS):
        raise JaxzcError(f"{operations!r} are not the {size} vertices of a module: expected input, {' or '.join(OPERATIONS)} ..., output")
    return f"{adjacency}:{operations}"


def read_nasbench101(paths: Sequence[Path], epochs: int = 108, progress: Callable[[int], Any] | None = None) -> Table:
    """Columns `arch` (see `arch_string`), `validation_accuracy`, `test_accuracy`, `train_accuracy` (fractions), `params`,
    `runs`: means over the trainings of `epochs` epochs, three each in the official files, at their last evaluation.

    epochs: 108, or in the full file also 4, 12 or 36; the learning rate is annealed within that number.
    progress: called with the number of bytes of each record.
    Memory: some 500 bytes per architecture, in whatever order the records come.
    Raises `JaxzcError`: see `records`; a record of another form; no training of that many epochs.
    """
    means, other = Means(), set()
    for path in paths:
        for number, record in enumerate(records(path), start=1):
            if progress is not None:
                progress(len(record) + 16)
            try:
                _, trained, adjacency, operations, encoded = json.loads(record)
                if trained != epochs:
                    other.add(trained)
                    continue
                metrics = _Metrics.FromString(base64.b64decode(encoded, validate=True))
                last = metrics.evaluation_data[-1]
                arch = arch_string(adjacency, operations)
            except JaxzcError as error:
                raise JaxzcError(f"{path}, record {number}: {error}") from error
            except (ValueError, TypeError, IndexError, RecursionError, DecodeError) as error:
                what = "expected a JSON list of hash, epochs, matrix, operations and metrics, as in nasbench_full.tfrecord"
                raise JaxzcError(f"{path}, record {number}: this is no record of NAS-Bench-101 ({error}): {what}") from error
            values = {
                "validation_accuracy": last.validation_accuracy,
                "test_accuracy": last.test_accuracy,
                "train_accuracy": last.train_accuracy,
                "params": metrics.trainable_parameters,
            }
            means.add(arch, values)
    if not len(means):
        had = ", ".join(map(str, sorted(other, key=str))) or "none at all"
        raise JaxzcError(
            f"there is no training of {epochs} epochs in {', '.join(map(str, paths))}: choose --epochs among those it has ({had})"
        )
    return means.table(runs_of="test_accuracy")
