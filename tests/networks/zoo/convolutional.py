"""Convolutional networks in the manner of the public zoos."""

from collections.abc import Sequence
from functools import partial
from typing import Any

import jax.numpy as jnp
import numpy as np
from flax import linen as nn
from flax import nnx

from tests.networks.zoo.case import CLASSES, IMAGES, LABELS, RNG, SERIES, Case, linen, of_nnx

TRAIN = {"train": True}
CODES = {"naswot": "has no ReLU"}


class CNN(nn.Module):
    @nn.compact
    def __call__(self, x: Any) -> Any:
        x = nn.avg_pool(nn.relu(nn.Conv(4, (3, 3))(x)), (2, 2), (2, 2))
        return nn.Dense(CLASSES)(nn.relu(nn.Conv(6, (3, 3))(x)).mean((1, 2)))


class ResNet(nn.Module):
    norm: str = "batch"

    @nn.compact
    def __call__(self, x: Any, train: bool = True) -> Any:
        def norm() -> Any:
            return nn.GroupNorm(2) if self.norm == "group" else nn.BatchNorm(use_running_average=self.norm == "frozen" or not train)

        x = nn.relu(norm()(nn.Conv(4, (3, 3), use_bias=False)(x)))
        for width, stride in ((4, 1), (6, 2)):
            y = nn.relu(norm()(nn.Conv(width, (3, 3), stride, use_bias=False)(x)))
            y = norm()(nn.Conv(width, (3, 3), use_bias=False)(y))
            if y.shape != x.shape:
                x = norm()(nn.Conv(width, (1, 1), stride, use_bias=False)(x))
            x = nn.relu(x + y)
        return nn.Dense(CLASSES)(x.mean((1, 2)))


RESNET = 64 * 27 * 4 + 2 * 64 * 36 * 4 + 16 * (36 * 6 + 54 * 6 + 4 * 6) + 6 * CLASSES


class ConvNeXt(nn.Module):
    @nn.compact
    def __call__(self, x: Any) -> Any:
        x = nn.LayerNorm()(nn.Conv(4, (2, 2), 2)(x))
        y = nn.LayerNorm()(nn.Conv(4, (3, 3), feature_group_count=4)(x))
        y = nn.Dense(4)(nn.gelu(nn.Dense(8)(y)))
        x = x + y * self.param("gamma", nn.initializers.ones, (4,))
        return nn.Dense(CLASSES)(nn.LayerNorm()(x.mean((1, 2))))


class DenseNet(nn.Module):
    @nn.compact
    def __call__(self, x: Any, train: bool) -> Any:
        norm = partial(nn.BatchNorm, use_running_average=not train)
        x = nn.Conv(4, (3, 3), use_bias=False)(x)
        for _ in range(2):
            y = nn.Conv(4, (1, 1), use_bias=False)(nn.relu(norm()(x)))
            x = jnp.concatenate([x, nn.Conv(2, (3, 3), use_bias=False)(nn.relu(norm()(y)))], -1)
        x = nn.avg_pool(nn.Conv(4, (1, 1), use_bias=False)(nn.relu(norm()(x))), (2, 2), (2, 2))
        return nn.Dense(CLASSES)(nn.relu(norm()(x)).mean((1, 2)))


class Inverted(nn.Module):
    """The block of EfficientNet and MobileNetV3: expand, filter each channel, squeeze and excite, project."""

    act: Any
    gate: Any

    @nn.compact
    def __call__(self, x: Any, train: bool) -> Any:
        norm = partial(nn.BatchNorm, use_running_average=not train)
        y = self.act(norm()(nn.Conv(8, (1, 1), use_bias=False)(x)))
        y = self.act(norm()(nn.Conv(8, (3, 3), feature_group_count=8, use_bias=False)(y)))
        y = y * self.gate(nn.Conv(8, (1, 1))(nn.relu(nn.Conv(2, (1, 1))(y.mean((1, 2), keepdims=True)))))
        return x + norm()(nn.Conv(4, (1, 1), use_bias=False)(y))


class Mobile(nn.Module):
    act: Any
    gate: Any

    @nn.compact
    def __call__(self, x: Any, train: bool = False) -> Any:
        x = self.act(nn.BatchNorm(use_running_average=not train)(nn.Conv(4, (3, 3), 2, use_bias=False)(x)))
        return nn.Dense(CLASSES)(self.act(Inverted(self.act, self.gate)(x, train)).mean((1, 2)))


MOBILE = 16 * 27 * 4 + 16 * (4 * 8 + 9 * 8 + 8 * 4) + 2 * 16 + 4 * CLASSES


class UNet(nn.Module):
    @nn.compact
    def __call__(self, x: Any) -> Any:
        one = nn.relu(nn.GroupNorm(2)(nn.Conv(4, (3, 3))(x)))
        two = nn.relu(nn.GroupNorm(2)(nn.Conv(6, (3, 3))(nn.max_pool(one, (2, 2), (2, 2)))))
        up = nn.ConvTranspose(4, (2, 2), (2, 2))(two)
        return nn.Conv(CLASSES, (1, 1))(nn.relu(nn.Conv(4, (3, 3))(jnp.concatenate([one, up], -1))))


class Detector(nn.Module):
    """Classes and boxes of every place."""

    @nn.compact
    def __call__(self, x: Any, train: bool = False) -> Any:
        x = nn.relu(nn.BatchNorm(use_running_average=not train)(nn.Conv(4, (3, 3), 2)(x)))
        return {"classes": nn.Conv(CLASSES, (1, 1))(x), "boxes": nn.Conv(4, (3, 3))(x)}


def detection_loss(outputs: Any, targets: Any) -> Any:
    logits, boxes = outputs["classes"], outputs["boxes"]
    logs = logits - jnp.log(jnp.exp(logits).sum(-1, keepdims=True))
    return jnp.square(boxes - targets["boxes"]).mean() - jnp.take_along_axis(logs, targets["classes"][..., None], -1).mean()


class VAE(nn.Module):
    """The noise is an input."""

    @nn.compact
    def __call__(self, x: Any, noise: Any) -> Any:
        h = nn.relu(nn.Conv(4, (3, 3), 2)(x)).reshape(len(x), -1)
        mean, spread = nn.Dense(3)(h), nn.Dense(3)(h)
        h = nn.relu(nn.Dense(64)(mean + noise * jnp.exp(spread / 2))).reshape(-1, 4, 4, 4)
        return nn.ConvTranspose(3, (2, 2), (2, 2))(h), mean, spread


def elbo(outputs: Any, targets: Any) -> Any:
    image, mean, spread = outputs
    return jnp.square(image - targets).sum((1, 2, 3)).mean() + (jnp.exp(spread) + mean**2 - 1 - spread).sum(-1).mean() / 2


class OneDimension(nn.Module):
    @nn.compact
    def __call__(self, x: Any, train: bool) -> Any:
        x = nn.relu(nn.BatchNorm(use_running_average=not train)(nn.Conv(4, (3,))(x)))
        x = nn.relu(nn.BatchNorm(use_running_average=not train)(nn.Conv(4, (3,), kernel_dilation=2)(x)))
        return nn.Dense(CLASSES)(x.mean(1))


class ThreeDimensions(nn.Module):
    @nn.compact
    def __call__(self, x: Any) -> Any:
        return nn.Dense(CLASSES)(nn.relu(nn.Conv(4, (2, 2, 2), 2)(nn.relu(nn.Conv(2, (3, 3, 3))(x)))).mean((1, 2, 3)))


class NNXResNet(nnx.Module):
    def __init__(self, rngs: nnx.Rngs):
        conv = partial(nnx.Conv, kernel_size=(3, 3), use_bias=False, rngs=rngs)
        self.stem, self.one, self.two, self.head = conv(3, 4), conv(4, 4), conv(4, 4), nnx.Linear(4, CLASSES, rngs=rngs)
        self.norms: Sequence[Any] = nnx.List([nnx.BatchNorm(4, rngs=rngs) for _ in range(3)])
        self.dropout = nnx.Dropout(0.5, rngs=rngs)

    def __call__(self, x: Any) -> Any:
        x = nn.relu(self.norms[0](self.stem(x)))
        x = nn.relu(x + self.norms[2](self.two(nn.relu(self.norms[1](self.one(x))))))
        return self.head(self.dropout(x.mean((1, 2))))


def detection() -> Case:
    targets = {"classes": RNG.integers(0, CLASSES, (4, 4, 4)), "boxes": np.float32(RNG.normal(size=(4, 4, 4, 4)))}
    macs = 16 * (27 * 4 + 4 * CLASSES + 36 * 4)
    return linen(Detector(), IMAGES, targets, detection_loss, train=TRAIN, macs=macs, options={"loss": detection_loss})


def vae() -> Case:
    inputs = IMAGES, np.float32(RNG.normal(size=(4, 3)))
    macs = 16 * 27 * 4 + 2 * 64 * 3 + 3 * 64 + 64 * 4 * 3
    return linen(VAE(), inputs, IMAGES, elbo, macs=macs, options={"loss": elbo})


CASES = {
    "cnn": lambda: linen(CNN(), IMAGES, macs=64 * 27 * 4 + 16 * 36 * 6 + 6 * CLASSES),
    "resnet_bn": lambda: linen(ResNet(), IMAGES, train=TRAIN, macs=RESNET),
    "resnet_gn": lambda: linen(ResNet("group"), IMAGES, train=TRAIN, macs=RESNET),
    "resnet_frozen_bn": lambda: linen(ResNet("frozen"), IMAGES, train=TRAIN, macs=RESNET, options={"norm": "init"}),
    "resnet_nnx": lambda: of_nnx(NNXResNet, IMAGES, macs=64 * (27 * 4 + 2 * 36 * 4) + 4 * CLASSES),
    "convnext": lambda: linen(ConvNeXt(), IMAGES, macs=16 * (12 * 4 + 9 * 4 + 2 * 32) + 4 * CLASSES, missing=CODES),
    "densenet": lambda: linen(
        DenseNet(), IMAGES, LABELS, train=TRAIN, macs=64 * (27 * 4 + 16 + 72 + 24 + 72 + 32) + 4 * CLASSES, init={"train": True}
    ),
    "efficientnet": lambda: linen(Mobile(nn.silu, nn.sigmoid), IMAGES, train=TRAIN, macs=MOBILE),
    "mobilenet_v3": lambda: linen(Mobile(nn.hard_swish, nn.hard_sigmoid), IMAGES, train=TRAIN, macs=MOBILE),
    "unet": lambda: linen(
        UNet(), IMAGES, RNG.integers(0, CLASSES, (4, 8, 8)), macs=64 * (108 + 72 * 4 + 4 * CLASSES) + 16 * 36 * 6 + 64 * 6 * 4
    ),
    "detection": detection,
    "vae": vae,
    "conv1d": lambda: linen(OneDimension(), SERIES, train=TRAIN, init={"train": True}, macs=6 * (36 + 48) + 4 * CLASSES),
    "conv3d": lambda: linen(ThreeDimensions(), np.float32(RNG.normal(size=(4, 4, 4, 4, 2))), macs=64 * 54 * 2 + 8 * 16 * 4 + 4 * CLASSES),
}
