"""Writes a report into a directory: the page, its figures and its tables."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from jaxzc._durable.files import replacing
from jaxzc.evaluation.compare import Comparison
from jaxzc.evaluation.request import Judged
from jaxzc.evaluation.results import Evaluation
from jaxzc.report import figures, marks, scatter, tables
from jaxzc.report.look import FORMATS, TWO_COLUMNS, encoded
from jaxzc.report.web.page import page
from jaxzc.types import JaxzcError

PAGE = "index.html"
"""The page of a report, in its directory."""
FIGURES, TABLES = "figures", "tables"


def check(directory: str | os.PathLike[str], *, overwrite: bool = False) -> None:
    """Raises `JaxzcError` where `write` would refuse the directory: before an hour of work rather than after."""
    check_directory(Path(directory), (PAGE, FIGURES, TABLES), "report", overwrite=overwrite)


def check_directory(directory: Path, names: Sequence[str], what: str, *, overwrite: bool) -> None:
    """Raises `JaxzcError` where a page of a kind (`what`) cannot be written into the directory, or files of these names are there."""
    if os.path.exists(directory) and not os.path.isdir(directory):
        raise JaxzcError(f"{directory} is a file, and a {what} is a directory: choose another name")
    for name in names:
        if os.path.lexists(directory / name) and not overwrite:
            raise JaxzcError(f"{directory} has a {what} already ({name}): choose another directory, or add --overwrite")
    parent = directory.absolute() if os.path.isdir(directory) else directory.absolute().parent
    if not os.path.isdir(parent):
        raise JaxzcError(f"there is no directory {parent} for {directory.name}: create it first")
    if not os.access(parent, os.W_OK):
        raise JaxzcError(f"the directory {parent} is not writable: choose one you may write to")


def write(
    evaluation: Evaluation,
    directory: str | os.PathLike[str],
    *,
    comparisons: Sequence[Comparison] = (),
    commands: Sequence[str] = (),
    overwrite: bool = False,
) -> Path:
    """Writes `index.html`, `figures/*.pdf, *.svg, *.png` and `tables/leaderboard.tex, .md` into a directory, which is made where it is
    missing; returns the page's path.

    Every file appears complete or not at all, and the page last. The bytes depend on the arguments and the versions of jaxzc and matplotlib
    only. The page draws at most 2,000 networks (a random sample, and the marked ones), so that it grows with the proxies and not with the
    space: below 60 kB per proxy.

    comparisons: pairs of proxies (`jaxzc.evaluation.compare`) that the page shows in a section of their own.
    commands: what the reader types to repeat it; shown as they are.
    Raises `JaxzcError`: see `check`; a full or failing disk.
    """
    directory = Path(directory)
    check(directory, overwrite=overwrite)
    content = {**drawings(evaluation, comparisons)}
    content[f"{TABLES}/leaderboard.tex"] = tables.latex_table(evaluation).encode()
    content[f"{TABLES}/leaderboard.md"] = tables.markdown_table(evaluation).encode()
    content[PAGE] = page(evaluation, commands, comparisons).encode()
    write_files(directory, content)
    return directory / PAGE


def write_files(directory: Path, content: Mapping[str, bytes]) -> None:
    """Writes name -> content, in this order, into a directory, which is made with its folders where it is missing; every file appears
    complete or not at all. Raises `JaxzcError` where that cannot be done."""
    try:
        for folder in {(directory / name).parent for name in content}:
            folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise JaxzcError(f"{directory} cannot be made ({error.strerror or error}): choose a directory you may write to") from error
    for name, data in content.items():
        with replacing(directory / name) as file:
            file.write(data)


def drawings(evaluation: Evaluation, comparisons: Sequence[Comparison] = ()) -> dict[str, bytes]:
    """`figures/NAME.KIND` -> content. A figure for which nothing is known (no cost, no partial correlation) says so on its canvas."""
    drawn = {
        "intervals": figures.plot_intervals(evaluation, width=TWO_COLUMNS),
        "networks": scatter.plot_networks(evaluation)[0],
        "size": figures.plot_size(evaluation, width=TWO_COLUMNS),
        "similarity": figures.plot_similarity(evaluation),
        **{f"cost_{kind}": scatter.plot_cost(evaluation, kind) for kind in marks.costs(evaluation)},
    }
    if comparisons:
        drawn["comparisons"] = figures.plot_comparisons(comparisons, width=TWO_COLUMNS)
    return {f"{FIGURES}/{name}.{kind}": encoded(axes, kind) for name, axes in drawn.items() for kind in FORMATS}


def write_report(judged: Judged, directory: str | os.PathLike[str], *, command: str | None = None, overwrite: bool = False) -> Path:
    """`write`, of what `jaxzc.evaluate` returned: with its comparisons, and the commands that made its scores. command: that made
    the report itself, shown after them."""
    commands = [*judged.commands, *([] if command is None else [command])]
    return write(judged.evaluation, directory, comparisons=judged.comparisons, commands=commands, overwrite=overwrite)
