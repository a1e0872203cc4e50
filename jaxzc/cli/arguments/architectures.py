"""The architectures that --archs, --sample and --all name."""

import argparse
import os
from pathlib import Path

import numpy as np

from jaxzc import embedded, tables
from jaxzc.cli.terminal import note
from jaxzc.spacekit import sample_at_most
from jaxzc.types import JaxzcError, Space

FILES = (".txt", ".csv", ".csv.gz", ".parquet")
"""How names of files of architectures end."""


def architectures(arguments: argparse.Namespace, space: Space, sample: int, seed: int) -> np.ndarray:
    """The architectures asked for, int [n, genes], each once; `sample` random ones where nothing was asked for, or
    all of a smaller space."""
    if arguments.all and (arguments.archs is not None or arguments.sample):
        raise JaxzcError("--all means every architecture of the space: leave out --archs and --sample, or leave out --all")
    if arguments.all:
        return space.enumerate()
    if arguments.archs is None:
        rng = np.random.default_rng(seed)
        return space.sample(rng, arguments.sample) if arguments.sample else sample_at_most(space, rng, sample)
    read = _written(arguments.archs, space) or tables.read_archs(embedded.table_named(arguments.archs), space)
    if read.duplicates:
        note(
            f"{arguments.archs}: {read.duplicates} of {len(read.archs) + read.duplicates} lines repeat an architecture, which is taken once"
        )
    if arguments.archs == embedded.NAME:
        _note_size(space)
    if not arguments.sample:
        return read.archs
    if arguments.sample > len(read.archs):
        raise JaxzcError(
            f"--sample {arguments.sample}: {arguments.archs} has only {len(read.archs)} different architectures: "
            "ask for fewer, or leave out --sample to take them all"
        )
    return read.drawn(arguments.sample, seed)


def one_of(text: str) -> str | Path:
    """The file of that name, or the text itself, an architecture's string. Raises `JaxzcError` for a file's name where there is none."""
    if os.path.isfile(text):
        return Path(text)
    if text.endswith(FILES):
        raise JaxzcError(f"there is no file {text}: check the path, or give an architecture's string")
    return text


def _written(text: str, space: Space) -> tables.Archs | None:
    """The architectures that the text itself is, one or several joined by commas; None where it names a file, or the embedded benchmark.

    Raises `JaxzcError` for what is neither, and where some of several are no architectures."""
    if os.path.exists(text) or text == embedded.NAME or text.endswith(FILES):
        return None
    for words in ([text], text.split(",")):
        genes, errors = [], []
        for word in words:
            try:
                genes.append(np.asarray(space.parse(word), np.int32))
            except JaxzcError as error:
                errors.append(error)
        if not errors:
            archs = np.stack(genes)
            _, first = np.unique(archs, axis=0, return_index=True)
            archs = archs[np.sort(first)]
            return tables.Archs(archs, [space.to_string(arch) for arch in archs], len(words) - len(archs))
        if genes:
            raise JaxzcError(f"--archs {text}: {errors[0]}")
    raise JaxzcError(f"--archs {text}: there is no such file, and it is no architecture of {space.name}: {errors[0]}")


def _note_size(space: Space) -> None:
    if any(getattr(space, name, value) != value for name, value in embedded.SPACE_OPTIONS.items()):
        wanted = " ".join(f"--set {name}={value}" for name, value in embedded.SPACE_OPTIONS.items())
        note(f"the embedded benchmark's networks were trained with {wanted}; these are others")
