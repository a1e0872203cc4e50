"""`jaxzc import naslib`: every search space's architectures in the benchmark's own strings, checked on published accuracies."""

import gzip
import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.csv as pa_csv
import pytest

from jaxzc.tables import read_scores, read_truth
from tests.support.commands import refused, run
from tests.support.official import imported

SHARED = Path(os.environ.get("JAXZC_SHARED", Path(__file__).parents[2] / "../shared"))


def entry(accuracy: float, **scores: float) -> dict[str, Any]:
    return {"idx": "1", "val_accuracy": accuracy, **{name: {"score": value, "time": 0.1} for name, value in scores.items()}}


# Architectures and accuracies as NAS-Bench-Suite-Zero publishes them.
SUITE_ZERO = {
    "nasbench201": ("cifar100", {"(4, 3, 3, 3, 2, 3)": 68.34, "(3, 3, 2, 1, 3, 2)": 69.92, "(4, 1, 0, 0, 0, 3)": 56.78}),
    "transbench101_micro": (
        "class_scene",
        {"(1, 0, 0, 2, 1, 0)": 34.892517, "(0, 1, 1, 2, 3, 3)": 52.707008, "(3, 1, 0, 0, 2, 2)": 53.194668},
    ),
    "transbench101_macro": (
        "class_scene",
        {"(2, 1, 2, 4, 0, 0)": 53.299164, "(1, 3, 3, 3, 4, 1)": 49.751194, "(3, 3, 3, 4, 1, 0)": np.nan},
    ),
}
PUBLISHED = {
    "nasbench201": ("nb201.csv.gz", "c100_valid_nl"),
    "transbench101_micro": ("tnb101_micro.csv.gz", "class_scene_val"),
    "transbench101_macro": ("tnb101_macro.csv.gz", "class_scene_val"),
}


@pytest.mark.parametrize("space", list(SUITE_ZERO))
def test_naslib_architectures_have_the_accuracies_of_the_benchmark(here, space):
    """The translation of NASLib's tuples is right where it finds the same number in the benchmark itself."""
    file, column = PUBLISHED[space]
    if not (SHARED / "data" / file).is_file():
        pytest.skip(f"no {file} in the directory of JAXZC_SHARED")
    task, archs = SUITE_ZERO[space]
    (here / f"zc_{space}.json").write_text(json.dumps({task: {arch: entry(value) for arch, value in archs.items()}}))
    imported("naslib", f"zc_{space}.json")
    ours = read_truth("table.parquet", f"{task}_val_accuracy")
    with gzip.open(SHARED / "data" / file) as content:
        table = pa_csv.read_csv(content)
    theirs = dict(zip(table["arch"].to_pylist(), table[column].to_pylist(), strict=True))
    assert len(ours) == 3
    for arch, value in ours.items():
        assert np.isnan(value) or theirs[arch] == pytest.approx(value, abs=2e-5)


def test_naslib_truth_and_scores(here):
    matrix, ops = (0, 1, 1, 0, 0, 1, 0, 0, 0), (0, 4, 1)
    content = {
        "cifar10": {str((*matrix, *ops)): entry(91.5, snip=2.5, jacov=-1e8), str((0, 1, 0, 0, 0, 1)): entry(10.0, snip=1.5, zen=3.0)},
        "svhn": {str((0, 1, 0, 0, 0, 1)): entry(20.0, snip=7.0)},
    }
    (here / "mine.json").write_text(json.dumps(content))
    table = imported("naslib", "mine.json", "--space", "nasbench101")
    assert table["arch"].tolist() == ["0100:input,output", "011001000:input,conv3x3-bn-relu,output"]
    np.testing.assert_array_equal(table["cifar10_val_accuracy"], [10.0, 91.5])
    np.testing.assert_array_equal(table["svhn_val_accuracy"], [20.0, np.nan])
    scores = imported("naslib", "mine.json", "--space", "nasbench101", "--scores", "cifar10")
    assert scores["snip"].tolist() == [2.5, 1.5]
    np.testing.assert_array_equal(scores["jacov"], [np.nan, np.nan])
    np.testing.assert_array_equal(scores["zen"], [np.nan, 3.0])
    assert read_scores("table.parquet").metadata["proxies"] == ["snip", "jacov", "zen"]


def test_naslib_genotypes(here):
    cell = [(0, 4), (1, 3), (0, 2), (2, 3), (2, 3), (0, 3), (2, 6), (3, 5)]
    (here / "zc_nasbench301.json").write_text(json.dumps({"cifar10": {str([cell, cell]): entry(93.0)}}))
    (arch,) = imported("naslib", "zc_nasbench301.json")["arch"]
    normal = "[('sep_conv_5x5', 0), ('sep_conv_3x3', 1), ('skip_connect', 0), ('sep_conv_3x3', 2), ('sep_conv_3x3', 2), "
    normal += "('sep_conv_3x3', 0), ('dil_conv_5x5', 2), ('dil_conv_3x3', 3)]"
    assert arch == f"Genotype(normal={normal}, normal_concat=[2, 3, 4, 5], reduce={normal}, reduce_concat=[2, 3, 4, 5])"


@pytest.mark.parametrize(
    ("name", "content", "options", "message"),
    [
        ("mine.json", {}, [], "'mine.json' names no search space: give --space, one of nasbench101, nasbench201,"),
        ("zc_nasbench201.json", {}, [], "zc_nasbench201.json hold no architecture: give files such as"),
        ("zc_nasbench201.json", {"t": {"(1, 2)": entry(1)}}, [], "'(1, 2)' is no architecture of this space (it has another form)"),
        ("zc_nasbench201.json", {"t": {"__import__('os')": entry(1)}}, [], "\"__import__('os')\" is no architecture of this space"),
        ("zc_nasbench201.json", {"t": {"(0, 0, 0, 0, 0, 5)": entry(1)}}, [], "'(0, 0, 0, 0, 0, 5)' is no architecture of this space"),
        ("zc_nasbench101.json", {"t": {"(0, 0, 1, 0, 0, 1)": entry(1)}}, [], "('0010' is no adjacency matrix of the benchmark"),
        ("zc_nasbench201.json", {"t": {"(0, 0, 0, 0, 0, 0)": {}}}, [], "|skip_connect~0|+|skip_connect~0|skip_connect~1|+|skip_connect~0|"),
        ("zc_nasbench201.json", {"t": {"(0, 0, 0, 0, 0, 0)": 3}}, [], "val_accuracy is None, expected a number"),
        ("zc_nasbench201.json", {"t": {}}, ["--scores", "u"], "zc_nasbench201.json has no task 'u': choose one of t"),
        ("zc_nasbench201.json", [], [], "'[' stands where an object should"),
    ],
)
def test_files_that_are_not_of_naslib(here, name, content, options, message):
    (here / name).write_text(json.dumps(content))
    refused(run("import", "naslib", name, "--out", "table.parquet", "--quiet", *options), message)
