"""`jaxzc import` on small files of the official forms: known values read back, one sentence for every mistake, flat memory."""

import json
import os
import sys
import tracemalloc
from pathlib import Path

import numpy as np
import pytest

import tests.support.official as official
from jaxzc.tables import importers, read_truth
from tests.support.commands import refused, run
from tests.support.official import imported

OPS = "input,conv3x3-bn-relu,maxpool3x3,output"
MATRIX = "0110" + "0001" + "0001" + "0000"
SMALL = "01" + "00"


def nb101(path: Path, records: list[bytes]) -> Path:
    path.write_bytes(b"".join(map(official.framed, records)))
    return path


def test_nasbench101(here):
    tests = [0.25, 0.5, 0.75]
    records = [official.nb101_record(MATRIX, OPS, 108, test, test - 0.125) for test in tests]
    other = official.nb101_record(SMALL, "input,output", 108, 0.5, params=2**31 - 1, name="cd")
    early = official.nb101_record(MATRIX, OPS, 4, 0.125)
    # Runs of one architecture need not stand together.
    nb101(here / "one.tfrecord", [records[0], early, other, records[1]])
    nb101(here / "two.tfrecord", [records[2]])
    table = imported("nasbench101", "one.tfrecord", "two.tfrecord")
    assert table["arch"].tolist() == [f"{SMALL}:input,output", f"{MATRIX}:{OPS}"]
    assert table["test_accuracy"].tolist() == [0.5, 0.5]
    assert table["validation_accuracy"].tolist() == [0.5, 0.375]
    assert table["train_accuracy"].tolist() == [1.0, 1.0]
    assert (table["params"].tolist(), table["params"].dtype) == ([2**31 - 1, 300], np.int64)
    assert table["runs"].tolist() == [1, 3]
    assert imported("nasbench101", "one.tfrecord", "--epochs", 4)["test_accuracy"].tolist() == [0.125]
    assert read_truth("table.parquet", "test_accuracy") == {f"{MATRIX}:{OPS}": 0.125}


@pytest.mark.parametrize(
    ("record", "message"),
    [
        (b"[1]", "record 1: this is no record of NAS-Bench-101 (not enough values to unpack"),
        (b"{", "record 1: this is no record of NAS-Bench-101 (Expecting property name"),
        (b"[\xff]", "record 1: this is no record of NAS-Bench-101 ('utf-8' codec can't decode"),
        (b'["a", 108, "0100", "input,output", "AAAA"]', "record 1: this is no record of NAS-Bench-101 (Error parsing message"),
        (b'["a", 108, "0100", "input,output", "?"]', "record 1: this is no record of NAS-Bench-101 ("),
        (b'["a", 108, "0100", "input,output", ""]', "record 1: this is no record of NAS-Bench-101 (list index out of range)"),
        (official.nb101_record("010", "input,output", 108, 0.5), "record 1: '010' is no adjacency matrix: expected the digits 0 and 1"),
        (official.nb101_record("0110", "input,output", 108, 0.5), "record 1: '0110' is no adjacency matrix of the benchmark"),
        (official.nb101_record("0100", "input,conv5x5", 108, 0.5), "record 1: 'input,conv5x5' are not the 2 vertices of a module"),
        (
            official.nb101_record("0100", "input,output", 36, 0.5),
            "no training of 108 epochs in file: choose --epochs among those it has (36)",
        ),
    ],
)
def test_records_that_are_not_of_nasbench101(here, record, message):
    nb101(here / "file", [record])
    refused(run("import", "nasbench101", "file", "--out", "table.parquet", "--quiet"), message)
    assert not (here / "table.parquet").exists()


def peak(path: Path) -> tuple[int, int]:
    """Highest traced memory in bytes while reading, and number of architectures."""
    tracemalloc.start()
    table = importers.read_nasbench101([path])
    _, highest = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return highest, len(table["arch"])


def test_memory_does_not_grow_with_runs_and_little_with_architectures(tmp_path):
    def matrix(number: int) -> str:
        """One of 2**21 upper triangular matrices of 7 vertices."""
        bits = iter(f"{number:021b}")
        return "".join(next(bits) if column > row else "0" for row in range(7) for column in range(7))

    ops = ",".join(["input", *["conv3x3-bn-relu"] * 5, "output"])
    record = official.nb101_record("MATRIX", ops, 108, 0.5)

    def write(path: Path, archs: int, runs: int) -> Path:
        with open(path, "wb") as file:
            for number in [*range(archs)] * runs:
                file.write(official.framed(record.replace(b"MATRIX", matrix(number).encode()), fast_mask))
        return path

    import google_crc32c  # the bitwise checksum of `official` would take minutes

    def fast_mask(data: bytes) -> bytes:
        crc = google_crc32c.value(data)
        return (((crc >> 15 | crc << 17 & 0xFFFFFFFF) + 0xA282EAD8) % 2**32).to_bytes(4, "little")

    few, n = peak(write(tmp_path / "few", archs=1000, runs=2))
    many, m = peak(write(tmp_path / "many", archs=1000, runs=20))
    assert (n, m) == (1000, 1000)
    assert many < 1.1 * few
    large, n = peak(write(tmp_path / "large", archs=5000, runs=1))
    assert (large - few) / (n - 1000) < 1000  # bytes per architecture: 424 MB for all 423,624, where the official loader takes tens of GB


def test_nds(here):
    first, second = official.nds_training(5, [90.0, 10.0, 20.0]), official.nds_training(6, [50.0, float("nan")], min_test_top1=50.0)
    again = official.nds_training(5, [40.0])
    (here / "DARTS.json").write_text(json.dumps([first, second]))
    (here / "ENAS.json").write_text(json.dumps({"top": [first], "mid": [second, again]}))
    table = imported("nds", "DARTS.json")
    np.testing.assert_array_equal(table["test_accuracy"], [80.0, np.nan])
    assert table["best_test_accuracy"].tolist() == [90.0, 50.0]
    assert (table["params"].tolist(), table["flops"].tolist(), table["runs"].tolist()) == ([1000005, 1000006], [2000000] * 2, [1, 1])
    assert [json.loads(arch) for arch in table["arch"]] == [first["net"], second["net"]]
    assert " " not in table["arch"][0]
    table = imported("nds", "ENAS.json")
    np.testing.assert_array_equal(table["test_accuracy"], [(80 + 60) / 2, np.nan])
    assert table["runs"].tolist() == [2, 1]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ([], "file.json hold no training: give files of nds_data, such as DARTS.json"),
        ([{"net": {}}], "file.json, training 1 is not of NDS (KeyError: 'test_ep_top1'): expected net, params"),
        ({"top": [official.nds_training(5, [1.0]), 7]}, "file.json, top, training 2 is not of NDS (TypeError"),
        ([official.nds_training(5, [1.0], net=3)], "file.json, training 1 is not of NDS (TypeError: net is 3)"),
        ([official.nds_training(5, [1.0], params="x")], "file.json, training 1 is not of NDS (ValueError: could not convert"),
        ("text", "file.json is not the JSON file it should be ('\"' stands where an array should)"),
    ],
)
def test_files_that_are_not_of_nds(here, content, message):
    (here / "file.json").write_text(json.dumps(content))
    refused(run("import", "nds", "file.json", "--out", "table.parquet", "--quiet"), message)


class Hostile:
    def __reduce__(self):
        return os.system, ("touch marker",)


ARCHS = {"macro": ["64-1234-basic"], "micro": ["64-41414-0_00_000", "64-41414-1_02_333"]}


@pytest.mark.parametrize("write", [official.torch_zip, official.torch_old])
def test_transnasbench101(here, write):
    table = imported("transnasbench101", write(here / "file.pth", official.transnas(ARCHS)))
    assert table["arch"].tolist() == [*ARCHS["macro"], *ARCHS["micro"]]
    assert list(table)[1:] == [
        *("class_object_valid_top1", "class_object_test_top1", "params", "flops", "room_layout_valid_loss", "room_layout_valid_neg_loss")
    ]
    assert table["class_object_valid_top1"].tolist() == [40.0, 40.0, 41.0]
    assert table["room_layout_valid_neg_loss"].tolist() == [-0.5] * 3
    assert (table["params"].tolist(), table["flops"].tolist()) == ([1.5] * 3, [20] * 3)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (Hostile(), "file.pth was not read, because its pickle asks for posix.system"),
        ({"data": {}}, "file.pth hold no architecture: give the official transnas-bench_v10141024.pth"),
        ({"other": {}}, "file.pth is not TransNAS-Bench-101 (KeyError: 'data'): give the official"),
        ({"data": {"micro": {"a": {"task": {"metrics": {"valid_top1": []}}}}}}, "file.pth is not TransNAS-Bench-101 (IndexError"),
        ({"data": {"micro": {"a": {"task": {"metrics": {"valid_top1": [[]]}}}}}}, "file.pth is not TransNAS-Bench-101 (TypeError"),
    ],
)
def test_files_that_are_not_of_transnasbench101(here, content, message):
    official.torch_zip(here / "file.pth", content)
    refused(run("import", "transnasbench101", "file.pth", "--out", "table.parquet", "--quiet"), message)
    assert not (here / "marker").exists()


def test_the_command_itself(here):
    (here / "DARTS.json").write_text(json.dumps([official.nds_training(5, [90.0])]))
    refused(run("import"), "the following arguments are required: BENCHMARK")
    refused(run("import", "nds", "DARTS.json"), "the following arguments are required: --out")
    refused(run("import", "nds", "DARTS.json", "DARTS.json", "--out", "t.parquet"), "a file is given twice: keep one of them")
    refused(run("import", "nds", "DARTS.json", "--out", "gone/t.parquet"), "there is no directory")
    refused(
        run("import", "naslib", "zc_nasbench201.json", "b.json", "--scores", "t", "--out", "t.parquet", "--quiet"),
        "--scores takes the proxies of one",
    )
    assert run("import", "nds", "DARTS.json", "--out", "t.parquet", "--quiet").code == 0
    refused(run("import", "nds", "DARTS.json", "--out", "t.parquet"), "t.parquet exists: choose another name, or add --overwrite")
    shown = run("import", "nds", "DARTS.json", "--out", "t.parquet", "--overwrite")
    assert "test_accuracy            10 to 10, median 10" in shown.out
    assert "reading" in shown.err
    assert not {"tensorflow", "torch"} & set(sys.modules)


def test_the_command_says_that_a_benchmark_is_not_whole(here):
    """A file cut between two records is a file of fewer records, and shows nothing else."""
    nb101(here / "n.tfrecord", [official.nb101_record(SMALL, "input,output", 108, 0.5)])
    result = run("import", "nasbench101", "n.tfrecord", "--out", "x.parquet", "--quiet")
    assert result.code == 0
    assert "the benchmark has 423,624 architectures: this is a part, or a download that broke off" in result.out
