"""Deep networks of equal blocks, compiled in pieces: the same scores as compiled whole, and equal blocks compile once."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import linen as nn

import jaxzc
from jaxzc._compile import pieces

pytestmark = pytest.mark.filterwarnings("ignore::jaxzc.DoubtWarning")  # frozen statistics, on purpose

rng = np.random.default_rng(0)
BATCH = (rng.normal(size=(4, 6, 6, 3)).astype(np.float32), np.array([0, 1, 2, 1]))
PROXIES = "snip,synflow,naswot,sweet_gradsign"


class Blocks(nn.Module):
    """Residual blocks, all alike."""

    depth: int

    @nn.compact
    def __call__(self, x: Any) -> Any:
        x = nn.Conv(4, (3, 3))(x)
        for _ in range(self.depth):
            y = nn.Conv(4, (3, 3), use_bias=False)(x)
            x = nn.relu(x + nn.BatchNorm(use_running_average=True)(y))
        return nn.Dense(3)(x.mean((1, 2)))


@pytest.fixture(autouse=True)
def none_at_hand() -> Any:
    pieces.HELD.clear()
    yield
    pieces.HELD.clear()


def variables(depth: int) -> Any:
    return Blocks(depth).init(jax.random.key(0), jnp.zeros((1, 6, 6, 3)))


def test_scores_in_pieces_and_whole_are_the_same() -> None:
    cut = jaxzc.Scorer(Blocks(2), PROXIES, pieces=True)
    scores, whole = cut.score(variables(2), BATCH), jaxzc.score(Blocks(2), variables(2), BATCH, PROXIES, pieces=False)
    assert scores == pytest.approx(whole, rel=1e-3)
    assert cut.compilations == 1
    assert cut.memory > sum(leaf.nbytes for leaf in jax.tree.leaves(variables(2)))
    assert jaxzc.Scorer(Blocks(2), PROXIES, pieces=True).score(variables(2), BATCH) == scores


def test_more_blocks_compile_few_pieces_more() -> None:
    jaxzc.Scorer(Blocks(3), "grasp", pieces=True).score(variables(3), BATCH)
    three = len(pieces.HELD)
    jaxzc.Scorer(Blocks(8), "grasp", pieces=True).score(variables(8), BATCH)
    assert len(pieces.HELD) < 1.3 * three
