"""Ingredients of a linear network, which has a closed formula for every one; in float32 and in float64."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxzc.ingredients.passes.patterns import pattern_kernel
from jaxzc.types import Batch, JaxzcError
from tests.support.made_ingredients import CLASSES, RNG, batch, close, flat, make

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


def test_every_ingredient_has_its_closed_formula(tolerance: float) -> None:
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


def test_labels_are_asked_for_only_where_they_are_needed() -> None:
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


def test_patterns_of_a_single_example_are_refused() -> None:
    with pytest.raises(JaxzcError, match="needs at least 2 examples in the batch and got 1"):
        pattern_kernel(np.ones((1, 4), bool), np.float32)  # type: ignore[arg-type]
