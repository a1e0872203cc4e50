"""Stored values of the newest proxies' own code against ours; skipped where the directory is absent (JAXZC_GOLDEN_NEWEST)."""

import json
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jaxzc_spaces.core.layers import along

import jaxzc
from jaxzc.proxies import PROXIES
from jaxzc.scoring.compute import compute_scores
from jaxzc.types import Batch
from tests.support.golden import Golden, read, shared
from tests.support.golden_scores import layer_value


class Dextr(NamedTuple):
    """The stored scores, and of each network ours: map_conditions by group's name, and the curvature."""

    stored: dict[str, Any]
    networks: list[Golden]
    conditions: list[dict[str, np.ndarray]]
    curvature: np.ndarray


@pytest.fixture(scope="module", params=[pytest.param(2, id="two"), pytest.param(None, id="all", marks=pytest.mark.slow)])
def dextr(request: pytest.FixtureRequest) -> Dextr:
    """The first networks of 4 channels, from one compiled program in float64."""
    directory = shared("JAXZC_GOLDEN_NEWEST", "../shared/golden_newest") / "dextr_nb201"
    every, _, _ = read(shared("JAXZC_GOLDEN", "../shared/golden/dev"))
    stored, inputs = json.loads((directory / "scores.json").read_text()), dict(np.load(directory / "inputs.npz"))
    networks = [every[number] for number in stored["networks"] if every[number].space == every[0].space]
    networks = networks[: request.param]
    proxies = {name: eval(f"lambda {name}: {name}") for name in ("map_conditions", "output_curvature")}
    with jax.enable_x64(True):
        image = jnp.asarray(inputs["x"], jnp.float64)
        circle = tuple(jnp.asarray(inputs["curve_u"][None, ..., k], jnp.float64) for k in (0, 1))
        fixed = {"dextr_circle": circle, "dextr_coordinates": jnp.asarray(inputs["coords"], jnp.int32)}
        batches = (Batch(image, jnp.zeros(1, jnp.int32)),)

        def program(params: Any, arch: Any) -> Any:
            return compute_scores(proxies, every[0].space.program().network(arch), params, batches, fixed=fixed)

        run = jax.jit(program)
        scores = [jax.device_get(run(golden.params(jnp.float64), jnp.asarray(golden.arch, jnp.int32))) for golden in networks]
    names = [group.name for group in networks[0].space.program().groups]
    conditions = [dict(zip(names, map(np.asarray, score["map_conditions"]), strict=True)) for score in scores]
    return Dextr(stored, networks, conditions, np.array([float(score["output_curvature"]) for score in scores]))


def hooked(modules: list[str]) -> list[str]:
    """The modules in the order of Dextr's list: the class that its authors run passes the stem, every cell and the pooled features through
    one module more, which changes nothing."""
    passed = {"stem", "global_pooling", *(module.partition(".layers.")[0] for module in modules if ".layers." in module)}
    return [name for module in modules for name in ([module, f"{module}, passed on"] if module in passed else [module])]


def values(dextr: Dextr, name: str) -> np.ndarray:
    """The stored float64 values of the networks that are compared."""
    return np.array(dextr.stored["proxies"][name]["values_f64"], np.float64)[: len(dextr.networks)]


def test_curvature_of_the_output(dextr: Dextr) -> None:
    np.testing.assert_allclose(dextr.curvature, values(dextr, "curvature"), rtol=1e-6)


def test_dextr_of_their_sum_and_our_curvature(dextr: Dextr) -> None:
    sums = values(dextr, "inverse_condition_sum")
    with jax.enable_x64(True):
        pairs = zip(sums.tolist(), dextr.curvature.tolist(), strict=True)
        ours = [float(PROXIES["dextr"]([jnp.array([total])], jnp.asarray(bend))) for total, bend in pairs]
    np.testing.assert_allclose(ours, values(dextr, "dextr"), rtol=1e-6)


def test_condition_of_every_convolution(dextr: Dextr) -> None:
    for golden, conditions in zip(dextr.networks, dextr.conditions, strict=True):
        path = golden.path.parents[1] / "layerwise" / golden.path.name
        modules = hooked([str(module) for module in np.load(path)["meco_modules"]])
        theirs = np.array(dextr.stored["per_module"][golden.path.stem])
        assert len(modules) == len(theirs)
        convolutions = [module.endswith((".op.1", "stem.0", "downsample.1")) for module in modules]
        names = [str(name) for name in golden.arrays["layers"] if not str(name).startswith("head")]
        mine = [layer_value(golden, conditions, name) for name in names]
        np.testing.assert_allclose(mine, theirs[convolutions], rtol=1e-6, atol=1e-9, err_msg=golden.path.name)
        assert conditions["head"].tolist() == [1.0]  # logits are one vector


def _dense(at: dict[str, Any], name: str, x: Any) -> Any:
    y = x @ at[f"{name}/kernel"]
    return y + along(y, jnp.asarray(at[f"{name}/bias"])) if f"{name}/bias" in at else y


def _normalised(at: dict[str, Any], name: str, x: Any) -> Any:
    centred = x - x.mean(-1, keepdims=True)
    scale, bias = (along(x, jnp.asarray(at[f"{name}/{each}"])) for each in ("scale", "bias"))
    return centred / jnp.sqrt(jnp.square(centred).mean(-1, keepdims=True) + 1e-12) * scale + bias


def _operator(at: dict[str, Any], layer: dict[str, Any], x: Any) -> Any:
    """Self-attention, with or without a matrix on the queries, or a linear transform of each head, over positions and features."""

    def heads(y: Any) -> Any:
        return y.reshape(*y.shape[:2], layer["heads"], -1).transpose(0, 2, 1, 3)

    if layer["op"] == "LT":
        u = heads(_dense(at, "op/input", x))
        fourier = layer["param"] == "DFT"
        mixed = jnp.fft.fft2(u).real if fourier else jax.scipy.fft.dct(jax.scipy.fft.dct(u, axis=-1), axis=-2)
        return mixed.transpose(0, 2, 1, 3).reshape(x.shape)
    q, k, v = (_dense(at, f"op/{name}", x) for name in ("query", "key", "value"))
    q = _dense(at, "op/weight_matrix", q) if "op/weight_matrix/kernel" in at else q
    q, k, v = map(heads, (q, k, v))
    attention = jax.nn.softmax(q @ k.swapaxes(2, 3) / np.sqrt(q.shape[-1]), axis=-1)
    joined = (attention @ v).transpose(0, 2, 1, 3).reshape(x.shape)
    return _normalised(at, "op/ln", _dense(at, "op/output", joined) + x)


def flexibert(arrays: dict[str, Any], x: Any, config: dict[str, Any]) -> Any:
    """The last hidden values of a stored FlexiBERT network from its embedded tokens `[B, T, H]`."""
    for number, layer in enumerate(config["layers"]):
        at = {key.removeprefix(f"layer{number}/"): value for key, value in arrays.items() if key.startswith(f"layer{number}/")}
        a = _operator(at, layer, x)
        y = jax.nn.gelu(_dense(at, "ff/in", a), approximate=False)
        for place in range(layer["num_ff"] - 1):
            y = jax.nn.gelu(_dense(at, f"ff/mid/{place}", y), approximate=False)
        x = _normalised(at, "ff/ln", _dense(at, "ff/out", y) + a)
    return x


@pytest.mark.parametrize("number", [0, pytest.param(1, marks=pytest.mark.slow)])
def test_v_pca_of_flexibert(number: int) -> None:
    """The networks whose operators are attention, and linear transforms; the other five have convolutions."""
    stored = json.loads((shared("JAXZC_GOLDEN_NEWEST", "../shared/golden_newest") / "flexibert_wpca_lpzero/scores.json").read_text())
    path = shared("JAXZC_GOLDEN_SPACES", "../shared/golden_spaces") / f"flexibert/dev/networks/{number:02}.npz"
    held = dict(np.load(path))
    config = json.loads(str(held["config"]))
    params = {name: value.astype(np.float32) for name, value in held.items() if name.startswith("layer") and value.dtype.kind == "f"}
    hidden = held["hidden0"].astype(np.float32)
    model = partial(flexibert, config=config)
    np.testing.assert_allclose(model(params, hidden), held[f"hidden{len(config['layers'])}"], rtol=1e-3, atol=1e-3)
    found = jaxzc.score(model, params, (hidden, None), "v_pca")["v_pca"]
    assert found == stored["dev"]["pca_all_dense_sum"]["values_f64"][number]
