"""Perceptrons, graphs, pairs, agents, tables: networks with other inputs and outputs than an image and a class."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import linen as nn
from flax import nnx

from tests.networks.zoo.case import CLASSES, FEATURES, IMAGES, LABELS, RNG, Case, N, function, linen, of_nnx


def perceptron(params: Any, x: Any) -> Any:
    for layer in params[:-1]:
        x = nn.relu(x @ layer["w"] + layer["b"])
    return x @ params[-1]["w"] + params[-1]["b"]


SIZES = [{"w": (6, 8), "b": (8,)}, {"w": (8, 7), "b": (7,)}, {"w": (7, CLASSES), "b": (CLASSES,)}]


class MLP(nn.Module):
    outputs: int = CLASSES

    @nn.compact
    def __call__(self, x: Any) -> Any:
        x = nn.relu(nn.Dense(8)(x.reshape(len(x), -1)))
        return nn.Dense(self.outputs)(nn.relu(nn.LayerNorm()(nn.Dense(6)(x))))


class NNXPerceptron(nnx.Module):
    def __init__(self, rngs: nnx.Rngs):
        self.one, self.norm = nnx.Linear(6, 8, rngs=rngs), nnx.BatchNorm(8, rngs=rngs)
        self.dropout, self.head = nnx.Dropout(0.5, rngs=rngs), nnx.Linear(8, CLASSES, rngs=rngs)

    def __call__(self, x: Any) -> Any:
        return self.head(self.dropout(nn.relu(self.norm(self.one(x)))))


class GNN(nn.Module):
    """Nodes of a ring of six, two rounds of messages."""

    @nn.compact
    def __call__(self, nodes: Any) -> Any:
        ring = jnp.eye(6) + jnp.roll(jnp.eye(6), 1, 0) + jnp.roll(jnp.eye(6), -1, 0)
        for width in (4, 6):
            nodes = nn.relu(jnp.einsum("ij,njc->nic", ring / 3, nn.Dense(width)(nodes)))
        return nn.Dense(CLASSES)(nodes.mean(1))


class Unit(nn.Module):
    """Of length one; normalisation, which synflow's pass does without."""

    normalises = True

    @nn.compact
    def __call__(self, x: Any) -> Any:
        return x / jnp.linalg.norm(x, axis=-1, keepdims=True)


class Towers(nn.Module):
    """CLIP in small: images and vectors in one space."""

    @nn.compact
    def __call__(self, images: Any, vectors: Any) -> Any:
        one = nn.Dense(4)(nn.relu(nn.Conv(4, (3, 3), 2)(images)).mean((1, 2)))
        other = nn.Dense(4)(nn.relu(nn.Dense(8)(vectors)))
        return Unit()(one), Unit()(other)


def contrast(outputs: Any, _: Any) -> Any:
    logits = outputs[0] @ outputs[1].T * 5
    logs = [logits - jnp.log(jnp.exp(logits).sum(axis, keepdims=True)) for axis in (0, 1)]
    return -sum(jnp.diagonal(one).mean() for one in logs) / 2


class ActorCritic(nn.Module):
    @nn.compact
    def __call__(self, x: Any) -> Any:
        x = nn.tanh(nn.Dense(6)(nn.relu(nn.Dense(8)(x))))
        return nn.Dense(3)(x), nn.Dense(1)(x)[:, 0]


def advantage(outputs: Any, targets: Any) -> Any:
    policy, value = outputs
    logs = policy - jnp.log(jnp.exp(policy).sum(-1, keepdims=True))
    gain = targets["returns"] - value
    chosen = jnp.take_along_axis(logs, targets["actions"][:, None], 1)[:, 0]
    return jnp.square(gain).mean() - (chosen * jax.lax.stop_gradient(gain)).mean()


class Table(nn.Module):
    """Columns of numbers, and one of a category."""

    @nn.compact
    def __call__(self, numbers: Any, category: Any) -> Any:
        x = jnp.concatenate([numbers, nn.Embed(3, 4)(category)], -1)
        return nn.Dense(1)(nn.leaky_relu(nn.Dense(8)(x)))[:, 0]


def squared(outputs: Any, targets: Any) -> Any:
    return jnp.square(outputs - targets).mean()


def sigmoid_loss(outputs: Any, targets: Any) -> Any:
    return (jnp.log(1 + jnp.exp(outputs)) - targets * outputs).mean()


class Experts(nn.Module):
    """A soft mixture of three experts, whose kernels are one array."""

    @nn.compact
    def __call__(self, x: Any) -> Any:
        gate = nn.softmax(nn.Dense(3)(x))
        kernels = self.param("kernels", nn.initializers.zeros, (3, 6, CLASSES))
        return jnp.einsum("ne,nec->nc", gate, jnp.einsum("nd,edc->nec", x, kernels))


def table() -> Case:
    inputs = {"numbers": FEATURES, "category": np.array([0, 2, 1, 1])}
    variables = linen(Table(), (FEATURES, inputs["category"]))
    model = Table()
    return Case(
        model=model,
        params=variables.params,
        inputs=inputs,
        targets=np.float32(RNG.normal(size=N)),
        learned=variables.learned,
        apply=lambda learned, inputs: model.apply({"params": learned}, **inputs),
        loss=squared,
        macs=10 * 8 + 8,
    )


def actor_critic() -> Case:
    targets = {"returns": np.float32(RNG.normal(size=N)), "actions": np.array([0, 2, 1, 1])}
    return linen(ActorCritic(), FEATURES, targets, advantage, macs=48 + 48 + 24, options={"loss": advantage})


CASES = {
    "mlp": lambda: function(perceptron, SIZES, FEATURES, kernels=("['w']",), macs=48 + 56 + 7 * CLASSES),
    "mlp_linen": lambda: linen(MLP(), IMAGES, macs=192 * 8 + 48 + 6 * CLASSES),
    "mlp_nnx": lambda: of_nnx(NNXPerceptron, FEATURES, macs=48 + 8 * CLASSES),
    "multilabel": lambda: linen(MLP(3), FEATURES, np.array([[1, 0, 1], [0, 1, 1], [1, 1, 0], [0, 0, 0]]), sigmoid_loss, macs=48 + 48 + 18),
    "regression": lambda: linen(MLP(2), FEATURES, np.float32(RNG.normal(size=(N, 2))), squared, macs=48 + 48 + 12),
    "gnn": lambda: linen(GNN(), np.float32(RNG.normal(size=(N, 6, 3))), LABELS, macs=6 * (12 + 24) + 6 * CLASSES),
    "two_towers": lambda: linen(Towers(), (IMAGES, FEATURES), None, contrast, macs=16 * 27 * 4 + 16 + 48 + 32, options={"loss": contrast}),
    "actor_critic": actor_critic,
    "table": table,
    "experts": lambda: linen(Experts(), FEATURES, macs=18 + 18 * CLASSES, missing={"naswot": "has no ReLU"}),
}
