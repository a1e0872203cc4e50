"""A batch, sets of parameters, and modules with normalisation and dropout, for tests of kept programs."""

from typing import Any

import jax
import jax.monitoring
import jax.numpy as jnp
import numpy as np
from flax import linen as nn
from flax import nnx

import jaxzc

rng = np.random.default_rng(0)
X, Y = rng.normal(size=(4, 6)).astype(np.float32), np.array([0, 1, 2, 1])
BATCH = (X, Y)
SETS = [{"w": jnp.asarray(rng.normal(size=(6, 3)).astype(np.float32))} for _ in range(3)]
STACKED = jax.tree.map(lambda *leaves: jnp.stack(leaves), *SETS)


class Linen(nn.Module):
    features: int = 4

    @nn.compact
    def __call__(self, x: Any, train: bool = False) -> Any:
        x = nn.BatchNorm(use_running_average=not train)(nn.Dense(self.features)(x))
        return nn.Dense(3)(nn.Dropout(0.5, deterministic=not train)(nn.relu(x)))


class NNX(nnx.Module):
    def __init__(self, rngs: nnx.Rngs, act: Any = nnx.relu):
        self.first, self.last = nnx.Linear(6, 4, rngs=rngs), nnx.Linear(4, 3, rngs=rngs)
        self.norm, self.drop, self.act = nnx.BatchNorm(4, rngs=rngs), nnx.Dropout(0.5, rngs=rngs), act

    def __call__(self, x: Any) -> Any:
        return self.last(self.drop(self.act(self.norm(self.first(x)))))


def snip(model: Any, params: Any = None, batch: Any = BATCH, **options: Any) -> float:
    return jaxzc.score(model, params, batch, "snip", **options)["snip"]
