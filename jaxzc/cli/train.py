"""`jaxzc train`: train one architecture, so that a search ends in an accuracy."""

import argparse
import json
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from jaxzc import tables
from jaxzc.catalogue import spaces
from jaxzc.cli import common
from jaxzc.numerics.initialisers import INITIALISERS
from jaxzc.types import JaxzcError, Space

HELP = "train one architecture and test it"
EPILOG = """SGD with Nesterov momentum, cosine learning rate, random crops and flips, batch normalisation with running averages.
A checkpoint is written after every epoch; after an interruption the same command goes on, with the result it would have had.

examples:
  jaxzc train nasbench201 found/winner.txt --set channels=4 --set cells=1 --epochs 10 --crop 1 --no-flip --out trained
  jaxzc train nasbench201 '|nor_conv_3x3~0|+|none~0|skip_connect~1|+|avg_pool_3x3~0|none~1|nor_conv_1x1~2|' \\
      --data tfds:cifar10 --epochs 200 --batch-size 256 --out trained
"""


def add(commands: Any) -> None:
    command = commands.add_parser("train", help=HELP, description=HELP, epilog=EPILOG, formatter_class=argparse.RawDescriptionHelpFormatter)
    command.add_argument("space", metavar="SPACE", help="search space (`jaxzc spaces` lists them)")
    command.add_argument("arch", metavar="ARCH", help="architecture string, or a file whose first architecture is meant")
    command.add_argument("--data", default="digits", metavar="SPEC", help="images, as for `jaxzc score` (default: %(default)s)")
    command.add_argument("--test", metavar="SPEC", help="images to test on (default: --held-out of those of --data)")
    command.add_argument("--images", type=common.positive, metavar="N", help="draw N images of --data (default: all)")
    command.add_argument("--held-out", type=float, default=0.2, metavar="X", help="fraction to test on (default: %(default)s)")
    command.add_argument("--epochs", type=common.positive, default=20, metavar="N", help="(default: %(default)s)")
    command.add_argument("--batch-size", type=common.positive, default=64, metavar="N", help="(default: %(default)s)")
    for name, default in (("learning-rate", 0.1), ("momentum", 0.9), ("weight-decay", 5e-4)):
        command.add_argument(f"--{name}", type=_number, default=default, metavar="X", help="(default: %(default)s)")
    command.add_argument("--crop", type=int, default=4, metavar="PIXELS", help="largest random shift; 0: none (default: %(default)s)")
    command.add_argument("--flip", action=argparse.BooleanOptionalAction, default=True, help="mirror half of the images (default)")
    command.add_argument("--init", choices=list(INITIALISERS), default="torch", metavar="NAME", help="%(choices)s (default: %(default)s)")
    command.add_argument("--seed", type=common.seed, default=0, metavar="S", help="of weights, images and order (default: %(default)s)")
    command.add_argument("--set", action="append", default=[], metavar="OPTION=VALUE", help="option of the space (may be repeated)")
    command.add_argument("--out", required=True, metavar="DIR", help="directory for checkpoints and result.json: new, or to be resumed")
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
    from jaxzc.training import Settings, Trainer, split
    from jaxzc.training.checkpoints import checkpoints

    out = Path(arguments.out)
    if not out.absolute().parent.is_dir():
        raise JaxzcError(f"there is no directory {out.absolute().parent} for {out.name}: create it first")
    if arguments.crop < 0:
        raise JaxzcError(f"--crop {arguments.crop}: expected pixels, 0 for none")
    common.keep_compiled(arguments)
    options = common.options(arguments.set)
    spaces.check_options(arguments.space, options)
    images = split(arguments.data, test=arguments.test, images=arguments.images, fraction=arguments.held_out, seed=arguments.seed)
    shape = images.train.inputs.shape[1:]
    if arguments.crop >= min(shape[:2]):
        raise JaxzcError(f"--crop {arguments.crop} shifts images of {shape[0]}x{shape[1]} out of sight: give fewer pixels")
    space = spaces.space(arguments.space, classes=images.classes, inputs=shape, **options)
    arch = _arch(arguments.arch, space)
    names = ("epochs", "batch_size", "learning_rate", "momentum", "weight_decay", "crop", "flip", "init", "seed")
    settings = Settings(**{name: getattr(arguments, name) for name in names})
    facts = {
        "space": repr(space),
        "arch": space.to_string(arch),
        "settings": repr(settings),
        "data_digests": list(images.digests),
        "versions": {name: version(name) for name in ("jaxzc", "jax", "flax", "optax")},
    }
    trainer = Trainer(space, arch, images, settings)
    _claim(out, facts)
    state, history = trainer.init(), []
    with checkpoints(out / "checkpoints") as kept:
        restored = kept.restore(state)
        if restored is not None:
            state, history = restored
            common.note(f"{out}: going on after epoch {len(history)}")
        while len(history) < settings.epochs:
            state, epoch = trainer.epoch(state, lambda steps: _progress(steps, len(history) + 1, arguments))
            history.append(epoch)
            kept.save(state, history)
            if not arguments.quiet:
                common.note(f"epoch {len(history)}: loss {epoch.loss:.4f}, train {epoch.train:.2f} %, test {epoch.test:.2f} %")
    counts = space.counts(arch[None])
    result = {**facts, "test_accuracy": history[-1].test, "history": [epoch._asdict() for epoch in history]}
    (out / "result.json").write_text(json.dumps(result, indent=1), encoding="utf-8")
    print(
        f"{space.to_string(arch)}: test accuracy {history[-1].test:.2f} % ({len(images.test.targets)} images) after "
        f"{settings.epochs} epochs of {len(images.train.targets)} images; {int(counts.params[0]):,} parameters; {out / 'result.json'}"
    )


def _arch(text: str, space: Space) -> np.ndarray:
    """The architecture of a string, or the first of a file."""
    return tables.read_archs(text, space).archs[0] if Path(text).is_file() else np.asarray(space.parse(text))


def _claim(out: Path, facts: dict[str, Any]) -> None:
    """Notes in the directory what is trained there; raises `JaxzcError` where something else was."""
    facts, path = json.loads(json.dumps(facts)), out / "settings.json"
    if path.is_file():
        try:
            found = json.loads(path.read_text(encoding="utf-8"))
        except ValueError as error:
            raise JaxzcError(f"{path} is damaged ({error}): choose another directory") from error
        for name in facts:
            if found.get(name) != facts[name]:
                raise JaxzcError(f"{out} holds a run with {name} {found.get(name)!r}, not {facts[name]!r}: choose another directory")
        return
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise JaxzcError(f"{out} exists and holds no training: name a new directory")
    out.mkdir(exist_ok=True)
    path.write_text(json.dumps(facts, indent=1), encoding="utf-8")


def _progress(steps: range, epoch: int, arguments: argparse.Namespace) -> Any:
    from tqdm.auto import tqdm

    interval = 0.1 if sys.stderr.isatty() else 30
    return tqdm(steps, desc=f"epoch {epoch}/{arguments.epochs}", unit="step", leave=False, mininterval=interval, disable=arguments.quiet)
