"""Command lines run in this process, and a file of scores that several tests read."""

import contextlib
import io
from pathlib import Path
from typing import Any, NamedTuple

from jaxzc.cli import main


class Result(NamedTuple):
    code: int
    out: str
    err: str


def run(*arguments: Any) -> Result:
    """One command line in this process."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            code = main([str(a) for a in arguments])
        except SystemExit as exit_:  # argparse's own refusals, and --help
            code = int(exit_.code or 0)
    return Result(code, out.getvalue(), err.getvalue())


SMALL = ["--set", "channels=2", "--set", "cells=1", "--batch-size", "8"]


def score(*arguments: Any) -> Result:
    """`jaxzc score` on networks of two channels, without a word of progress."""
    return run("score", "nasbench201", *SMALL, "--no-cache", "--quiet", *arguments)


def refused(result: Result, *fragments: str, notes: bool = False) -> None:
    """Exit code 2, nothing on standard output, and one line on standard error that says all of this (after others, where `notes`)."""
    assert (result.code, result.out) == (2, ""), result
    *before, line = result.err.strip().splitlines()
    assert notes or not before, result.err
    assert line.startswith("jaxzc")
    assert "error: " in line
    for fragment in fragments:
        assert fragment in line
    assert "Traceback" not in result.err


ARCHS = [
    "|nor_conv_3x3~0|+|none~0|skip_connect~1|+|avg_pool_3x3~0|none~1|nor_conv_1x1~2|",
    "|nor_conv_1x1~0|+|nor_conv_3x3~0|skip_connect~1|+|avg_pool_3x3~0|none~1|nor_conv_1x1~2|",
    "|skip_connect~0|+|none~0|nor_conv_1x1~1|+|nor_conv_3x3~0|none~1|nor_conv_3x3~2|",
    "|skip_connect~0|+|none~0|none~1|+|skip_connect~0|none~1|none~2|",
]


class Scored(NamedTuple):
    path: Path
    result: Result


def scored_file(folder: Path) -> Scored:
    """A file of four architectures and two seeds, and what the command said."""
    (folder / "mine.txt").write_text("# mine\n\n" + "\n".join([*ARCHS, f"  {ARCHS[1]} "]) + "\n")
    out = folder / "scores.parquet"
    result = run(
        *("score", "nasbench201", *SMALL, "--no-cache", "--archs", folder / "mine.txt"),
        *("--proxies", "naswot(once=True),l2_norm", "--seed", "7,1", "--out", out),
    )
    return Scored(out, result)
