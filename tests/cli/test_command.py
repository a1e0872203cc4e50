"""The command itself: help, versions, lists, and a sentence that names what was probably meant."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from jaxzc.tables import write_scores
from tests.support.commands import ARCHS, refused, run


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


def test_spaces_are_listed_with_their_sizes_and_one_with_an_architecture() -> None:
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
