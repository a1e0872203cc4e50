"""Several score tables as one: the same networks for all, each proxy beside itself."""

import numpy as np
import pytest

from jaxzc.evaluation import evaluate
from jaxzc.evaluation.joining import join, label, names_of, pairs
from jaxzc.tables import ScoreTable
from jaxzc.types import JaxzcError


def table(archs: str, zico: list[float], **metadata: object) -> ScoreTable:
    columns = {"arch": np.array(list(archs), object), "zico": np.array(zico), "params": np.arange(len(archs)) + 1.0}
    return ScoreTable(columns, {"proxies": ["zico", "params"], **metadata})


A = table("abcde", [1, 2, 3, 4, 5], batch_size=4, init="torch", proxy_seconds={"zico": 0.5})
B = table("bcdef", [20, 10, 30, 50, 40], batch_size=4, init="kaiming", proxy_seconds={"zico": 0.25})


def test_networks_in_common_with_a_column_for_each_table() -> None:
    joined = join({"a": A, "b": B})
    assert joined.columns["arch"].tolist() == list("bcde")
    assert joined.columns["zico(a)"].tolist() == [2, 3, 4, 5]
    assert joined.columns["zico(b)"].tolist() == [20, 10, 30, 50]
    assert joined.columns["params"].tolist() == [2, 3, 4, 5]
    assert joined.columns["params(b)"].tolist() == [1, 2, 3, 4]  # b's networks are of other sizes, and it is said
    assert joined.metadata["batch_size"] == 4
    assert "init" not in joined.metadata
    assert joined.metadata["proxy_seconds"] == {"zico(a)": 0.5, "zico(b)": 0.25}
    assert joined.metadata["files"]["b"]["init"] == "kaiming"
    assert pairs({"a": A, "b": B}, joined) == [("zico(a)", "zico(b)")]


def test_directions_and_costs_are_those_of_the_proxy() -> None:
    found = evaluate(join({"a": A, "b": B}), dict(zip("bcde", [1.0, 2, 3, 4], strict=True)), resamples=0)
    rows = {row.proxy: row for row in found.rows}
    assert rows["zico(a)"].higher_is_better is True
    assert rows["zico(b)"].cost["seconds"] == 0.25
    assert rows["zico(a)"].statistics["spearman"].value == pytest.approx(1)
    assert rows["zico(b)"].statistics["spearman"].value == pytest.approx(0.8)


def test_labels_and_names() -> None:
    assert label("zico(batches=2)", "a") == "zico(a: batches=2)"
    assert names_of(["x/a.parquet", "y/b.parquet"]) == ["a", "b"]
    assert names_of(["x/s.parquet", "y/s.parquet"]) == ["x/s", "y/s"]
    with pytest.raises(JaxzcError, match="one file is named twice"):
        names_of(["x/s.parquet", "x/s.parquet"])
    with pytest.raises(JaxzcError, match="have no network in common"):
        join({"a": A, "b": table("xyz", [1, 2, 3])})
