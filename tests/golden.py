"""Reads a golden directory (networks, inputs and scores of the authors' own code) into our space; see tests/test_golden.py."""

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jaxzc_spaces.nasbench201 import NasBench201
from jaxzc_spaces.nasbench201_encoding import CONV1

from jaxzc.types import Batch

ROOT = Path(__file__).parents[1]


def shared(variable: str, default: str) -> Path:
    """A directory of reference data beside the checkout, named by an environment variable; the test is skipped where it is absent."""
    path = Path(os.environ.get(variable, str(ROOT / default)))
    if not path.exists():
        pytest.skip(f"reference data not found at {path}: set {variable} to its directory")
    return path


@dataclass(frozen=True)
class Golden:
    """One golden network: its space, genes, stored arrays and index into the value lists of scores.json."""

    index: int
    path: Path
    space: NasBench201
    arch: np.ndarray
    arrays: dict[str, np.ndarray]

    def params(self, dtype: Any) -> Any:
        """The stored weights as parameters of our space; kernels that the architecture has not are left as drawn."""
        params = jax.tree.map(lambda a: np.array(a, dtype), self.space.init(jax.random.key(self.index)))
        get = self.arrays.__getitem__

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
                    if f"{key}/conv" in self.arrays:
                        kernel = "conv1x1" if self.arch[e] == CONV1 else "conv3x3"
                        params["stages"][s][kernel][c, e] = get(f"{key}/conv")
                        bn(params["stages"][s]["bn"], f"{key}/bn", (c, e))
        return jax.tree.map(jnp.asarray, params)


def read(directory: Path) -> tuple[list[Golden], dict[str, Any], dict[str, np.ndarray]]:
    """Networks, the content of scores.json, and the inputs."""
    scores = json.loads((directory / "scores.json").read_text())
    inputs = dict(np.load(directory / "inputs.npz"))
    networks = []
    for index, path in enumerate(sorted((directory / "networks").glob("*.npz"))):
        arrays = dict(np.load(path))
        height, width, depth = (int(n) for n in inputs["x1"].shape[1:])
        space = NasBench201(int(arrays["C"]), int(arrays["N"]), arrays["logits_train"].shape[1], (height, width, depth))
        networks.append(Golden(index, path, space, space.parse(str(arrays["arch"])), arrays))
    return networks, scores, inputs


def batches(inputs: dict[str, np.ndarray], dtype: Any) -> tuple[Batch, ...]:
    return tuple(Batch(jnp.asarray(inputs[f"x{k}"], dtype), jnp.asarray(inputs[f"y{k}"])) for k in (1, 2))
