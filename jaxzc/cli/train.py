"""`jaxzc train`: train one architecture, so that a search ends in an accuracy."""

import argparse
import contextlib
from collections.abc import Iterable, Iterator
from functools import partial
from itertools import count
from pathlib import Path

from jaxzc.cli.arguments import Subcommands
from jaxzc.cli.arguments.architectures import one_of
from jaxzc.cli.arguments.numbers import positive, seed
from jaxzc.cli.arguments.requests import keep_compiled, request_fields
from jaxzc.cli.terminal import note, progress
from jaxzc.numerics.initialisers import INITIALISERS
from jaxzc.training.curves import curves
from jaxzc.training.fit import Epoch
from jaxzc.training.request import OnEpoch, TrainRequest, train
from jaxzc.types import JaxzcError

HELP = "train one architecture and test it"
EPILOG = """SGD with Nesterov momentum, cosine learning rate, batch normalisation with running averages, random crops and flips as suits the
images.
A checkpoint is written after every epoch; after an interruption the same command goes on, with the result it would have had.

examples:
  jaxzc train nasbench201 found/winner.txt --set channels=4 --set cells=1 --epochs 10 --out trained
  jaxzc train nasbench201 '|nor_conv_3x3~0|+|none~0|skip_connect~1|+|avg_pool_3x3~0|none~1|nor_conv_1x1~2|' \\
      --data tfds:cifar10 --epochs 200 --batch-size 256 --out trained
"""


def add(commands: Subcommands) -> None:
    command = commands.add_parser("train", help=HELP, description=HELP, epilog=EPILOG, formatter_class=argparse.RawDescriptionHelpFormatter)
    command.add_argument("space", metavar="SPACE", help="search space (`jaxzc spaces` lists them)")
    command.add_argument("arch", metavar="ARCH", help="architecture string, or a file whose first architecture is meant")
    command.add_argument("--data", default=TrainRequest.data, metavar="SPEC", help="images, as for `jaxzc score` (default: %(default)s)")
    command.add_argument("--test", metavar="SPEC", help="images to test on (default: --held-out of those of --data)")
    command.add_argument("--images", type=positive, metavar="N", help="draw N images of --data (default: all)")
    command.add_argument(
        "--held-out", type=float, default=TrainRequest.held_out, metavar="X", help="fraction to test on (default: %(default)s)"
    )
    command.add_argument("--epochs", type=positive, default=TrainRequest.epochs, metavar="N", help="(default: %(default)s)")
    command.add_argument("--batch-size", type=positive, default=TrainRequest.batch_size, metavar="N", help="(default: %(default)s)")
    for name in ("learning_rate", "momentum", "weight_decay"):
        option, default = f"--{name.replace('_', '-')}", getattr(TrainRequest, name)
        command.add_argument(option, type=_number, default=default, metavar="X", help="(default: %(default)s)")
    command.add_argument(
        "--crop",
        type=int,
        default=TrainRequest.crop,
        metavar="PIXELS",
        help="largest random shift; 0: none (default: an eighth of the shorter side, none below 16 pixels)",
    )
    command.add_argument(
        "--flip",
        action=argparse.BooleanOptionalAction,
        default=TrainRequest.flip,
        help="mirror half of the images (default: colour images, but not digits and other characters)",
    )
    command.add_argument(
        "--init", choices=list(INITIALISERS), default=TrainRequest.init, metavar="NAME", help="%(choices)s (default: %(default)s)"
    )
    command.add_argument(
        "--seed", type=seed, default=TrainRequest.seed, metavar="S", help="of weights, images and order (default: %(default)s)"
    )
    command.add_argument("--set", action="append", default=[], metavar="OPTION=VALUE", help="option of the space (may be repeated)")
    command.add_argument(
        "--out", required=True, metavar="DIR", help="directory for checkpoints, result.json and the network: new, or to be resumed"
    )
    command.add_argument("--onnx", type=positive, default=0, metavar="N", help="write DIR/network/network.onnx, too, of N images at a time")
    command.add_argument("--tensorboard", metavar="DIR", help="write the curves as TensorBoard events (pip install 'jaxzc[tensorboard]')")
    command.add_argument("--no-cache", action="store_true", help="compile anew instead of keeping compiled programs in ~/.cache/jaxzc")
    command.add_argument("--quiet", action="store_true", help="no progress bar and no line for each epoch")
    command.set_defaults(run=run)


def _number(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value < float("inf"):
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of at least 0")
    return value


def run(arguments: argparse.Namespace) -> None:
    if arguments.crop is not None and arguments.crop < 0:
        raise JaxzcError(f"--crop {arguments.crop}: expected pixels, 0 for none")
    keep_compiled(arguments)
    request = _request(arguments)
    bar = partial(_bar, epochs=request.epochs, quiet=arguments.quiet, begun=count())
    with contextlib.ExitStack() as stack:
        told: list[OnEpoch] = [] if arguments.quiet else [_epoch]
        if arguments.tensorboard is not None:
            told.append(stack.enter_context(curves(arguments.tensorboard)))

        def on_epoch(number: int, epoch: Epoch) -> None:
            for tell in told:
                tell(number, epoch)

        trained = train(request, progress=bar, note=note, on_epoch=on_epoch)
    print(
        f"{trained.arch}: test accuracy {trained.accuracy:.2f} % ({trained.tested} images) after {request.epochs} epochs of "
        f"{trained.trained} images; {trained.params:,} parameters; {Path(arguments.out) / 'result.json'}\n"
        f"to take away, with the lines that load it: {Path(arguments.out) / 'network' / 'load.py'}"
    )


def _request(arguments: argparse.Namespace) -> TrainRequest:
    """What was typed; the architecture may be a file."""
    return TrainRequest(**request_fields(arguments, TrainRequest, arch=one_of(arguments.arch)))


def _epoch(number: int, epoch: Epoch) -> None:
    note(f"epoch {number}: loss {epoch.loss:.4f}, train {epoch.train:.2f} %, test {epoch.test:.2f} %")


def _bar(epoch: int, steps: range, *, epochs: int, quiet: bool, begun: Iterator[int]) -> Iterable[int]:
    """The steps of an epoch, with a bar. begun: counts the epochs of this run, of which the first compiles."""
    said = f"epoch {epoch}/{epochs}"
    first = f"{said}: compiling, once" if next(begun) == 0 else said
    return progress(steps, len(steps), quiet, first, running=said, unit="step", leave=False)
