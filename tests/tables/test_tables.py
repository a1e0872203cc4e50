"""Files of architectures, scores and ground truth."""

import gzip
import json
import os
from pathlib import Path
from typing import Any, cast

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from jaxzc.tables import METADATA_KEY, read_archs, read_scores, read_truth, write_scores
from jaxzc.types import JaxzcError, Space

SHARED = Path(os.environ.get("JAXZC_SHARED", Path(__file__).parents[2] / "../shared"))


class Digits:
    """Three genes from 0 to 4, written `012`; blanks inside are allowed, so that two strings can mean one architecture."""

    name = "digits"

    def parse(self, text: str) -> np.ndarray:
        genes = text.replace(" ", "")
        if len(genes) != 3 or not set(genes) <= set("01234"):
            raise JaxzcError(f"{text!r} is not three digits from 0 to 4: write for example '012'")
        return np.array([int(gene) for gene in genes])

    def to_string(self, arch: Any) -> str:
        return "".join(str(gene) for gene in arch)


SPACE = cast(Space, Digits())


def write(path: Path, text: str | bytes) -> Path:
    data = text.encode() if isinstance(text, str) else text
    path.write_bytes(gzip.compress(data) if path.suffix == ".gz" else data)
    return path


CSV = "idx,arch\n7,012\n8,400\n9,0 1 2\n"


@pytest.mark.parametrize("name", ["archs.txt", "archs.csv", "archs.csv.gz", "archs.parquet", "archs"])
def test_architectures_of_every_format(tmp_path, name):
    path = tmp_path / name
    if name.endswith("parquet"):
        pq.write_table(pa.table({"arch": ["012", "400", "0 1 2"]}), path)
    else:
        write(path, CSV if "csv" in name else "# mine\n012\n\n  400  \r\n0 1 2\n")
    archs, strings, duplicates = read_archs(path, SPACE)
    np.testing.assert_array_equal(archs, [[0, 1, 2], [4, 0, 0]])
    assert np.issubdtype(archs.dtype, np.integer)
    assert (strings, duplicates) == (["012", "400"], 1)


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("a.txt", "012\n# no\n019\n", r"a\.txt, line 3: '019' is not three digits from 0 to 4: write for example '012'"),
        ("a.csv", "arch\n012\n5\n", r"a\.csv, row 2: '5' is not three digits"),
        ("a.csv.gz", "arch,x\n,1\n", r"a\.csv\.gz, row 1: '' is not three digits"),
        ("a.txt", "\n# nothing\n", r"a\.txt holds no architecture: write one digits string a line, or a column 'arch'"),
        ("a.csv", "arch\n", r"a\.csv holds no architecture"),
        ("a.csv", "ops,acc\n012,1\n", r"a\.csv has no column 'arch' \(it has ops, acc\): rename the right one"),
        ("a.csv", "arch,arch\n012,1\n", r"a\.csv has 2 columns named 'arch': keep one of them"),
        ("a.csv", "", r"a\.csv cannot be read as CSV \(Empty CSV file\): check the file"),
        ("a.txt", b"\xff\xfe\x00", r"a\.txt cannot be read as text \(.*\): give text, \.csv, \.csv\.gz or \.parquet"),
        ("a.parquet", b"PAR1nothing", r"a\.parquet cannot be read as Parquet \(.*\): it may be damaged or of another kind"),
    ],
)
def test_architecture_errors(tmp_path, name, text, message):
    with pytest.raises(JaxzcError, match=message):
        read_archs(write(tmp_path / name, text), SPACE)


@pytest.mark.parametrize("name", ["no.txt", "no.csv", "no.parquet"])
def test_a_missing_file_is_named(tmp_path, name):
    with pytest.raises(JaxzcError, match=rf"there is no file .*{name}: check the path"):
        read_archs(tmp_path / name, SPACE)


def test_architectures_as_numbers_are_refused(tmp_path):
    pq.write_table(pa.table({"arch": [12, 400]}), tmp_path / "a.parquet")
    with pytest.raises(JaxzcError, match=r"column 'arch' of .*a\.parquet is int64, expected text: write the architectures as strings"):
        read_archs(tmp_path / "a.parquet", SPACE)


def test_a_text_file_is_no_gzip(tmp_path):
    path = tmp_path / "a.csv.gz"
    path.write_bytes(CSV.encode())
    with pytest.raises(JaxzcError, match=r"a\.csv\.gz cannot be read as CSV \(.*\): check the file"):
        read_archs(path, SPACE)


COLUMNS = {
    "arch": ["012", "400"],
    "seed": np.array([0, 1], np.int32),
    "naswot": np.array([np.nan, -np.inf]),
    "zen": np.array([1.5, np.inf], np.float32),
    "none": [None, 2.0],
}
METADATA = {"space": "digits", "seeds": [0, 1], "settings": {"norm": "batch"}}


def test_scores_come_back_as_they_were(tmp_path):
    path = tmp_path / "scores.parquet"
    write_scores(path, COLUMNS, METADATA)
    columns, metadata = (table := read_scores(path)).columns, table.metadata
    assert metadata == METADATA
    assert list(columns) == list(COLUMNS)
    assert columns["arch"].tolist() == ["012", "400"]
    assert (columns["seed"].dtype, columns["zen"].dtype) == (np.int32, np.float32)
    np.testing.assert_array_equal(columns["naswot"], [np.nan, -np.inf])
    np.testing.assert_array_equal(columns["zen"], [1.5, np.inf])
    np.testing.assert_array_equal(columns["none"], [np.nan, 2.0])
    assert json.loads(pq.read_schema(path).metadata[METADATA_KEY]) == METADATA
    assert [file.name for file in tmp_path.iterdir()] == ["scores.parquet"]


def test_foreign_and_empty_parquet_files(tmp_path):
    pq.write_table(pa.table({"zen": [1.0], "missing": pa.nulls(1)}), tmp_path / "a.parquet")
    table = read_scores(tmp_path / "a.parquet")
    assert table.metadata == {}
    np.testing.assert_array_equal(table.columns["missing"], [np.nan])
    write_scores(tmp_path / "b.parquet", {"arch": [], "zen": np.zeros(0)}, {})
    assert read_scores(tmp_path / "b.parquet").columns["zen"].shape == (0,)


def test_an_existing_file_stays_unless_overwritten(tmp_path):
    path = tmp_path / "scores.parquet"
    write_scores(path, {"zen": [1.0]}, {})
    with pytest.raises(JaxzcError, match=r"scores\.parquet exists: choose another name, or ask for overwriting"):
        write_scores(path, {"zen": [2.0]}, {})
    assert read_scores(path).columns["zen"].tolist() == [1.0]
    write_scores(path, {"zen": [2.0]}, {}, overwrite=True)
    assert read_scores(path).columns["zen"].tolist() == [2.0]


@pytest.mark.parametrize("broken", ["os.replace", "os.fsync"])
def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch, broken):
    path = tmp_path / "scores.parquet"
    write_scores(path, {"zen": [1.0]}, {})

    def fail(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(broken, fail)
    with pytest.raises(JaxzcError, match=r"scores\.parquet cannot be written \(No space left on device\): make room there"):
        write_scores(path, {"zen": [2.0]}, {}, overwrite=True)
    assert [file.name for file in tmp_path.iterdir()] == ["scores.parquet"]
    assert read_scores(path).columns["zen"].tolist() == [1.0]


@pytest.mark.parametrize("mode", [0o500, 0o000])
def test_a_directory_without_permission(tmp_path, mode):
    if os.geteuid() == 0:
        pytest.skip("root may write anywhere")
    tmp_path.chmod(mode)
    try:
        with pytest.raises(JaxzcError, match=r"cannot be written \(Permission denied\): choose a directory you may write to"):
            write_scores(tmp_path / "scores.parquet", {"zen": [2.0]}, {})
    finally:
        tmp_path.chmod(0o700)


@pytest.mark.parametrize(
    ("columns", "metadata", "message"),
    [
        ({"a": [1.0], "b": [1.0, 2.0]}, {}, r"columns of one table need one length, these have {'a': 1, 'b': 2}: give one value per row"),
        ({"a": np.zeros((2, 2))}, {}, r"column 'a' cannot be stored \(.*\): give numbers or strings, one per row"),
        ({"a": [1.0]}, {"rng": object()}, r"the metadata cannot be stored \(.*\): use text, numbers, lists and dictionaries"),
    ],
)
def test_what_cannot_be_stored(tmp_path, columns, metadata, message):
    with pytest.raises(JaxzcError, match=message):
        write_scores(tmp_path / "a.parquet", columns, metadata)
    assert not list(tmp_path.iterdir())


def test_score_file_errors(tmp_path):
    with pytest.raises(JaxzcError, match=r"there is no directory .*nowhere for a\.parquet: create it first"):
        write_scores(tmp_path / "nowhere" / "a.parquet", {"a": [1.0]}, {})
    with pytest.raises(JaxzcError, match=r"there is no file .*a\.parquet: check the path"):
        read_scores(tmp_path / "a.parquet")
    write_scores(tmp_path / "a.parquet", COLUMNS, METADATA)
    whole = (tmp_path / "a.parquet").read_bytes()
    with pytest.raises(JaxzcError, match=r"b\.parquet cannot be read as Parquet \(.*\): it may be damaged or of another kind"):
        read_scores(write(tmp_path / "b.parquet", whole[: len(whole) // 2]))
    pq.write_table(pa.table({"a": [1.0]}).replace_schema_metadata({METADATA_KEY: b"{"}), tmp_path / "c.parquet")
    with pytest.raises(JaxzcError, match=r"the metadata of .*c\.parquet are damaged \(.*\): score again into a new file"):
        read_scores(tmp_path / "c.parquet")


TRUTH = "idx,arch,acc,none,note\n0,012,93.5,,x\n1,400,nan,,\n2,333,,,y\n3,444,-inf,,\n4,012,93.5,,\n"


@pytest.mark.parametrize("name", ["truth.csv", "truth.csv.gz"])
def test_ground_truth(tmp_path, name):
    path = write(tmp_path / name, TRUTH)
    truth = read_truth(path, "acc")
    assert list(truth) == ["012", "400", "333", "444"]
    np.testing.assert_array_equal(list(truth.values()), [93.5, np.nan, np.nan, -np.inf])
    assert np.isnan(read_truth(path, "none")["444"])


def test_ground_truth_from_parquet(tmp_path):
    pq.write_table(pa.table({"key": ["012", "400"], "acc": pa.array([93, None], pa.int64())}), tmp_path / "t.parquet")
    truth = read_truth(tmp_path / "t.parquet", "acc", arch_column="key")
    assert truth["012"] == 93.0
    assert np.isnan(truth["400"])


@pytest.mark.parametrize(
    ("text", "metric", "message"),
    [
        (TRUTH, "test", r"truth\.csv has no column 'test': choose one of its numeric columns idx, acc, none"),
        ("arch,note\n012,x\n", "test", r"has no column 'test': choose one of its numeric columns \(none\)"),
        (TRUTH, "note", r"column 'note' of .* is not numeric \(it holds 'x'\): choose another metric or clean the file"),
        ("arch,acc\n012,1\n400,high\n", "acc", r"column 'acc' of .* is not numeric \(it holds 'high'\)"),
        ("arch,acc\n012,1\n012,2\n", "acc", r"truth\.csv, row 2: 012 stands there twice, with acc 1\.0 and 2\.0: keep one of them"),
        ("arch,acc\n012,1\n,2\n", "acc", r"truth\.csv, row 2: column 'arch' is empty: give every row its architecture"),
        ("arch,acc,acc\n012,1,2\n", "acc", r"truth\.csv has 2 columns named 'acc': keep one of them"),
        ("ops,acc\n012,1\n", "acc", r"truth\.csv has no column 'arch' \(it has ops, acc\): rename the right one"),
        ("arch,acc\n012,1,3\n", "acc", r"truth\.csv cannot be read as CSV \(.*Expected 2 columns, got 3.*\): check the file"),
    ],
)
def test_ground_truth_errors(tmp_path, text, metric, message):
    with pytest.raises(JaxzcError, match=message):
        read_truth(write(tmp_path / "truth.csv", text), metric)


def test_ground_truth_is_a_table(tmp_path):
    with pytest.raises(JaxzcError, match=r"truth\.txt is no table by its name: give a \.csv, \.csv\.gz or \.parquet file"):
        read_truth(write(tmp_path / "truth.txt", TRUTH), "acc")


@pytest.mark.skipif(not (SHARED / "data/nb201.csv.gz").is_file(), reason="reference data absent: set JAXZC_SHARED")
def test_the_real_benchmark_table():
    truth = read_truth(SHARED / "data/nb201.csv.gz", "c10_test")
    assert (len(truth), max(truth.values())) == (15_625, 94.3733)
    assert read_truth(SHARED / "data/nb201.csv.gz", "c10_test", "ops")["000000"] == 10.0
