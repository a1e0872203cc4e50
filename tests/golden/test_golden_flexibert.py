"""FlexiBERT networks of the authors' own code against ours: logits, counts and scores of the discriminator's loss, in float64.

Set JAXZC_GOLDEN_SPACES to a directory of the same form (default ../shared/golden_spaces).
"""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from flax import nnx
from jaxzc_spaces.flexibert.network import FlexiBertModule, Part, Sizes, network_counts
from jaxzc_spaces.transformers.tokens import TokenNetwork, token_network

from jaxzc.catalogue.selection import select
from jaxzc.proxies import jacob_cosine
from jaxzc.scoring.compute import compute_scores
from jaxzc.scoring.results import to_float
from jaxzc.tasks import Task
from jaxzc.types import Batch, InputSpec
from tests.support.golden_named_networks import Stored, read

PROXIES = ("grad_norm", "snip", "plain", "l2_norm", "zico", "jacob_cov", "attention_confidence", "softmax_confidence")


def masked(outputs: Any, targets: Any) -> Any:
    """Mean binary cross-entropy of the tokens whose mask is 1."""
    labels, mask = targets
    each = optax.sigmoid_binary_cross_entropy(outputs, labels.astype(outputs.dtype))
    return jnp.where(mask == 1, each, 0).sum() / mask.sum(dtype=each.dtype)


def described(config: dict[str, Any]) -> tuple[Sizes, int, tuple[Part, ...]]:
    layers = config["layers"]
    parts = [Part(f"{of['op']}:{of['param']}", of["heads"], (of["ff_first"], *(of["ff_rest"],) * (of["num_ff"] - 1))) for of in layers]
    return Sizes(config["vocab"], config["positions"], config["embedding"]), config["hidden"], tuple(parts)


def built(config: dict[str, Any]) -> TokenNetwork:
    what = described(config)
    return token_network(lambda: FlexiBertModule(*what), InputSpec((config["seq"],), "int32"))


def batches(inputs: dict[str, np.ndarray]) -> tuple[Batch, ...]:
    return tuple(Batch((inputs[f"ids{k}"], inputs[f"types{k}"]), (inputs[f"labels{k}"], inputs[f"mask{k}"])) for k in (1, 2))


@pytest.mark.parametrize("index", [0, *(pytest.param(k, marks=pytest.mark.slow) for k in range(1, 8))])
def test_logits_and_scores_equal_the_authors_code(index: int) -> None:
    networks, stored_scores, inputs = read("flexibert")
    stored = networks[index]
    network, both = built(stored.config), batches(inputs)
    chosen = {**select(list(PROXIES)), "logits": lambda logits: logits, "loss": lambda loss_value: loss_value}
    with jax.enable_x64(True):
        params = stored.params(network, jnp.float64)
        run = jax.jit(lambda p: compute_scores(chosen, network, p, both, task=Task(masked), unavailable="error"))
        made = jax.device_get(run(params))
    np.testing.assert_allclose(made["logits"], stored.arrays["logits"], rtol=2e-5, atol=2e-5)
    for name in (*PROXIES, "loss"):
        entry = stored_scores["proxies"][name]
        np.testing.assert_allclose(to_float(made[name]), entry["values_f64"][index], rtol=1e-8, atol=1e-12, err_msg=name)


class Headless(FlexiBertModule):
    """The network whose outputs are the last hidden states."""

    def __init__(self, *what: Any):
        super().__init__(*what)
        self.head = Same()


class Same(nnx.Module):
    def __call__(self, x: Any, p: Any) -> Any:
        return x


@pytest.mark.slow
@pytest.mark.parametrize("index", range(7))
def test_derivatives_of_the_last_hidden_states_equal_the_authors(index: int) -> None:
    """head_importance, synaptic diversity and saliency with their sum of the last hidden states for a loss; jacob_cosine of their rows: the
    gradients of the positions' table, one for each of its features. (At the authors' start, network 7, that sum is constant.)"""
    networks, stored_scores, inputs = read("flexibert")
    stored = networks[index]
    arrays = {name: value for name, value in stored.arrays.items() if not name.startswith("head/")}
    what = described(stored.config)
    network = token_network(lambda: Headless(*what), InputSpec((stored.config["seq"],), "int32"))
    task = Task(lambda outputs, targets: outputs.sum())
    normalised = {f"{name}_normalized": f"{name}(mean=True)" for name in ("synaptic_diversity", "synaptic_saliency")}
    same = ("head_importance", "synaptic_diversity", "synaptic_saliency")
    chosen = {
        **select([*same, *normalised.values()]),
        "jacob_cosine": lambda input_grads: jacob_cosine(of_positions(input_grads, stored.config)),
    }
    with jax.enable_x64(True):
        params = Stored(stored.config, arrays, stored.facts).params(network, jnp.float64)
        score = jax.jit(lambda p: compute_scores(chosen, network, p, batches(inputs), task=task, unavailable="error"))(params)
        for theirs, name in {**{name: name for name in same}, **normalised, "jacobian_cosine": "jacob_cosine"}.items():
            expected = stored_scores["proxies"][theirs]["values_f64"][index]
            np.testing.assert_allclose(to_float(score[name]), expected, rtol=1e-8, err_msg=name)


def of_positions(grads: Any, config: dict[str, Any]) -> Any:
    """Gradients of the positions, `[features, tokens]`, from those of the words' vectors `[B, tokens x features]`, which they join."""
    return grads.reshape(len(grads), config["seq"], config["embedding"]).sum(0).T


def test_counts_equal_the_authors_code() -> None:
    for stored in read("flexibert")[0]:
        counts, encoder = network_counts(*described(stored.config), stored.config["seq"])
        network, facts = built(stored.config), stored.facts
        hidden = stored.config["hidden"]
        of_head = stored.config["seq"] * (hidden * hidden + hidden)  # which they leave out
        assert (encoder, counts.params) == (facts["params"], facts["params_with_head"])
        assert counts.flops - of_head == facts["macs_linear_conv"]
        params = jax.eval_shape(network.init, jax.random.key(0))
        assert sum(leaf.size for leaf in jax.tree.leaves(params)) == counts.params
        assert counts.layers == len(stored.arrays["layers"]) == sum(len(group.cells) for group in network.groups)
