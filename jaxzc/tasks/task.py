"""A task: the loss of a network's outputs and targets, and what of the outputs proxies take for logits."""

from collections.abc import Callable
from dataclasses import dataclass

import jax
import jax.numpy as jnp

from jaxzc.numerics.trees import at_least_float32, is_float
from jaxzc.tasks.losses import (
    Loss,
    cross_entropy,
    ctc_loss,
    ctc_loss_per_frame,
    described,
    sigmoid_cross_entropy,
    squared_error,
    token_cross_entropy,
)
from jaxzc.types import Array, JaxzcError, PyTree


def mean_readout(outputs: PyTree) -> Array:
    """Outputs as `[N, k]`: `[N, k]` as it is, `[N]` as `[N, 1]`, the mean over the axes between the first and the last (positions, pixels)
    of `[N, ..., k]`; several arrays of floats beside each other, in the order of the pytree's leaves."""
    leaves = [jnp.asarray(leaf) for leaf in jax.tree.leaves(outputs) if jnp.issubdtype(jnp.result_type(leaf), jnp.floating)]
    if not leaves or any(leaf.ndim == 0 for leaf in leaves) or len({len(leaf) for leaf in leaves}) > 1:
        raise JaxzcError(
            f"the network returns {described(outputs)}, which is no [N, k]: give a task with readout=lambda outputs: ... that makes one"
        )
    parts = [leaf[:, None] if leaf.ndim == 1 else leaf.mean(range(1, leaf.ndim - 1)) for leaf in leaves]
    return parts[0] if len(parts) == 1 else jnp.concatenate(parts, 1)


def shifted(inputs: PyTree) -> Array:
    """The token that follows each of `[N, T]`, -1 (not counted) after the last. Raises `JaxzcError` where the inputs do not have exactly
    one integer leaf of two axes."""
    tokens = [leaf for leaf in jax.tree.leaves(inputs) if jnp.ndim(leaf) == 2 and jnp.issubdtype(jnp.result_type(leaf), jnp.integer)]
    if len(tokens) != 1:
        raise JaxzcError(
            f"next_token without targets takes them from integer inputs [N, T], and the inputs are {described(inputs)}: give the next "
            "tokens as targets"
        )
    return jnp.concatenate([tokens[0][:, 1:], jnp.full_like(tokens[0][:, :1], -1)], axis=1)


@dataclass(frozen=True)
class Task:
    """What a network is for.

    loss: (outputs, targets) -> scalar, the mean over examples; outputs are what the network returned, targets as the batch has them.
    readout: outputs -> array `[N, k]`, which proxies that speak of logits see.
    targets: inputs -> targets, for batches that have none.
    """

    loss: Loss
    readout: Callable[[PyTree], Array] = mean_readout
    name: str = "own"
    targets: Callable[[PyTree], PyTree] | None = None

    def total(self, outputs: PyTree) -> Array:
        """The sum whose derivatives synflow and jacob_cov take: of the readout, or where that is the default of all floats returned."""
        if self.readout is not mean_readout:
            return self.readout(outputs).sum()
        floats = [at_least_float32(jnp.asarray(leaf)) for leaf in jax.tree.leaves(outputs) if is_float(leaf)]
        if not floats:
            raise JaxzcError(f"the network returns {described(outputs)}, no floats that could be summed: give a task with a readout")
        return sum((leaf.sum() for leaf in floats[1:]), floats[0].sum())


classification = Task(cross_entropy, name="classification")
"""Cross-entropy over the last axis of outputs `[..., classes]`, with integers `[...]` or rows of probabilities: images, pixels, tokens."""

regression = Task(squared_error, name="regression")
"""Mean squared error of outputs and targets of one shape."""

multilabel = Task(sigmoid_cross_entropy, name="multilabel")
"""Sigmoid cross-entropy of logits and 0/1 targets of one shape."""

next_token = Task(token_cross_entropy, name="next_token", targets=shifted)
"""Cross-entropy of logits `[N, T, vocabulary]` and the tokens that follow, int `[N, T]` (negative: not counted); a batch without targets
takes them from its own tokens, moved by one."""

ctc = Task(ctc_loss, name="ctc")
"""Connectionist temporal classification, see `ctc_loss`."""

ctc_per_frame = Task(ctc_loss_per_frame, name="ctc_per_frame")
"""As ctc, divided by the frames of each example, see `ctc_loss_per_frame`."""

TASKS = {task.name: task for task in (classification, regression, multilabel, next_token, ctc, ctc_per_frame)}
"""Name -> ready-made task."""
