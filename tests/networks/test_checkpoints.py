"""Parameters as they are kept and restored: frozen dicts, numpy arrays, train states, and what Orbax gives back."""

from pathlib import Path
from typing import Any

import jax
import numpy as np
import orbax.checkpoint
import pytest
from flax import linen as nn
from flax import nnx
from flax.core import freeze

import jaxzc
from jaxzc.types import JaxzcError

rng = np.random.default_rng(0)
BATCH = (rng.normal(size=(4, 6)).astype(np.float32), np.array([0, 1, 2, 1]))
PROXIES = "l2_norm,params"


class Linen(nn.Module):
    @nn.compact
    def __call__(self, x: Any) -> Any:
        return nn.Dense(3)(nn.relu(nn.BatchNorm(use_running_average=True)(nn.Dense(4)(x))))


class NNX(nnx.Module):
    def __init__(self, seed: int = 0):
        rngs = nnx.Rngs(seed)
        self.layers = nnx.List([nnx.Linear(6, 4, rngs=rngs), nnx.Linear(4, 3, rngs=rngs)])
        self.norm = nnx.BatchNorm(4, rngs=rngs)

    def __call__(self, x: Any) -> Any:
        return self.layers[1](nnx.relu(self.norm(self.layers[0](x))))


def restored(tree: Any, path: Path) -> Any:
    """What Orbax gives back without being told of the types."""
    with orbax.checkpoint.PyTreeCheckpointer() as checkpointer:
        checkpointer.save(path / "checkpoint", jax.tree.map(np.asarray, tree))
        return checkpointer.restore(path / "checkpoint")


@pytest.mark.filterwarnings("ignore::jaxzc.DoubtWarning")  # frozen statistics, on purpose
def test_of_linen(tmp_path: Path) -> None:
    variables = Linen().init(jax.random.key(0), BATCH[0])
    expected = jaxzc.score(Linen(), variables, BATCH, PROXIES)
    on_host = jax.tree.map(np.asarray, variables)
    for params in (freeze(variables), on_host, freeze(on_host), on_host["params"], restored(variables, tmp_path)):
        assert jaxzc.score(Linen(), params, BATCH, PROXIES) == expected


def test_of_nnx(tmp_path: Path) -> None:
    model = NNX(1)
    expected = jaxzc.score(model, None, BATCH, PROXIES)
    state = nnx.state(model, nnx.Param)
    pure = nnx.to_pure_dict(state)
    for params in (state, jax.tree.map(np.asarray, state), pure, jax.tree.map(np.asarray, pure), restored(pure, tmp_path)):
        assert jaxzc.score(NNX(), params, BATCH, PROXIES) == expected
        network, own = jaxzc.as_network(NNX(), params, BATCH[0])
        assert float(jaxzc.compute_scores("l2_norm", network, own, BATCH)["l2_norm"]) == pytest.approx(expected["l2_norm"])
    with pytest.raises(JaxzcError, match=r"^the dict of parameters is not of this module \(.*\): give nnx.state\(module, nnx.Param\), or "):
        jaxzc.score(NNX(), {"layer": pure["norm"]}, BATCH, PROXIES)
