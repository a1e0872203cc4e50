"""Networks as users write them with plain JAX: the parts of today's architectures, in the spellings that are found in public code."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from tests.networks.zoo.case import IMAGES, SERIES, TOKENS
from tests.networks.zoo.odd import CONV, HEAD, MLP, PIXELS, W, conv, odd, pooled

NO_CODE = ("naswot",)
FOUR = np.random.default_rng(3).normal(size=(4, 4, 4)).astype(np.float32)
ADJACENT = np.random.default_rng(4).integers(0, 2, (6, 6)).astype(np.float32)


def rms(x: Any, norm: str, eps: float = 1e-6) -> Any:
    return x if norm == "none" else x * jax.lax.rsqrt(jnp.mean(jnp.square(x), -1, keepdims=True) + eps)


# Gates and rectifiers


@odd(W, MLP)
def squared_relu(p, x, norm, relu):
    return jnp.square(jax.nn.relu(relu(x @ p["w"]))) @ p["head"]


@odd({"w": (6, 6), "v": (6, 6)}, 72 + HEAD, "w v head")
def reglu(p, x, norm, relu):
    return (jax.nn.relu(relu(x @ p["w"])) * (x @ p["v"])) @ p["head"]


@odd({"w": (6, 12)}, 72 + HEAD, missing=NO_CODE)
def swiglu_of_one_kernel(p, x, norm, relu):
    gate, up = jnp.split(x @ p["w"], 2, axis=-1)
    return (jax.nn.silu(gate) * up) @ p["head"]


@odd(W, MLP, missing=NO_CODE)
def hard_swish_by_relu6(p, x, norm, relu):
    x = x @ p["w"]
    return (x * jax.nn.relu6(x + 3) / 6) @ p["head"]


@odd(W, MLP)
def relu6_by_minimum_of_maximum(p, x, norm, relu):
    return jnp.minimum(jnp.maximum(0.0, relu(x @ p["w"])), 6.0) @ p["head"]


@odd({"w": (6, 6), "v": (6, 6)}, 72 + HEAD, "w v head", missing=NO_CODE)
def maxout(p, x, norm, relu):
    return jnp.maximum(x @ p["w"], x @ p["v"]) @ p["head"]


@odd(W, MLP)
def where_not_above(p, x, norm, relu):
    x = relu(x @ p["w"])
    return jnp.where(x <= 0, 0, x) @ p["head"]


@odd(W, MLP)
def minus_minimum_of_minus(p, x, norm, relu):
    return -jnp.minimum(-relu(x @ p["w"]), 0) @ p["head"]


@odd(W, MLP)
def heaviside_times_x(p, x, norm, relu):
    x = relu(x @ p["w"])
    return (jnp.heaviside(x, 0.0) * x) @ p["head"]


@odd(W, MLP)
def leaky_of_x_and_abs(p, x, norm, relu):
    x = relu(x @ p["w"])
    return (0.6 * x + 0.4 * jnp.abs(x)) @ p["head"]


@odd(W, MLP)
def leaky_by_maximum(p, x, norm, relu):
    x = relu(x @ p["w"])
    return jnp.maximum(x, 0.2 * x) @ p["head"]


@odd(W, MLP)
def method_clip(p, x, norm, relu):
    return relu(x @ p["w"]).clip(min=0) @ p["head"]


@odd({**W, "a": ()}, MLP)
def prelu_of_x_and_its_lower_half(p, x, norm, relu):
    x = relu(x @ p["w"])
    return (x - p["a"] * jnp.minimum(x, 0)) @ p["head"]


@odd(W, MLP, missing=NO_CODE)
def softplus_without_overflow(p, x, norm, relu):
    x = x @ p["w"]
    return (jnp.maximum(x, 0) + jnp.log1p(jnp.exp(-jnp.abs(x)))) @ p["head"]


# Normalisation


@odd({**W, "gamma": (6,)}, MLP)
def gemma_scale(p, x, norm, relu):
    x = x @ p["w"]
    return jax.nn.relu(relu(x if norm == "none" else rms(x, norm) * (1 + p["gamma"]))) @ p["head"]


@odd({"q": (3, 6), "k": (3, 6), "w": (3, 6)}, 6 * 3 * 18 + 2 * 36 * 6 + HEAD, "q k w head", inputs=SERIES)
def attention_with_normalised_queries(p, x, norm, relu):
    q, k = (rms(x @ p[name], norm) for name in "qk")
    weights = jax.nn.softmax(jnp.where(np.tril(np.ones((6, 6), bool)), jnp.einsum("btd,bsd->bts", q, k), -1e9))
    return jax.nn.relu(relu(weights @ (x @ p["w"]))).mean(1) @ p["head"]


@odd({**CONV, "gamma": (6,), "beta": (6,)}, PIXELS, inputs=IMAGES)
def instance_norm(p, x, norm, relu):
    x = conv(x, p["w"])
    if norm != "none":
        mean, var = x.mean((1, 2), keepdims=True), x.var((1, 2), keepdims=True)
        x = (x - mean) / jnp.sqrt(var + 1e-5) * p["gamma"] + p["beta"]
    return pooled(p, jax.nn.relu(relu(x)))


@odd({**W, "gamma": (6,)}, MLP, missing=("synflow",))  # which passes one example
def ghost_batch_norm(p, x, norm, relu):
    x = x @ p["w"]
    if norm != "none":
        parts = x.reshape(2, -1, 6)
        mean, var = parts.mean(1, keepdims=True), parts.var(1, keepdims=True)
        x = ((parts - mean) * jax.lax.rsqrt(var + 1e-5)).reshape(x.shape) * p["gamma"]
    return jax.nn.relu(relu(x)) @ p["head"]


@odd({"w": (6, 6), "u": (6,)}, MLP)
def spectral_norm(p, x, norm, relu):
    u = jax.lax.stop_gradient(p["u"])
    v = p["w"] @ u
    v = v / jnp.linalg.norm(v)
    sigma = v @ p["w"] @ u
    return jax.nn.relu(relu(x @ (p["w"] / sigma))) @ p["head"]


@odd(W, MLP)
def cosine_classifier(p, x, norm, relu):
    x = jax.nn.relu(relu(x @ p["w"]))
    x = x if norm == "none" else x / jnp.sqrt(jnp.sum(x**2, -1, keepdims=True) + 1e-6)
    return 10 * x @ (p["head"] / jnp.linalg.norm(p["head"], axis=0))


@odd(W, MLP)
def divided_by_the_largest(p, x, norm, relu):
    x = relu(x @ p["w"])
    return jax.nn.relu(x / (jnp.abs(x).max(-1, keepdims=True) + 1e-6)) @ p["head"]


# Layers


@odd({"w": (6, 2, 3), "o": (2, 3, 6)}, 72 + HEAD, "w o head")
def kernels_of_heads(p, x, norm, relu):
    x = jax.nn.relu(relu(jnp.einsum("bd,dhk->bhk", x, p["w"])))
    return jnp.einsum("bhk,hkd->bd", x, p["o"]) @ p["head"]


@odd({**CONV, "d": (3, 3, 1, 6)}, PIXELS + 64 * 9 * 6, "w d head", inputs=IMAGES)
def depthwise(p, x, norm, relu):
    x = jax.nn.relu(relu(conv(x, p["w"])))
    numbers = ("NHWC", "HWIO", "NHWC")
    return pooled(p, jax.lax.conv_general_dilated(x, p["d"], (1, 1), "SAME", dimension_numbers=numbers, feature_group_count=6))


@odd({"w": (7, 6)}, 6 * 42 + HEAD, inputs=TOKENS)
def one_hot_rows(p, tokens, norm, relu):
    return jax.nn.relu(relu(jax.nn.one_hot(tokens, 7, dtype=p["w"].dtype) @ p["w"])).mean(1) @ p["head"]


@odd({"w": (27, 6)}, 36 * 27 * 6 + HEAD, inputs=IMAGES)
def convolution_of_shifted_copies(p, x, norm, relu):
    copies = jnp.concatenate([x[:, i : i + 6, j : j + 6] for i in range(3) for j in range(3)], -1)
    return pooled(p, jax.nn.relu(relu(copies @ p["w"])))


@odd({"w": (6, 3, 3, 3)}, 36 * 27 * 6 + HEAD, inputs=IMAGES)
def channels_first_convolution(p, x, norm, relu):
    x = jax.lax.conv(x.transpose(0, 3, 1, 2), p["w"], (1, 1), "VALID")
    return jax.nn.relu(relu(x)).mean((2, 3)) @ p["head"]


@odd({"w": (2, 2, 3, 6)}, 64 * 4 * 3 * 6 + HEAD, inputs=IMAGES)
def transposed_convolution(p, x, norm, relu):
    x = jax.lax.conv_transpose(x, p["w"], (2, 2), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC"))
    return pooled(p, jax.nn.relu(relu(x)))


@odd({"w": (12, 6), "place": (16, 6)}, 16 * 72 + HEAD, inputs=IMAGES)
def patches_and_their_places(p, x, norm, relu):
    x = x.reshape(len(x), 4, 2, 4, 2, 3).transpose(0, 1, 3, 2, 4, 5).reshape(len(x), 16, 12)
    return jax.nn.relu(relu(x @ p["w"] + p["place"])).mean(1) @ p["head"]


@odd(CONV, PIXELS, inputs=IMAGES)
def pooled_in_two_ways(p, x, norm, relu):
    x = jax.nn.relu(relu(conv(x, p["w"])))
    x = jax.lax.reduce_window(x, -jnp.inf, jax.lax.max, (1, 2, 2, 1), (1, 2, 2, 1), "VALID")
    return pooled(p, x.reshape(len(x), 2, 2, 2, 2, 6).mean((2, 4)))


@odd({"w": (6, 6, 6)}, 216 + 36 + HEAD)
def bilinear(p, x, norm, relu):
    return jax.nn.relu(relu(jnp.einsum("bjk,bj->bk", jnp.einsum("bi,ijk->bjk", x, p["w"]), x))) @ p["head"]


@odd({"w": (3, 6)}, 6 * 18 + 36 * 3 + HEAD, inputs=SERIES)
def graph_of_constant_edges(p, x, norm, relu):
    return jax.nn.relu(relu(jnp.einsum("st,btd->bsd", ADJACENT, x) @ p["w"])).mean(1) @ p["head"]


@odd({"w": (3, 6), "gate": (6, 6), "query": (6,)}, 6 * 18 + 72 + HEAD, inputs=SERIES)
def gated_and_attended_by_a_vector(p, x, norm, relu):
    x = jax.nn.relu(relu((x @ p["w"]) * p["gate"]))
    return jnp.einsum("bt,btd->bd", jax.nn.softmax(x @ p["query"]), x) @ p["head"]


@odd({"w": (6, 24), "v": (6, 6)}, 6 * 24 + 24 + 36 + HEAD, "w v head")
def kernel_made_from_the_data(p, x, norm, relu):
    own = (x @ p["w"]).reshape(len(x), 6, 4)
    y = jax.nn.relu(relu(jnp.einsum("bi,bij->bj", x, own)))
    return (jnp.pad(y, ((0, 0), (0, 2))) @ p["v"]) @ p["head"]


@odd({"a": (6, 6), "b": (6, 6)}, 36 + HEAD, "a b head", missing=NO_CODE, skipped=("flops(of='all')",))
def complex_kernel(p, x, norm, relu):
    return jnp.fft.ifft(jnp.fft.fft(x) @ jax.lax.complex(p["a"], p["b"])).real @ p["head"]


@odd({"w": (6, 6), "v": (6, 6)}, 72 + HEAD, "w v head")
def frozen_stem(p, x, norm, relu):
    x = jax.nn.relu(relu(x @ jax.lax.stop_gradient(p["w"])))
    return jax.nn.relu(relu(x @ p["v"])) @ p["head"]


@odd({"w": (4, 6)}, 4 * 24 + HEAD, inputs=FOUR)
def as_many_channels_and_steps_as_examples(p, x, norm, relu):
    x = jax.nn.relu(relu(jnp.swapaxes(x, 1, 2) @ p["w"]))
    return x.mean(1) @ p["head"]
