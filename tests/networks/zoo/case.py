"""One network of the battery: the model as it is handed to jaxzc, and what is needed to work its scores out without jaxzc."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import linen as nn
from flax import nnx

N, CLASSES, STEPS, VOCABULARY = 4, 5, 6, 7
RNG = np.random.default_rng(0)
IMAGES = RNG.normal(size=(N, 8, 8, 3)).astype(np.float32)
FEATURES = RNG.normal(size=(N, 6)).astype(np.float32)
SERIES = RNG.normal(size=(N, STEPS, 3)).astype(np.float32)
LABELS = np.array([1, 0, 4, 2])
TOKENS = RNG.integers(0, VOCABULARY, (N, STEPS))
TAGS = RNG.integers(0, CLASSES, (N, STEPS))

Values = Callable[[Any, Any], Any]


@dataclass(frozen=True, kw_only=True)
class Case:
    """A network.

    model, params, inputs, targets, options: what `jaxzc.score` gets. learned: the parameters among `params`.
    apply(learned, inputs): what the model returns in training, by its own code. loss(outputs, targets): in plain jax.numpy.
    macs: multiply-accumulates of its layers for one example, counted by hand. kernels: a part of the name of every kernel's leaf.
    missing: proxy -> a part of the reason why it has no value.
    """

    model: Any
    params: Any
    inputs: Any
    targets: Any
    learned: Any
    apply: Values
    loss: Values
    macs: int | None = None
    kernels: tuple[str, ...] = ("kernel",)
    missing: Mapping[str, str] = field(default_factory=dict)
    options: Mapping[str, Any] = field(default_factory=dict)


def cross_entropy(outputs: Any, targets: Any) -> Any:
    logs = outputs - jnp.log(jnp.exp(outputs).sum(-1, keepdims=True))
    return -jnp.take_along_axis(logs, jnp.asarray(targets)[..., None], -1).mean()


def drawn(shapes: Any) -> Any:
    """Parameters of these shapes: kernels of unit gain, scales about 1, biases about 0, so that no two parts of a network look alike."""
    rng = np.random.default_rng(1)

    def leaf(path: Any, shape: Any) -> Any:
        name = jax.tree_util.keystr(path)
        if "batch_stats" in name:
            return jnp.full(shape.shape, float("var" in name), jnp.float32)
        if "scale" in name or "gamma" in name:
            return jnp.asarray(rng.uniform(0.5, 1.5, shape.shape), jnp.float32)
        spread = 1 / math.sqrt(math.prod(shape.shape[:-1])) if len(shape.shape) > 1 else 0.1
        return jnp.asarray(rng.normal(0, spread, shape.shape), jnp.float32)

    return jax.tree_util.tree_map_with_path(leaf, shapes)


def linen(
    model: nn.Module,
    inputs: Any,
    targets: Any = LABELS,
    loss: Values = cross_entropy,
    *,
    train: Any = None,
    init: Any = None,
    double: Any = None,
    **more: Any,
) -> Case:
    """train: keywords of a call in training; init: of the call that makes the parameters; double: the model to compare with."""
    args = inputs if isinstance(inputs, tuple) else (inputs,)
    variables = drawn(jax.eval_shape(lambda: model.init(jax.random.key(0), *args, **(init or {}))))
    state = {name: part for name, part in variables.items() if name != "params"}

    def apply(learned: Any, inputs: Any) -> Any:
        args = inputs if isinstance(inputs, tuple) else (inputs,)
        return (double or model).apply({"params": learned, **state}, *args, mutable=list(state), **(train or {}))[0]

    return Case(model=model, params=variables, inputs=inputs, targets=targets, learned=variables["params"], apply=apply, loss=loss, **more)


def of_nnx(make: Callable[[nnx.Rngs], Any], inputs: Any, targets: Any = LABELS, loss: Values = cross_entropy, **more: Any) -> Case:
    graph, state, others = nnx.split(make(nnx.Rngs(0)), nnx.Param, ...)
    learned = drawn(state)

    def apply(learned: Any, inputs: Any) -> Any:
        dtype = jax.tree.leaves(learned)[0].dtype
        state = jax.tree.map(lambda leaf: leaf.astype(dtype) if jnp.issubdtype(leaf.dtype, jnp.floating) else leaf, others)
        module = nnx.merge(graph, learned, state)
        module.train()
        module.set_attributes(nnx.Dropout, deterministic=True, raise_if_not_found=False)
        return module(inputs)

    model = nnx.merge(graph, learned, others)
    return Case(model=model, params=None, inputs=inputs, targets=targets, learned=learned, apply=apply, loss=loss, **more)


def function(apply: Values, shapes: Any, inputs: Any, targets: Any = LABELS, loss: Values = cross_entropy, **more: Any) -> Case:
    """shapes: a pytree of the parameters' shapes, each a tuple."""
    leaves = jax.tree.map(lambda shape: jax.ShapeDtypeStruct(shape, jnp.float32), shapes, is_leaf=lambda x: isinstance(x, tuple))
    params = drawn(leaves)
    return Case(model=apply, params=params, inputs=inputs, targets=targets, learned=params, apply=apply, loss=loss, **more)
