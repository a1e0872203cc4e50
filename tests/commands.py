"""Command lines run in this process."""

import contextlib
import io
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
