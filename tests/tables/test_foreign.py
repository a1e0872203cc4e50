"""`jaxzc import table`: anybody's table, its architectures read by a search space."""

from pathlib import Path

import numpy as np
import pytest
from jaxzc_spaces.nats_sss import NatsSizeSpace

from jaxzc.tables import read_truth
from jaxzc.tables.importers import read_foreign
from jaxzc.types import JaxzcError
from tests.support.commands import refused, run

ROWS = """network,set,top1_error,loss,note
8:8:8:8:8,a,10,1.5,x
8:8:8:8:16,a,20,,y
8:8:8:8:8,a,14,2.5,z
9:8:8:8:8,a,1,1,odd widths
8:8:8:8:24,b,30,1,other set
"""
SPACE = NatsSizeSpace()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "table.csv"
    path.write_text(ROWS)
    return path


def test_means_of_the_rows_that_the_space_can_read(path: Path) -> None:
    foreign = read_foreign(path, SPACE, "network", where={"set": "a"}, errors=["top1_error"])
    assert (foreign.rows, foreign.refused) == (4, ["9:8:8:8:8"])
    table = foreign.table
    assert table["arch"] == ["8:8:8:8:16", "8:8:8:8:8"]
    np.testing.assert_array_equal(table["top1_error"], [20, 12])
    np.testing.assert_array_equal(table["top1_accuracy"], [80, 88])
    np.testing.assert_array_equal(table["loss"], [np.nan, 2.0])
    np.testing.assert_array_equal(table["runs"], [1, 2])
    assert set(table) == {"arch", "top1_error", "top1_accuracy", "loss", "runs"}


@pytest.mark.parametrize(
    ("column", "where", "errors", "message"),
    [
        ("arch", {}, [], "unknown column of .*table.csv 'arch'"),
        ("network", {"sets": "a"}, [], "unknown column .*: did you mean 'set'"),
        ("network", {}, ["note"], "the column 'note' does not hold numbers"),
        ("network", {"set": "c"}, [], "no row is an architecture of nats_sss .no row has what it must have."),
        ("note", {}, [], "no row is an architecture of nats_sss .'other set' is no NATS-Bench size architecture"),
    ],
)
def test_refused_tables(path: Path, column: str, where: dict[str, str], errors: list[str], message: str) -> None:
    with pytest.raises(JaxzcError, match=message):
        read_foreign(path, SPACE, column, where=where, errors=errors)


def test_command(path: Path, tmp_path: Path) -> None:
    settings = ["--space", "nats_sss", "--arch-column", "network", "--error", "top1_error", "--where"]
    result = run("import", "table", path, *settings, "set=a", "--out", tmp_path / "truth.csv")
    assert "2 architectures" in result.out
    assert "1 of 4 rows are left out, because their architectures are none of nats_sss, such as '9:8:8:8:8'" in result.err
    assert read_truth(tmp_path / "truth.csv", "top1_accuracy") == {"8:8:8:8:8": 88.0, "8:8:8:8:16": 80.0}
    refused(run("import", "table", path, *settings, "set", "--out", tmp_path / "other.csv"), "expected NAME=TEXT")
