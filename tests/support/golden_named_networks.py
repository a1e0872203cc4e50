"""Reads golden networks whose parameters carry the authors' own names (weights, inputs and scores of the authors' code).

See tests/golden/test_golden_named_networks.py."""

import json
import os
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jaxzc_spaces.core.discrete import DiscreteNetwork

from jaxzc.types import Batch

ROOT = Path(__file__).parents[2]


def directory(name: str) -> Path:
    """A directory or file of golden networks; the test is skipped where it is absent."""
    path = Path(os.environ.get("JAXZC_GOLDEN_SPACES", str(ROOT / "../shared/golden_spaces"))) / name
    if not path.exists():
        pytest.skip(f"reference data not found at {path}: set JAXZC_GOLDEN_SPACES to the directory that holds it")
    return path


@dataclass(frozen=True)
class Stored:
    """What is stored of one network: its config, its arrays, and its entry in scores.json (counts and diagnostics)."""

    config: dict[str, Any]
    arrays: dict[str, np.ndarray]
    facts: dict[str, Any]

    def params(self, network: DiscreteNetwork, dtype: Any) -> Any:
        """The stored kernels and biases as parameters of our network; keys are our paths."""
        params = jax.tree.map(lambda a: np.array(a, dtype), network.init(jax.random.key(0)))
        for key, value in self.arrays.items():
            if "/" in key or key in params:
                *path, last = (int(word) if word.isdigit() else word for word in key.split("/"))
                leaf = params
                for word in path:
                    leaf = leaf[word]
                assert leaf[last].shape == value.shape, key
                leaf[last][...] = value
        return jax.tree.map(jnp.asarray, params)


@cache
def read(space: str) -> tuple[list[Stored], dict[str, Any], dict[str, np.ndarray]]:
    """Networks, the content of scores.json, and the inputs."""
    where = directory(space) / "dev"
    scores = json.loads((where / "scores.json").read_text())
    files = sorted((where / "networks").glob("*.npz"))
    networks = [Stored(facts["config"], dict(np.load(path)), facts) for path, facts in zip(files, scores["networks"], strict=True)]
    return networks, scores, dict(np.load(where / "inputs.npz"))


def batches(inputs: dict[str, np.ndarray], dtype: Any) -> tuple[Batch, ...]:
    return tuple(Batch(jnp.asarray(inputs[f"x{k}"], dtype), jnp.asarray(inputs[f"y{k}"])) for k in (1, 2))
