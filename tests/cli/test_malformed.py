"""Malformed command lines from a grammar: each is refused with exit code 2 and one sentence, and leaves nothing behind.

A command is a valid one in which one part is replaced by a wrong one. The wrong parts stand beside what makes them wrong, so that nothing
here is refused by accident, and nearly everything is refused before anything is compiled.
"""

import itertools
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest

from jaxzc.tables import write_scores
from tests.support.commands import ARCHS, run

Line = tuple[str, ...]

NUMBERS = ("", "-1", "0", "1.5", "1e3", "nan", "inf", "x", "1 2", "²", "١", "0x10", "99999999999999999999", "--", "'1'", "\0")
"""No whole number of at least 1 in ASCII digits; Python's int() takes some of them."""
SPECS = ("", "cifar", "npz:", "npz:none.npz", "npz:text.txt", "npz:.", "tfds:", "tfds:no_such_set", "tfds:../x", "digits:", "npz:empty.npz")
NAMES = ("", ",", "zcio", "naswot(", "naswot)", "naswot()()", "zico(std_of=3)", "zico(std_of=abs)", "zico(x=1)", "zico(1)", "1",
         "lambda: 0", "naswot,naswot", "__import__('os')", "naswot(once=open('x'))", "\0", "é", "naswot.snip", "zico(**{})",
         "naswot;snip")  # fmt: skip
PAIRS = ("", "channels", "=", "=3", "channels=", "channels=0", "channels=-1", "channels=x", "channels=1.5", "channels=None", "channels=[2]",
         "chanels=2", "classes=3", "inputs=(1,1,1)", "cells=0", "cells=True", "name=3")  # fmt: skip
FILES = (
    "",
    "none.txt",
    ".",
    "empty.txt",
    "comments.txt",
    "text.txt",
    "other.csv",
    "wrong.csv",
    "binary.txt",
    "bad.parquet",
    "\0",
    "text.txt/x",
)
OUTS = (
    "",
    ".",
    "none/x.parquet",
    "text.txt/x.parquet",
    "x.json",
    "x.txt",
    "x.tsv",
    "text.txt",
    "here.parquet",
    "\0.parquet",
    "a" * 300 + ".csv",
)
SCORE: Line = ("score", "nasbench201", "--set", "channels=2", "--set", "cells=1", "--no-cache", "--quiet", "--proxies", "layers")
EVALUATE: Line = ("evaluate", "scores.parquet", "--table", "truth.csv", "--metric", "acc", "--resamples", "5")
SEARCH: Line = ("search", "nasbench201", "--set", "channels=2", "--set", "cells=1", "--no-cache", "--quiet", "--evaluations", "3")
TABLE: Line = ("--table", "truth.csv", "--metric", "acc")


def options(command: Line, wrong: dict[str, Sequence[str]], rest: Line) -> Iterator[Line]:
    for option, values in wrong.items():
        for value in values:
            yield (*command, *rest, option, value)


def lines() -> Iterator[Line]:
    out = ("--out", "x.parquet")
    yield from ((name,) for name in ("", "scor", "--sed", "Score", "score ", "score\n", "import"))
    yield from options(
        SCORE,
        {
            **dict.fromkeys(("--sample", "--batch-size", "--batches", "--every", "--chunk"), NUMBERS),
            "--seed": ("", "-1", "1,1", "1,,2", "x", "1.0", "²", "4294967296", "1;2"),
            "--devices": ("", "0", "-1", "none", "1000", "1.5"),
            "--stripe": ("", "1", "1/1", "2/1", "-1/2", "a/b", "0/0", "1/2/3", "²/4"),
            "--processes": ("", "0", "x", "-2"),
            **dict.fromkeys(("--weights", "--init", "--norm", "--isomorphs"), ("", "tocrh", "None", "\0")),
        },
        out,
    )
    yield from options(SCORE, {"--data": SPECS, "--set": PAIRS, "--archs": FILES, "--proxies": NAMES}, (*out, "--sample", "2"))
    yield from ((*SCORE, "--sample", "2", "--out", name) for name in OUTS)
    yield from (("score", space, "--out", "x.parquet") for space in ("", "nasbench", "NASBENCH201", "../x", "nasbench201 ", "\0"))
    yield from (
        (*SCORE, *more, *out)
        for more in (("--all", "--sample", "2"), ("--all", "--archs", "good.txt"), ("--sample", "9", "--archs", "good.txt"))
    )
    yield from (("evaluate", name, *EVALUATE[2:]) for name in (*FILES, "truth_text.csv"))
    yield from options(
        EVALUATE,
        {
            "--table": FILES,
            "--metric": ("", "Acc", "arch", "name", "acc "),
            "--proxies": ("", ",", "zenn", "arch"),
            "--statistics": ("", "rho", "spearman,,x"),
            "--resamples": ("", "-1", "x", "1.5"),
            "--seed": ("-1", "x", ""),
            "--compare": ("", "zen", "zen,zen", "zen,params,flops", "zen,nothing"),
            "--aggregate": ("mean(zen)", "log_rank(", "log_rank()", "=log_rank(zen)", "tri", "log_rank(nothing)", "zen=log_rank(zen)"),
            "--csv": (".", "none/x.csv", "here.parquet", "text.txt/x.csv"),
            "--report": ("text.txt", "none/x/y", "good.txt"),
        },
        (),
    )
    yield from options(
        (*SEARCH, *TABLE, "--out", "found"),
        {
            "--budget": (
                "",
                "flops",
                "flops<=",
                "flops<=x",
                "<=3",
                "flops=3",
                "flop<=3",
                "flops<=1,,params<=1",
                "flops<=nan",
                "params<=1",
                "flops<==3",
            ),
            "--costs": ("flop", "own:cost", ":f", "f:", "a b:c", "os:nothing_there", "os:sep", "flops,flops"),
            "--algorithm": ("", "evolve", "NSGA2"),
            **dict.fromkeys(("--population", "--tournament", "--genes", "--generation", "--evaluations"), ("", "0", "x", "-3", "1.5")),
            "--initial": ("3",),
            "--start": FILES,
            "--metric": ("", ",", "Acc", "arch", "name"),
            "--table": FILES,
            "--duplicates": ("", "none"),
        },
        (),
    )
    yield from ((*SEARCH, *TABLE, "--out", name) for name in ("text.txt", "none/x", "full", "\0"))
    yield from ((*SEARCH, "--fitness", name, "--out", "found") for name in (*NAMES, "vote"))
    kinds = ("nats-bench", "nasbench101", "nds", "transnasbench101", "naslib")
    files = ("none", ".", "empty.txt", "text.txt", "binary.txt", "bad.parquet", "bad.tar", "bad.json", "zc_nasbench201.json", "")
    yield from (("import", kind, name, "--out", "x.parquet", "--quiet") for kind, name in itertools.product(kinds, files))
    yield from (("import", "nds", "bad.json", "--out", name) for name in OUTS)
    yield ("import", "nds", "bad.json", "bad.json", "--out", "x.parquet")
    yield ("import", "nats-bench", "bad.tar", "--epochs", "0", "--out", "x.parquet")
    yield from (
        (command, name, *more) for command, more in (("merge", out), ("status", ())) for name in ("", "none", "text.txt", "full", "\0")
    )
    yield from (("proxies", name) for name in ("zcio", "", "naswot,snip"))


LINES = list(dict.fromkeys(lines()))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Files that are right (`good.txt`, `scores.parquet`, `truth.csv`) and others."""
    here = tmp_path_factory.mktemp("malformed")
    (here / "good.txt").write_text("\n".join(ARCHS))
    (here / "empty.txt").write_text("")
    (here / "comments.txt").write_text("# nothing\n\n")
    (here / "text.txt").write_text("not an architecture\n")
    (here / "binary.txt").write_bytes(bytes(range(256)))
    (here / "other.csv").write_text("ops,accuracy\na,1\n")
    (here / "wrong.csv").write_text("arch,acc\n|none~0|,x\n")
    (here / "truth_text.csv").write_text("arch,acc\na,x\n")
    (here / "bad.parquet").write_bytes(b"PAR1 and then nothing of it PAR1")
    (here / "bad.tar").write_bytes(b"x" * 600)
    (here / "bad.json").write_text('[{"net": {}}, ')
    (here / "zc_nasbench201.json").write_text('{"cifar10": {"(1, 2)": 3}}')
    np.savez(here / "empty.npz")
    values = np.arange(4.0)
    write_scores(here / "scores.parquet", {"arch": ARCHS, "seed": [0] * 4, "zen": values}, {"proxies": ["zen"]})
    write_scores(here / "here.parquet", {"arch": ARCHS}, {})
    (here / "truth.csv").write_text("arch,acc,name\n" + "".join(f"{arch},{k}.5,n\n" for k, arch in enumerate(ARCHS)))
    (here / "full").mkdir()
    (here / "full" / "thing.txt").write_text("mine")
    return here


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("part", range(8))
def test_a_malformed_command_is_refused_in_one_sentence(folder, monkeypatch, part):
    assert len(LINES) >= 200
    monkeypatch.chdir(folder)
    before, wrong = contents(folder), []
    for line in LINES[part::8]:
        try:
            result = run(*line)
        except BaseException as error:
            wrong.append((line, f"{type(error).__name__}: {error}"))
            continue
        said = [text for text in result.err.splitlines() if "error: " in text]
        if (result.code, result.out, len(said)) != (2, "", 1) or "Traceback" in result.err:
            wrong.append((line, result))
        if (after := contents(folder)) != before:
            wrong.append((line, f"left {sorted(set(after) ^ set(before))}"))
            for name in set(after) - set(before):
                (folder / name).unlink()
    assert not wrong, "\n".join(f"{line[0]} ... {line[-4:]}: {what}" for line, what in wrong)
