"""What `jaxzc score` writes, of which architectures, and where it keeps what it compiled."""

import os
from pathlib import Path

import jax
import numpy as np
import pyarrow.parquet as pq
import pytest

import jaxzc.embedded
from jaxzc.cli.arguments.requests import options
from jaxzc.tables import read_scores, write_scores
from tests.support.commands import ARCHS, SMALL, Scored, refused, run, score, scored_file


@pytest.fixture(scope="module")
def scored(tmp_path_factory: pytest.TempPathFactory) -> Scored:
    """Compiled once for the tests that read it."""
    return scored_file(tmp_path_factory.mktemp("scored"))


def test_score_writes_a_row_per_architecture_and_seed(scored: Scored) -> None:
    assert scored.result.code == 0
    assert "4 architectures x 2 seeds, 4 scores each" in scored.result.out
    assert "1 of 5 lines repeat an architecture" in scored.result.err
    assert "8/8" in scored.result.err  # the progress bar counts rows
    assert "arch/s" in scored.result.err
    table = pq.read_table(scored.path)
    assert {field.name: str(field.type) for field in table.schema} == {
        "arch": "string",
        "seed": "int64",
        **dict.fromkeys(["naswot(once=True)", "l2_norm", "params", "flops"], "double"),
    }
    columns = table.to_pydict()
    assert columns["arch"] == ARCHS * 2
    assert columns["seed"] == [7] * 4 + [1] * 4
    assert columns["params"][:4] == columns["params"][4:]
    for label in ("naswot(once=True)", "l2_norm"):
        first, second = np.reshape(columns[label], (2, 4))
        assert np.all(first != second)
    assert sorted(os.listdir(scored.path.parent)) == ["mine.txt", "scores.parquet"]


def test_metadata_say_how_the_scores_were_made(scored: Scored) -> None:
    table = read_scores(scored.path)
    metadata = table.metadata
    assert metadata["proxies"] == ["naswot(once=True)", "l2_norm", "params", "flops"]
    assert metadata["seeds"] == [7, 1]
    assert len(set(metadata["data_digests"])) == 2
    assert metadata["space"] == "NasBench201(channels=2, cells=1, classes=10, inputs=InputSpec(shape=(8, 8, 1), dtype='float32'))"
    assert metadata["archs"].startswith("all 4 of ")
    kept = {"data": "digits", "batch_size": 8, "batches": 2, "weights": "redrawn", "init": "torch", "norm": "batch"}
    assert {key: metadata[key] for key in kept} == kept
    assert {"seconds", "seconds_first", "versions", "platform", "data_notes"} <= set(metadata)
    one_forward_pass = {"passes": 1, "flops": 8 * table.columns["flops"].mean()}
    nothing = {"passes": 0, "flops": 0}
    assert metadata["costs"] == {"naswot(once=True)": one_forward_pass, "l2_norm": nothing, "params": nothing, "flops": nothing}


def test_a_seed_alone_gives_the_same_rows(scored: Scored, here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Images and weights of a seed do not depend on the other seeds, nor on where the architectures come from."""
    (here / "small.csv").write_text("arch,test_accuracy\n" + "".join(f"{arch},{k}\n" for k, arch in enumerate(ARCHS[::-1])))
    monkeypatch.setattr(jaxzc.embedded, "table_path", lambda: here / "small.csv")
    result = score("--archs", "embedded", "--proxies", "naswot(once=True),l2_norm", "--seed", "1", "--out", "one.parquet")
    assert result.code == 0
    assert "trained with --set channels=4 --set cells=1" in result.err
    one, both = read_scores("one.parquet"), read_scores(scored.path)
    assert one.metadata["data_digests"] == both.metadata["data_digests"][1:]
    for label in ("naswot(once=True)", "l2_norm", "flops"):
        np.testing.assert_allclose(one.columns[label][::-1], both.columns[label][4:], rtol=1e-6)


def test_sample_of_a_file_is_seeded_and_in_file_order(here: Path) -> None:
    (here / "mine.txt").write_text("\n".join(ARCHS))
    drawn = {}
    for seed in ("0", "0,5", "3"):
        assert score("--archs", "mine.txt", "--sample", 2, "--seed", seed, "--proxies", "params", "--out", f"{seed}.parquet").code == 0
        drawn[seed] = pq.read_table(f"{seed}.parquet")["arch"].to_pylist()
    assert drawn["0,5"] == drawn["0"] * 2
    assert drawn["0"] != drawn["3"]
    assert all(len(set(archs)) == 2 and sorted(archs, key=ARCHS.index) == archs for archs in (drawn["0"], drawn["3"]))
    assert read_scores("3.parquet").metadata["archs"] == "2 random ones of mine.txt"


def test_sample_and_all_of_the_space(here: Path) -> None:
    assert score("--sample", 30, "--proxies", "params", "--out", "some.parquet").code == 0
    assert len(set(pq.read_table("some.parquet")["arch"].to_pylist())) == 30
    assert score("--all", "--proxies", "params", "--out", "all.parquet").code == 0
    everything = pq.read_table("all.parquet")
    assert everything.num_rows == 15625
    assert everything.column_names == ["arch", "seed", "params", "flops"]
    assert read_scores("all.parquet").metadata["archs"] == "all 15625"


def test_overwrite_replaces(here: Path) -> None:
    write_scores("x.parquet", {"arch": ["old"]}, {})
    assert score("--sample", 2, "--proxies", "params", "--out", "x.parquet", "--overwrite").code == 0
    assert read_scores("x.parquet").columns["arch"].shape == (2,)


def test_compiled_programs_are_kept_where_the_user_keeps_caches(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(here))
    jax.config.update("jax_compilation_cache_dir", None)
    arguments = ["score", "nasbench201", *SMALL, "--quiet", "--sample", "2", "--proxies", "params", "--out"]
    assert run(*arguments, "a.parquet", "--no-cache").code == 0
    assert jax.config.jax_compilation_cache_dir is None  # pyright: ignore[reportAttributeAccessIssue]
    assert run(*arguments, "b.parquet").code == 0
    assert jax.config.jax_compilation_cache_dir == str(here / "jaxzc")  # pyright: ignore[reportAttributeAccessIssue]


def test_values_of_set_are_python_s_or_true_or_false() -> None:
    pairs = ["residual=true", "a=False", "b = 3", "c=(8, 8)", "d=cifar", "e='true'"]
    assert options(pairs) == {"residual": True, "a": False, "b": 3, "c": (8, 8), "d": "cifar", "e": "true"}


def test_archs_takes_strings_of_architectures(tmp_path: Path) -> None:
    """--archs takes what names a file, and otherwise what the space can read, one or several."""
    for text, rows in (("8:8:8:8:8", 1), ("8:8:8:8:8,8:8:8:8:16,8:8:8:8:8", 2)):
        out = tmp_path / f"{rows}.parquet"
        assert run("score", "nats_sss", "--archs", text, "--proxies", "params", "--out", out).code == 0
        assert read_scores(out).columns["arch"].tolist() == ["8:8:8:8:8", "8:8:8:8:16"][:rows]


def test_a_name_that_ends_in_csv_makes_a_table_of_text(here):
    """`--out x.csv` is a table; what is no table by its name is refused at once, and no directory of that name is made."""
    call = ["score", "nasbench201", *SMALL, "--no-cache", "--quiet", "--sample", 4, "--proxies", "layers"]
    assert run(*call, "--out", "x.csv").code == 0
    assert run(*call, "--out", "x.parquet").code == 0
    csv, parquet = (read_scores(f"x.{kind}").columns for kind in ("csv", "parquet"))
    assert list(csv) == list(parquet)
    for name, values in parquet.items():
        np.testing.assert_array_equal(csv[name], values)
    for name in ("x.txt", "x.JSON", "x.tsv"):
        refused(run(*call, "--out", name), "is no table by its name")
    assert sorted(path.name for path in here.iterdir()) == ["x.csv", "x.parquet"]
    truth = ["--table", "x.parquet", "--metric", "layers", "--resamples", 0]
    assert "layers" in run("evaluate", "x.csv", *truth).out
