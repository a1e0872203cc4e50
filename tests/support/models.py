"""Small models of all kinds: one network as a Linen module, an NNX module and a bare function, and a transformer."""

from functools import cache, partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import linen as nn
from flax import nnx
from jax import lax

KEY = jax.random.key(0)
BATCH, CLASSES = 4, 5
IMAGES = jnp.asarray(np.random.default_rng(1).normal(size=(BATCH, 6, 6, 3)).astype(np.float32))
ZEROS = nnx.initializers.zeros_init()
# name, features, kernel size, stride, groups, bias
CONVS = {
    "c0": (4, 3, 1, 1, True),
    "c1": (8, 3, 2, 1, False),
    "c2": (8, 3, 1, 8, True),
    "c3": (8, 1, 1, 2, False),
    "cs": (8, 1, 2, 1, False),
}
SIZES = {"d0": 7, "d1": 6, "d2": CLASSES}


def resnet(conv: Any, norm: Any, relu: Any, dense: Any, x: Any) -> Any:
    """A stem, and one residual block with a depthwise, a grouped and a strided shortcut convolution."""
    x = relu(norm("n0", conv("c0", x)))
    y = conv("c2", relu(norm("n1", conv("c1", x))))
    x = relu(norm("n3", conv("c3", y)) + conv("cs", x))
    return dense("fc", x.mean((1, 2)))


def mlp(norm: Any, relu: Any, dense: Any, x: Any) -> Any:
    x = relu(norm("n0", dense("d0", x.reshape(x.shape[0], -1))))
    return dense("d2", relu(dense("d1", x)))


class LinenModel(nn.Module):
    body: str
    norm: str

    @nn.compact
    def __call__(self, x: Any, train: bool = True) -> Any:
        def conv(name: str, x: Any) -> Any:
            features, size, stride, groups, bias = CONVS[name]
            return nn.Conv(features, (size, size), stride, feature_group_count=groups, use_bias=bias, name=name)(x)

        def norm(name: str, x: Any) -> Any:
            if self.norm == "batch":
                return nn.BatchNorm(use_running_average=not train, name=name)(x)
            if self.norm == "group":
                return nn.GroupNorm(2, epsilon=1e-5, name=name)(x)
            return nn.LayerNorm(epsilon=1e-5, name=name)(x) if self.norm == "layer" else x

        def dense(name: str, x: Any) -> Any:
            return nn.Dense(SIZES.get(name, CLASSES), name=name)(x)

        return resnet(conv, norm, nn.relu, dense, x) if self.body == "resnet" else mlp(norm, nn.relu, dense, x)


class NNXModel(nnx.Module):
    def __init__(self, body: str, norm: str, rngs: nnx.Rngs):
        self.body, width = body, 3
        for name, (features, size, stride, groups, bias) in CONVS.items() if body == "resnet" else ():
            width = 4 if name == "cs" else width
            conv = nnx.Conv(width, features, (size, size), stride, feature_group_count=groups, use_bias=bias, kernel_init=ZEROS, rngs=rngs)
            setattr(self, name, conv)
            width = features
        sizes = (4, 8, 8) if body == "resnet" else (7,)
        for name, size in zip(("n0", "n1", "n3"), sizes, strict=False):
            if norm == "batch":
                setattr(self, name, nnx.BatchNorm(size, rngs=rngs))
            elif norm == "group":
                setattr(self, name, nnx.GroupNorm(size, num_groups=2, epsilon=1e-5, rngs=rngs))
            elif norm == "layer":
                setattr(self, name, nnx.LayerNorm(size, epsilon=1e-5, rngs=rngs))
        width = 8 if body == "resnet" else 108
        for name, size in {"fc": CLASSES}.items() if body == "resnet" else SIZES.items():
            setattr(self, name, nnx.Linear(width, size, kernel_init=ZEROS, rngs=rngs))
            width = size

    def __call__(self, x: Any, train: bool = True) -> Any:
        def norm(name: str, x: Any) -> Any:
            layer = getattr(self, name, None)
            if isinstance(layer, nnx.BatchNorm):
                return layer(x, use_running_average=not train)
            return x if layer is None else layer(x)

        def layer(name: str, x: Any) -> Any:
            return getattr(self, name)(x)

        return resnet(layer, norm, nnx.relu, layer, x) if self.body == "resnet" else mlp(norm, nnx.relu, layer, x)


def bare_model(body: str, kind: str, params: Any, x: Any, *, norm: str = "batch") -> Any:
    """The same by hand."""

    def conv(name: str, x: Any) -> Any:
        _, _, stride, groups, bias = CONVS[name]
        kernel = params[name]["kernel"]
        y = lax.conv_general_dilated(
            x, kernel, (stride, stride), "SAME", feature_group_count=groups, dimension_numbers=("NHWC", "HWIO", "NHWC")
        )
        return y + params[name]["bias"] if bias else y

    def normalise(name: str, x: Any) -> Any:
        if kind == "no" or norm == "none":
            return x
        scale, bias = params[name]["scale"], params[name]["bias"]
        if kind == "batch" and norm == "init":
            return x / np.sqrt(1 + 1e-5) * scale + bias
        axes, y = {"batch": (0, 1, 2), "group": (1, 2, 4), "layer": (-1,)}[kind], x
        if kind == "group":
            y = y.reshape(*x.shape[:3], 2, -1)
        y = (y - y.mean(axes, keepdims=True)) / jnp.sqrt(y.var(axes, keepdims=True) + 1e-5)
        return y.reshape(x.shape) * scale + bias

    def dense(name: str, x: Any) -> Any:
        return jnp.einsum("bi,io->bo", x, params[name]["kernel"]) + params[name]["bias"]

    relu = partial(jnp.maximum, 0.0)
    return resnet(conv, normalise, relu, dense, x) if body == "resnet" else mlp(normalise, relu, dense, x)


def initial(module: nn.Module) -> Any:
    """Variables of a Linen module: random parameters (biases and scales too), statistics of 0 and 1. (`init` takes seconds to compile.)"""
    shapes = jax.eval_shape(module.init, {"params": KEY, "dropout": KEY}, IMAGES)
    rng = np.random.default_rng(0)

    def value(path: Any, leaf: Any) -> Any:
        if path[0].key == "batch_stats":
            return np.full(leaf.shape, float(path[-1].key == "var"), np.float32)
        return (rng.normal(size=leaf.shape) * 0.3 + (path[-1].key == "scale")).astype(np.float32)

    return jax.tree_util.tree_map_with_path(value, shapes)


@cache
def three_models(body: str, norm: str) -> dict[str, tuple[Any, Any]]:
    """Model and parameters, as a user hands them over, in three flavours with the same random weights (biases and scales included)."""
    linen, module = LinenModel(body, norm), NNXModel(body, norm, nnx.Rngs(0))
    variables, state = initial(linen), nnx.state(module, nnx.Param)
    nnx.replace_by_pure_dict(state, variables["params"])
    return {"linen": (linen, variables), "nnx": (module, state), "bare": (partial(bare_model, body, norm), variables["params"])}


class LinenViT(nn.Module):
    @nn.compact
    def __call__(self, x: Any, deterministic: bool = False) -> Any:
        x = nn.Conv(4, (3, 3), (3, 3), use_bias=False, name="patch")(x).reshape(x.shape[0], 4, 4)
        x = x + self.param("position", nn.initializers.normal(1.0), (1, 4, 4))
        y = nn.LayerNorm(epsilon=1e-6, name="norm")(x)
        x = x + nn.MultiHeadDotProductAttention(2, dropout_rate=0.3, deterministic=deterministic, name="attend")(y)
        x = nn.Dropout(0.5, deterministic=False)(x)
        x = x + nn.Dense(4, name="down")(nn.gelu(nn.Dense(8, name="up")(x)))
        return nn.Dense(CLASSES, name="head")(x.mean(1))
