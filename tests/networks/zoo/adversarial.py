"""Networks as nobody should write them: normalisation, activation functions, kernels and inputs in odd spellings (see `odd`)."""

from typing import Any

import jax
import jax.numpy as jnp

from tests.networks.zoo.case import CLASSES, FEATURES, IMAGES, LABELS, RNG, SERIES, TOKENS
from tests.networks.zoo.odd import CONV, MLP, PIXELS, W, conv, odd, pooled

# Rectifiers


@odd(W, MLP)
def times_truth(p, x, norm, relu):
    x = relu(x @ p["w"])
    return (x * (x > 0)) @ p["head"]


@odd(W, MLP)
def lax_maximum(p, x, norm, relu):
    return jax.lax.max(relu(x @ p["w"]), jnp.zeros((), x.dtype)) @ p["head"]


@odd(W, MLP)
def lax_select(p, x, norm, relu):
    x = relu(x @ p["w"])
    return jax.lax.select(x > 0, x, jnp.zeros_like(x)) @ p["head"]


@odd(W, MLP)
def clipped_at_six(p, x, norm, relu):
    return jnp.clip(relu(x @ p["w"]), 0, 6) @ p["head"]


@odd(W, MLP)
def half_of_x_and_abs(p, x, norm, relu):
    x = relu(x @ p["w"])
    return (0.5 * (x + jnp.abs(x))) @ p["head"]


@odd(W, MLP)
def minus_minimum(p, x, norm, relu):
    x = relu(x @ p["w"])
    return (x - jnp.minimum(x, 0)) @ p["head"]


@odd({**W, "a": (6,)}, MLP)
def prelu(p, x, norm, relu):
    x = relu(x @ p["w"])
    return jnp.where(x >= 0, x, p["a"] * x) @ p["head"]


@odd({**W, "a": (6,)}, MLP)
def prelu_of_two_halves(p, x, norm, relu):
    x = relu(x @ p["w"])
    return (jnp.maximum(x, 0) + p["a"] * jnp.minimum(x, 0)) @ p["head"]


@odd({**W, "a": (6,)}, MLP)
def prelu_of_two_relus(p, x, norm, relu):
    x = relu(x @ p["w"])
    return (jax.nn.relu(x) - p["a"] * jax.nn.relu(-x)) @ p["head"]


@odd({"w": (6, 3)}, 18 + 6 * CLASSES)
def two_relus_side_by_side(p, x, norm, relu):
    x = x @ p["w"]
    return jax.nn.relu(relu(jnp.concatenate([x, -x], -1))) @ p["head"]


@odd(W, MLP)
def own_derivative(p, x, norm, relu):
    @jax.custom_vjp
    def rectify(x):
        return jnp.where(x > 0, x, 0)

    rectify.defvjp(lambda x: (rectify(x), x), lambda x, g: (jnp.where(x > 0, g, 0),))
    return rectify(relu(x @ p["w"])) @ p["head"]


@odd(W, MLP)
def in_a_checkpoint(p, x, norm, relu):
    return jax.checkpoint(lambda x: jax.nn.relu(x))(relu(x @ p["w"])) @ p["head"]


# Smooth activation functions


@odd(W, MLP, missing=("naswot",))
def mish(p, x, norm, relu):
    x = x @ p["w"]
    return (x * jnp.tanh(jnp.where(x > 0, x + jnp.log1p(jnp.exp(-jnp.abs(x))), jnp.log1p(jnp.exp(-jnp.abs(x)))))) @ p["head"]


@odd(W, MLP, missing=("naswot",))
def hard_swish_by_where(p, x, norm, relu):
    x = x @ p["w"]
    return (x * jnp.where(x < -3, 0, jnp.where(x > 3, 1, x / 6 + 0.5))) @ p["head"]


@odd(W, MLP, missing=("naswot",))
def swish_with_own_tangent(p, x, norm, relu):
    @jax.custom_jvp
    def swish(x):
        return x / (1 + jnp.exp(-x))

    @swish.defjvp
    def _(primals, tangents):
        s = 1 / (1 + jnp.exp(-primals[0]))
        return primals[0] * s, tangents[0] * (s + primals[0] * s * (1 - s))

    return swish(x @ p["w"]) @ p["head"]


# Normalisation


def standardised(x: Any, axes: Any, norm: str, eps: float = 1e-5) -> Any:
    if norm == "none":
        return x
    mean = x.mean(axes, keepdims=True)
    return (x - mean) / jnp.sqrt(jnp.square(x - mean).mean(axes, keepdims=True) + eps)


@odd({**CONV, "gamma": (6, 1, 1), "beta": (6, 1, 1)}, PIXELS, inputs=IMAGES)
def batch_norm_channels_first(p, x, norm, relu):
    x = conv(x, p["w"]).transpose(0, 3, 1, 2)
    if norm != "none":
        mean = x.mean((0, 2, 3), keepdims=True)
        var = (x**2).mean((0, 2, 3), keepdims=True) - mean**2
        x = (x - mean) * jax.lax.rsqrt(var + 1e-3) * p["gamma"] + p["beta"]
    return jax.nn.relu(relu(x)).mean((2, 3)) @ p["head"]


@odd({**CONV, "gamma": (6,)}, PIXELS, inputs=IMAGES)
def group_norm_by_reshape(p, x, norm, relu):
    x = conv(x, p["w"])
    if norm != "none":
        groups = x.reshape(len(x), 64, 2, 3)
        groups = standardised(groups, (1, 3), norm)
        x = groups.reshape(x.shape) * p["gamma"]
    return pooled(p, jax.nn.relu(relu(x)))


@odd({**W, "gamma": (6,)}, MLP)
def rms_norm_eps_outside(p, x, norm, relu):
    x = x @ p["w"]
    x = x if norm == "none" else p["gamma"] * x / (jnp.sqrt((x * x).mean(-1, keepdims=True)) + 1e-6)
    return jax.nn.relu(relu(x)) @ p["head"]


@odd({**W, "gamma": (6,)}, MLP)
def rms_norm_by_power(p, x, norm, relu):
    x = x @ p["w"]
    x = x if norm == "none" else x * jnp.power((x**2).sum(-1, keepdims=True) / 6 + 1e-6, -0.5) * (1 + p["gamma"])
    return jax.nn.relu(relu(x)) @ p["head"]


@odd({**W, "gamma": (6,)}, MLP)
def batch_norm_by_pmean(p, x, norm, relu):
    x = x @ p["w"]
    if norm != "none":
        mean, square = jax.vmap(lambda r: (jax.lax.pmean(r, "b"), jax.lax.pmean(r**2, "b")), axis_name="b", out_axes=0)(x)
        x = p["gamma"] * (x - mean) * jax.lax.rsqrt(square - mean**2 + 1e-5)
    return jax.nn.relu(relu(x)) @ p["head"]


@odd({**CONV}, PIXELS, inputs=IMAGES)
def weight_standardisation(p, x, norm, relu):
    w = p["w"]
    w = (w - w.mean((0, 1, 2))) / jnp.sqrt(w.var((0, 1, 2)) * 27 + 1e-4)
    return pooled(p, jax.nn.relu(relu(conv(x, w))))


@odd({**CONV, "g": (6,)}, PIXELS, inputs=IMAGES)
def weight_norm(p, x, norm, relu):
    w = p["g"] * p["w"] / jnp.sqrt(jnp.einsum("hwio,hwio->o", p["w"], p["w"]))
    return pooled(p, jax.nn.relu(relu(conv(x, w))))


@odd({**W, "gamma": (1, 6)}, MLP)
def layer_norm_in_a_scan(p, x, norm, relu):
    x = x @ p["w"]
    rows = x if norm == "none" else jax.lax.map(lambda r: standardised(r, (0,), norm) * p["gamma"][0], x)
    return jax.nn.relu(relu(rows)) @ p["head"]


# Control flow, kernels, structures and numbers


@odd(W, MLP)
def branch_that_is_always_taken(p, x, norm, relu):
    y = relu(x @ p["w"])
    return jax.nn.relu(jax.lax.cond(jnp.sum(p["w"]) < 1e9, lambda: y, lambda: -y)) @ p["head"]


@odd({"w": (6, 6), "u": (6, 6)}, 36 * 3 + 6 * CLASSES, "w u head")
def used_twice_and_tied_the_other_way(p, x, norm, relu):
    x = jax.nn.relu(relu(x @ p["w"]))
    x = jax.nn.relu(relu(x @ p["u"]))
    return jax.nn.relu(relu(x @ p["w"].T)) @ p["head"]


@odd({"w": (3, 6)}, 6 * 3 * 6 + 6 * CLASSES, inputs=SERIES, missing=("naswot",))
def mixed_by_fourier(p, x, norm, relu):
    return jnp.tanh(jnp.fft.fft(jnp.fft.fft(x, axis=-1), axis=-2).real @ p["w"]).mean(1) @ p["head"]


@odd({"w": (6, 6), "t": (), "b": (6,), "unused": (3, 4)}, MLP)
def scalars_and_a_parameter_that_nobody_reads(p, x, norm, relu):
    return jax.nn.relu(relu(x @ p["w"] * jnp.exp(p["t"]) + p["b"])) @ p["head"]


@odd(W, MLP)
def a_dictionary_with_nothing_in_it(p, x, norm, relu):
    x = jax.nn.relu(relu(x @ p["w"]))
    return {"logits": x @ p["head"], "loss": None, "states": (), "step": jnp.zeros((), jnp.int32)}


@odd(W, MLP, inputs=FEATURES[:1], targets=LABELS[:1], skipped=("jacob_cov", "naswot"))
def batch_of_one(p, x, norm, relu):
    return jax.nn.relu(relu(x @ p["w"])) @ p["head"]


@odd({"w": (3, 6)}, 6 * 3 * 6 + 6 * CLASSES, inputs={"x": SERIES, "mask": RNG.integers(0, 2, (4, 6)).astype(bool)})
def padded_series(p, inputs, norm, relu):
    x = jax.nn.relu(relu(inputs["x"] @ p["w"]))
    mask = inputs["mask"][..., None]
    return (jnp.where(mask, x, 0).sum(1) / jnp.maximum(mask.sum(1), 1)) @ p["head"]


@odd({"e": (7, 3), "w": (3, 6), "u": (6, 6)}, 6 * (18 + 36) + 6 * CLASSES, "w u head", inputs=TOKENS, missing=("naswot",))
def embedded_inside_a_loop(p, tokens, norm, relu):
    def step(state, token):
        return jnp.tanh(p["e"][token] @ p["w"] + state @ p["u"]), None

    state, _ = jax.lax.scan(step, jnp.zeros((len(tokens), 6), p["e"].dtype), tokens.T)
    return state @ p["head"]


@odd(W, MLP)
def casts_of_no_effect(p, x, norm, relu):
    y = (x.astype(p["w"].dtype) @ p["w"]).astype(x.dtype)
    return jax.nn.relu(relu(y)) @ p["head"]
