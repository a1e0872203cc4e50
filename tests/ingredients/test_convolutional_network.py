"""Ingredients of a normalised convolution against whole Hessians, loops and perturbations; in float32 and in float64."""

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

from jaxzc.tasks import cross_entropy
from jaxzc.types import Batch
from tests.support.made_ingredients import CLASSES, RNG, batch, close, flat, make

# A convolution, batch normalisation over the batch, a ReLU, and a head.
CONV = {
    "conv": RNG.normal(size=(2, 2, 1, 3)),
    "scale": RNG.normal(size=3) + 1,
    "head": RNG.normal(size=(3, CLASSES)),
    "bias": RNG.normal(size=CLASSES),
}


def body(params: Any, x: Any, shift: Any = 0.0, gate: Any = None, norm: str = "batch") -> tuple[Any, Any, Any]:
    """Convolution output (shifted and gated), ReLU input and logits."""
    y = lax.conv_general_dilated(x, params["conv"], (1, 1), "VALID", dimension_numbers=("NHWC", "HWIO", "NHWC")) + shift
    y = y if gate is None else y * gate[:, None, None]
    z = y
    if norm == "batch":
        z = z - z.mean((0, 1, 2), keepdims=True)
        z = z * lax.rsqrt(jnp.square(z).mean((0, 1, 2), keepdims=True) + 1e-3)
    if norm == "init":
        z = z * (1 + 1e-3) ** -0.5
    z = z if norm == "none" else z * params["scale"][None, None, None]
    logits = jax.nn.relu(z).mean((1, 2)) @ params["head"] + params["bias"][None]
    return y, z, logits


def conv_model(params: Any, x: Any, *, norm: str = "batch") -> Any:
    return body(params, x, norm=norm)[2]


IMAGES = (3, 3, 1)


def conv_loss(params: Any, given: Any, **changes: Any) -> Any:
    return cross_entropy(body(params, jnp.asarray(given[0]), **changes)[2], jnp.asarray(given[1]))


def kernels_loss(kernels: Any, given: Any) -> Any:
    return conv_loss({**CONV, **kernels}, given)


def kernels() -> dict[str, Any]:
    return {name: jnp.asarray(CONV[name]) for name in ("conv", "head")}


def by_kernel(tree: Any) -> list[Any]:
    return flat(tree["conv"], tree["head"])


def test_ingredients_are_the_derivatives_of_the_model_written_out(tolerance: float) -> None:
    """Against jax.grad and jax.hessian of the model written out, and explicit perturbations of the convolution's output."""
    given = batch(4, IMAGES)

    @jax.jit
    def derivatives(kernels: Any, images: Any) -> Any:
        params = {**CONV, **kernels}
        y, z, logits = body(jax.tree.map(jnp.asarray, params), images)
        return {
            "gradient": jax.grad(kernels_loss)(kernels, given),
            "hessian": jax.hessian(kernels_loss)(kernels, given),
            "forward": (y, z, logits, conv_loss(CONV, given)),
            "shifted": jax.grad(lambda shift: conv_loss(CONV, given, shift=shift))(jnp.zeros(y.shape)),
            "gated": jax.grad(lambda gate: conv_loss(CONV, given, gate=gate))(jnp.ones((4, 3))),
            "images": jax.grad(lambda x: conv_model(CONV, x).sum())(images),
        }

    right = jax.device_get(derivatives(kernels(), jnp.asarray(given.inputs)))
    gradient, hessian, (y, z, logits, loss) = right["gradient"], right["hessian"], right["forward"]
    product = {a: sum(np.tensordot(hessian[a][b], gradient[b], gradient[b].ndim) for b in gradient) for a in gradient}
    expected = {
        "logits": logits,
        "loss_value": loss,
        "loss_grads": by_kernel(gradient),
        "hvp": by_kernel(product),
        "input_grads": right["images"].reshape(4, -1),
        "relu_codes": [(z > 0).reshape(1, 4, -1)],
        "relu_counts": [np.ones(1)],
        "relu_hooks": [np.ones(1)],
    }
    others = ["channel_saliency", "activation_grads", "train_activations", "relu_kernels"]
    made = make(" ".join([*expected, *others]), conv_model, CONV, [given])
    close(dict(zip(expected, made, strict=False)), expected, 5 * tolerance)
    saliency, shifts, outputs, kernel = made[len(expected) :]
    close([saliency[0][0], shifts[0][0], outputs[0][0]], [right["gated"], right["shifted"], y], 5 * tolerance)
    close(saliency[0], (outputs[0] * shifts[0]).sum((2, 3)), 5 * tolerance)
    code = np.asarray(expected["relu_codes"][0][0])
    close(kernel[0][0], (code[:, None] == code[None]).sum(-1), 0)


def test_channel_saliency_by_finite_differences() -> None:
    with jax.enable_x64(True):
        given = batch(4, IMAGES)
        (made,) = make("channel_saliency", conv_model, CONV, [given])
        step, loss = 1e-6, jax.jit(partial(conv_loss, CONV, given))
        for n, c in [(0, 0), (3, 1), (2, 2)]:
            gates = [jnp.ones((4, 3)).at[n, c].add(sign * step) for sign in (1, -1)]
            assert float(made[0][0, n, c]) == pytest.approx(float(loss(gate=gates[0]) - loss(gate=gates[1])) / (2 * step), abs=1e-8)


@pytest.mark.parametrize("norm", ["batch", "init", "none"])
def test_logits_follow_the_norm_mode_and_patterns_do_not(norm: str) -> None:
    given = batch(4, IMAGES)
    made = make("logits activations layer_kernels init_codes synflow_exponent", conv_model, CONV, [given], norm=norm)
    y, _, logits = body(CONV, jnp.asarray(given.inputs), norm=norm)
    close(made[0], logits, 2e-5)
    # whatever the mode of the other passes, patterns are those of an untrained network in evaluation
    close([a[0] for a in made[1]], [y, body(CONV, jnp.asarray(given.inputs), norm="init")[2]], 2e-5)
    for kernel, code in zip(made[2], made[3], strict=True):
        bits = np.asarray(code[0])
        close(kernel[0], (bits[:, None] == bits[None]).sum(-1), 0)


def test_synflow_with_normalisation_is_of_one_image(tolerance: float) -> None:
    positive = jax.tree.map(lambda a: jnp.abs(jnp.asarray(a)), CONV)
    ones = jnp.ones((1, *IMAGES))
    for prefix, norm in (("synflow", "none"), ("synflow_bn", "batch")):
        total = lambda k, norm=norm: body({**positive, **k}, ones, norm=norm)[2].sum()  # noqa: E731
        expected = jax.grad(total)({name: positive[name] for name in ("conv", "head")})
        grads, exponent = make(f"{prefix}_grads {prefix}_exponent", conv_model, CONV, [batch(4, IMAGES)])
        close([g * 2.0 ** float(exponent) for g in grads], by_kernel(expected), 10 * tolerance)


@pytest.mark.parametrize("size", [1, 7, 8, 20])
def test_examples_are_batches_of_one(size: int) -> None:
    """Batch normalisation included; sizes below, at and above the chunk, with a remainder."""
    given = batch(size, IMAGES)
    gradient = jax.jit(jax.grad(kernels_loss))
    rows = [by_kernel(gradient(kernels(), Batch(given.inputs[n : n + 1], given.targets[n : n + 1]))) for n in range(size)]
    expected = [np.stack(layer) for layer in zip(*rows, strict=True)]
    examples, signs = make("example_grads sign_sums", conv_model, CONV, [given])
    close(examples, expected, 2e-5)
    np.testing.assert_array_equal(signs[1], np.sign(examples[1]).sum(0))
    clear = np.abs(expected[0]).min(0) > 1e-5  # elsewhere rounding decides the sign
    np.testing.assert_array_equal(np.asarray(signs[0])[clear], np.sign(expected[0]).sum(0)[clear])
