"""Writes a leaderboard into a directory: the page, its tables and its figure."""

import os
from pathlib import Path

from jaxzc.evaluation.across.board import Leaderboard
from jaxzc.evaluation.across.text import csv_text
from jaxzc.report.across.critical import plot_critical_difference
from jaxzc.report.across.page import page
from jaxzc.report.across.tables import latex_board
from jaxzc.report.across.text import markdown_page
from jaxzc.report.files import FIGURES, PAGE, check_directory, write_files
from jaxzc.report.look import FORMATS, encoded

NAME = "leaderboard"
NAMES = (PAGE, *(f"{NAME}.{kind}" for kind in ("csv", "md", "tex")))
"""What tells that a leaderboard is there."""


def check_leaderboard(directory: str | os.PathLike[str], *, overwrite: bool = False) -> None:
    """Raises `JaxzcError` where `write_leaderboard` would refuse the directory: before the work rather than after. What an interrupted run
    left there is no obstacle."""
    check_directory(Path(directory), NAMES, NAME, overwrite=overwrite)


def write_leaderboard(
    board: Leaderboard, directory: str | os.PathLike[str], *, command: str | None = None, overwrite: bool = False
) -> Path:
    """Writes `index.html`, `leaderboard.csv`, `.md` (a whole page) and `.tex`, and `figures/critical_difference.pdf, .svg, .png` into a
    directory, which is made where it is missing; returns the page's path. Every file appears complete or not at all, the page last.

    command: what the reader types to repeat it. Raises `JaxzcError`: see `check_leaderboard`; a full or failing disk.
    """
    directory = Path(directory)
    check_leaderboard(directory, overwrite=overwrite)
    commands = [] if command is None else [command]
    drawn = plot_critical_difference(board)
    content = {f"{FIGURES}/critical_difference.{kind}": encoded(drawn, kind) for kind in FORMATS}
    content[f"{NAME}.csv"] = csv_text(board.standings, board.judgements).encode()
    content[f"{NAME}.tex"] = latex_board(board).encode()
    content[f"{NAME}.md"] = markdown_page(board, commands).encode()
    content[PAGE] = page(board, commands).encode()
    write_files(directory, content)
    return directory / PAGE
