"""The command line as a user meets it: what it writes, and one sentence for every mistake."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import jax
import numpy as np
import pyarrow.parquet as pq
import pytest

import jaxzc.embedded
from jaxzc.cli.arguments.requests import options
from jaxzc.cli.terminal import progress
from jaxzc.ingredients.passes.patterns import pattern_kernel
from jaxzc.proxies import jacob_cov
from jaxzc.scoring.space import SpaceScorer
from jaxzc.tables import read_scores, write_scores
from jaxzc.types import JaxzcError
from tests.support.commands import ARCHS, SMALL, Result, Scored, refused, run, scored_file


def score(*arguments: Any) -> Result:
    return run("score", "nasbench201", *SMALL, "--no-cache", "--quiet", *arguments)


@pytest.fixture(scope="module")
def scored(tmp_path_factory: pytest.TempPathFactory) -> Scored:
    """Compiled once for the tests that read it."""
    return scored_file(tmp_path_factory.mktemp("scored"))


# What is written.


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


# evaluate.


# Mistakes in `score`: refused at once, and nothing is left behind.


@pytest.mark.parametrize(
    ("arguments", "fragments"),
    [
        (["--proxies", "zicoo"], ["unknown proxy 'zicoo': did you mean 'zico'?"]),
        (["--proxies", "zico(std='abs')"], ["unknown setting of zico 'std': did you mean 'std_of'?"]),
        (["--proxies", "zico(std_of=1)"], ["zico: std_of=1: expected text"]),
        (["--proxies", "zico("], ["proxy 'zico(' cannot be read"]),
        (["--proxies", ","], ["no proxy was named"]),
        (["--proxies", "zico", "--batches", "1"], ["batches is 1, too few for zico, ", "at least 2 batches"]),
        (["--batches", "1"], ["batches is 1, too few for zico, sweet_zico, "]),
        (
            ["--proxies", "snip,jacob_cov,naswot,lnwot,tcet_snip", "--batch-size", "1"],
            ["batch_size is 1, too few for jacob_cov, naswot, lnwot"],
        ),
        (["--set", "nonsense=1"], ["unknown option of nasbench201 'nonsense': known: channels, cells"]),
        (["--set", "classes=3"], ["classes follows from the data"]),
        (["--set", "cells"], ["--set cells: expected OPTION=VALUE"]),
        (["--set", "cells=2"], ["--set cells is given twice"]),
        (["--sample", "99999"], ["cannot sample 99,999 distinct architectures from a space of 15,625"]),
        (["--sample", "0"], ["argument --sample: '0' is not a whole number of at least 1"]),
        (["--all", "--sample", "3"], ["--all means every architecture"]),
        (["--batch-size", "99999999999"], ["argument --batch-size: '99999999999' is not"]),
        (["--batch-size", "5000"], ["digits has 1797 images, 10000 were asked for"]),
        (["--seed", "-1"], ["argument --seed: '-1' is not a whole number from 0 to 4294967295"]),
        (["--seed", "0,4294967296"], ["'4294967296' is not"]),
        (["--seed", "1,1"], ["names a seed twice"]),
        (["--init", "he"], ["argument --init: invalid choice: 'he'"]),
        (["--data", "cifar"], ["unknown data 'cifar': choose one of digits"]),
        (["--out", "."], [". is a directory: name a file, for example scores.parquet"]),
        (["--out", ".", "--overwrite"], ["is a directory"]),
        (["--out", "nowhere/x.parquet"], ["there is no directory", "nowhere for x.parquet"]),
        (["--archs", "missing.txt"], ["there is no file missing.txt"]),
        (["--archs", f"{ARCHS[0]},oops"], ["--archs |", "'oops' is no NAS-Bench-201 architecture"]),
        (["--archs", "oops"], ["there is no such file, and it is no architecture of nasbench201: 'oops'"]),
    ],
)
def test_mistakes(here: Path, arguments: list[str], fragments: list[str]) -> None:
    defaults = [] if "--proxies" in arguments or "--batches" in arguments else ["--proxies", "params"]
    refused(score("--out", "x.parquet", *defaults, *arguments), *fragments)
    assert os.listdir(here) == []


@pytest.mark.parametrize("value", ["abc", "0", "-1", "2.5", "True", "None", ""])
def test_options_of_the_space_are_judged(here: Path, value: str) -> None:
    result = run("score", "nasbench201", "--set", f"channels={value}", "--proxies", "params", "--no-cache", "--out", "x.parquet")
    refused(result, "nasbench201", "channels=", "expected a positive integer" if value in ("0", "-1") else "expected a whole number")


def test_values_of_set_are_python_s_or_true_or_false() -> None:
    pairs = ["residual=true", "a=False", "b = 3", "c=(8, 8)", "d=cifar", "e='true'"]
    assert options(pairs) == {"residual": True, "a": False, "b": 3, "c": (8, 8), "d": "cifar", "e": "true"}


def test_existing_file_is_refused_before_anything_else(here: Path) -> None:
    Path("x.parquet").write_text("precious")
    refused(score("--out", "x.parquet", "--archs", "missing.txt"), "x.parquet exists", "--overwrite")
    assert Path("x.parquet").read_text() == "precious"


@pytest.mark.parametrize(
    ("text", "fragments"),
    [
        (f"# mine\n\n{ARCHS[0]}\n|oops\n", ["mine.txt, line 4: '|oops'", "expected 3"]),
        (f"{ARCHS[0]}\n{ARCHS[0].replace('skip', 'jump')}\n", ["mine.txt, line 2: ", "unknown operation 'jump_connect'", "skip_connect"]),
        ("# nothing\n\n", ["mine.txt holds no architecture"]),
    ],
)
def test_files_of_architectures(here: Path, text: str, fragments: list[str]) -> None:
    Path("mine.txt").write_text(text)
    refused(score("--proxies", "params", "--archs", "mine.txt", "--out", "x.parquet"), *fragments)
    assert os.listdir(here) == ["mine.txt"]


def test_more_than_the_file_has(here: Path) -> None:
    Path("mine.txt").write_text("\n".join(ARCHS))
    result = score("--proxies", "params", "--archs", "mine.txt", "--sample", 5, "--out", "x.parquet")
    refused(result, "--sample 5: mine.txt has only 4 different architectures")


def test_embedded_benchmark_that_is_not_there(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jaxzc.embedded, "table_path", lambda: here / "none.parquet")
    refused(score("--proxies", "params", "--archs", "embedded", "--out", "x.parquet"), "lacks the embedded benchmark")


IMAGES = np.random.default_rng(0).standard_normal((32, 8, 8, 1)).astype(np.float32)
LABELS = np.arange(32) % 10


@pytest.mark.parametrize(
    ("arrays", "fragments"),
    [
        ({"images": IMAGES[..., 0]}, ["[32, 8, 8]", "[N, H, W, C]"]),
        ({"images": IMAGES[:, :7, :7]}, ["(7, 7, 1)", "divisible by 4"]),
        ({"images": IMAGES.astype(np.int64)}, ["int64", "uint8 or float"]),
        ({"labels": LABELS - 1}, ["label -1 at index 0", "out of range"]),
        ({"classes": 5}, ["label 5 at index 5", "expected 0 to 4"]),
        ({"labels": LABELS[:5]}, ["int64 [5], expected integers [32]"]),
        ({"images": np.where(IMAGES > 2, np.nan, IMAGES)}, ["NaN or infinite"]),
    ],
)
def test_images_and_labels(here: Path, arrays: dict[str, Any], fragments: list[str]) -> None:
    np.savez("mine.npz", **{"images": IMAGES, "labels": LABELS, **arrays})
    refused(score("--proxies", "params", "--data", "npz:mine.npz", "--out", "x.parquet"), *fragments)
    assert os.listdir(here) == ["mine.npz"]


def test_the_library_refuses_a_single_image_too() -> None:
    """For those who call the functions themselves; the command line says it before anything is traced."""
    with pytest.raises(JaxzcError, match="needs at least 2 examples in the batch and got 1"):
        pattern_kernel(np.ones((1, 4), bool), np.float32)  # type: ignore[arg-type]
    with pytest.raises(JaxzcError, match="needs at least 2 examples in the batch and got 1"):
        jacob_cov(np.ones((1, 4)))  # type: ignore[arg-type]


# The command itself.


@pytest.mark.parametrize("command", [[], ["demo"], ["score"], ["econas"], ["evaluate"], ["sweet-interval"], ["proxies"], ["spaces"]])
def test_help_explains(command: list[str]) -> None:
    result = run(*command, "--help")
    assert (result.code, result.err) == (0, "")
    assert result.out.startswith(f"usage: {' '.join(['jaxzc', *command])} ")
    if command != ["spaces"]:
        assert f"  jaxzc {command[0] if command else 'demo'}" in result.out  # an example


def test_without_a_command_there_is_help() -> None:
    result = run()
    assert (result.code, result.out) == (2, "")
    assert "commands" in result.err
    refused(run("scor"), "invalid choice: 'scor'", "'score'")
    refused(run("score", "nasbench201"), "required: --out", "`jaxzc score --help`")
    refused(run("score", "nasbench202", "--out", "x"), "unknown space 'nasbench202': did you mean 'nasbench201'?")
    assert run("--version").out.startswith("jaxzc ")


def test_architectures_by_their_strings(tmp_path: Path) -> None:
    """--archs takes what names a file, and otherwise what the space can read, one or several."""
    for text, rows in (("8:8:8:8:8", 1), ("8:8:8:8:8,8:8:8:8:16,8:8:8:8:8", 2)):
        out = tmp_path / f"{rows}.parquet"
        assert run("score", "nats_sss", "--archs", text, "--proxies", "params", "--out", out).code == 0
        assert read_scores(out).columns["arch"].tolist() == ["8:8:8:8:8", "8:8:8:8:16"][:rows]


def test_spaces() -> None:
    result = run("spaces")
    assert result.code == 0
    assert "nasbench201" in result.out
    assert "channels=16, cells=5" in result.out
    one = run("spaces", "nats_sss")
    assert (one.code, one.err) == (0, "")
    assert "an architecture: " in one.out
    refused(run("spaces", "nasbench21"), "did you mean nasbench201?")


def test_a_file_of_an_architecture_that_is_not_there() -> None:
    for command in ("export", "train"):
        refused(run(command, "nasbench201", "found/winner.txt", "--out", "x"), "there is no file found/winner.txt: check the path")


@pytest.mark.parametrize(
    ("error", "code", "says"),
    [
        (KeyboardInterrupt(), 130, "interrupted"),
        (jax.errors.JaxRuntimeError("RESOURCE_EXHAUSTED: Out of memory while trying to allocate"), 2, "lower --batch-size"),
        (MemoryError(), 2, "out of memory"),
    ],
)
def test_interrupted_or_out_of_memory(here: Path, monkeypatch: pytest.MonkeyPatch, error: BaseException, code: int, says: str) -> None:
    monkeypatch.setattr(SpaceScorer, "many", failing(error))
    result = score("--proxies", "params", "--out", "x.parquet")
    assert (result.code, result.out) == (code, "")
    assert says in result.err
    assert len(result.err.splitlines()) == 1
    assert os.listdir(here) == []


def failing(error: BaseException) -> Any:
    def many(*_: Any) -> Any:
        raise error

    return many


@pytest.mark.filterwarnings("always::jaxzc.DoubtWarning")
def test_what_a_space_doubts_is_a_note(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(SpaceScorer, "many", failing(JaxzcError("enough")))
    call = ("--data", "normal", "--proxies", "synflow", "--no-cache", "--quiet", "--out", "x.parquet")
    first, last = run("score", "published", "--archs", "resnet10,mobilenetv2_w1", *call).err.splitlines()
    assert first.startswith("jaxzc: published: synflow: the networks mobilenetv2_* ")
    assert last == "jaxzc: error: enough"
    assert run("score", "published", "--archs", "resnet10", *call).err == "jaxzc: error: enough\n"


def test_other_errors_of_jax_are_not_disguised(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(SpaceScorer, "many", failing(jax.errors.JaxRuntimeError("INTERNAL: a bug")))
    with pytest.raises(jax.errors.JaxRuntimeError, match="a bug"):
        score("--proxies", "params", "--out", "x.parquet")
    assert os.listdir(here) == []


def test_progress_yields_everything(capsys: pytest.CaptureFixture[str]) -> None:
    assert list(progress(range(5), 5, quiet=True)) == list(range(5))
    assert capsys.readouterr().err == ""
    assert list(progress(range(5), 5, quiet=False)) == list(range(5))
    assert "running: 100%" in capsys.readouterr().err


def test_sweet_interval_refuses_several_seeds() -> None:
    refused(run("sweet-interval", "nasbench201", "--seed", "0,1"), "argument --seed: '0,1' is not a whole number")


def test_installed_command_survives_a_closed_pipe() -> None:
    """As in `jaxzc proxies | head -1`."""
    command = Path(sys.executable).with_name("jaxzc")
    if not command.exists():
        pytest.skip("the command jaxzc is not installed beside this Python")
    reader, writer = os.pipe()
    os.close(reader)
    try:
        done = subprocess.run([command, "proxies"], stdout=writer, stderr=subprocess.PIPE, timeout=120, check=False)
    finally:
        os.close(writer)
    assert (done.returncode, done.stderr) == (141, b"")


def test_scores_as_csv(here):
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


@pytest.mark.parametrize(
    ("call", "meant"),
    [
        (["scor"], "did you mean score?"),
        (["score", "nasbench201", "--out", "x.parquet", "--sed", "3"], "did you mean --seed?"),
        (["score", "nasbench21", "--out", "x.parquet"], "did you mean 'nasbench201'?"),
        (["score", "nasbench201", "--out", "x.parquet", "--proxies", "ZiCO"], "did you mean 'zico'?"),
        (["score", "nasbench201", "--out", "x.parquet", "--proxies", "zico(std_off='abs')"], "did you mean 'std_of'?"),
        (["score", "nasbench201", "--out", "x.parquet", "--set", "chanels=3"], "did you mean 'channels'?"),
        (["score", "nasbench201", "--out", "x.parquet", "--init", "tocrh"], "did you mean torch?"),
        (["score", "nasbench201", "--out", "x.parquet", "--data", "digit"], "did you mean 'digits'?"),
        (["evaluate", "t.csv", "--table", "t.csv", "--metric", "layer"], "did you mean 'layers'?"),
        (["evaluate", "t.csv", "--table", "t.csv", "--metric", "layers", "--statistics", "kendal"], "did you mean 'kendall'?"),
        (["evaluate", "t.csv", "--table", "t.csv", "--metric", "layers", "--proxies", "layrs"], "did you mean 'layers'?"),
        (["evaluate", "t.csv", "--table", "t.csv", "--metric", "layers", "--aggregate", "log_rnk(layers)"], "did you mean 'log_rank'?"),
        (
            ["search", "nasbench201", "--table", "t.csv", "--metric", "layers", "--budget", "param<=3", "--out", "x"],
            "did you mean 'params'?",
        ),
        (["search", "nasbench201", "--table", "t.csv", "--metric", "layers", "--costs", "flop", "--out", "x"], "did you mean 'flops'?"),
        (["proxies", "zcio"], "did you mean 'zico'?"),
    ],
)
def test_the_nearest_name_is_named(here, call, meant):
    write_scores("t.csv", {"arch": ARCHS, "layers": [1.0, 2.0, 3.0, 4.0]}, {})
    refused(run(*call), meant)
