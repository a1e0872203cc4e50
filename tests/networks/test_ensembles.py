"""Ensembles of NNX modules, whose variables `nnx.vmap` stacks: they are no network, and their members are scored one by one."""

from typing import Any

import jax
import numpy as np
import pytest
from flax import nnx

import jaxzc
from jaxzc.types import JaxzcError

RNG = np.random.default_rng(0)
X, Y = RNG.normal(size=(5, 4)).astype(np.float32), np.array([0, 1, 2, 1, 0])
MEMBERS = 4
"""As many as the inputs have channels, so that a product along the wrong axis would run."""


class Square(nnx.Module):
    def __init__(self, rngs: nnx.Rngs):
        self.first, self.last = nnx.Linear(4, 4, rngs=rngs), nnx.Linear(4, 4, rngs=rngs)

    def __call__(self, x: Any) -> Any:
        return self.last(nnx.relu(self.first(x)))


@nnx.vmap(in_axes=0, out_axes=0)
def ensemble_of(key: Any) -> Square:
    return Square(nnx.Rngs(key))


def test_members_are_scored_as_the_message_says() -> None:
    ensemble = ensemble_of(jax.random.split(jax.random.key(0), MEMBERS))
    with pytest.raises(JaxzcError, match=r"a kernel \[4, 4, 4\] of Linear has more axes than the 2 of one layer.*score_many\(nnx\.state"):
        jaxzc.score(ensemble, None, (X, Y), "snip")
    one, states = Square(nnx.Rngs(0)), nnx.state(ensemble, nnx.Param)
    several = jaxzc.Scorer(one, ["l2_norm", "params"]).score_many(states, (X, Y))
    members = [jax.tree.map(lambda leaf, n=n: leaf[n], states) for n in range(MEMBERS)]
    each = [jaxzc.score(one, member, (X, Y), ["l2_norm", "params"]) for member in members]
    assert several == [pytest.approx(scores, rel=1e-5) for scores in each]
    assert len({scores["l2_norm"] for scores in each}) == MEMBERS
