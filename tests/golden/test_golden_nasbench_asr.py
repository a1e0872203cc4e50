"""Networks of NAS-Bench-ASR's own PyTorch code against ours: logits, losses, counts and every stored score, in float64.

Set JAXZC_GOLDEN_SPACES to a directory of the same form (default ../shared/golden_spaces).
"""

import json
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jaxzc_spaces.nasbench_asr import NasBenchAsr

from jaxzc.catalogue.selection import select
from jaxzc.scoring.compute import compute_scores, traced_proxies
from jaxzc.scoring.results import to_float
from jaxzc.tasks import ctc_per_frame
from jaxzc.types import Batch
from tests.support.golden_named_networks import Stored, directory, read

PROXIES = {name: name for name in ("grad_norm", "snip", "plain", "l2_norm", "zico", "jacob_cov", "synflow_bn", "naswot")}
PROXIES |= {"synflow_no_norm": "synflow"}
"""Scores by their stored names. The stored synflow keeps some normalisations and not others, which ours has no name for."""
QUICK = ((4, ("grad_norm",)),)
"""A network with an LSTM and cut off activations; all scores of all are for `pytest -m slow`."""
CASES = [*QUICK, *(pytest.param(index, tuple(PROXIES), marks=pytest.mark.slow) for index in range(8))]


def built(stored: Stored, length: int) -> tuple[NasBenchAsr, np.ndarray]:
    config = stored.config
    sizes = config["filters"], config["cells"], config["groups"], config["lstm_units"] if config["use_rnn"] else 0
    space = NasBenchAsr(*sizes, classes=config["num_classes"] + 1, inputs=(length, config["features"]))  # type: ignore[arg-type]
    return space, space.parse(json.dumps(config["arch"]))


def own_arrays(stored: Stored) -> dict[str, np.ndarray]:
    """The stored weights by the names of our module's."""
    renamed = {"head/linear/kernel": "head/kernel", "head/linear/bias": "head/bias"}
    renamed |= {f"lstm/bias_{kind}": f"lstm/weight_{kind}_bias" for kind in ("ih", "hh")}
    first = ("block", "lstm", "head")
    return {renamed.get(key, key): value for key, value in stored.arrays.items() if key.startswith(first)}


def params_of(stored: Stored, space: NasBenchAsr, arch: np.ndarray) -> Any:
    """The stored weights as parameters of the program, and zeros elsewhere; float64."""
    network = space.network(arch)
    own = Stored({}, own_arrays(stored), {}).params(network, np.float64)
    shapes = jax.eval_shape(space.program().init, jax.random.key(0))
    zeros = jax.tree.map(lambda a: jnp.zeros(a.shape, np.float64), shapes)
    # The module's arrays are parts of the program's: the transpose of that cut puts them where the program has them.
    (params,) = jax.linear_transpose(lambda params: space.own_params(params, arch), zeros)(own)
    return params


def batches(inputs: dict[str, np.ndarray], scale: float) -> tuple[Batch, Batch]:
    """Inputs times what the network was built to multiply them by; a quarter of the frames is used."""
    first, second = (
        Batch(
            scale * jnp.asarray(inputs[f"x{k}"], np.float64),
            (jnp.asarray(inputs[f"y{k}"]), jnp.asarray(inputs[f"y{k}_len"]), jnp.asarray(inputs[f"x{k}_len"] // 4)),
        )
        for k in (1, 2)
    )
    return first, second


@pytest.mark.parametrize(("index", "names"), CASES)
def test_logits_losses_and_scores_equal_the_authors_code(index: int, names: tuple[str, ...]) -> None:
    networks, scores, inputs = read("nasbench_asr")
    stored = networks[index]
    space, arch = built(stored, inputs["x1"].shape[1])
    chosen = traced_proxies(select([PROXIES[name] for name in names]))
    with jax.enable_x64(True):
        params, both = params_of(stored, space, arch), batches(inputs, stored.config["input_scale"])

        @jax.jit
        def run(params: Any, genes: Any, batches: Any) -> Any:
            network = space.program().network(genes)
            values = compute_scores(chosen | {"loss": lambda loss_value: loss_value}, network, params, batches, "ctc_per_frame")
            both = jnp.concatenate([batch.inputs for batch in batches])
            outputs = network.forward(params, both, norm="batch").outputs
            own = space.network(arch).forward(space.own_params(params, arch), both, norm="batch").outputs
            halves = jnp.split(outputs, len(batches))
            losses = [ctc_per_frame.loss(half, batch.targets) for half, batch in zip(halves, batches, strict=True)]
            return values, (outputs, own), losses

        values, logits, losses = jax.device_get(run(params, jnp.asarray(arch), both))
    theirs = np.concatenate([stored.arrays["logits"], stored.arrays["logits_x2"]])
    for ours in logits:
        np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-5 * np.abs(theirs).max())
    expected = [scores["proxies"][name]["ref_f64"][index] for name in ("loss", "loss_x2")]
    np.testing.assert_allclose([*losses, values["loss"]], [*expected, expected[0]], rtol=1e-10)
    for name in names:
        expected = scores["proxies"][name]["ref_f64"][index]
        np.testing.assert_allclose(
            to_float(values[PROXIES[name]]), np.float64(np.nan if expected is None else expected), rtol=1e-8, err_msg=name
        )


def test_counts_and_hashes_equal_the_authors_code() -> None:
    networks, _, inputs = read("nasbench_asr")
    for stored in networks:
        space, arch = built(stored, inputs["x1"].shape[1])
        counts = space.counts(arch[None])
        assert counts.params[0] == stored.facts["params"]
        assert counts.flops[0] == stored.facts["macs"]
        assert counts.layers[0] == len(stored.arrays["layers"])
        assert space.model_hash(arch) == stored.facts["hash"]
    space = json.loads((directory("nasbench_asr") / "space.json").read_text())
    full = json.loads((directory("nasbench_asr") / "full_size_counts.json").read_text())["rows"]
    for row in (*space["sample_hashes"], *full):
        assert NasBenchAsr().model_hash(NasBenchAsr().parse(json.dumps(row["arch"]))) == row["hash"]
    archs = np.stack([NasBenchAsr().parse(json.dumps(row["arch"])) for row in full])
    spaces = {"torch_rnn": NasBenchAsr(), "torch_no_rnn": NasBenchAsr(units=0), "tf_rnn": NasBenchAsr(semantics="tensorflow")}
    for column, space in spaces.items():
        np.testing.assert_array_equal(space.counts(archs).params, [row[column] for row in full])
    np.testing.assert_array_equal(NasBenchAsr().own_counts["published_params"](archs), [row["table_rnn_48"] for row in full])
