"""Ingredients of tiny networks against closed formulas, whole Hessians, loops and perturbations; in float32 and in float64."""

import inspect
from collections.abc import Iterator
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

from jaxzc.networks import as_network
from jaxzc.scoring.compute import compute_scores
from jaxzc.tasks import Task, cross_entropy
from jaxzc.types import Batch, JaxzcError

RNG = np.random.default_rng(0)
CLASSES = 3


@pytest.fixture(params=[False, True], ids=["float32", "float64"])
def tolerance(request: pytest.FixtureRequest) -> Iterator[float]:
    with jax.enable_x64(request.param):
        yield 1e-10 if request.param else 2e-5


def close(a: Any, b: Any, tolerance: float) -> None:
    jax.tree.map(partial(np.testing.assert_allclose, rtol=tolerance, atol=tolerance), a, b)


def make(names: str, model: Any, params: Any, batches: Any, loss: Any = cross_entropy, norm: Any = "batch") -> list[Any]:
    """Ingredients by name, in one compiled program."""
    wanted = names.split()
    arrays = jax.tree.map(lambda a: jnp.asarray(a, jnp.result_type(float) if a.dtype == float else jnp.int32), (params, tuple(batches)))
    network, _ = as_network(model, arrays[0], arrays[1][0].inputs)

    def everything(*values: Any) -> Any:
        return list(values)

    parameters = [inspect.Parameter(name, inspect.Parameter.POSITIONAL_OR_KEYWORD) for name in wanted]
    everything.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    return jax.jit(lambda p, b: compute_scores({"all": everything}, network, p, b, Task(loss), norm, unavailable="error")["all"])(*arrays)


def batch(size: int = 4, shape: tuple[int, ...] = (5,)) -> Batch:
    return Batch(RNG.normal(size=(size, *shape)), RNG.integers(0, CLASSES, size))


def flat(*kernels: Any) -> list[Any]:
    """One group per kernel, `[1, n]`."""
    return [np.reshape(k, (1, -1)) for k in kernels]


# A linear network and half the mean squared error: every ingredient has a closed formula.
LINEAR = {"a": RNG.normal(size=(5, 6)), "b": RNG.normal(size=(6, CLASSES)), "bias": RNG.normal(size=CLASSES)}


def linear(params: Any, x: Any) -> Any:
    return x @ params["a"] @ params["b"] + params["bias"][None]


def squared(logits: Any, labels: Any) -> Any:
    return 0.5 * jnp.square(logits - jax.nn.one_hot(labels, CLASSES)).sum() / len(labels)


def linear_gradients(x: Any, labels: Any) -> tuple[Any, Any, Any, Any]:
    """Hidden layer, error / B, and the gradients of both kernels."""
    hidden = x @ LINEAR["a"]
    error = (hidden @ LINEAR["b"] + LINEAR["bias"] - np.eye(CLASSES)[labels]) / len(x)
    return hidden, error, x.T @ error @ LINEAR["b"].T, hidden.T @ error


def test_linear_network(tolerance: float) -> None:
    given = batch()
    x, labels = given
    hidden, error, grad_a, grad_b = linear_gradients(x, labels)
    logits = error * 4 + np.eye(CLASSES)[labels]
    # derivative of the gradients when a moves along grad_a and b along grad_b
    moved = x @ grad_a
    moved_error = (moved @ LINEAR["b"] + hidden @ grad_b) / 4
    expected = {
        "logits": logits,
        "loss_value": 0.5 * np.square(error * 4).sum() / 4,
        "weights": flat(LINEAR["a"], LINEAR["b"]),
        "loss_grads": flat(grad_a, grad_b),
        "hvp": flat(x.T @ (moved_error @ LINEAR["b"].T + error @ grad_b.T), moved.T @ error + hidden.T @ moved_error),
        "input_grads": np.tile((LINEAR["a"] @ LINEAR["b"]).sum(1), (4, 1)),
        "train_activations": [hidden[None], logits[None]],
        "activation_grads": [(error @ LINEAR["b"].T)[None], error[None]],
        "channel_saliency": [(hidden * (error @ LINEAR["b"].T))[None], (logits * error)[None]],
        "activations": [hidden[None], logits[None]],
        "init_codes": [(hidden > 0)[None], (logits > 0)[None]],
    }
    made = make(" ".join(expected), linear, LINEAR, [given], squared)
    close(dict(zip(expected, made, strict=True)), expected, tolerance)
    assert {leaf.dtype for leaf in jax.tree.leaves(made) if leaf.dtype != bool} == {jnp.result_type(float)}
    facts = make("fan_in active cells", linear, LINEAR, [given])
    close(facts, [[5, 6], [np.array([True])] * 2, [np.array([-1])] * 2], 0)


@pytest.mark.parametrize("k", [2, 4])
def test_batch_grads_are_the_gradients_of_each_batch(tolerance: float, k: int) -> None:
    given = [batch() for _ in range(k)]
    gradients = [linear_gradients(*b)[2:] for b in given]
    expected = [np.stack([np.reshape(g[layer], (1, -1)) for g in gradients]) for layer in (0, 1)]
    (made,) = make("batch_grads", linear, LINEAR, given, squared)
    close(made, expected, tolerance)
    if k == 2:  # the second batch may have another size
        other = [given[0], batch(3)]
        (made,) = make("batch_grads", linear, LINEAR, other, squared)
        close([g[1, 0] for g in made], [g.ravel() for g in linear_gradients(*other[1])[2:]], tolerance)


def test_synflow_grads_of_a_linear_chain(tolerance: float) -> None:
    a, b = np.abs(LINEAR["a"]), np.abs(LINEAR["b"])
    scale = 2.0**-70  # float32 would lose the product of two such kernels
    small = {"a": LINEAR["a"] * scale, "b": LINEAR["b"] * scale, "bias": LINEAR["bias"]}
    grads, exponent = make("synflow_grads synflow_exponent", linear, small, [batch()])
    expected = [np.tile(b.sum(1), (5, 1)) * scale, np.tile(a.sum(0)[:, None], (1, CLASSES)) * scale]
    close([np.asarray(g, float) * 2.0 ** float(exponent) / scale for g in grads], flat(*(e / scale for e in expected)), tolerance)
    assert 1 <= max(float(g.max()) for g in grads) < 2
    normalised, shift = make("synflow_bn_grads synflow_bn_exponent", linear, small, [batch()])  # nothing to normalise here
    close([normalised, shift], [grads, exponent], tolerance)


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


def test_convolutional_network(tolerance: float) -> None:
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
def test_norm_modes(norm: str) -> None:
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


def test_labels_only_where_needed() -> None:
    images = Batch(batch().inputs)
    logits, _ = make("logits input_grads", linear, LINEAR, [images])
    assert logits.shape == (4, CLASSES)
    for name in ("loss_value", "loss_grads", "hvp", "channel_saliency", "activation_grads", "example_grads", "sign_sums"):
        with pytest.raises(JaxzcError, match=r"^all: needs labels, and the batch has none: give the batch as \(inputs, targets"):
            make(name, linear, LINEAR, [images])
    with pytest.raises(JaxzcError, match="needs labels"):
        make("batch_grads", linear, LINEAR, [batch(), images])


def test_one_batch_is_not_enough_for_batch_grads() -> None:
    with pytest.raises(JaxzcError, match=r"^all: needs the gradients of at least 2 batches and got 1"):
        make("batch_grads", linear, LINEAR, [batch()])


def test_patterns_of_half_precision_are_counted_exactly() -> None:
    wide = {"a": RNG.normal(size=(5, 3000)), "b": RNG.normal(size=(3000, CLASSES))}

    def model(params: Any, x: Any) -> Any:
        hidden = jax.nn.relu((x @ params["a"]).astype(jnp.bfloat16))
        return hidden.astype(x.dtype) @ params["b"]

    kernels, codes = make("relu_kernels relu_codes", model, wide, [batch()])
    bits = np.asarray(codes[0][0])
    close(kernels[0][0], (bits[:, None] == bits[None]).sum(-1), 0)
