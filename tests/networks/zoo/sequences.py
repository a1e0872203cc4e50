"""Recurrent networks and state-space models, one class for each step."""

from typing import Any

import jax
import jax.numpy as jnp
from flax import linen as nn
from flax import nnx

from tests.networks.zoo.case import CLASSES, RNG, SERIES, STEPS, TAGS, TOKENS, VOCABULARY, Case, function, linen, of_nnx
from tests.networks.zoo.convolutional import CODES


class Tagger(nn.Module):
    cell: Any
    both: bool = False
    dtype: Any = jnp.float32

    @nn.compact
    def __call__(self, tokens: Any) -> Any:
        x = nn.Embed(VOCABULARY, 3)(tokens)
        forward = nn.RNN(self.cell(4, param_dtype=self.dtype))
        return nn.Dense(CLASSES)(nn.Bidirectional(forward, nn.RNN(self.cell(4, param_dtype=self.dtype)))(x) if self.both else forward(x))


class NNXTagger(nnx.Module):
    def __init__(self, rngs: nnx.Rngs):
        self.rnn = nnx.RNN(nnx.SimpleCell(3, 4, rngs=rngs))
        self.head = nnx.Linear(4, CLASSES, rngs=rngs)

    def __call__(self, x: Any) -> Any:
        states: Any = self.rnn(x)
        return self.head(nn.relu(states))


class Mamba(nn.Module):
    """A selective scan: how much is remembered, written and read hangs on the input."""

    @nn.compact
    def __call__(self, x: Any) -> Any:
        x = nn.Dense(4)(x)
        u = nn.silu(nn.Conv(4, (3,), padding="CAUSAL", feature_group_count=4)(nn.Dense(4)(x)))
        step, write, read = nn.softplus(nn.Dense(4)(u)), nn.Dense(2)(u), nn.Dense(2)(u)
        decay = jnp.exp(step[..., None] * -jnp.exp(self.param("log_decay", nn.initializers.zeros, (4, 2))))
        drive = (step * u)[..., None] * write[..., None, :]

        def one(state: Any, pair: Any) -> Any:
            state = pair[0] * state + pair[1]
            return state, state

        _, states = jax.lax.scan(one, jnp.zeros_like(drive[:, 0]), (decay.swapaxes(0, 1), drive.swapaxes(0, 1)))
        y = jnp.einsum("tncs,nts->ntc", states, read) * nn.silu(nn.Dense(4)(x))
        return nn.Dense(CLASSES)(x + nn.Dense(4)(nn.RMSNorm()(y)))


def deep(params: Any, x: Any) -> Any:
    """Layers of one shape in a loop over a stack of their kernels."""

    def layer(x: Any, kernel: Any) -> Any:
        return x + jnp.tanh(x @ kernel), None

    x, _ = jax.lax.scan(layer, x @ params["kernel_in"], params["kernel_stack"])
    return x @ params["kernel_out"]


STACK = {"kernel_in": (3, 4), "kernel_stack": (3, 4, 4), "kernel_out": (4, CLASSES)}
GATES = {"lstm": 4, "gru": 3}


def tagger(gates: str, cell: Any, both: bool = False) -> Case:
    """Flax's recurrent layers make their first state in a dtype of their own, which in float64 must be said."""
    directions = 1 + both
    macs = STEPS * directions * (GATES[gates] * (3 + 4) * 4 + 4 * CLASSES)
    return linen(Tagger(cell, both), TOKENS, TAGS, double=Tagger(cell, both, jnp.float64), macs=macs, missing=CODES)


CASES = {
    "lstm": lambda: tagger("lstm", nn.OptimizedLSTMCell),
    "gru": lambda: tagger("gru", nn.GRUCell),
    "bidirectional": lambda: tagger("lstm", nn.LSTMCell, both=True),
    "rnn_nnx": lambda: of_nnx(NNXTagger, SERIES, TAGS, macs=STEPS * (12 + 16 + 4 * CLASSES)),
    "mamba": lambda: linen(Mamba(), SERIES, TAGS, macs=STEPS * (12 + 16 + 12 + 16 + 16 + 16 + 16 + 4 * CLASSES), missing=CODES),
    "scanned_stack": lambda: function(deep, STACK, RNG.normal(size=(4, 3)).astype("float32"), macs=12 + 48 + 4 * CLASSES, missing=CODES),
}
