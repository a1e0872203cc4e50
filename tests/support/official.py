"""Small files of the benchmarks' official forms, written here by hand: no code of theirs, and none of the readers'."""

import base64
import bz2
import io
import json
import pickle
import struct
import tarfile
import zipfile
from collections import OrderedDict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from jaxzc.tables import read_scores
from tests.support.commands import run

TORCH_MAGIC, TORCH_VERSION = 0x1950A86A20F9469CFC6C, 1001
EPOCHS = 3
NB201 = [
    "|avg_pool_3x3~0|+|nor_conv_1x1~0|skip_connect~1|+|nor_conv_1x1~0|skip_connect~1|skip_connect~2|",
    "|nor_conv_3x3~0|+|nor_conv_3x3~0|avg_pool_3x3~1|+|skip_connect~0|nor_conv_3x3~1|skip_connect~2|",
    "|none~0|+|none~0|none~1|+|none~0|none~1|none~2|",
]


def crc32c(data: bytes) -> int:
    """Bit by bit, from the polynomial (Castagnoli, reflected)."""
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82F63B78 if crc & 1 else 0)
    return crc ^ 0xFFFFFFFF


def masked(data: bytes) -> bytes:
    crc = crc32c(data)
    return struct.pack("<I", ((crc >> 15 | crc << 17 & 0xFFFFFFFF) + 0xA282EAD8) % 2**32)


def framed(record: bytes, mask: Any = masked) -> bytes:
    length = struct.pack("<Q", len(record))
    return length + mask(length) + record + mask(record)


def varint(number: int) -> bytes:
    parts = []
    while number > 0x7F:
        parts.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*parts, number])


def evaluation(epoch: float, seconds: float, train: float, valid: float, test: float) -> bytes:
    """An EvaluationData message in wire format: five doubles, and the path of a checkpoint that nobody reads."""
    doubles = b"".join(bytes([field << 3 | 1]) + struct.pack("<d", x) for field, x in enumerate((epoch, seconds, train, valid, test), 1))
    return doubles + b"\x32\x04ckpt"


def metrics(evaluations: Iterable[bytes], params: int) -> bytes:
    parts = [b"\x0a" + varint(len(part)) + part for part in evaluations]
    return b"".join(parts) + b"\x10" + varint(params) + b"\x19" + struct.pack("<d", 99.0)


def nb101_record(
    adjacency: str, operations: str, epochs: int, test: float, valid: float = 0.5, params: int = 300, name: str = "ab"
) -> bytes:
    """One training: chance before it, halves half-way, then the values given."""
    parts = [evaluation(0, 0, 0.1, 0.1, 0.1), evaluation(epochs / 2, 50, 0.5, valid / 2, test / 2), evaluation(epochs, 100, 1, valid, test)]
    return json.dumps([name, epochs, adjacency, operations, base64.b64encode(metrics(parts, params)).decode()]).encode()


def nats_result(dataset: str, seed: int, splits: Sequence[str], accuracy: float, number: Any = float) -> dict[str, Any]:
    """The state of one ResultsCount: accuracies rise by one point per epoch to `accuracy`."""
    keys = [(f"{split}@{epoch}", accuracy + i - (EPOCHS - 1 - epoch)) for i, split in enumerate(splits) for epoch in range(EPOCHS)]
    return {
        "name": dataset,
        "net_state_dict": None,
        "train_acc1es": OrderedDict((epoch, 50.0) for epoch in range(EPOCHS)),
        "train_acc5es": None,
        "train_losses": OrderedDict((epoch, 1.0) for epoch in range(EPOCHS)),
        "train_times": OrderedDict((epoch, 2.0) for epoch in range(EPOCHS)),
        "arch_config": {"channel": 16, "num_cells": 5, "class_num": 10},
        "params": number(0.129306),
        "flop": number(15.64737),
        "seed": seed,
        "epochs": EPOCHS,
        "latency": [0.01],
        "eval_names": list(splits),
        "eval_acc1es": {key: number(value) for key, value in keys},
        "eval_losses": {key: number(1.0) for key, _ in keys},
        "eval_times": {key: 3.0 for key, _ in keys},
    }


def nats_content(index: int, arch: str, number: Any = float) -> dict[str, Any]:
    """One architecture's file: the trainings '12' and '200', three seeds of CIFAR-10, one of the rest."""
    runs = [("cifar10-valid", 777, ["x-valid", "ori-test"], 60.0), ("cifar100", 777, ["x-valid", "x-test", "ori-test"], 40.0)]
    runs += [("ImageNet16-120", 777, ["x-valid", "x-test", "ori-test"], 20.0)]
    runs += [("cifar10", seed, ["ori-test"], 80.0 + seed - 777) for seed in (777, 888, 999)]
    content = {}
    for hp, offset in (("12", -10.0), ("200", 0.0)):
        seeds: dict[str, list[int]] = {}
        for dataset, seed, *_ in runs:
            seeds.setdefault(dataset, []).append(seed)
        results = {(d, seed): nats_result(d, seed, splits, accuracy + offset + index, number) for d, seed, splits, accuracy in runs}
        content[hp] = {"arch_index": index, "arch_str": arch, "all_results": results, "dataset_seed": seeds, "clear_net_done": True}
    return OrderedDict(content)


def nats_directory(root: Path, archs: Sequence[str] = NB201, number: Any = float) -> Path:
    root.mkdir()
    files = {f"{index:06d}": nats_content(index, arch, number) for index, arch in enumerate(archs)}
    for name, content in {**files, "meta": {"meta_archs": list(archs)}}.items():
        (root / f"{name}.pickle.pbz2").write_bytes(bz2.compress(pickle.dumps(content, protocol=4)))
    return root


def tarred(root: Path) -> Path:
    path = root.with_name(f"{root.name}.tar")
    with tarfile.open(path, "w") as archive:
        archive.add(root, arcname=root.name)
    return path


def torch_zip(path: Path, content: Any) -> Path:
    """As torch.save writes it since PyTorch 1.6."""
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("archive/data.pkl", content if isinstance(content, bytes) else pickle.dumps(content, protocol=2))
        archive.writestr("archive/version", "3\n")
    return path


def torch_old(path: Path, content: Any) -> Path:
    """As torch.save wrote it before."""
    file = io.BytesIO()
    for part in (TORCH_MAGIC, TORCH_VERSION, {"little_endian": True, "type_sizes": {"int": 4}}, content, []):
        pickle.dump(part, file, protocol=2)
    path.write_bytes(file.getvalue())
    return path


def transnas(archs: Mapping[str, Sequence[str]]) -> dict[str, Any]:
    def task(metrics: dict[str, list[float]]) -> dict[str, Any]:
        info = {"inference_time": 0.1, "encoder_params": 1.5, "model_params": 2.5, "model_FLOPs": 30.0, "encoder_FLOPs": 20.0}
        return {"metrics": metrics, "model_info": info, "total_epochs": 2}

    def tasks(number: float) -> dict[str, Any]:
        return {
            "class_object": task(
                {"train_top1": [1.0, 2.0], "valid_top1": [30.0, number], "test_top1": [31.0, number + 1], "time_elapsed": [1, 2]}
            ),
            "room_layout": task({"valid_loss": [2.0, 0.5], "valid_neg_loss": [-2.0, -0.5]}),
        }

    data = {space: {arch: tasks(40.0 + i) for i, arch in enumerate(names)} for space, names in archs.items()}
    return {"metrics_dict": {}, "info_names": [], "task_list": ["class_object", "room_layout"], "data": data}


def nds_training(depth: int, errors: Sequence[float], **more: Any) -> dict[str, Any]:
    genotype = {
        "normal": [["skip_connect", 0], ["sep_conv_3x3", 1]],
        "normal_concat": [2],
        "reduce": [["skip_connect", 1]],
        "reduce_concat": [2],
    }
    net = {"width": 16, "depth": depth, "aux": True, "drop_prob": 0.0, "genotype": genotype}
    values = {"params": 1_000_000 + depth, "flops": 2_000_000, "min_test_top1": min(errors), "test_ep_top1": list(errors)}
    return {"job_id": "1", "net": net, "optim": {"lr": 0.1}, "train_ep_loss": [2.0, float("nan")], **values, **more}


def imported(*arguments: Any) -> dict[str, np.ndarray]:
    """The columns of the table that the command writes."""
    result = run("import", *arguments, "--out", "table.parquet", "--quiet", "--overwrite")
    assert (result.code, result.err) == (0, "")
    table = read_scores("table.parquet")
    assert result.out.startswith(f"table.parquet: {len(table.columns['arch'])} architectures, 0.0")
    assert table.metadata["benchmark"] == arguments[0]
    return table.columns
