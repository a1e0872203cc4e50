"""Arguments and steps that several commands share."""

import argparse
import ast
import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import jax
import numpy as np

from jaxzc import catalogue, data, tables
from jaxzc.initialisers import INITIALISERS
from jaxzc.types import JaxzcError, Space


def positive(text: str) -> int:
    """An argparse type: a whole number of at least 1."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number of at least 1")
    return int(text)


def natural(text: str) -> int:
    """An argparse type: a whole number of at least 0."""
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number of at least 0")
    return int(text)


def add_network_arguments(command: argparse.ArgumentParser, batches: int) -> None:
    """Space, data, batch, weights: what every command that runs networks takes."""
    command.add_argument("space", metavar="SPACE", help="search space, for example nasbench201 (`jaxzc spaces` lists them)")
    command.add_argument("--data", default="digits", metavar="SPEC", help=f"images: {data.SPECS} (default: %(default)s)")
    command.add_argument("--batch-size", type=positive, default=64, metavar="N", help="images per batch (default: %(default)s)")
    command.add_argument("--batches", type=positive, default=batches, metavar="K", help="batches; zico needs 2 (default: %(default)s)")
    command.add_argument("--seed", type=natural, default=0, metavar="S", help="seed of sample, images and weights (default: %(default)s)")
    command.add_argument(
        "--weights",
        choices=("redrawn", "shared"),
        default="redrawn",
        help="drawn anew for each architecture, as in the papers, or one set for all (default: %(default)s)",
    )
    command.add_argument("--init", choices=list(INITIALISERS), default="torch", help="weight initialiser (default: %(default)s)")
    command.add_argument("--norm", choices=("batch", "init", "none"), default="batch", help="batch normalisation: %(choices)s (default: %(default)s)")
    command.add_argument(
        "--set", action="append", default=[], metavar="OPTION=VALUE", help="option of the space, for example channels=8 or cells=1 (may be repeated)"
    )
    command.add_argument("--no-cache", action="store_true", help="compile anew instead of keeping compiled programs in ~/.cache/jaxzc")


def prepare(arguments: argparse.Namespace) -> tuple[Space, data.Data]:
    """Loads images and makes the space fit them; turns the compilation cache on."""
    if not arguments.no_cache and not jax.config.jax_compilation_cache_dir:
        jax.config.update("jax_compilation_cache_dir", str(Path(os.environ.get("XDG_CACHE_HOME", "~/.cache")).expanduser() / "jaxzc"))
    drawn = data.load(arguments.data, batch_size=arguments.batch_size, batches=arguments.batches, seed=arguments.seed)
    images = drawn.batches[0].images
    space = catalogue.space(arguments.space, classes=drawn.classes, image_shape=images.shape[1:], **_options(arguments.set))
    return space, drawn


def _options(pairs: Sequence[str]) -> dict[str, Any]:
    options = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not equals or not name:
            raise JaxzcError(f"--set {pair}: expected OPTION=VALUE, for example channels=8")
        try:
            options[name] = ast.literal_eval(value)
        except (ValueError, SyntaxError):
            options[name] = value
    return options


def add_arch_arguments(command: argparse.ArgumentParser, default: str) -> None:
    group = command.add_mutually_exclusive_group()
    group.add_argument("--archs", metavar="FILE", help="architectures: text, one string a line, or CSV/Parquet with a column 'arch'")
    group.add_argument("--sample", type=positive, metavar="N", help=f"N distinct random architectures ({default})")
    group.add_argument("--all", action="store_true", help="every architecture of the space")


def architectures(arguments: argparse.Namespace, space: Space, sample: int) -> np.ndarray:
    """The architectures asked for, int [n, genes], each once."""
    if arguments.archs:
        read = tables.read_archs(arguments.archs, space)
        if read.duplicates:
            print(f"{arguments.archs}: {read.duplicates} repeated architectures are scored once")
        return read.archs
    if arguments.all:
        return space.enumerate()
    return space.sample(np.random.default_rng(arguments.seed), arguments.sample or sample)


def progress(items: Iterable[Any], total: int, quiet: bool) -> Iterable[Any]:
    """A progress bar with architectures per second and time left."""
    from tqdm.auto import tqdm

    return tqdm(items, total=total, unit="arch", disable=quiet, smoothing=0.1)
