"""`jaxzc.score` on small networks of all kinds: what does not matter changes nothing, and mistakes are explained."""

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
from jaxzc.scoring.batches import as_batches
from jaxzc.scoring.results import to_float
from jaxzc.tasks import Task
from jaxzc.types import Batch, JaxzcError, Scaled
from tests.support.models import BATCH, CLASSES, IMAGES, LinenViT, initial, three_models

LABELS = np.arange(BATCH) % CLASSES
SECOND = Batch(jnp.asarray(np.random.default_rng(2).normal(size=IMAGES.shape).astype(np.float32)), LABELS[::-1].copy())
BATCHES = [(IMAGES, LABELS), SECOND]
GRADIENT_ONLY = "grad_norm,snip,grasp,fisher,jacob_cov,plain,l2_norm,zico,snr_snip,params,flops,layers"
# One network without a ReLU, for what needs no real one; a custom loss makes its scores easy to say.
WEIGHTS = {"w": jnp.asarray(np.random.default_rng(3).normal(size=(6, CLASSES)).astype(np.float32))}
FLAT = (np.random.default_rng(4).normal(size=(5, 6)).astype(np.float32), np.array([0, 1, 2, 3, 4]))


def matrix(params: Any, x: Any) -> Any:
    return x @ params["w"]


def rectified(params: Any, x: Any) -> Any:
    return jax.nn.relu(x @ params["w"])


@cache
def scores(flavour: str, body: str, norm: str) -> dict[str, float]:
    """All proxies of one model, computed once for all tests."""
    return jaxzc.score(*three_models(body, norm)[flavour], BATCHES)


def assert_alike(one: dict[str, float], other: dict[str, float], tolerance: float = 1e-4) -> None:
    assert list(one) == list(other)
    for name, value in one.items():
        # ZiCo divides by differences of gradients that may be small
        assert other[name] == pytest.approx(value, rel=100 * tolerance if "zico" in name else tolerance, abs=1e-6, nan_ok=True), name


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


def test_norm_modes() -> None:
    model, variables = three_models("mlp", "layer")["bare"]
    made = {norm: jaxzc.score(model, variables, (IMAGES, LABELS), "snip,synflow", norm=norm) for norm in ("batch", "none")}
    assert made["batch"]["snip"] != made["none"]["snip"]
    assert made["batch"]["synflow"] == pytest.approx(made["none"]["synflow"])
    for wrong in ("train", None):
        with pytest.raises(JaxzcError, match=rf"^norm={wrong!r}: expected one of 'batch', 'init', 'none'"):
            jaxzc.score(model, variables, (IMAGES, LABELS), "snip", norm=wrong)  # type: ignore[arg-type]


def test_labels_only_where_needed() -> None:
    free = ["naswot", "jacob_cov", "synflow", "l2_norm", "lnwot", "tcet_synflow", "params"]
    made = jaxzc.score(rectified, WEIGHTS, (FLAT[0], None), free)
    assert_alike(made, jaxzc.score(rectified, WEIGHTS, FLAT, free), 1e-6)
    with pytest.raises(JaxzcError, match=r"^snip: needs labels, and the batch has none"):
        jaxzc.score(rectified, WEIGHTS, (FLAT[0], None), ["naswot", "snip", "jacob_cov"], unavailable="error")
    with pytest.raises(JaxzcError, match=r"^grad_norm, snip, grasp, fisher, plain, .*: needs labels"):
        jaxzc.score(rectified, WEIGHTS, Batch(FLAT[0]), unavailable="error")


def test_zico_needs_two_batches() -> None:
    for batch in (FLAT, [FLAT]):
        with pytest.raises(JaxzcError, match=r"^zico, sweet_zico: needs the gradients of at least 2 batches and got 1: give a list"):
            jaxzc.score(matrix, WEIGHTS, batch, ["snip", "zico", "sweet_zico"], unavailable="error")


def test_forms_of_a_batch() -> None:
    pair, batch = FLAT, Batch(*FLAT)
    for form in (pair, batch, [pair], (batch,), [batch]):
        assert len(as_batches(form)) == 1
    for form in ([pair, pair], (batch, batch), (pair, batch), [batch, pair]):
        assert len(as_batches(form)) == 2
    mistakes: list[Any] = [[], (), FLAT[0], [*FLAT], {"images": 1}, (1, 2, 3), None]
    for wrong in mistakes:
        with pytest.raises(JaxzcError, match=r"^batch is a .*: expected \(inputs, targets\), or a list of such pairs"):
            as_batches(wrong)
    expected = jaxzc.score(matrix, WEIGHTS, FLAT, "snip")
    lists: Any = (FLAT[0].tolist(), FLAT[1].tolist())
    for same in (lists, (FLAT[0].astype(np.float64), FLAT[1].astype(np.uint8)), (jnp.asarray(FLAT[0]), jnp.asarray(FLAT[1]))):
        assert jaxzc.score(matrix, WEIGHTS, same, "snip") == expected


X, Y = FLAT


@pytest.mark.parametrize(
    ("batch", "message"),
    [
        ((X, Y[:3]), r"^snip, zico: the batch has outputs float32 \[5, 5\] and targets int32 \[3\]: give one target for each example"),
        ((X, np.eye(5, dtype=int)), r"^snip, zico: outputs .* may be classification .*: give task='classification', 'multilabel' or"),
        ((X, Y.astype(float)), r"^snip, zico: outputs float32 \[5, 5\] and targets float32 \[5\] belong to no ready-made task"),
        ((X, Y - 1), r"label -1 at index 0 is out of range"),
        ((X, Y + 1), r"label 5 at index 4 is out of range, expected 0 to 4 \(5 classes\)"),
        ((np.where(X > 0, X, np.nan), Y), r"input values are NaN or infinite"),
        ((X.astype(object), Y), r"the inputs hold object \[5, 6\], expected arrays of real numbers"),
        ((np.zeros((5, 2, 2, 3), np.uint8), Y), r"the images are uint8 \[5, 2, 2, 3\], expected normalised floats"),
        ((X[:0], Y[:0]), r"the batch is empty"),
        (({"a": X, "b": X[:2]}, Y), r"the inputs have shapes \[5, 6\], \[2, 6\], expected arrays that share a leading axis N"),
        ([(X, Y), (X[:3], Y[:3]), (X, Y)], r"inputs of different shapes \(5, 6\), \(3, 6\), \(5, 6\): give batches of one shape"),
    ],
)
def test_unusable_batches(batch: Any, message: str) -> None:
    with pytest.raises(JaxzcError, match=message):
        jaxzc.score(matrix, WEIGHTS, batch, "snip,zico", unavailable="error")


def test_a_loss_of_your_own() -> None:
    def hinge(logits: Any, labels: Any) -> Any:
        return jnp.maximum(1 - logits[:, 0] * (2 * (labels > 2) - 1), 0).mean()

    def each(logits: Any, labels: Any) -> Any:
        return jnp.square(logits - labels[:, None]).sum(1)

    binary = {"w": WEIGHTS["w"][:, :1]}  # classes that are no index of a logit are fine where the loss knows them
    assert jaxzc.score(matrix, binary, FLAT, "snip", task=Task(hinge))["snip"] > 0
    with pytest.raises(
        JaxzcError, match=r"^snip: loss\(outputs, targets\) returned an array of shape \(5,\): expected one number, such as the mean"
    ):
        jaxzc.score(matrix, WEIGHTS, FLAT, "snip", loss=each, unavailable="error")


def test_proxies_of_your_own() -> None:
    def largest(loss_grads: Any, weights: Any, *, power: float = 1.0) -> Any:
        return sum((jnp.abs(g).max() ** power for g in loss_grads), jnp.zeros(())) + 0 * weights[0].sum()

    def broken(logits: Any) -> Any:
        return jnp.log(-1 - logits.sum() ** 2)

    made = jaxzc.score(
        matrix,
        WEIGHTS,
        FLAT,
        {
            "mine": largest,
            "n": lambda: 3,
            "nan": broken,
            "per": lambda counts: counts.flops / counts.params,
            "both": lambda logits, counts: 0 * logits.sum() + counts.layers,
            "big": lambda: Scaled(0.5, 2000),
        },
    )
    gradient = jax.grad(lambda w: jaxzc.cross_entropy(X @ w, jnp.asarray(Y)))(WEIGHTS["w"])
    assert made["mine"] == pytest.approx(float(jnp.abs(gradient).max()), rel=1e-5)
    assert (made["n"], made["per"], made["both"], made["big"]) == (3, 1, 1, math.inf)
    assert math.isnan(made["nan"])
    assert list(jaxzc.score(matrix, WEIGHTS, FLAT, [largest, "l2_norm"])) == ["largest", "l2_norm"]


@pytest.mark.parametrize(
    ("proxy", "message"),
    [
        (
            lambda gradients: 1,
            r"proxy 'mine' asks for an ingredient 'gradients', which does not exist; known ingredients: activation_grads, ",
        ),
        (lambda logits: logits, r"^mine: a proxy returned an array of shape \(5, 5\): expected one number"),
        (lambda logits: None, r"^mine: a proxy returned None: expected one number"),
        (3, r"proxy 'mine' is a int: expected a name or a function"),
        ("snipp", r"unknown proxy 'snipp'.*did you mean 'snip'\?"),
        ("zico(std_of='std')", r"^mine: std_of='std': expected 'signed'"),
    ],
)
def test_unusable_proxies(proxy: Any, message: str) -> None:
    with pytest.raises(JaxzcError, match=message):
        jaxzc.score(matrix, WEIGHTS, [FLAT, FLAT], {"l2_norm": "l2_norm", "mine": proxy}, unavailable="error")


def test_broken_weights_give_nan_and_not_an_error() -> None:
    broken = {"w": WEIGHTS["w"].at[0, 0].set(jnp.nan)}
    made = jaxzc.score(rectified, broken, [FLAT, FLAT], "grad_norm,snip,grasp,fisher,jacob_cov,synflow,l2_norm,zico,tcet_snip,snr_snip")
    assert [name for name, value in made.items() if not math.isnan(value)] == []


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


def test_finished_scores() -> None:
    assert to_float(jnp.float32(0.1)) == float(np.float32(0.1))
    assert to_float(np.array([[2**40 + 1]])) == 2**40 + 1
    assert to_float(Scaled(jnp.float32(0.75), jnp.int32(200))) == 0.75 * 2.0**200
    assert (to_float(True), to_float(-math.inf), to_float(jnp.bfloat16(2.5))) == (1.0, -math.inf, 2.5)
    for wrong in (np.zeros(2), "text", 1j, {"a": 1}):
        with pytest.raises(JaxzcError, match=r"a proxy returned .*: expected one number"):
            to_float(wrong)  # pyright: ignore[reportArgumentType]
