"""Containers of the benchmarks' files: TFRecord, pickles without trust, JSON as a stream, running means."""

import json
import os
import pickle
import struct
import tracemalloc
import zipfile
from collections import OrderedDict
from pathlib import Path
from typing import Any

import google_crc32c
import numpy as np
import pytest

import tests.support.official as official
from jaxzc.tables.importers import json_stream, pickles, tfrecord
from jaxzc.tables.importers.json_stream import JsonStream
from jaxzc.tables.importers.means import Means
from jaxzc.types import JaxzcError


def test_checksums_agree_with_the_polynomial():
    assert google_crc32c.value(bytes(32)) == official.crc32c(bytes(32)) == 0x8A9136AA  # RFC 3720, B.4
    for data in (b"", b"a", bytes(range(256))):
        assert struct.pack("<I", tfrecord.masked_crc(data)) == official.masked(data)


def test_records_come_back(tmp_path):
    written = [b"", b"one", bytes(5000)]
    (tmp_path / "file").write_bytes(b"".join(map(official.framed, written)))
    assert list(tfrecord.records(tmp_path / "file")) == written
    (tmp_path / "empty").write_bytes(b"")
    assert list(tfrecord.records(tmp_path / "empty")) == []


GOOD = official.framed(b"first") + official.framed(b"second")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (GOOD[:-1], r"file ends within record 2: download it again$"),
        (GOOD[:-9], r"file ends within record 2: "),
        (GOOD[: 12 + 5 + 4 + 7], r"file ends within record 2: "),
        (GOOD[:12] + b"F" + GOOD[13:], r"file, record 1: the checksum is wrong, so the file is damaged: "),
        (GOOD[:7] + b"\x7f" + GOOD[8:], r"file, record 1: the length has a wrong checksum, so this is no TFRecord file"),
        (b"PK\x03\x04 and other bytes", r"file, record 1: the length has a wrong checksum"),
    ],
)
def test_damaged_records(tmp_path, content, message):
    (tmp_path / "file").write_bytes(content)
    with pytest.raises(JaxzcError, match=message):
        list(tfrecord.records(tmp_path / "file"))
    with pytest.raises(JaxzcError, match=r"gone cannot be read \(No such file or directory\): check the path"):
        list(tfrecord.records(tmp_path / "gone"))


DATA = {
    "plain": [1, 2.5, "text", b"bytes", None, True, (1, 2), {("cifar10", 777): OrderedDict(a=1)}],
    "numpy": [np.float64(0.1), np.float32(0.5), np.int64(-7), np.bool_(True), np.dtype("<f8").type(3)],
}


def load(path: Path):
    with open(path, "rb") as file:
        return pickles.load(file, path.name, "get another")


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_data_is_read_from_every_protocol(tmp_path, protocol):
    (tmp_path / "file").write_bytes(pickle.dumps(DATA, protocol=protocol))
    assert load(tmp_path / "file") == DATA
    old = pickle.dumps(DATA, protocol=protocol).replace(b"numpy._core", b"numpy.core" if protocol < 4 else b"numpy._core")
    (tmp_path / "file").write_bytes(old)  # as NumPy 1 named it; from protocol 4 on the length stands before the name
    assert load(tmp_path / "file") == DATA


class Hostile:
    """Unpickled anywhere else, this runs a command."""

    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self):
        return os.system, (f"touch {self.marker}",)


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_a_hostile_pickle_is_refused_by_name_and_not_executed(tmp_path, protocol):
    (tmp_path / "file").write_bytes(pickle.dumps({"data": [1, Hostile(tmp_path / "marker")]}, protocol=protocol))
    message = (
        r"file was not read, because its pickle asks for posix\.system and may hold only numbers, text, lists and dictionaries: get another"
    )
    with pytest.raises(JaxzcError, match=message):
        load(tmp_path / "file")
    assert not (tmp_path / "marker").exists()
    with open(tmp_path / "file", "rb") as file:
        pickle.load(file)
    assert (tmp_path / "marker").exists()  # the file was hostile indeed


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (pickle.dumps(np.arange(3)), r"asks for numpy\._core\.multiarray\._reconstruct and"),
        (pickle.dumps(np.array("x")[()]), r"asks for numpy\.dtype\('U1'\) and"),
        (pickle.dumps(np.dtype([("a", "O")])), r"asks for numpy\.dtype\('V8'\) and"),
        (b"cnumpy\ndtype\n(S'f8'\ntR(I3\nS'<'\nNN(dI8\nI1\nI63\ntb.", r"asks for a numpy\.dtype with fields and"),
        (b"cnumpy.core.multiarray\nscalar\n(S'f8'\nS'abcdefgh'\ntR.", r"asks for a NumPy scalar without its type and"),
        (b"c_codecs\nencode\n(S'abc'\nS'my_codec'\ntR.", r"asks for the codec 'my_codec' and"),
        (b"cbuiltins\neval\n(S'1'\ntR.", r"asks for builtins\.eval and"),
        (b"\x80\x04\x8c\x08builtins\x8c\x0deval.__call__\x93.", r"asks for builtins\.eval\.__call__ and"),
        (b"c__builtin__\ngetattr\n.", r"asks for __builtin__\.getattr and"),
        (b"\x80\x02X\x01\x00\x00\x00aQ.", r"asks for torch storage \(the weights of a network\) and"),
        (b"c_codecs\nencode\n(N(dS'colour'\nI1\nstb.", r"file is damaged or no pickle \(AttributeError: .*\): get another"),
        (b"\x80\x04]\x94(K\x01K", r"file is damaged or no pickle \(.*Error: .*\): get another"),
        (b"no pickle at all", r"file is damaged or no pickle"),
        (b"", r"file is damaged or no pickle \(EOFError: Ran out of input\)"),
    ],
)
def test_pickles_that_are_no_data(tmp_path, content, message):
    (tmp_path / "file").write_bytes(content)
    with pytest.raises(JaxzcError, match=message):
        load(tmp_path / "file")


@pytest.mark.parametrize("write", [official.torch_zip, official.torch_old])
def test_torch_files_without_torch(tmp_path, write):
    assert pickles.load_torch(write(tmp_path / "file.pth", DATA), "") == DATA
    hostile = write(tmp_path / "hostile.pth", Hostile(tmp_path / "marker"))
    with pytest.raises(JaxzcError, match=r"hostile\.pth was not read, because its pickle asks for posix\.system"):
        pickles.load_torch(hostile, "get another")
    assert not (tmp_path / "marker").exists()


def test_files_that_are_not_of_torch(tmp_path):
    file = tmp_path / "file.pth"
    for content, message in [
        (pickle.dumps(5), r"file\.pth is a pickle, but torch\.save did not write it: get another"),
        (b"text", r"file\.pth is damaged or no pickle"),
        (official.torch_zip(file, DATA).read_bytes()[:-30], r"file\.pth is damaged or no pickle"),
        (official.torch_old(file, DATA).read_bytes()[:-100], r"file\.pth is damaged or no pickle"),
    ]:
        file.write_bytes(content)
        with pytest.raises(JaxzcError, match=message):
            pickles.load_torch(file, "get another")
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("readme", "")
    with pytest.raises(JaxzcError, match=r"file\.pth is a zip file without the one data\.pkl of torch\.save"):
        pickles.load_torch(file, "get another")
    with pytest.raises(JaxzcError, match=r"gone cannot be read \(No such file or directory\): get another"):
        pickles.load_torch(tmp_path / "gone", "get another")


def walk(path: Path) -> Any:
    """All of a file through the stream: objects and arrays walked down to the second level."""
    with JsonStream(path) as stream:
        if stream.peek() == "{":
            found = {key: [stream.value() for _ in stream.items()] for key in stream.keys()}  # noqa: SIM118
        else:
            found = [stream.value() for _ in stream.items()]
        stream.finish()
    return found


@pytest.mark.parametrize("chunk", [1, 2, 7, 1 << 16])
def test_json_streams_agree_with_the_whole(tmp_path, monkeypatch, chunk):
    monkeypatch.setattr(json_stream, "CHUNK", chunk)
    for content in ([], [1, -12.5e-3, 1e300, 'a\\"]}é', None, True, {"b": [1, {"c": []}]}, float("inf")], {}, {"a": [], "b": [1, [2]]}):
        for indent in (None, 2):
            path = tmp_path / "file.json"
            path.write_text(json.dumps(content, indent=indent, ensure_ascii=False) + " \n", encoding="utf-8")
            assert walk(path) == content
    path.write_text("[NaN]")
    assert np.isnan(walk(path)[0])


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("", "it ends too early"),
        ("[1, 2", "it ends too early"),
        ('{"a": [1], "b', "Unterminated string starting at"),
        ("[1 2]", "'2' stands where a comma or the end of an array should"),
        ("[1, x]", "Expecting value"),
        ('{"a" 1}', "'1' stands where a colon should"),
        ("{1: []}", "1 stands where a name should"),
        ("[1] [2]", "something follows its end"),
        ("5", "'5' stands where an array should"),
        ("[" * 100_000, "recursion|it ends too early|Expecting value"),
        (b"[\xff]", "codec can't decode"),
    ],
)
def test_broken_json(tmp_path, content, reason):
    path = tmp_path / "file.json"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(JaxzcError, match=rf"(?i)file\.json is not the JSON file it should be \(.*({reason}).*\): download it again"):
        walk(path)
    with pytest.raises(JaxzcError, match=r"gone cannot be opened \(No such file or directory\): check the path"):
        walk(tmp_path / "gone")


def peak(path: Path) -> int:
    tracemalloc.start()
    with JsonStream(path) as stream:
        assert sum(len(stream.value()["list"]) for _ in stream.items()) > 0
    _, highest = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return highest


def test_json_memory_is_that_of_one_element(tmp_path):
    for count in (500, 5000):
        (tmp_path / str(count)).write_text(json.dumps([{"list": list(range(200))}] * count))
    assert peak(tmp_path / "5000") < 1.2 * peak(tmp_path / "500")


def test_running_means():
    means = Means()
    means.add("a", {"x": 1.0, "params": 5})
    means.add("b", {"y": 2.0, "params": 6})
    means.add("a", {"x": 2.0, "params": 5})
    means.add("c", {"x": float("nan"), "params": 7})
    table = means.table(runs_of="x")
    assert table["arch"] == ["a", "b", "c"]
    np.testing.assert_array_equal(table["x"], [1.5, np.nan, np.nan])
    np.testing.assert_array_equal(table["y"], [np.nan, 2.0, np.nan])
    np.testing.assert_array_equal(table["runs"], [2, 0, 1])
    assert (table["params"].tolist(), table["params"].dtype, table["runs"].dtype) == ([5, 6, 7], np.int64, np.int64)
    means.add("a", {"params": 6})
    np.testing.assert_array_equal(means.table()["params"], [16 / 3, 6, 7])
