"""One step of stochastic gradient descent, the same for everything that is trained here.

The recipe is that of NAS-Bench-201 (Dong & Yang, ICLR 2020, table 2): Nesterov momentum, weight decay on all parameters, and a learning
rate that falls to zero as a cosine.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jax
import optax

from jaxzc.types import Array, Params


@dataclass(frozen=True, kw_only=True)
class Descent:
    """learning_rate: at the start."""

    learning_rate: float = 0.1
    momentum: float = 0.9
    weight_decay: float = 5e-4

    def optimiser(self, steps: int) -> optax.GradientTransformation:
        """For a training of so many steps."""
        rate = optax.cosine_decay_schedule(self.learning_rate, steps)
        descent = optax.sgd(rate, self.momentum, nesterov=True)
        return optax.chain(optax.add_decayed_weights(self.weight_decay), descent)


def descend(
    optimiser: optax.GradientTransformation, loss: Callable[[Params], tuple[Array, Any]], params: Params, memory: Any
) -> tuple[Params, Any, Array, Any]:
    """One step. Returns the new parameters, the optimiser's new memory, the value of the loss before the step, and its second result."""
    (value, further), slope = jax.value_and_grad(loss, has_aux=True)(params)
    updates, memory = optimiser.update(slope, memory, params)
    return optax.apply_updates(params, updates), memory, value, further
