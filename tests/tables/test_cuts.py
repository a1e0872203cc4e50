"""Downloads that broke off: a file cut at any byte is an error, or is read whole; never with fewer rows, or other values."""

import bz2
import gzip
import io
import json
import pickle
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from jaxzc.data import load as load_data
from jaxzc.search import Problem, RandomSearch, Search, load, save
from jaxzc.tables import importers, read_archs, read_columns, read_truth, write_scores
from jaxzc.types import JaxzcError
from tests.support import official
from tests.support.job_commands import SPACE

ARCHS = official.NB201[:2]


def small_content(index: int) -> bytes:
    """One architecture's file with a single training."""
    result = {
        "params": 0.1,
        "flop": 15.0,
        "seed": 777,
        "epochs": 1,
        "eval_names": ["ori-test"],
        "eval_acc1es": {"ori-test@0": 80.0 + index},
    }
    training = {"arch_str": ARCHS[index], "all_results": {("cifar10", 777): result}, "dataset_seed": {"cifar10": [777]}}
    return bz2.compress(pickle.dumps({"200": training}, protocol=4), compresslevel=1)  # of which a reader needs least memory


def nats_tar() -> bytes:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as archive:
        for index in range(2):
            info = tarfile.TarInfo(f"NATS-tss-v1_0-3ffb9-simple/{index:06d}.pickle.pbz2")
            info.size = len(content := small_content(index))
            archive.addfile(info, io.BytesIO(content))
    return file.getvalue()


def nds_json() -> bytes:
    return json.dumps({"top": [official.nds_training(4, [9.0, 5.0])], "mid": [official.nds_training(6, [8.0, 6.5])]}).encode()


def naslib_json() -> bytes:
    entries = {f"({gene}, 3, 3, 3, 2, 3)": {"val_accuracy": 68.5 + gene, "snip": {"score": 1.5, "time": 0.1}} for gene in range(2)}
    return json.dumps({"cifar10": entries}).encode()


def saved(write: Callable[[Path], Any], path: Path) -> bytes:
    write(path)
    content = path.read_bytes()
    path.unlink()
    return content


def table_csv() -> bytes:
    return "\n".join(["arch,acc", *(f"{arch},{number}.5" for number, arch in enumerate(ARCHS))]).encode()


def state(path: Path) -> Any:
    return load(path)._asdict()


def images(path: Path) -> Any:
    drawn = load_data(f"npz:{path}", batch_size=2, batches=1, seed=0)
    return drawn.digest, drawn.classes


TRANSNAS = official.transnas({"micro": ["64-41414-1_02_333"], "macro": ["64-2134-basic"]})
FILES: dict[str, tuple[Callable[[Path], bytes], str, Callable[[Path], Any]]] = {
    "NATS-Bench tar": (lambda path: nats_tar(), "a.tar", lambda path: importers.read_nats_bench([path])),
    "NATS-Bench file": (lambda path: small_content(0), "000000.pickle.pbz2", lambda path: importers.read_nats_bench([path.parent])),
    "NDS json": (lambda path: nds_json(), "DARTS.json", lambda path: importers.read_nds([path])),
    "NASLib json": (lambda path: naslib_json(), "zc_nasbench201.json", lambda path: importers.read_naslib([path])),
    "NASLib scores": (lambda path: naslib_json(), "zc_nasbench201.json", lambda path: importers.read_naslib_scores(path, "cifar10")),
    "TransNAS zip": (
        lambda path: saved(lambda p: official.torch_zip(p, TRANSNAS), path),
        "t.pth",
        lambda path: importers.read_transnasbench101([path]),
    ),
    "TransNAS old": (
        lambda path: saved(lambda p: official.torch_old(p, TRANSNAS), path),
        "t.pth",
        lambda path: importers.read_transnasbench101([path]),
    ),
    "csv.gz truth": (lambda path: gzip.compress(table_csv()), "truth.csv.gz", lambda path: read_truth(path, "acc")),
    "csv.gz columns": (lambda path: gzip.compress(table_csv()), "truth.csv.gz", lambda path: read_columns(path).columns),
    "csv.gz archs": (lambda path: gzip.compress(table_csv()), "archs.csv.gz", lambda path: read_archs(path, SPACE).strings),
    "Parquet": (
        lambda path: saved(lambda p: write_scores(p, {"arch": ARCHS, "acc": [1.5, 2.5]}, {"proxies": ["acc"]}), path),
        "t.parquet",
        lambda path: read_columns(path).columns,
    ),
    "search state": (
        lambda path: saved(lambda p: save(p, Search(Problem(SPACE), RandomSearch(3)).init()), path),
        "state.npz",
        state,
    ),
    "images npz": (
        lambda path: saved(lambda p: np.savez(p, images=np.ones((4, 2, 2, 1), np.float32), labels=np.arange(4)), path),
        "images.npz",
        images,
    ),
}


def equal(one: Any, other: Any) -> bool:
    if isinstance(one, dict):
        return list(one) == list(other) and all(equal(one[name], other[name]) for name in one)
    return np.array_equal(np.asarray(one), np.asarray(other), equal_nan=np.asarray(one).dtype.kind == "f")


@pytest.mark.parametrize("kind", list(FILES))
def test_a_file_cut_at_any_byte_is_an_error_or_is_read_whole(tmp_path, kind):
    make, name, read = FILES[kind]
    path = tmp_path / name
    content = make(path)
    path.write_bytes(content)
    whole = read(path)
    last = len(content.rstrip(b"\0")) + 1100  # a tar is filled up with zeros: its last blocks all alike
    ends = range(0, min(len(content), last), 7 if kind == "search state" else 1)  # a dozen arrays, and nothing that the others lack
    errors = 0
    for end in ends:
        path.write_bytes(content[:end])
        try:
            found = read(path)
        except JaxzcError:
            errors += 1
        else:
            assert equal(found, whole), f"cut at {end} of {len(content)}: {found}"
    assert errors > (0.5 if kind == "NATS-Bench tar" else 0.9) * len(ends)


def test_records_cut_anywhere_but_between_two_are_an_error(tmp_path):
    """A TFRecord file has no end: what is cut between two records is known by the number of architectures only, which the command says."""
    records = [official.framed(official.nb101_record("0100", "input,output", 108, 0.5 + k)) for k in range(2)]
    path = tmp_path / "n.tfrecord"
    for end in range(1, len(records[0]) + len(records[1])):
        path.write_bytes(b"".join(records)[:end])
        if end == len(records[0]):
            assert importers.read_nasbench101([path])["runs"] == [1]
        else:
            with pytest.raises(JaxzcError):
                importers.read_nasbench101([path])
