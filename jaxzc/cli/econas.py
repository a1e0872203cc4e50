"""`jaxzc econas`: train architectures for a short while in a reduced setting -> a score column beside the zero-cost ones."""

import argparse
import time
from collections.abc import Iterator
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from jaxzc import data, tables
from jaxzc._compile.platforms import here
from jaxzc.catalogue import spaces
from jaxzc.cli.arguments import Subcommands
from jaxzc.cli.arguments.architectures import architectures
from jaxzc.cli.arguments.groups import add_arch_arguments, add_space_arguments
from jaxzc.cli.arguments.numbers import positive, seeds
from jaxzc.cli.arguments.outputs import check_table
from jaxzc.cli.arguments.requests import keep_compiled, space_options
from jaxzc.cli.terminal import progress
from jaxzc.training import econas
from jaxzc.training.scanned import ProgramTrainer, ShortTraining, TrainingData
from jaxzc.types import Batch, JaxzcError, Space

Run = tuple[np.ndarray, int]
"""Genes and seed of one network."""

HELP = "train architectures in EcoNAS's reduced setting; their accuracy is a score beside the zero-cost ones"
EPILOG = """EcoNAS's proxy is the accuracy of thin networks after a few epochs on small images, with which zero-cost proxies compete.
`jaxzc evaluate` reads the table like any other. The first architecture compiles one program for all of them.

examples:
  jaxzc econas nasbench201 --data npz:cifar10.npz --images 2400 --held-out 600 --sample 40 --out econas.parquet
  jaxzc econas nasbench201 --data tfds:cifar10 --images 40000 --held-out 10000 --append scores.parquet --out both.parquet
  jaxzc econas nasbench201 --data digits --no-flip --epochs 2 --set cells=1 --sample 5 --out first.parquet
"""


def add(commands: Subcommands) -> None:
    command = commands.add_parser(
        "econas", help=HELP, description=HELP, epilog=EPILOG, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add_space_arguments(command)
    number = {"type": positive, "metavar": "N"}
    command.add_argument(
        "--resolution",
        **number,
        default=econas.RESOLUTION,
        help="side of the images, which are averaged down to it; a divisor of their own (default: %(default)s)",
    )
    command.add_argument("--channels", **number, default=econas.CHANNELS, help="option of the space: its width (default: %(default)s)")
    command.add_argument("--epochs", **number, default=econas.EPOCHS, help="passes over the training images (default: %(default)s)")
    command.add_argument("--images", **number, default=900, help="images to train on (default: %(default)s)")
    command.add_argument(
        "--held-out", **number, default=600, help="further images, on which accuracy is measured, all in one pass (default: %(default)s)"
    )
    command.add_argument("--no-flip", action="store_true", help="do not mirror images while training: for digits and the like")
    command.add_argument(
        "--batch-size", **number, default=ShortTraining.batch_size, help="images per step of training (default: %(default)s)"
    )
    command.add_argument(
        "--learning-rate",
        type=_rate,
        default=ShortTraining.learning_rate,
        metavar="R",
        help="at the start; falls as a cosine (default: %(default)s)",
    )
    command.add_argument(
        "--seed",
        dest="seeds",
        type=seeds,
        metavar="S[,S...]",
        help="seed of weights and batches, one row for each; the first also draws images and --sample (default: 0)",
    )
    add_arch_arguments(command, "default: 20")
    command.add_argument(
        "--append",
        metavar="SCORES",
        help="take architectures and seeds of this table, which `jaxzc score` wrote, and write its columns and econas to FILE",
    )
    command.add_argument(
        "--out", required=True, metavar="FILE", help="Parquet or CSV file to write: arch, seed, econas in percent, params, flops"
    )
    command.add_argument("--overwrite", action="store_true", help="replace FILE if it exists")
    command.set_defaults(run=run)


def _rate(text: str) -> float:
    """An argparse type: a positive number."""
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value < float("inf"):
        raise argparse.ArgumentTypeError(f"{text!r} is not a positive number")
    return value


def run(arguments: argparse.Namespace) -> None:
    out = Path(arguments.out)
    check_table(out, arguments.overwrite)
    table = _appended(arguments)
    options = space_options(arguments, channels=arguments.channels)
    keep_compiled(arguments)
    seeds = arguments.seeds or ((0,) if table is None else tuple(np.unique(table.columns["seed"]).tolist()))
    drawn = data.load(arguments.data, batch_size=arguments.images + arguments.held_out, batches=1, seed=seeds[0])
    images, labels = drawn.batches[0]
    batch = Batch(econas.reduce_resolution(images, arguments.resolution), labels)
    space = spaces.space(arguments.space, classes=drawn.classes, inputs=batch.inputs.shape[1:], **options)
    training_data = econas.training_data(batch, arguments.held_out, flip=not arguments.no_flip)
    settings = econas.settings(training_data, arguments.epochs, batch_size=arguments.batch_size, learning_rate=arguments.learning_rate)
    if table is None:
        archs = architectures(arguments, space, sample=20, seed=seeds[0])
        runs = [(arch, seed) for seed in seeds for arch in archs]
    else:
        runs = [(space.parse(arch), int(seed)) for arch, seed in zip(table.columns["arch"], table.columns["seed"], strict=True)]
    started = time.perf_counter()
    trained = list(progress(_train(ProgramTrainer(space, training_data, settings), runs), len(runs), arguments.quiet))
    seconds = round(time.perf_counter() - started, 3)
    counts = space.counts(np.stack([arch for arch, _ in runs]))
    cost = {"flops": float(np.mean(econas.flops(counts.flops.astype(np.float64), settings)))}
    facts = _facts(arguments, space, drawn, training_data, settings) | {"seconds": seconds, "platform": here()}
    columns: dict[str, Any]
    if table is None:
        columns = {"arch": [space.to_string(arch) for arch, _ in runs], "seed": np.array([seed for _, seed in runs], np.int64)}
        columns |= {"econas": np.array(trained), "params": counts.params, "flops": counts.flops}
        metadata = {"space": repr(space), "proxies": ["econas", "params", "flops"], "seeds": list(seeds)}
    else:
        columns = {**table.columns, "econas": np.array(trained)}
        metadata = {**table.metadata, "proxies": [*table.metadata.get("proxies", []), "econas"]}
    metadata |= {"costs": {**metadata.get("costs", {}), "econas": cost}, "econas": facts}
    tables.write_scores(out, columns, metadata, overwrite=arguments.overwrite)
    print(_summary(out, np.array(trained), cost["flops"], drawn.classes))


def _appended(arguments: argparse.Namespace) -> tables.ScoreTable | None:
    """The table that `--append` names; raises `JaxzcError` where it cannot be used, or architectures or seeds are asked for as well."""
    if arguments.append is None:
        return None
    if arguments.archs is not None or arguments.sample or arguments.all or arguments.seeds:
        raise JaxzcError("--append takes architectures and seeds of its table: leave out --archs, --sample, --all and --seed")
    table = tables.read_scores(arguments.append)
    lacking = [name for name in ("arch", "seed") if name not in table.columns]
    if lacking:
        raise JaxzcError(f"{arguments.append} has no column {lacking[0]!r}: name a table that `jaxzc score` wrote")
    if "econas" in table.columns:
        raise JaxzcError(f"{arguments.append} has a column 'econas' already: name the table without it")
    if not len(table.columns["arch"]):
        raise JaxzcError(f"{arguments.append} holds no architecture: score some first")
    return table


def _train(trainer: ProgramTrainer, runs: list[Run]) -> Iterator[float]:
    for arch, seed in runs:
        yield trainer.one(arch, seed)[econas.HELD_OUT]


def _facts(
    arguments: argparse.Namespace, space: Space, drawn: data.Data, training_data: TrainingData, settings: ShortTraining
) -> dict[str, Any]:
    """All that the scores depend on besides genes and seed, as JSON."""
    return {
        "space": repr(space),
        "data": drawn.name,
        "data_notes": drawn.notes,
        "data_digest": drawn.digest,
        "images": len(training_data.train.targets),
        "held_out": arguments.held_out,
        "resolution": arguments.resolution,
        "epochs": arguments.epochs,
        "flip": not arguments.no_flip,
        "settings": asdict(settings),
        "versions": {name: version(name) for name in ("jaxzc", "jax", "flax", "optax")},
    }


def _summary(out: Path, percent: np.ndarray, flops: float, classes: int) -> str:
    return (
        f"{out}: {len(percent)} networks; held-out accuracy from {percent.min():.1f} % to {percent.max():.1f} %, median "
        f"{np.median(percent):.1f} % (chance {100 / classes:.1f} %); {flops:.3g} FLOPs (multiply-accumulates) to train one"
    )
