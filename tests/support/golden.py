"""Reads a golden directory (networks, inputs and scores of the authors' own code) into our space; see tests/golden/test_golden.py."""

import json
import os
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jaxzc_spaces.nasbench201.encoding import CONV1
from jaxzc_spaces.nasbench201.space import NasBench201

from jaxzc.types import Batch, InputSpec

ROOT = Path(__file__).parents[2]
STORED = {"az_images": "az_x", "zen_images": "zen_x", "zen_noise": "zen_e", "region_images": "lr_x", "meco_image": "meco_x"}
"""Ingredient -> its name in inputs.npz."""


def shared(variable: str, default: str) -> Path:
    """A directory of reference data beside the checkout, named by an environment variable; the test is skipped where it is absent."""
    path = Path(os.environ.get(variable, str(ROOT / default)))
    if not path.exists():
        pytest.skip(f"reference data not found at {path}: set {variable} to its directory")
    return path


@dataclass(frozen=True)
class Golden:
    """One golden network: its space, genes, stored arrays, index into the value lists of scores.json, and the directory's base of seeds."""

    index: int
    path: Path
    space: NasBench201
    arch: np.ndarray
    arrays: dict[str, np.ndarray]
    rng_base: int

    def redrawn(self, offset: int, fan_in_gain: float | None = None) -> dict[str, np.ndarray]:
        """The arrays with kernels from the random streams of the directory's `rng_scheme`, times sqrt(gain / fan_in), and biases 0."""
        made = self.arrays | {"head/linear/bias": np.zeros_like(self.arrays["head/linear/bias"])}
        for i, name in enumerate(str(n) for n in self.arrays["layers"]):
            shape = self.arrays[name].shape
            scale = 1.0 if fan_in_gain is None else np.sqrt(fan_in_gain / np.prod(shape[:-1]))
            kernel = np.random.RandomState(self.rng_base + offset + i).standard_normal(shape).astype(np.float32)
            made[name] = kernel * scale
        return made

    def params(self, dtype: Any, arrays: dict[str, np.ndarray] | None = None) -> Any:
        """The stored weights (or those in `arrays`) as parameters of our space; kernels that the architecture has not are left as
        drawn."""
        params = jax.tree.map(lambda a: np.array(a, dtype), self.space.program().init(jax.random.key(self.index)))
        stored = self.arrays if arrays is None else arrays
        get = stored.__getitem__

        def bn(target: dict[str, np.ndarray], key: str, at: Any = ...) -> None:
            for name in ("scale", "bias"):
                target[name][at] = get(f"{key}/{name}")

        params["stem"][...] = get("stem/conv")
        bn(params["stem_bn"], "stem/bn")
        bn(params["head_bn"], "head/bn")
        params["head"][...] = get("head/linear/kernel")
        params["head_bias"][...] = get("head/linear/bias")
        for s in range(2):
            block = params["reductions"][s]
            for name in ("conv_a", "conv_b", "shortcut"):
                block[name][...] = get(f"reduction{s}/{name}")
            bn(block["bn_a"], f"reduction{s}/bn_a")
            bn(block["bn_b"], f"reduction{s}/bn_b")
        for s in range(3):
            for c in range(self.space.cells):
                for e in range(6):
                    key = f"stage{s}/cell{c}/edge{e}"
                    if f"{key}/conv" in stored:
                        kernel = "conv1x1" if self.arch[e] == CONV1 else "conv3x3"
                        params["stages"][s][kernel][c, e] = get(f"{key}/conv")
                        bn(params["stages"][s]["bn"], f"{key}/bn", (c, e))
        return jax.tree.map(jnp.asarray, params)


def read(directory: Path) -> tuple[list[Golden], dict[str, Any], dict[str, np.ndarray]]:
    """Networks, the content of scores.json, and the inputs."""
    scores = json.loads((directory / "scores.json").read_text())
    inputs = dict(np.load(directory / "inputs.npz"))
    networks, rng_base = [], int(scores["metadata"]["rng_base"])
    for index, path in enumerate(sorted((directory / "networks").glob("*.npz"))):
        arrays = dict(np.load(path))
        height, width, depth = (int(n) for n in inputs["x1"].shape[1:])
        space = NasBench201(int(arrays["C"]), int(arrays["N"]), arrays["logits_train"].shape[1], InputSpec((height, width, depth)))
        networks.append(Golden(index, path, space, space.parse(str(arrays["arch"])), arrays, rng_base))
    return networks, scores, inputs


def batches(inputs: dict[str, np.ndarray], dtype: Any) -> tuple[Batch, ...]:
    return tuple(Batch(jnp.asarray(inputs[f"x{k}"], dtype), jnp.asarray(inputs[f"y{k}"])) for k in (1, 2))


def probes(golden: Golden, inputs: dict[str, np.ndarray], dtype: Any) -> list[Any]:
    """AZ-NAS's stored probes, one array per map group `[maps, B, H, W, channels]`: stem, stage, reduction, stage, reduction, stage."""
    space = golden.space
    pairs = [inputs[f"az_probe/C{space.channels}N{space.cells}/pair{k + 1}"] for k in range(3 * space.cells + 2)]
    stem = np.zeros((*pairs[0].shape[:3], space.channels))
    groups, ends = [], np.cumsum([0, 1, space.cells, 1, space.cells, 1, space.cells])
    for start, end in pairwise(ends):
        groups.append(jnp.asarray(np.stack([stem, *pairs][start:end]), dtype))
    return groups


def given(golden: Golden, inputs: dict[str, np.ndarray], dtype: Any, redrawn: bool) -> dict[str, Any]:
    """What our proxies would draw at random, as the directory stores it; weights: saved, or drawn anew by its scheme."""
    saved = golden.params(dtype)
    images = {name: jnp.asarray(inputs[stored], dtype) for name, stored in STORED.items()}
    swap = [golden.params(dtype, golden.redrawn(10000 + 1000 * r)) if redrawn else saved for r in range(4)]
    return images | {
        "az_probes": probes(golden, inputs, dtype),
        "az_params": golden.params(dtype, golden.redrawn(2000, 2.0)) if redrawn else saved,
        "zen_params": golden.params(dtype, golden.redrawn(1000)) if redrawn else saved,
        "swap_params": jax.tree.map(lambda *a: jnp.stack(a), *swap),
        "region_params": saved,
        "param_count": jnp.asarray(golden.space.counts(golden.arch).params[0], dtype),
    }
