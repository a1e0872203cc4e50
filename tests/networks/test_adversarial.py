"""Odd spellings of networks against plain JAX in float64: whatever the program looks like, the scores are those of the network."""

import warnings
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxzc
from tests.networks.zoo import adversarial, merged, usual  # noqa: F401 (an import is what registers their networks)
from tests.networks.zoo.odd import CASES, Odd, model_of, params_of

PROXIES = ["params", "layers", "flops(of='all')", "snip", "grad_norm", "l2_norm", "synflow", "jacob_cov", "naswot"]
FAST = ("rows_of_all_steps", "times_truth", "prelu_of_two_halves", "batch_norm_channels_first", "embedded_inside_a_loop", "padded_series")


def wide(tree: Any) -> Any:
    return jax.tree.map(lambda leaf: jnp.asarray(leaf, jnp.float64) if np.issubdtype(leaf.dtype, np.floating) else jnp.asarray(leaf), tree)


def logits_of(outputs: Any) -> Any:
    return outputs["logits"] if isinstance(outputs, dict) else outputs


def by_hand(case: Odd) -> dict[str, float]:
    params, inputs = wide(params_of(case)), wide(case.inputs)

    def run(p: Any, x: Any, norm: str = "batch", tell: Any = lambda value: value) -> Any:
        return logits_of(case.net(p, x, norm, tell))

    def loss(p: Any) -> Any:
        logits = run(p, inputs)
        return -jnp.take_along_axis(jax.nn.log_softmax(logits), jnp.asarray(case.targets)[:, None], 1).mean()

    grads = jax.jit(jax.grad(loss))(params)
    right = {
        "params": sum(leaf.size for leaf in params.values()),
        "layers": len(case.kernels),
        "flops(of='all')": case.macs,
        "snip": sum(float(jnp.abs(params[k] * grads[k]).sum()) for k in case.kernels),
        "grad_norm": sum(float(jnp.linalg.norm(grads[k])) for k in case.kernels),
        "l2_norm": sum(float(jnp.linalg.norm(params[k])) for k in case.kernels),
    }
    positive = jax.tree.map(jnp.abs, params)
    ones = jax.tree.map(lambda leaf: jnp.ones_like(leaf[:1]) if leaf.dtype == jnp.float64 else leaf[:1], inputs)
    floats = isinstance(inputs, dict) or inputs.dtype == jnp.float64
    if floats:
        flow = jax.jit(jax.grad(lambda p: run(p, ones, "none").sum()))(positive)
        right["synflow"] = sum(float(jnp.abs(positive[k] * flow[k]).sum()) for k in case.kernels)
        pull = jax.jit(jax.grad(lambda x: run(params, x).sum(), allow_int=True))(inputs)
        pulled = jnp.concatenate([leaf.reshape(len(leaf), -1) for leaf in jax.tree.leaves(pull) if leaf.dtype == jnp.float64], 1)
        values = np.linalg.eigvalsh(np.corrcoef(pulled)) if len(pulled) > 1 else np.zeros(1)
        right["jacob_cov"] = float(-(np.log(values + 1e-5) + 1 / (values + 1e-5)).sum())

    @jax.jit
    def told(p: Any, x: Any) -> list[Any]:
        values: list[Any] = []
        run(p, x, tell=lambda value: values.append(value) or value)
        return values

    if seen := told(params, inputs):
        code = np.concatenate([np.asarray(x > 0, float).reshape(len(x), -1) for x in seen], 1)
        right["naswot"] = float(np.linalg.slogdet(code @ code.T + (1 - code) @ (1 - code).T)[1])
    return {name: value for name, value in right.items() if name not in (*case.missing, *case.skipped)}


def differences(name: str) -> list[str]:
    case = CASES[name]
    loss = (lambda outputs, targets: jaxzc.cross_entropy(outputs["logits"], targets)) if name.startswith("a_dictionary") else None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", jaxzc.UnavailableWarning)
        scores = jaxzc.score(model_of(case), params_of(case), (case.inputs, case.targets), PROXIES, loss=loss)
    with jax.enable_x64(True):
        right = by_hand(case)
    pairs = {proxy: (scores[proxy], value) for proxy, value in right.items()}
    wrong = [f"{proxy}: {value} and not {other}" for proxy, (value, other) in pairs.items() if not np.isclose(value, other, rtol=1e-3)]
    without = set(scores.reasons) - set(case.skipped)
    return [*wrong, *([f"reasons {scores.reasons}"] if without != set(case.missing) else [])]


@pytest.mark.parametrize("name", [pytest.param(name, marks=[] if name in FAST else [pytest.mark.slow]) for name in CASES])
def test_scores_of_odd_networks(name: str) -> None:
    assert not differences(name)
