"""Trains architectures of a space, with one compiled program for all that share one, and puts their accuracies into a ground-truth table.

The architecture and the seed are arguments of the program, and the loop over all steps is a scan inside it: one call trains one network.
Architectures are trained one after another: under `jax.vmap` over architectures every `switch` over operations would compute all of its
branches, and under `jax.vmap` over seeds a network takes 1.1 times as long as alone, because the convolutions become grouped ones (measured
on one CPU core). On a CPU run several processes instead.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxzc.data import check_batch
from jaxzc.spacekit import key_of
from jaxzc.tasks import cross_entropy
from jaxzc.training.descent import Descent, descend
from jaxzc.types import Array, Batch, JaxzcError, Network, Params, PyTree, Space, SpaceProgram

Accuracies = dict[str, float]
"""Split -> percent of its images that one trained network classifies correctly."""


@dataclass(frozen=True)
class TrainingData:
    """Images to train on and images to test on, and how the former are distorted.

    train: clean images; every step distorts its batch anew. splits: name -> the images, distorted or not, on which accuracy is measured.
    distort: (key, images `[N, H, W, C]`) -> images of the same shape.
    """

    train: Batch
    splits: Mapping[str, Batch]
    distort: Callable[[Array, Array], Array]


@dataclass(frozen=True, kw_only=True)
class ShortTraining(Descent):
    """A training of `steps` batches. Weight decay acts on every parameter of the program; on parameters that the architecture does not use
    it has no effect."""

    steps: int
    batch_size: int = 64


class ProgramTrainer:
    """Trains networks of a space on some images; the result depends on genes and seed only, not on what was trained before.

    Raises `JaxzcError` where images or labels do not fit the space, or a batch is larger than the training split.
    """

    def __init__(self, space: Space, training_data: TrainingData, settings: ShortTraining):
        for batch in (training_data.train, *training_data.splits.values()):
            check_batch(batch, classes=space.classes, image_shape=space.inputs.shape, needs_labels=True)
        if settings.batch_size > len(training_data.train.targets):
            raise JaxzcError(
                f"a batch of {settings.batch_size} images is larger than the {len(training_data.train.targets)} training images: "
                "make it smaller"
            )
        self.space = space
        self._totals = {name: len(batch.targets) for name, batch in training_data.splits.items()}
        # Arguments of the program, because XLA would fold constants.
        images = jax.tree.map(jnp.asarray, (training_data.train, dict(training_data.splits)))

        @partial(jax.jit, static_argnums=0)
        def trained(key: tuple[int, ...], genes: Array, seed: Array, images: Any) -> dict[str, Array]:
            return _train(space.program(key), training_data.distort, settings, genes, jax.random.key(seed), *images)

        self._correct = lambda arch, seed: trained(key_of(space, arch), jnp.asarray(arch, jnp.int32), seed, images)

    def one(self, arch: np.ndarray, seed: int = 0) -> Accuracies:
        """Accuracies in percent of genes `[genes]`, trained with weights, batches and distortions of `seed`."""
        correct = jax.device_get(self._correct(arch, seed))
        return {name: 100 * int(correct[name]) / total for name, total in self._totals.items()}


def _train(
    program: SpaceProgram, distort: Any, settings: ShortTraining, genes: Array, key: Array, train: Batch, splits: Mapping[str, Batch]
) -> dict[str, Array]:
    """Split -> number of images classified correctly, an int32 scalar."""
    # One seed means the same weights, batches and distortions for every architecture, so that luck which all share cancels in the ranking.
    weights_key, order_key, step_key = jax.random.split(key, 3)
    network = program.network(genes)
    optimiser = settings.optimiser(settings.steps)

    def step(carry: PyTree, inputs: PyTree) -> Any:
        params, memory = carry
        number, chosen = inputs
        images = distort(jax.random.fold_in(step_key, number), train.inputs[chosen])

        def loss(params: Params) -> tuple[Array, None]:
            return cross_entropy(network.forward(params, images, norm="batch").outputs, train.targets[chosen]), None

        params, memory, *_ = descend(optimiser, loss, params, memory)
        return (params, memory), None

    params = program.init(weights_key)
    order = _order(order_key, len(train.targets), settings)
    (params, _), _ = jax.lax.scan(step, (params, optimiser.init(params)), (jnp.arange(settings.steps), order))
    return {name: _correct(network, params, split) for name, split in splits.items()}


def _order(key: Array, images: int, settings: ShortTraining) -> Array:
    """Indices of every batch, int `[steps, batch_size]`: epoch after epoch in a random order; a batch may span two epochs."""
    wanted = settings.steps * settings.batch_size
    epochs = jax.vmap(lambda k: jax.random.permutation(k, images))(jax.random.split(key, -(-wanted // images)))
    return epochs.reshape(-1)[:wanted].reshape(settings.steps, settings.batch_size)


def _correct(network: Network, params: Params, batch: Batch) -> Array:
    """Images classified correctly. Normalisation uses the statistics of the whole split (transductive), because a network of the engine
    keeps no running averages."""
    predicted = network.forward(params, batch.inputs, norm="batch").outputs.argmax(1)
    return (predicted == batch.targets).sum()


def table_columns(space: Space, archs: np.ndarray, runs: Mapping[tuple[str, int], Accuracies], seeds: int) -> dict[str, Any]:
    """Columns `[n]` of a ground-truth table for architectures `[n, genes]`, from the runs of (architecture string, seed): `arch`; for every
    split the mean over seeds (`test_accuracy`) and each seed (`test_accuracy_seed0`), in percent; `params`, `flops`."""
    strings = [space.to_string(arch) for arch in archs]
    splits = list(next(iter(runs.values())))
    percent = {
        split: np.array([[runs[string, seed][split] for seed in range(seeds)] for string in strings], np.float64) for split in splits
    }
    means = {f"{split}_accuracy": values.mean(1) for split, values in percent.items()}
    each = {f"{split}_accuracy_seed{seed}": values[:, seed] for split, values in percent.items() for seed in range(seeds)}
    counts = space.counts(archs)
    return {"arch": strings, **means, **each, "params": np.asarray(counts.params), "flops": np.asarray(counts.flops)}
