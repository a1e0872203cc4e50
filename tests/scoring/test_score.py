"""`jaxzc.score` on small networks of all kinds: what does not matter changes nothing."""

import math
from functools import cache
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import linen as nn

import jaxzc
from jaxzc.proxies import FOUNDING
from jaxzc.tasks import Task
from jaxzc.types import JaxzcError
from tests.support.models import CLASSES, IMAGES, LinenViT, initial, three_models
from tests.support.one_matrix import BATCHES, FLAT, LABELS, WEIGHTS, assert_alike, matrix, rectified

GRADIENT_ONLY = "grad_norm,snip,grasp,fisher,jacob_cov,plain,l2_norm,zico,snr_snip,params,flops,layers"


@cache
def scores(flavour: str, body: str, norm: str) -> dict[str, float]:
    """All proxies of one model, computed once for all tests."""
    return jaxzc.score(*three_models(body, norm)[flavour], BATCHES)


@pytest.mark.parametrize("flavour", ["nnx", pytest.param("bare", marks=pytest.mark.slow)])
def test_all_proxies_of_a_resnet_in_three_flavours(flavour: str) -> None:
    """All of one flavour, and of the others one of every kind of pass: `test_three_flavours_are_one_network` has the passes themselves."""
    linen = scores("linen", "resnet", "batch")
    assert list(linen) == list(FOUNDING)
    assert len(linen) == 24
    assert all(math.isfinite(value) for value in linen.values())
    some = jaxzc.score(*three_models("resnet", "batch")[flavour], BATCHES, "snip,fisher,zico,synflow,naswot,jacob_cov,flops")
    assert_alike({name: linen[name] for name in some}, some)
    # grouped, depthwise and strided convolutions
    assert linen["flops"] == 36 * 4 * 27 + 9 * 8 * (36 + 9 + 4 + 4) + 8 * 5
    assert (linen["params"], linen["layers"]) == (629, 6)


def test_a_subset_in_another_order_equals_all() -> None:
    names = ["layers", "naswot", "snip"]
    some = jaxzc.score(*three_models("resnet", "batch")["linen"], BATCHES, names)
    assert list(some) == names
    everything = scores("linen", "resnet", "batch")
    assert_alike(some, {name: everything[name] for name in names}, 1e-5)


def test_an_mlp_without_and_with_normalisation() -> None:
    plain, normalised = scores("bare", "mlp", "no"), jaxzc.score(*three_models("mlp", "layer")["linen"], BATCHES, "snip,params,flops")
    assert plain["params"] == 108 * 7 + 7 + 7 * 6 + 6 + 6 * 5 + 5
    assert normalised["params"] == plain["params"] + 2 * 7
    assert normalised["flops"] == plain["flops"] == 108 * 7 + 42 + 30
    assert all(math.isfinite(value) for value in (*plain.values(), *normalised.values()))
    assert plain["synflow"] == plain["synflow_bn"]  # nothing is normalised
    assert plain["snip"] != normalised["snip"]


def test_attention_has_gradients_and_no_patterns() -> None:
    model = (LinenViT(), initial(LinenViT()))
    made = jaxzc.score(*model, BATCHES, GRADIENT_ONLY)
    assert all(math.isfinite(value) for value in made.values())
    assert made["layers"] == 8
    with pytest.raises(JaxzcError, match=r"^naswot: needs the patterns of ReLU inputs, and this network has no ReLU"):
        jaxzc.score(*model, BATCHES, ["snip", "naswot", "jacob_cov"], unavailable="error")


SUM = Task(lambda logits, labels: logits.sum())


def test_closed_formulas_of_one_matrix() -> None:
    x = FLAT[0]
    made = jaxzc.score(matrix, WEIGHTS, FLAT, ["grad_norm", "snip", "plain", "l2_norm", "synflow", "fisher"], task=SUM)
    w, g = np.asarray(WEIGHTS["w"]), np.tile(x.sum(0)[:, None], (1, CLASSES))
    expected = {
        "grad_norm": np.linalg.norm(g),
        "snip": np.abs(w * g).sum(),
        "plain": (w * g).sum(),
        "l2_norm": np.linalg.norm(w),
        "synflow": np.abs(w).sum(),
        "fisher": 0.5 * np.square(x @ w).mean(0).sum() * 6,
    }
    assert_alike(made, {name: float(value) for name, value in expected.items()}, 1e-5)


def test_two_calls_are_identical_and_change_nothing() -> None:
    model, params = three_models("mlp", "layer")["bare"]
    before = jax.tree.map(np.array, params)
    images = np.array(IMAGES)
    calls = [jaxzc.score(model, params, (IMAGES, LABELS), "snip,naswot") for _ in range(2)]
    assert calls[0] == calls[1]
    jax.tree.map(np.testing.assert_array_equal, params, before)
    np.testing.assert_array_equal(IMAGES, images)


def test_without_jit_the_scores_are_the_same() -> None:
    names = ["snip", "naswot", "sweetimator(interval=(1e-3, 1))"]
    compiled = jaxzc.score(rectified, WEIGHTS, FLAT, names)
    with jax.disable_jit():
        assert_alike(jaxzc.score(rectified, WEIGHTS, FLAT, names), compiled, 1e-5)


def test_each_norm_mode_has_scores_of_its_own() -> None:
    model, variables = three_models("mlp", "layer")["bare"]
    made = {norm: jaxzc.score(model, variables, (IMAGES, LABELS), "snip,synflow", norm=norm) for norm in ("batch", "none")}
    assert made["batch"]["snip"] != made["none"]["snip"]
    assert made["batch"]["synflow"] == pytest.approx(made["none"]["synflow"])
    for wrong in ("train", None):
        with pytest.raises(JaxzcError, match=rf"^norm={wrong!r}: expected one of 'batch', 'init', 'none'"):
            jaxzc.score(model, variables, (IMAGES, LABELS), "snip", norm=wrong)  # type: ignore[arg-type]


class Tied(nn.Module):
    @nn.compact
    def __call__(self, x: Any) -> Any:
        dense = nn.Dense(6)
        once = nn.relu(dense(x))
        return nn.Dense(CLASSES)(dense(jnp.stack([once, -once], 1)).sum(1))


def test_a_layer_that_cannot_be_read_blames_the_proxies_that_read_it() -> None:
    variables = Tied().init(jax.random.key(0), FLAT[0])
    made = jaxzc.score(Tied(), variables, FLAT, "snip,grasp,jacob_cov,synflow,naswot,params")
    assert made["params"] == 42 + 35
    with pytest.raises(
        JaxzcError, match=r"^fisher: layer Dense_0/kernel is used 2 times \(tied weights\) on values of several shapes.* leave out proxies"
    ):
        jaxzc.score(Tied(), variables, FLAT, "snip,naswot,fisher,params", unavailable="error")
    # what is kept of every call has one shape: a kernel of the examples
    assert math.isfinite(jaxzc.score(Tied(), variables, FLAT, "lnwot", unavailable="error")["lnwot"])
