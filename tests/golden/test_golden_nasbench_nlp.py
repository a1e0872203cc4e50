"""Networks of NAS-Bench-NLP's own code against ours: logits, hidden states, counts and every stored score, in float64.

Set JAXZC_GOLDEN_SPACES to a directory of the same form (default ../shared/golden_spaces).
"""

import json
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jaxzc_spaces.nasbench_nlp import encoding
from jaxzc_spaces.nasbench_nlp.encoding import LINEAR, X
from jaxzc_spaces.nasbench_nlp.space import NasBenchNlp

from jaxzc.catalogue.selection import select
from jaxzc.scoring.compute import compute_scores, traced_proxies
from jaxzc.scoring.results import to_float
from jaxzc.spacekit import program_of
from jaxzc.types import Batch, InputSpec, Tap
from tests.support.golden_named_networks import Stored, read

PROXIES = ("grad_norm", "snip", "plain", "grasp", "l2_norm", "zico", "jacob_cov", "synflow")
RECURRENT = {
    "tfn_jacobian_covariance": "hidden_jacob_cov",
    "tfn_jacobian_cosine": "hidden_jacob_cosine",
    "tfn_activation_distance": "activation_distance",
    **{f"tfn_hidden_covariance_{layer}": f"hidden_covariance(layer={layer})" for layer in (1, 2, 3)},
}
"""Scores of training-free-nas, by their stored names."""
QUICK = ((7, "synflow"),)
"""A network with untied weights, and a score of its; all scores, whose programs compile longer, are for `pytest -m slow`."""
CASES = [*QUICK, *(pytest.param(index, "all", marks=pytest.mark.slow) for index in range(8))]


def built(stored: Stored, steps: int) -> tuple[NasBenchNlp, np.ndarray]:
    config = stored.config
    inputs = InputSpec((steps,), "int32")
    space = NasBenchNlp(config["emsize"], config["nhid"], config["nlayers"], config["tied"], config["ntoken"], inputs)
    return space, space.parse(json.dumps(config["recipe"]))


def params_of(stored: Stored, space: NasBenchNlp, arch: np.ndarray) -> Any:
    """The stored weights as parameters of the program, and zeros elsewhere; float64."""
    arrays = {name: np.asarray(value, np.float64) for name, value in stored.arrays.items() if value.dtype.kind == "f"}
    params = jax.tree.map(lambda a: np.zeros(a.shape), jax.eval_shape(program_of(space, arch).init, jax.random.key(0)))
    params["embedding"][...], params["decoder_bias"][...] = arrays["embed/embedding"], arrays["decoder/bias"]
    if not space.tied:
        params["decoder"][...] = arrays["decoder/kernel"]
    for number, layer in params["layers"].items():
        used = {"x": 0, "hidden": 0}
        for place, (name, node) in enumerate(
            zip(encoding.names(json.dumps(stored.config["recipe"])), encoding.cell_of(arch).nodes, strict=True)
        ):
            if node.op == LINEAR:
                layer["bias"][place] = arrays[f"layer{number}/{name}/bias"]
                for i, source in enumerate(node.inputs):
                    stack = "x" if source == X else "hidden"
                    layer[stack][used[stack]] = arrays[f"layer{number}/{name}/w{i}"]
                    used[stack] += 1
    return jax.tree.map(jnp.asarray, params)


def batches(inputs: dict[str, np.ndarray]) -> tuple[Batch, Batch]:
    """The stored ones have the axis of steps before that of examples."""
    first, second = (Batch(jnp.asarray(inputs[f"x{k}"].T), jnp.asarray(inputs[f"y{k}"].T)) for k in (1, 2))
    return first, second


@pytest.mark.parametrize(("index", "scores_of"), CASES)
def test_logits_states_and_scores_equal_the_authors_code(index: int, scores_of: str) -> None:
    """With tied weights the stored scores read the last word's row of the embedding as padding, which takes no gradient from the inputs'
    side; those without that are stored beside them, and are ours."""
    networks, scores, inputs = read("nasbench_nlp")
    stored = networks[index]
    space, arch = built(stored, len(inputs["x1"]))
    labels = {name: name for name in PROXIES} | RECURRENT if scores_of == "all" else {scores_of: scores_of}
    labels = {name: label for name, label in labels.items() if scores["proxies"][name]["values_f64"][index] is not None}
    program, chosen = program_of(space, arch), traced_proxies(select([*labels.values()]))
    with jax.enable_x64(True):
        params, both = params_of(stored, space, arch), batches(inputs)

        @jax.jit
        def run(params: Any, genes: Any, batches: Any) -> Any:
            network = program.network(genes)
            values = compute_scores(chosen | {"loss": lambda loss_value: loss_value}, network, params, batches, "next_token")
            out = network.forward(params, batches[0].inputs, norm="batch", tap=Tap(cell=lambda y, _: (y, y)))
            return values, out.outputs, out.cells

        made, logits, states = jax.device_get(run(params, jnp.asarray(arch), both))
        own = space.module(arch, params)(both[0].inputs)
    for ours in (logits, own):
        np.testing.assert_allclose(ours.swapaxes(0, 1), stored.arrays["logits"], rtol=1e-5, atol=1e-6 * np.abs(logits).max())
    for number in range(space.layers):
        theirs = stored.arrays[f"states/layer{number}/h0"]
        np.testing.assert_allclose(states[f"layers/{number}"][0].swapaxes(0, 1), theirs, rtol=1e-5, atol=1e-6 * np.abs(theirs).max())
    for name, label in {"loss": "loss", **labels}.items():
        entry = scores["proxies"][name]
        expected = entry.get("ref_f64_all_rows", entry["ref_f64"])[index]
        if name == "tfn_activation_distance":  # theirs adds up two passes
            expected -= len(both[0].inputs) * np.log(2)
        rtol = 1e-4 if index == 5 and name == "synflow" else 1e-8
        np.testing.assert_allclose(to_float(made[label]), expected, rtol=rtol, err_msg=name)


def test_counts_equal_the_authors_code() -> None:
    networks, _, inputs = read("nasbench_nlp")
    for stored in networks:
        space, arch = built(stored, len(inputs["x1"]))
        counts = space.counts(arch[None])
        assert counts.params[0] == stored.facts["params"]
        assert counts.layers[0] == len(stored.arrays["layers"])
        assert counts.flops[0] == len(inputs["x1"]) * stored.facts["weights_in_layers"]
