"""Scores of networks that normalise by themselves, against a few lines of numpy in float64."""

from functools import cache
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import linen as nn
from flax import nnx

import jaxzc

RNG = np.random.default_rng(5)
X, LABELS = RNG.normal(size=(6, 8)).astype(np.float32), np.array([0, 1, 2, 0, 1, 2])
WEIGHTS = [RNG.normal(size=shape).astype(np.float32) for shape in ((8, 7), (7, 5), (5, 3))]
MEANS, VARIANCES = RNG.normal(size=(2, 7)).astype(np.float32), RNG.uniform(0.5, 3, size=(2, 7)).astype(np.float32)
EPS = 1e-5
PROXIES = ["snip", "grad_norm", "naswot", "synflow", "params"]


def normalised(h: Any, kind: str) -> Any:
    if kind == "batch":
        return (h - h.mean(0)) / jnp.sqrt(h.var(0) + EPS)
    if kind == "layer":
        return (h - h.mean(-1, keepdims=True)) / jnp.sqrt(h.var(-1, keepdims=True) + EPS)
    return h / jnp.sqrt(jnp.square(h).mean(-1, keepdims=True) + EPS)


@cache
def reference(kind: str) -> dict[str, float]:
    """snip, grad_norm and naswot of the network in train mode, synflow without normalisation."""
    with jax.enable_x64(True):
        x, weights = jnp.asarray(X, jnp.float64), [jnp.asarray(w, jnp.float64) for w in WEIGHTS]

        def forward(weights: Any) -> tuple[Any, Any]:
            h, codes = x, []
            for weight in weights[:-1]:
                h = normalised(h @ weight, kind)
                codes.append(h > 0)
                h = jnp.maximum(h, 0)
            return h @ weights[-1], jnp.concatenate(codes, 1).astype(jnp.float64)

        def loss(weights: Any) -> Any:
            return -jnp.take_along_axis(jax.nn.log_softmax(forward(weights)[0]), LABELS[:, None], 1).mean()

        gradients, codes = jax.jit(lambda weights: (jax.grad(loss)(weights), forward(weights)[1]))(weights)
        kernel = codes @ codes.T + (1 - codes) @ (1 - codes).T
        flow = np.ones((1, 8))
        for weight in WEIGHTS:
            flow = flow @ np.abs(weight.astype(np.float64))
        return {
            "snip": float(sum(jnp.abs(w * g).sum() for w, g in zip(weights, gradients, strict=True))),
            "grad_norm": float(sum(jnp.linalg.norm(g) for g in gradients)),
            "naswot": float(np.linalg.slogdet(kernel)[1]),
            "synflow": float(len(WEIGHTS) * flow.sum()),  # the sum over layers of weight times slope
            "params": float(sum(w.size for w in WEIGHTS)),
        }


class OwnBatchNorm(nn.Module):
    train: bool

    @nn.compact
    def __call__(self, x: Any) -> Any:
        mean = self.variable("batch_stats", "mean", jnp.zeros, x.shape[-1:])
        var = self.variable("batch_stats", "var", jnp.ones, x.shape[-1:])
        m, v = (x.mean(0), x.var(0)) if self.train else (mean.value, var.value)
        return (x - m) * jax.lax.rsqrt(v + EPS)


class LinenNet(nn.Module):
    kind: str

    @nn.compact
    def __call__(self, x: Any, is_training: bool) -> Any:
        for i in range(2):
            x = nn.Dense((7, 5)[i], use_bias=False, name=f"d{i}")(x)
            if self.kind == "own":
                x = OwnBatchNorm(is_training)(x)
            elif self.kind == "standardize":
                x = jax.nn.standardize(x, epsilon=EPS)
            else:
                x = nn.BatchNorm(not is_training, use_bias=False, use_scale=False, axis_name="devices")(x)
            x = nn.relu(x)
        return nn.Dense(3, use_bias=False, name="d2")(x)


class NNXNet(nnx.Module):
    """RMSNorm in the call."""

    def __init__(self) -> None:
        self.layers = nnx.List([nnx.Param(jnp.asarray(w)) for w in WEIGHTS])

    def __call__(self, x: Any) -> Any:
        for weight in self.layers[:-1]:
            x = x @ weight[...]
            x = nnx.relu(x * jax.lax.rsqrt(jnp.mean(x * x, -1, keepdims=True) + EPS))
        return x @ self.layers[-1][...]


def variables(kind: str) -> Any:
    made = dict(LinenNet(kind).init(jax.random.key(0), X, False))
    return {**made, "params": {f"d{i}": {"kernel": jnp.asarray(w)} for i, w in enumerate(WEIGHTS)}}


def frozen(p: Any, x: Any) -> Any:
    """Stored statistics among the arguments, folded into one scale and one shift."""
    for i in range(2):
        scale = 1 / jnp.sqrt(p["var"][i] + EPS)
        x = jax.nn.relu((x @ p["w"][i]) * scale - p["mean"][i] * scale)
    return x @ p["w"][2]


OWN, PLAIN = variables("own"), variables("flax")
FROZEN = {"w": WEIGHTS, "mean": [MEANS[0], MEANS[1][:5]], "var": [VARIANCES[0], VARIANCES[1][:5]]}


@pytest.mark.filterwarnings("ignore::jaxzc.DoubtWarning")  # frozen statistics, on purpose
@pytest.mark.parametrize(
    ("model", "params", "options", "kind"),
    [
        (LinenNet("own"), OWN, {}, "batch"),
        (LinenNet("own"), OWN, {"model_kwargs": {"is_training": True}}, "batch"),
        (LinenNet("flax"), PLAIN, {"model_kwargs": {"is_training": True}}, "batch"),
        (lambda v, x: (LinenNet("own").apply(v, x, False), x)[0], OWN, {}, "batch"),
        (frozen, FROZEN, {}, "batch"),
        (LinenNet("standardize"), variables("standardize"), {}, "layer"),
        (NNXNet(), None, {}, "rms"),
    ],
    ids=["own", "own in train mode", "axis_name", "lambda", "frozen arguments", "standardize", "rms"],
)
def test_scores_of_own_normalisation(model: Any, params: Any, options: Any, kind: str) -> None:
    scores = jaxzc.score(model, params, (X, LABELS), PROXIES, **options)
    for name, right in reference(kind).items():
        assert scores[name] == pytest.approx(right, rel=2e-5), name
