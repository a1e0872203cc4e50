"""Groups of options that several commands have: the space and its images, untrained networks, architectures, devices."""

import argparse

from jaxzc import embedded
from jaxzc.cli.arguments.numbers import number_or_all, positive
from jaxzc.numerics.initialisers import INITIALISERS
from jaxzc.scoring.space.setting import Setting


def add_space_arguments(command: argparse.ArgumentParser) -> None:
    """Space and data: what every command that runs networks takes."""
    command.add_argument("space", metavar="SPACE", help="search space, for example nasbench201 (`jaxzc spaces` lists them)")
    command.add_argument(
        "--data",
        default="digits",
        metavar="SPEC",
        help="images: digits (8x8, bundled with scikit-learn), normal (noise, 32x32), FILE.npz (arrays 'images' [N, H, W, C] and "
        "'labels' [N]), folder:PATH (a folder for each class; folder:PATH@32x32 scales the images), or tfds:NAME (tensorflow-datasets, "
        "prepared on this machine, for example tfds:cifar10); for spaces of language models text:FILE, or text:FILE@STEPS (words and those "
        "that follow); for flexibert replaced:FILE or replaced:FILE@STEPS (words, of which some are replaced); "
        "for nasbench_asr frames:FILE.npz (arrays 'frames' [N, T, F] and 'labels' [N, L]) or frames:normal@TxF (default: %(default)s)",
    )
    command.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="OPTION=VALUE",
        help="option of the space, for example channels=8 or cells=1 (may be repeated)",
    )
    command.add_argument("--no-cache", action="store_true", help="compile anew instead of keeping compiled programs in ~/.cache/jaxzc")
    command.add_argument("--quiet", action="store_true", help="no progress bar")


def add_network_arguments(command: argparse.ArgumentParser, batches: int) -> None:
    """Space, data, batch, weights: what every command that scores untrained networks takes."""
    add_space_arguments(command)
    command.add_argument(
        "--batch-size", type=positive, default=Setting.batch_size, metavar="N", help="examples per batch (default: %(default)s)"
    )
    command.add_argument("--batches", type=positive, default=batches, metavar="K", help="batches; zico needs 2 (default: %(default)s)")
    command.add_argument(
        "--weights",
        choices=("redrawn", "shared"),
        default=Setting.weights,
        help="drawn anew for each architecture, as in the papers, or one set for all (default: %(default)s)",
    )
    command.add_argument(
        "--init",
        choices=list(INITIALISERS),
        default=Setting.init,
        metavar="NAME",
        help="weight initialiser: %(choices)s (default: %(default)s)",
    )
    command.add_argument(
        "--norm",
        choices=("batch", "init", "none"),
        default=Setting.norm,
        help="normalise by the batch (train mode), by initial statistics (mean 0, variance 1), or not at all (default: %(default)s)",
    )


def add_arch_arguments(command: argparse.ArgumentParser, default: str) -> None:
    """Which architectures; `architectures` reads these."""
    command.add_argument(
        "--archs",
        metavar="FILE",
        help="architectures: text, one string a line (# begins a comment line), or CSV/Parquet with a column 'arch'; or strings, joined by "
        f"commas; '{embedded.NAME}' takes those of the embedded benchmark",
    )
    command.add_argument(
        "--sample", type=positive, metavar="N", help=f"N distinct random architectures, of FILE if there is one ({default})"
    )
    command.add_argument("--all", action="store_true", help="every architecture of the space")


def add_device_arguments(command: argparse.ArgumentParser) -> None:
    """How many architectures are scored at a time; changes no score on a CPU."""
    command.add_argument(
        "--devices",
        type=number_or_all,
        default=1,
        metavar="N",
        help="devices of this machine that share the architectures, or 'all' (default: %(default)s)",
    )
    command.add_argument(
        "--chunk",
        type=positive,
        metavar="N",
        help="architectures that each device takes at a time (default: 16; on a CPU 1, with free widths 2 for each processor)",
    )
