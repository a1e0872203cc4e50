"""Training one architecture by name: what `jaxzc train` and a notebook call."""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from jaxzc.catalogue import spaces
from jaxzc.training.architecture import genes_of, write
from jaxzc.training.fit import Epoch, Settings, Trainer, TrainState
from jaxzc.training.images import split
from jaxzc.types import JaxzcError, Space, WithTask

Progress = Callable[[int, range], Iterable[int]]
"""Wraps the numbers of an epoch's steps; its first argument is the epoch, from 1."""


OnEpoch = Callable[[int, Epoch], None]
"""Told of every epoch when it has ended: its number, from 1, and how it went."""


@dataclass(frozen=True)
class TrainRequest(Settings):
    """What is trained, on what, and how; further fields: see `jaxzc.training.Settings`.

    space: a name, which is made for the images with `options`, or a space. arch: a string of the space, its genes, or the path of a file
    whose first architecture is meant. data, test: sources of images (`jaxzc.data.load`); without `test`, the fraction `held_out` of
    `data` is tested on. images: how many of `data` are drawn (default: all).
    out: directory of checkpoints, result.json, and of what `jaxzc.training.export` writes, new or to be resumed; without one, nothing is
    written. onnx: how many images a network.onnx in it takes at a time (0: none is written).
    """

    space: str | Space
    arch: str | Path | np.ndarray | Sequence[int]
    data: str = "digits"
    test: str | None = None
    images: int | None = None
    held_out: float = 0.2
    options: Mapping[str, Any] = field(default_factory=dict)
    out: str | Path | None = None
    onnx: int = 0

    @property
    def settings(self) -> Settings:
        """The part that says how, for a `Trainer`."""
        return Settings(**{each.name: getattr(self, each.name) for each in fields(Settings)})


class Trained(NamedTuple):
    """module: a Flax NNX module with the trained weights, switched to `eval()`. arch: its string. accuracy: percent of the test images
    classified correctly after the last epoch. history: an `Epoch` for each epoch. trained, tested: how many images. params: how many
    weights."""

    module: Any
    arch: str
    accuracy: float
    history: list[Epoch]
    trained: int
    tested: int
    params: int


def train(
    request: TrainRequest | str | Space,
    *arch: Any,
    progress: Progress = lambda epoch, steps: steps,
    note: Callable[[str], None] = lambda text: None,
    on_epoch: OnEpoch = lambda number, epoch: None,
    **settings: Any,
) -> Trained:
    """Trains one architecture and tests it after every epoch: of a `TrainRequest`, or of what one is made of.

    >>> jaxzc.train("nasbench201", "|nor_conv_3x3~0|+|none~0|...", epochs=10, options={"channels": 4}).accuracy

    With `out`, an interrupted call that is repeated goes on after its last epoch, with the result it would have had; `note` is told so.
    Raises `JaxzcError`: an unknown space, or one of other networks than image classifiers, an architecture that is none of it, images that
    cannot be used, settings that do not fit them, a directory that holds another run or cannot be made.
    """
    if not isinstance(request, TrainRequest):
        request = TrainRequest(request, *arch, **settings)
    elif arch or settings:
        raise JaxzcError(f"train was given a TrainRequest and also {', '.join(map(str, [*arch, *settings]))}: put that into the request")
    out = None if request.out is None else Path(request.out)
    if out is not None and not out.absolute().parent.is_dir():
        raise JaxzcError(f"there is no directory {out.absolute().parent} for {out.name}: create it first")
    if isinstance(request.space, str):
        spaces.check_options(request.space, request.options)
    if isinstance(spaces.maker(request.space) if isinstance(request.space, str) else request.space, WithTask):
        name = request.space if isinstance(request.space, str) else request.space.name
        raise JaxzcError(
            f"{name} is no space of image classifiers, which are what jaxzc trains: train space.module(arch) in Python with nnx.Optimizer"
        )
    images = split(request.data, test=request.test, images=request.images, fraction=request.held_out, seed=request.seed)
    space = spaces.fitted(request.space, request.options, classes=images.classes, inputs=images.train.inputs.shape[1:])
    arch_genes = genes_of(request.arch, space)
    settings_used = request.settings.suited(images.train.inputs.shape[1:], f"{request.data} {request.test or ''}")
    trainer = Trainer(space, arch_genes, images, settings_used)
    facts = {
        "space": repr(space),
        "arch": space.to_string(arch_genes),
        "settings": repr(settings_used),
        "data_digests": list(images.digests),
        "versions": {name: version(name) for name in ("jaxzc", "jax", "flax", "optax")},
    }
    if out is None:
        state, history = _epochs(trainer, trainer.init(), [], progress, on_epoch, lambda state, history: None)
    else:
        state, history = _resumable(trainer, out, facts, progress, note, on_epoch)
        result = {**facts, "test_accuracy": history[-1].test, "history": [epoch._asdict() for epoch in history]}
        (out / "result.json").write_text(json.dumps(result, indent=1), encoding="utf-8")
    module = trainer.module(state.params, state.statistics)
    module.eval()
    if out is not None:
        write(module, out / "network", space, arch_genes, onnx=request.onnx, note=note)
    count = int(space.counts(arch_genes[None]).params[0])
    return Trained(module, facts["arch"], history[-1].test, history, len(images.train.targets), len(images.test.targets), count)


def _epochs(
    trainer: Trainer,
    state: TrainState,
    history: list[Epoch],
    progress: Progress,
    on_epoch: OnEpoch,
    save: Callable[[TrainState, list[Epoch]], None],
) -> tuple[TrainState, list[Epoch]]:
    while len(history) < trainer.settings.epochs:
        number = len(history) + 1
        state, epoch = trainer.epoch(state, lambda steps, number=number: progress(number, steps))
        history = [*history, epoch]
        save(state, history)
        on_epoch(number, epoch)
    return state, history


def _resumable(
    trainer: Trainer, out: Path, facts: dict[str, Any], progress: Progress, note: Callable[[str], None], on_epoch: OnEpoch
) -> tuple[TrainState, list[Epoch]]:
    """`_epochs`, from the newest checkpoint in the directory on, with one after each epoch."""
    from jaxzc.training.checkpoints import checkpoints  # orbax: two seconds that training without a directory does not need

    _claim(out, facts)
    with checkpoints(out / "checkpoints") as saves:
        restored = saves.restore(trainer.init())
        if restored is not None:
            note(f"{out}: going on after epoch {len(restored[1])}")
        return _epochs(trainer, *(restored or (trainer.init(), [])), progress, on_epoch, saves.save)


def _claim(out: Path, facts: dict[str, Any]) -> None:
    """Notes in the directory what is trained there; raises `JaxzcError` where something else was."""
    facts, path = json.loads(json.dumps(facts)), out / "settings.json"
    if path.is_file():
        try:
            stored = json.loads(path.read_text(encoding="utf-8"))
        except ValueError as error:
            raise JaxzcError(f"{path} is damaged ({error}): choose another directory") from error
        for name in facts:
            if stored.get(name) != facts[name]:
                raise JaxzcError(f"{out} holds a run with {name} {stored.get(name)!r}, not {facts[name]!r}: choose another directory")
        return
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise JaxzcError(f"{out} exists and holds no training: name a new directory")
    out.mkdir(exist_ok=True)
    path.write_text(json.dumps(facts, indent=1), encoding="utf-8")
