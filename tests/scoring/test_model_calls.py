"""How a model is called: its keywords, another method, the part of its result that counts; and the forms in which choices are taken."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import linen as nn
from flax import nnx

import jaxzc
from jaxzc.types import JaxzcError

rng = np.random.default_rng(0)
X, Y = rng.normal(size=(4, 6)).astype(np.float32), np.array([0, 1, 2, 1])
BATCH = (X, Y)
NAMES = ["snip", "l2_norm", "jacob_cov", "flops"]


class Output(NamedTuple):
    logits: Any
    hidden: Any


class Model(nn.Module):
    """Its call needs a scale, asks for noise in training, and returns more than logits."""

    def setup(self) -> None:
        self.first, self.last = nn.Dense(4), nn.Dense(3)

    def __call__(self, x: Any, *, scale: float, train: bool = False) -> Output:
        hidden = nn.relu(self.first(x))
        if train:
            hidden = hidden + jax.random.normal(self.make_rng("noise"), hidden.shape)
        return Output(scale * self.last(hidden), hidden)

    def features(self, x: Any) -> Any:
        return nn.relu(self.first(x))


class OfNNX(nnx.Module):
    def __init__(self, rngs: nnx.Rngs):
        self.first, self.last = nnx.Linear(6, 4, rngs=rngs), nnx.Linear(4, 3, rngs=rngs)

    def __call__(self, x: Any, *, scale: float) -> Output:
        hidden = nnx.relu(self.first(x))
        return Output(scale * self.last(hidden), hidden)


VARIABLES = Model().init(jax.random.key(0), X, scale=1.0)
LOGITS: dict[str, Any] = {"output": lambda out: out.logits}


def plain(variables: Any, x: Any, noise: Any = 0.0, scale: float = 2.0) -> Any:
    params = variables["params"]
    hidden = jax.nn.relu(x @ params["first"]["kernel"] + params["first"]["bias"]) + noise
    return scale * (hidden @ params["last"]["kernel"] + params["last"]["bias"])


def test_keywords_and_outputs_of_a_module_keep_its_layers() -> None:
    expected = jaxzc.score(plain, VARIABLES, BATCH, NAMES)
    scores = jaxzc.score(Model(), VARIABLES, BATCH, NAMES, scale=2.0, **LOGITS)
    assert scores == pytest.approx(expected, rel=1e-5)
    assert scores["flops"] == 6 * 4 + 4 * 3
    assert jaxzc.Scorer(Model(), NAMES, scale=2.0, train=False, **LOGITS).score(VARIABLES, BATCH) == scores
    assert jaxzc.score(Model(), VARIABLES, BATCH, NAMES, model_kwargs={"scale": 2.0}, **LOGITS) == scores
    model = OfNNX(nnx.Rngs(0))
    network, params = jaxzc.as_network(model, None, X, scale=2.0, **LOGITS)
    assert [group.kernel for group in network.groups] == [(6, 4), (4, 3)]
    np.testing.assert_allclose(network.forward(params, X, norm="batch").outputs, model(X, scale=2.0).logits, rtol=1e-5)
    assert jaxzc.score(model, None, BATCH, "flops", scale=2.0, **LOGITS)["flops"] == 36


def test_another_method() -> None:
    targets = np.ones((4, 4), np.float32)

    def loss(outputs: Any, targets: Any) -> Any:
        return jnp.square(outputs - targets).mean()

    def gradient(kernel: Any) -> Any:
        return loss(jax.nn.relu(X @ kernel + VARIABLES["params"]["first"]["bias"]), targets)

    kernel = VARIABLES["params"]["first"]["kernel"]
    expected = float(jnp.abs(kernel * jax.grad(gradient)(kernel)).sum())
    for method in ("features", Model.features):
        scores = jaxzc.score(Model(), VARIABLES, (X, targets), ["snip", "flops"], method=method, loss=loss)
        assert scores == pytest.approx({"snip": expected, "flops": 24}, rel=1e-5)


def test_random_keys_that_the_user_fixes() -> None:
    def snip(**call: Any) -> float:
        return jaxzc.score(Model(), VARIABLES, BATCH, "snip", scale=2.0, train=True, **LOGITS, **call)["snip"]

    one, two = ({"noise": jax.random.key(seed)} for seed in (0, 1))
    assert snip(rngs=one) == snip(rngs=one) != snip(rngs=two)
    with pytest.raises(JaxzcError, match=r"^Model asks for random numbers .*or fix them with rngs=\{name: key\}"):
        snip(unavailable="error")


def test_a_keyword_that_nobody_has() -> None:
    with pytest.raises(JaxzcError, match=r"^neither jaxzc nor the model's call has an argument 'sed': did you mean 'seed'\? If not, "):
        jaxzc.score(Model(), VARIABLES, BATCH, "snip", sed=1)
    with pytest.raises(JaxzcError, match=r"has an argument 'scal': did you mean 'scale'\? If not, the call takes x, scale, train, rngs$"):
        jaxzc.Scorer(Model(), "snip", scal=1)
    with pytest.raises(JaxzcError, match=r"^scale is given twice, in model_kwargs and as a keyword: give it once$"):
        jaxzc.score(Model(), VARIABLES, BATCH, "snip", scale=1, model_kwargs={"scale": 2})


def largest(loss_grads: Any) -> Any:
    return jnp.stack([jnp.abs(g).max() for g in loss_grads]).max()


@pytest.mark.parametrize(
    ("proxies", "labels"),
    [
        ("snip", ["snip"]),
        (("snip", "l2_norm"), ["snip", "l2_norm"]),
        (largest, ["largest"]),
        (["snip", largest, ("mine", largest), ("short", "l2_norm")], ["snip", "largest", "mine", "short"]),
        ({"a": "snip", "b": largest}, ["a", "b"]),
    ],
)
def test_forms_of_a_choice_of_proxies(proxies: Any, labels: list[str]) -> None:
    scorer = jaxzc.Scorer(plain, proxies)
    assert scorer.proxies == labels
    network, params = jaxzc.as_network(plain, VARIABLES, X)
    assert list(jaxzc.compute_scores(proxies, network, params, BATCH)) == labels


def test_tasks_by_name_and_losses_in_the_pure_form() -> None:
    targets = rng.normal(size=(4, 3)).astype(np.float32)
    network, params = jaxzc.as_network(plain, VARIABLES, X)
    expected = jaxzc.score(plain, VARIABLES, (X, targets), "snip", task="regression")["snip"]
    by_name = jaxzc.compute_scores("snip", network, params, (X, targets), "regression")["snip"]
    by_loss = jaxzc.compute_scores("snip", network, params, (X, targets), loss=lambda out, y: jnp.square(out - y).mean())["snip"]
    assert [float(by_name), float(by_loss)] == pytest.approx([expected, expected], rel=1e-5)


def test_an_initialiser_may_be_a_function_of_jax() -> None:
    space = jaxzc.space("nasbench201", channels=2, cells=1, classes=3, inputs=(8, 8, 3))
    program = space.program()
    params = program.init(jax.random.key(0), jax.nn.initializers.constant(0.5))
    kernels = program.network(jnp.zeros(6, jnp.int32)).weights(params)
    assert all(np.all(np.asarray(kernel) == 0.5) for kernel in kernels)
    with pytest.raises(JaxzcError, match=r"^init=3: expected one of torch, .* or a function \(key, shape, dtype\) -> kernel"):
        program.init(jax.random.key(0), 3)  # type: ignore[arg-type]
