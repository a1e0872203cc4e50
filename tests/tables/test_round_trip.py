"""Tables come back from Parquet and CSV as they were written: every number, every character of a string."""

import gzip
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jaxzc.tables import check_name, read_columns, read_scores, read_truth, write_scores
from jaxzc.types import JaxzcError

text = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=12)
columns = st.integers(1, 6).flatmap(
    lambda n: st.fixed_dictionaries(
        {
            "arch": st.lists(text.filter(bool), min_size=n, max_size=n, unique=True),
            "seed": st.lists(st.integers(0, 2**32 - 1), min_size=n, max_size=n),
            "zen": st.lists(st.floats(width=64), min_size=n, max_size=n),
            "naswot(a, 'b')": st.lists(st.floats(width=64), min_size=n, max_size=n),
            "there": st.lists(st.booleans(), min_size=n, max_size=n),
        }
    )
)


@pytest.mark.parametrize("name", ["t.parquet", "t.csv", "t.csv.gz"])
@given(table=columns)
def test_a_table_comes_back(tmp_path, name, table):
    path = tmp_path / name
    masked = np.ma.masked_array(table["naswot(a, 'b')"], ~np.array(table["there"]))
    write_scores(path, {**table, "naswot(a, 'b')": masked}, {"proxies": ["zen"], "about": "é"}, overwrite=True)
    scores = read_scores(path)
    found = scores.columns
    assert list(found) == list(table)
    assert found["arch"].tolist() == table["arch"]
    np.testing.assert_array_equal(found["seed"], table["seed"])
    np.testing.assert_array_equal(found["zen"], np.array(table["zen"]))
    if name == "t.parquet":  # of CSV, a column of whole numbers is read as integers, which have no negative zero
        assert np.array_equal(np.signbit(found["zen"]), np.signbit(table["zen"])) or np.isnan(table["zen"]).any()
    np.testing.assert_array_equal(found["naswot(a, 'b')"], np.where(table["there"], table["naswot(a, 'b')"], np.nan))
    assert scores.metadata == ({"proxies": ["zen"], "about": "é"} if name == "t.parquet" else {})
    assert list(read_columns(path).columns) == list(table)
    np.testing.assert_array_equal([read_truth(path, "zen")[arch] for arch in table["arch"]], table["zen"])


def test_csv_is_what_other_programs_read(tmp_path):
    write_scores(tmp_path / "t.csv", {"arch": ["a", 'b,"c"'], "zen": np.ma.masked_array([0.1, 2.0], [False, True])}, {})
    assert (tmp_path / "t.csv").read_text() == '"arch","zen"\n"a",0.1\n"b,""c""",\n'
    write_scores(tmp_path / "t.csv.gz", {"arch": ["a"], "zen": [0.1]}, {})
    packed = (tmp_path / "t.csv.gz").read_bytes()
    assert gzip.decompress(packed) == b'"arch","zen"\n"a",0.1\n'
    write_scores(tmp_path / "t.csv.gz", {"arch": ["a"], "zen": [0.1]}, {}, overwrite=True)
    assert (tmp_path / "t.csv.gz").read_bytes() == packed


@pytest.mark.parametrize("name", ["scores", "scores.txt", "scores.csv.zip", "scores.xlsx", ".parquet/x"])
def test_names_that_are_of_no_table(name):
    with pytest.raises(JaxzcError, match=r"no table by its name: name a file that ends in \.parquet, \.csv or \.csv\.gz"):
        check_name(Path(name))
