"""Trains the module of one architecture (`space.module(arch)`): an epoch is a pure function of its state.

The recipe is that of NAS-Bench-201 (Dong & Yang, ICLR 2020, table 2): the descent of `jaxzc.training.descent`, random crops and flips
as suits the images, batch normalisation with running averages. The epochs and sizes are the user's.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple, cast

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from jaxzc._compile.convolutions import rewritten
from jaxzc._compile.platforms import compiler_options, here
from jaxzc.tasks import cross_entropy
from jaxzc.training import augment
from jaxzc.training.descent import Descent, descend
from jaxzc.training.images import Images
from jaxzc.types import Array, Batch, JaxzcError, Params, PyTree, Space

SMALL = 16
"""Images with a shorter side than this are not shifted unless it is asked for."""
CHARACTERS = ("digits", "mnist", "svhn", "omniglot")
"""Words in the names of sources whose images are characters."""


@dataclass(frozen=True, kw_only=True)
class Settings(Descent):
    """epochs: passes over the training images; a last incomplete batch is left out. crop: largest shift in pixels (0: none). flip: whether
    half of the images are mirrored left to right. Both None: as suits the images (`suited`). decay: of the running averages. init: name of
    the initialiser."""

    epochs: int = 20
    batch_size: int = 64
    crop: int | None = None
    flip: bool | None = None
    decay: float = 0.9
    init: str = "torch"
    seed: int = 0

    def suited(self, shape: Sequence[int], source: str = "") -> "Settings":
        """The same with `crop` and `flip` as suits images of shape (height, width, channels), where they are None.

        crop: an eighth of the shorter side (4 of 32 pixels, as NAS-Bench-201), none below 16 pixels, where a digit is hardly larger than
        its shift. flip: of colour images only, and not where the source names characters, which are others in a mirror."""
        side = min(shape[:2])
        crop = (side // 8 if side >= SMALL else 0) if self.crop is None else self.crop
        mirrored = shape[-1] == 3 and not any(word in source for word in CHARACTERS)
        return replace(self, crop=crop, flip=mirrored if self.flip is None else self.flip)


class TrainState(NamedTuple):
    """epoch: int32 scalar, epochs done. params, statistics: the module's `nnx.Param`s and `nnx.BatchStat`s, nested dicts of arrays. memory:
    of the optimiser, a pytree."""

    epoch: Array
    params: Params
    memory: Any
    statistics: PyTree


class Epoch(NamedTuple):
    """Mean loss and percent correct on augmented training images while training, and percent correct on the test images after it."""

    loss: float
    train: float
    test: float


class Trainer:
    """Trains genes `[genes]` of a space; the result depends on genes, images and settings only.

    Raises `JaxzcError`: fewer training images than a batch has, images that do not fit the space, a crop as large as they are, a space
    without `module`.
    """

    def __init__(self, space: Space, arch: np.ndarray, images: Images, settings: Settings):
        n = len(images.train.targets)
        if settings.batch_size > n:
            raise JaxzcError(f"a batch of {settings.batch_size} is larger than the {n} training images: make it smaller")
        if images.train.inputs.shape[1:] != space.inputs.shape or images.classes != space.classes:
            raise JaxzcError(
                f"images {images.train.inputs.shape[1:]} of {images.classes} classes do not fit {space.name} for {space.inputs.shape} "
                f"and {space.classes}: make the space for these images"
            )
        settings = settings.suited(images.train.inputs.shape[1:])
        if not 0 <= (settings.crop or 0) < min(shape := images.train.inputs.shape[1:3]):
            raise JaxzcError(
                f"crop {settings.crop} shifts images of {shape[0]}x{shape[1]} out of sight: give 0 for none, or fewer pixels than these"
            )
        self.space, self.images, self.settings = space, images, settings
        if not hasattr(space, "module"):
            raise JaxzcError(
                f"{space.name} cannot be trained: it does not give its architectures as Flax modules, which space.module(arch) does"
            )
        self.arch = np.asarray(arch)
        abstract: Any = nnx.eval_shape(self._module)
        self._graph, self._params, self._statistics = nnx.split(abstract, nnx.Param, nnx.BatchStat)
        self.steps = n // settings.batch_size
        self.optimiser = settings.optimiser(settings.epochs * self.steps)
        self.train = jax.tree.map(jnp.asarray, images.train)
        options = compiler_options(here())
        self._step = jax.jit(rewritten(self._one_step), donate_argnums=0, compiler_options=options)
        self._predict = jax.jit(rewritten(self._logits), compiler_options=options)

    def _module(self) -> nnx.Module:
        settings, space = self.settings, cast(Any, self.space)
        key = jax.random.key(settings.seed)
        return space.module(self.arch, rng_key=key, initialiser=settings.init, momentum=settings.decay)

    def init(self) -> TrainState:
        """The state before the first epoch."""
        params, statistics = (nnx.to_pure_dict(state) for state in nnx.split(self._module(), nnx.Param, nnx.BatchStat)[1:])
        params = jax.tree.map(lambda a: a.astype(a.dtype), params)  # not weakly typed, or the second step would be compiled again
        return TrainState(jnp.zeros((), jnp.int32), params, self.optimiser.init(params), statistics)

    def module(self, params: Params, statistics: PyTree) -> Any:
        """The NNX module with these parameters and statistics, in the state of training (see `module.eval()`)."""
        states = [jax.tree.map(lambda a: a, state) for state in (self._params, self._statistics)]  # replacing works in place
        for state, values in zip(states, (params, statistics), strict=True):
            nnx.replace_by_pure_dict(state, values)
        return nnx.merge(self._graph, *states)

    def epoch(self, state: TrainState, progress: Callable[[range], Any] = iter) -> tuple[TrainState, Epoch]:
        """The state after one more epoch, and how it went. progress: wraps the numbers of the steps."""
        key = jax.random.fold_in(jax.random.key(self.settings.seed), int(state.epoch) + 1)
        order_key, step_key = jax.random.split(key)
        order = np.asarray(jax.random.permutation(order_key, len(self.train.targets)))
        state = jax.tree.map(jnp.copy, state)  # the steps reuse its memory, and the caller keeps his
        seen = []
        for number in progress(range(self.steps)):
            chosen = order[number * self.settings.batch_size :][: self.settings.batch_size]
            state, loss, correct = self._step(state, self.train, chosen, jax.random.fold_in(step_key, number))
            seen.append((loss, correct))
        loss, correct = np.mean(jax.device_get(seen), axis=0)
        state = state._replace(epoch=state.epoch + 1)
        return state, Epoch(float(loss), 100 * float(correct) / self.settings.batch_size, self.accuracy(state))

    def accuracy(self, state: TrainState, batch: Batch | None = None) -> float:
        """Percent of the test images (or of `batch`) classified correctly, normalised by the running averages."""
        images, labels = self.images.test if batch is None else batch
        size, right = self.settings.batch_size, 0
        for start in range(0, len(labels), size):
            part = np.asarray(images[start : start + size])
            padded = np.zeros((size, *part.shape[1:]), part.dtype)
            padded[: len(part)] = part
            right += int((self.logits(state, padded)[: len(part)].argmax(1) == labels[start : start + size]).sum())
        return 100 * right / len(labels)

    def logits(self, state: TrainState, images: Any) -> np.ndarray:
        """float32 `[N, classes]` of images `[N, H, W, C]`, normalised by the running averages."""
        return np.asarray(self._predict(state.params, state.statistics, jnp.asarray(images)))

    def _one_step(self, state: TrainState, train: Batch, chosen: Array, key: Array) -> tuple[TrainState, Array, Array]:
        crop_key, flip_key = jax.random.split(key)
        images, labels = train.inputs[chosen], train.targets[chosen]
        if self.settings.crop:
            images = augment.crop(crop_key, images, self.settings.crop)
        if self.settings.flip:
            images = augment.flip(flip_key, images)

        def loss(params: Params) -> tuple[Array, Any]:
            module = self.module(params, state.statistics)
            logits = module(images)
            statistics = nnx.to_pure_dict(nnx.state(module, nnx.BatchStat))
            return cross_entropy(logits, labels), (statistics, (logits.argmax(1) == labels).sum())

        params, memory, value, (statistics, correct) = descend(self.optimiser, loss, state.params, state.memory)
        return TrainState(state.epoch, params, memory, statistics), value, correct

    def _logits(self, params: Params, statistics: PyTree, images: Array) -> Array:
        module = self.module(params, statistics)
        module.eval()
        return module(images)
