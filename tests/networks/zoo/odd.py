"""A network in an odd spelling: one function `net(p, x, norm, relu)` that says what is normalised and what a rectifier acts on.

In training with `norm="batch"`, normalisation left out with `norm="none"`; `relu(x)` is told the input of every rectifier, examples first,
and returns it. jaxzc gets the function with neither.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import jax
import numpy as np

from tests.networks.zoo.case import CLASSES, FEATURES, LABELS

Net = Callable[[Any, Any, str, Callable[[Any], Any]], Any]
CASES: dict[str, "Odd"] = {}


@dataclass(frozen=True)
class Odd:
    """net: see above. shapes: name -> shape of a parameter. kernels: names of those that are kernels. macs: of all products, for one
    example. missing: proxies that have no value. skipped: proxies that are not compared."""

    net: Net
    shapes: dict[str, tuple[int, ...]]
    kernels: tuple[str, ...]
    macs: int
    inputs: Any = field(default_factory=lambda: FEATURES)
    targets: Any = field(default_factory=lambda: LABELS)
    missing: tuple[str, ...] = ()
    skipped: tuple[str, ...] = ()


def odd(shapes: dict[str, tuple[int, ...]], macs: int, kernels: str = "w head", **more: Any) -> Callable[[Net], Net]:
    def register(net: Net) -> Net:
        CASES[net.__name__] = Odd(net, {**shapes, "head": (6, CLASSES)}, tuple(kernels.split()), macs, **more)
        return net

    return register


W = {"w": (6, 6)}
HEAD = 6 * CLASSES
MLP = 36 + HEAD
CONV = {"w": (3, 3, 3, 6)}
PIXELS = 64 * 27 * 6 + HEAD


def conv(x: Any, w: Any) -> Any:
    return jax.lax.conv_general_dilated(x, w, (1, 1), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC"))


def pooled(p: Any, x: Any) -> Any:
    return x.mean((1, 2)) @ p["head"]


def model_of(case: Odd) -> Callable[[Any, Any], Any]:
    def model(params: Any, x: Any) -> Any:
        return case.net(params, x, "batch", lambda value: value)

    model.__name__ = case.net.__name__
    return model


def params_of(case: Odd) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(2)
    spread = {name: max(1, int(np.prod(shape[:-1]))) ** -0.5 if len(shape) > 1 else 0.3 for name, shape in case.shapes.items()}
    drawn = {name: np.asarray(rng.normal(0, spread[name], shape) + ("g" in name)) for name, shape in case.shapes.items()}
    return {name: value.astype(np.float32) for name, value in drawn.items()}
