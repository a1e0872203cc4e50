"""Small spaces of DARTS, genotypes that have everything between them, and float64 parameters and images for them."""

from functools import cache
from typing import Any

import jax
import numpy as np
from jaxzc_spaces.darts.space import OPS, Darts

from jaxzc.types import Batch

SIZE: dict[str, Any] = {"channels": 2, "classes": 3, "inputs": (8, 8, 3)}
SMALL: Any = Darts(cells=3, **SIZE)  # a cell, and two reductions
DEEPER = Darts(cells=6, affine=False, **SIZE)  # the first two cells are one run
MIXED = "max_pool_3x3,0 sep_conv_5x5,1 sep_conv_3x3,0 none,2 dil_conv_5x5,3 skip_connect,1 dil_conv_3x3,0 dil_conv_3x3,0"


def cell(text: str) -> list[int]:
    return [number for edge in text.split() for number in (OPS.index(edge.split(",")[0]), int(edge.split(",")[1]))]


WITH_NONE = cell(MIXED) + cell(MIXED)
CONVOLUTIONS = cell(
    "sep_conv_3x3,0 dil_conv_5x5,1 sep_conv_5x5,2 dil_conv_3x3,1 sep_conv_3x3,3 sep_conv_5x5,0 dil_conv_3x3,4 avg_pool_3x3,1"
) + cell("sep_conv_5x5,0 dil_conv_5x5,1 skip_connect,0 sep_conv_3x3,1 avg_pool_3x3,0 max_pool_3x3,2 dil_conv_3x3,1 dil_conv_5x5,4")
WITHOUT_RELU = cell("skip_connect,0 max_pool_3x3,1 avg_pool_3x3,2 skip_connect,1 none,0 none,1 max_pool_3x3,4 skip_connect,3") + cell(
    "skip_connect,0 skip_connect,1 skip_connect,2 none,1 none,0 none,1 avg_pool_3x3,1 max_pool_3x3,0"
)
GENOTYPES: dict[str, Any] = {"none and repeats": WITH_NONE, "convolutions": CONVOLUTIONS, "no convolution": WITHOUT_RELU}


@cache
def params_of(space: Darts) -> Any:
    """Float64 parameters of the program, scales and biases away from 1 and 0, so that every one takes part."""
    drawn, rng = jax.device_get(space.program().init(jax.random.key(0))), np.random.default_rng(0)
    return jax.tree.map(lambda a: a.astype(np.float64) + 0.1 * rng.standard_normal(a.shape), drawn)


def batches(space: Darts) -> list[Batch]:
    rng = np.random.default_rng(1)
    return [Batch(rng.standard_normal((4, *space.inputs.shape)), np.array([0, 2, 1, 1])) for _ in range(2)]
