"""The losses of the ready-made tasks: outputs of a network and targets -> one number, the mean over examples."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
from typing_extensions import TypeAliasType

from jaxzc.numerics.trees import at_least_float32
from jaxzc.types import Array, JaxzcError, PyTree

Loss = TypeAliasType("Loss", Callable[[PyTree, PyTree], Array])
"""(what the network returned, the targets) -> one number."""


def cross_entropy(outputs: Array | np.ndarray, targets: Array | np.ndarray) -> Array:
    """Mean softmax cross-entropy over the last axis of outputs `[..., classes]`; targets are integers `[...]` (or `[..., 1]`), or a
    distribution over the classes (one-hot rows, soft labels) `[..., classes]`."""
    import optax  # half a second of import, which a program read back from disk does without

    outputs, targets = wide(outputs), jnp.asarray(targets)
    if jnp.shape(targets) == outputs.shape:
        return optax.softmax_cross_entropy(outputs, jnp.asarray(targets, outputs.dtype)).mean()
    if jnp.shape(targets) not in (outputs.shape[:-1], (*outputs.shape[:-1], 1)) or not jnp.issubdtype(targets.dtype, jnp.integer):
        raise JaxzcError(
            f"cross-entropy compares outputs {list(outputs.shape)} with integers {list(outputs.shape[:-1])} or with rows of probabilities "
            f"of the outputs' shape, and the targets are {targets.dtype} {list(jnp.shape(targets))}: give a task or loss that fits them"
        )
    return optax.softmax_cross_entropy_with_integer_labels(outputs, jnp.reshape(targets, outputs.shape[:-1])).mean()


def squared_error(outputs: Array | np.ndarray, targets: Array | np.ndarray) -> Array:
    """Mean of (outputs - targets)^2; of the two shapes one may have a further last axis of size 1."""
    outputs = wide(outputs)
    return jnp.square(outputs - fitted(outputs, targets, "the squared error")).mean()


def sigmoid_cross_entropy(outputs: Array | np.ndarray, targets: Array | np.ndarray) -> Array:
    """Mean binary cross-entropy of logits and of targets in [0, 1] of the same shape."""
    import optax

    outputs = wide(outputs)
    return optax.sigmoid_binary_cross_entropy(outputs, fitted(outputs, targets, "the sigmoid cross-entropy")).mean()


def token_cross_entropy(outputs: Array | np.ndarray, targets: Array | np.ndarray) -> Array:
    """Mean cross-entropy of logits `[N, T, vocabulary]` and the integers `[N, T]` that belong there; negative ones are left out."""
    import optax

    outputs, counts = wide(outputs), targets >= 0
    each = optax.softmax_cross_entropy_with_integer_labels(outputs, jnp.where(counts, targets, 0))
    return jnp.where(counts, each, 0).sum() / jnp.maximum(counts.sum(dtype=each.dtype), 1)


def ctc_loss(outputs: PyTree, targets: PyTree, *, blank: int = 0) -> Array:
    """Mean connectionist temporal classification loss of an alignment-free sequence (speech, handwriting), as `optax.ctc_loss`.

    outputs: logits `[N, T, symbols]`, or a pair of them and how many frames are used, lengths `[N]` int or paddings `[N, T]` (1 where
        padded).
    targets: symbols `[N, L]` int, padded with the blank or with negative numbers; or a pair of them and their lengths or paddings; or
        three, the third the frames' lengths or paddings (the second may be None).
    """
    return _each_ctc(outputs, targets, blank)[0].mean()


def ctc_loss_per_frame(outputs: PyTree, targets: PyTree, *, blank: int = 0) -> Array:
    """As `ctc_loss`, that of each example divided by its frames, and 0 where it has more symbols (and blanks between equal ones) than
    frames: the mean over all examples. Source: Mehrotra et al., NAS-Bench-ASR, ICLR 2021, code."""
    losses, symbols, label_paddings, logit_paddings = _each_ctc(outputs, targets, blank)
    frames, counts = (1 - logit_paddings).sum(1), label_paddings == 0
    equal = (symbols[:, 1:] == symbols[:, :-1]) & counts[:, 1:] & counts[:, :-1]
    possible = (counts.sum(1) + equal.sum(1)).astype(frames.dtype) <= frames
    return jnp.where(possible, losses / jnp.maximum(frames, 1), 0).mean()


def _each_ctc(outputs: PyTree, targets: PyTree, blank: int) -> tuple[Array, Array, Array, Array]:
    """The loss of each example `[N]`, symbols `[N, L]`, and the paddings of symbols and of frames, 1 where padded."""
    import optax

    logits, frames = outputs if isinstance(outputs, tuple | list) else (outputs, None)
    parts = list(targets) if isinstance(targets, tuple | list) else [targets]
    symbols: PyTree = parts[0]
    used, of_targets = (*parts[1:], None, None)[:2]
    if jnp.ndim(logits) != 3 or jnp.ndim(symbols) != 2:
        raise JaxzcError(
            f"ctc compares logits [N, T, symbols] with symbols [N, L], got {list(jnp.shape(logits))} and {list(jnp.shape(symbols))}: "
            "give outputs as logits or (logits, lengths) and targets as symbols or (symbols, lengths)"
        )
    logits, symbols = wide(logits), jnp.asarray(symbols)
    frames = of_targets if frames is None else frames
    label_paddings = (symbols == blank) | (symbols < 0) if used is None else padded(used, symbols.shape[1])
    logit_paddings = jnp.zeros(logits.shape[:2]) if frames is None else padded(frames, logits.shape[1])
    label_paddings, logit_paddings = label_paddings.astype(logits.dtype), logit_paddings.astype(logits.dtype)
    symbols = jnp.maximum(symbols, 0)
    losses = optax.ctc_loss(logits, logit_paddings, symbols, label_paddings, blank_id=blank)
    return losses, symbols, label_paddings, logit_paddings


def padded(used: Array, steps: int) -> Array:
    """Paddings `[N, steps]` of lengths `[N]`; paddings as they are."""
    used = jnp.asarray(used)
    return used if used.ndim == 2 else jnp.arange(steps)[None] >= used[:, None]


def fitted(outputs: Array | np.ndarray, targets: Array | np.ndarray, what: str) -> Array:
    """The targets in the outputs' shape and dtype; an error where they differ by more than a last axis of size 1 (broadcasting would
    compare every example with every other)."""
    shapes = {(*shape, 1) if len(shape) < max(outputs.ndim, jnp.ndim(targets)) else shape for shape in (outputs.shape, jnp.shape(targets))}
    if len(shapes) > 1:
        raise JaxzcError(
            f"{what} compares outputs and targets of one shape, got {list(outputs.shape)} and {list(jnp.shape(targets))}: "
            "give a loss of your own for others"
        )
    return jnp.reshape(targets, outputs.shape).astype(outputs.dtype)


def wide(x: PyTree) -> Array:
    """In float32 at least: sums over half precision overflow. Raises `JaxzcError` where `x` is a structure of several arrays."""
    leaves = jax.tree.leaves(x)
    if len(leaves) != 1 or not jnp.issubdtype(jnp.result_type(leaves[0]), jnp.floating):
        raise JaxzcError(
            f"the network returns {described(x)}, and the task compares one array of floats: give loss=lambda outputs, targets: ... that "
            "takes them apart"
        )
    return at_least_float32(jnp.asarray(leaves[0]))


def described(x: PyTree) -> str:
    """Outputs or targets in a few words: "float32 [8, 10]", "a tuple of float32 [8, 10], float32 [8]"."""
    leaves = [f"{getattr(leaf, 'dtype', type(leaf).__name__)} {list(jnp.shape(leaf))}" for leaf in jax.tree.leaves(x)]
    several = not (len(leaves) == 1 and jax.tree.structure(x) == jax.tree.structure(0))
    return f"a {type(x).__name__} of {', '.join(leaves) or 'nothing'}" if several else leaves[0]
