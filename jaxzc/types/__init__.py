"""The interfaces of jaxzc: batches, networks, taps, search spaces and their programs.

This package has types only. The engine (`jaxzc`) knows no search space and a space knows no proxy; both use these definitions.
"""

from jaxzc.types.arrays import Array, Batch, InputSpec, JaxzcError, Norm, Params, PyTree, TooFewArchitectures, input_spec
from jaxzc.types.networks import (
    RECTIFIERS,
    ActivationGroup,
    Counts,
    EmbeddingNetwork,
    Forward,
    LayerGroup,
    Network,
    Scaled,
    Score,
    StackedNetwork,
    Tap,
)
from jaxzc.types.spaces import Genes, InitialiserSpec, Space, SpaceProgram, WithDoubts, WithGraph, WithOwnCounts, WithSameNetwork, WithTask

__all__ = [
    "RECTIFIERS",
    "ActivationGroup",
    "Array",
    "Batch",
    "Counts",
    "EmbeddingNetwork",
    "Forward",
    "Genes",
    "InitialiserSpec",
    "InputSpec",
    "JaxzcError",
    "LayerGroup",
    "Network",
    "Norm",
    "Params",
    "PyTree",
    "Scaled",
    "Score",
    "Space",
    "SpaceProgram",
    "StackedNetwork",
    "Tap",
    "TooFewArchitectures",
    "WithDoubts",
    "WithGraph",
    "WithOwnCounts",
    "WithSameNetwork",
    "WithTask",
    "input_spec",
]
