"""Tiny spaces whose modules and files of code are looked at, and what such a file holds."""

import ast
import importlib.util
from pathlib import Path
from typing import Any

import numpy as np
from flax import nnx

import jaxzc

TINY: dict[str, dict[str, Any]] = {
    "nasbench201": {"channels": 4, "cells": 1},
    "transnas101_micro": {"channels": 2, "inputs": (16, 16, 3)},
    "nasbench101": {"channels": 5, "modules": 1},
    "nats_sss": {"unit": 2},
    "transnas101_macro": {"channels": 2, "inputs": (16, 16, 3)},
    "nasbench_macro": {"channels": 2, "head": 8},
    "darts": {"channels": 2, "cells": 3},
    **{f"nds_{name}": {"width": 2, "depth": 3} for name in ("darts", "enas", "pnas", "nasnet", "amoeba")},
    "mobilenetv2_zen": {"head": 16, "inputs": (16, 16, 3), "residual": True},
    "resnet_zen": {"residual": True},
    "mnasnet": {"stem": 4, "widths": (4, 4, 4, 8, 8, 8, 8), "head": 16, "inputs": (16, 16, 3)},
    "published": {"inputs": (32, 32, 3)},
    "autoformer": {"widths": (8, 12), "depths": (1, 2), "heads": (1, 2), "ratios": (1.0, 2.0, 3.0), "patch": 4},
    "pit": {"bases": (2, 4), "depths": ("111", "211", "121"), "heads": ("124", "222"), "ratios": (1, 2, 3, 4, 5), "patch": 4, "stride": 2},
}
LARGEST = 200_000
"""Parameters of the networks drawn."""


def tiny(name: str) -> Any:
    return jaxzc.space(name, classes=3, **{"inputs": (8, 8, 3), **TINY[name]})


def drawn(space: Any) -> np.ndarray:
    """A network that has not too many parameters."""
    archs = space.sample(np.random.default_rng(1), 60)
    params = space.counts(archs).params
    return archs[np.flatnonzero(params <= max(LARGEST, params.min()))[0]]


def imported(text: str, directory: Path) -> Any:
    """The text as a module of Python."""
    path = directory / "network.py"
    path.write_text(text, encoding="utf-8")
    spec = importlib.util.spec_from_file_location("network", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def imports(text: str) -> set[str]:
    nodes = list(ast.walk(ast.parse(text)))
    names = [node.module or "" for node in nodes if isinstance(node, ast.ImportFrom)]
    names += [alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names]
    return {name.partition(".")[0] for name in names}


def shapes(module: Any) -> dict[Any, tuple[int, ...]]:
    return {path: leaf.shape for path, leaf in nnx.to_flat_state(nnx.state(module, (nnx.Param, nnx.BatchStat)))}
