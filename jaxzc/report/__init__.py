"""The report: an evaluation as one self-contained HTML page and its figures as files.

>>> jaxzc.report.write(evaluation, "report")   # report/index.html, report/figures/intervals.svg, ...
"""

import os
from collections.abc import Sequence
from pathlib import Path

from jaxzc._durable.files import replacing
from jaxzc.evaluation.results import Evaluation
from jaxzc.types import JaxzcError

__all__ = ["PAGE", "check", "write"]

PAGE = "index.html"
FIGURES = "figures"


def check(directory: str | os.PathLike[str], *, overwrite: bool = False) -> None:
    """Raises `JaxzcError` where `write` would refuse the directory: before an hour of work rather than after."""
    directory = Path(directory)
    if os.path.exists(directory) and not os.path.isdir(directory):
        raise JaxzcError(f"{directory} is a file, and a report is a directory: choose another name")
    for name in (PAGE, FIGURES):
        if os.path.lexists(directory / name) and not overwrite:
            raise JaxzcError(f"{directory} has a report already ({name}): choose another directory, or add --overwrite")
    there = directory.absolute() if os.path.isdir(directory) else directory.absolute().parent
    if not os.path.isdir(there):
        raise JaxzcError(f"there is no directory {there} for {directory.name}: create it first")
    if not os.access(there, os.W_OK):
        raise JaxzcError(f"the directory {there} is not writable: choose one you may write to")


def write(evaluation: Evaluation, directory: str | os.PathLike[str], *, commands: Sequence[str] = (), overwrite: bool = False) -> Path:
    """Writes `index.html` and `figures/*.png, *.svg` into a directory, which is made where it is missing; the page's path.

    Every file appears complete or not at all, and the page last. The bytes depend on the evaluation, the commands and the versions of
    jaxzc and matplotlib only. The page draws at most 2,000 networks (a random sample, and the marked ones), so that it grows with the
    proxies and not with the space: below 60 kB per proxy.

    commands: what the reader types to repeat it; shown as they are.
    Raises `JaxzcError`: see `check`; a full or failing disk.
    """
    from jaxzc.report.figures import figures
    from jaxzc.report.page import page

    directory = Path(directory)
    check(directory, overwrite=overwrite)
    content = {f"{FIGURES}/{name}": data for name, data in figures(evaluation).items()}
    content[PAGE] = page(evaluation, commands).encode()
    try:
        (directory / FIGURES).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise JaxzcError(f"{directory} cannot be made ({error.strerror or error}): choose a directory you may write to") from error
    for name, data in content.items():
        with replacing(directory / name) as file:
            file.write(data)
    return directory / PAGE
