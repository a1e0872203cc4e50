"""A task: the loss of a network's outputs and targets, and what of the outputs proxies take for logits."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from jaxzc.types import Array

Loss = Callable[[Any, Any], Array]


def cross_entropy(logits: Array, labels: Array) -> Array:
    """Mean softmax cross-entropy of logits `[..., classes]` and integer labels `[...]`."""
    import optax  # half a second of import, which a program read back from disk does without

    return optax.softmax_cross_entropy_with_integer_labels(logits, labels).mean()


def identity(outputs: Any) -> Any:
    """The outputs themselves."""
    return outputs


@dataclass(frozen=True)
class Task:
    """loss: (outputs, targets) -> scalar, the mean over examples; outputs are what the network returned, targets as the batch has them.

    readout: outputs -> array `[N, k]`, which proxies that speak of logits see.
    """

    loss: Loss = cross_entropy
    readout: Callable[[Any], Array] = identity
    name: str = "classification"


classification = Task()
"""Cross-entropy of logits `[N, classes]` and integer labels `[N]`."""
