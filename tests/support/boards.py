"""A small leaderboard for tests: two tables of 24 networks, one of them with two metrics; its files lie in a directory."""

from pathlib import Path

import numpy as np

from jaxzc.tables import write_scores

DESCRIPTION = """
title = "A & B"
introduction = "Words *of ours*."
notes = "The end."
aggregates = ["both=log_rank(good,poor)", "late=log_rank(good,only)"]

[[benchmark]]
name = "one, first"
scores = "one.csv"
table = "truth.csv"
metric = "first"
note = "A note."

[[benchmark]]
name = "one, second"
scores = "one.csv"
table = "truth.csv"
metric = "second"

[[benchmark]]
name = "two <b>"
scores = "two.csv"
table = "truth.csv"
metric = "first"
command = "jaxzc score somewhere"
"""


def files(directory: Path) -> Path:
    """Writes the description, two score tables and the accuracies; returns the description's path. `good` has the order of the first metric
    but for two neighbours, `poor` the reverse, `params` that of the second; only the second table has `only`, and it knows no `flops`."""
    n = 24
    archs = np.array([f"net{k:02}" for k in range(n)], object)
    first = np.arange(n, dtype=float)
    second = np.concatenate([first[n // 2 :], first[: n // 2]])
    lines = "".join(f"{arch},{a:g},{b:g}\n" for arch, a, b in zip(archs, first, second, strict=True))
    (directory / "truth.csv").write_text("arch,first,second\n" + lines)
    good = first.copy()
    good[[0, 1]] = good[[1, 0]]
    columns = {"arch": archs, "seed": np.zeros(n, int), "good": good, "poor": -first, "params": second}
    columns["layers"] = np.repeat([1.0, 2.0], n // 2)
    write_scores(directory / "one.csv", columns | {"flops": first % 7}, {})
    write_scores(directory / "two.csv", columns | {"only": first, "poor": np.where(first < 6, np.nan, -first)}, {})
    path = directory / "board.toml"
    path.write_text(DESCRIPTION)
    return path
