"""Any architecture of a space, taken away as it is: code, weights, program. What `jaxzc export` and a notebook call."""

import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import jax
import numpy as np
from flax import nnx

from jaxzc import tables
from jaxzc.catalogue import spaces
from jaxzc.training.export import code_of, export, lines_of
from jaxzc.types import InitialiserSpec, InputSpec, JaxzcError, Space

Note = Callable[[str], None]


def run_export(
    space: str | Space,
    arch: str | Path | np.ndarray | Sequence[int],
    *,
    out: str | os.PathLike[str],
    classes: int | None = None,
    inputs: InputSpec | Sequence[int] | None = None,
    options: Mapping[str, Any] | None = None,
    init: InitialiserSpec = "torch",
    seed: int = 0,
    onnx: int = 0,
    note: Note = lambda text: None,
) -> list[Path]:
    """Writes an architecture into a directory as `jaxzc.training.export` does, with weights just drawn; returns the files.

    space: a name, made with `options`, `classes` and the shape of one example, `inputs` (default: its benchmark's); or a space, which has
        them. arch: a string of the space, its genes, or the path of a file whose first architecture is meant.
    init, seed: how weights are drawn, and of what. onnx: how many images network.onnx takes at a time (0: none is written).
    note: told where the space cannot write the code of its network, so that load.py needs jaxzc.

    >>> jaxzc.run_export("nasbench201", "|nor_conv_3x3~0|+|none~0|...", out="winner")

    Raises `JaxzcError`: an unknown space, an architecture that is none of it, a space without modules, a directory that cannot be made.
    """
    if isinstance(space, str):
        space = spaces.space(space, classes=classes, inputs=inputs, **(options or {}))
    elif options or classes is not None or inputs is not None:
        raise JaxzcError(f"{space.name} is made already: leave out classes, inputs and options, or give its name")
    genes = genes_of(arch, space)
    module = module_of(space, genes, init=init, seed=seed)
    return write(module, out, space, genes, onnx=onnx, note=note)


def genes_of(arch: str | Path | np.ndarray | Sequence[int], space: Space) -> np.ndarray:
    """The genes of an architecture given by its string, by genes, or by the path of a file whose first architecture is meant. Raises
    `JaxzcError` for an architecture that does not belong to the space."""
    if isinstance(arch, Path):
        return tables.read_archs(arch, space).archs[0]
    if isinstance(arch, str):
        return np.asarray(space.parse(arch))
    return np.asarray(space.parse(space.to_string(np.asarray(arch))))  # which refuses what is none


def module_of(space: Any, genes: np.ndarray, *, init: InitialiserSpec, seed: int, **settings: Any) -> nnx.Module:
    """The architecture as a Flax NNX module. Raises `JaxzcError` where the space gives none."""
    if not hasattr(space, "module"):
        raise JaxzcError(f"{space.name} does not give its architectures as Flax modules, which takes a method module(arch)")
    return space.module(genes, rng_key=jax.random.key(seed), initialiser=init, **settings)


def write(module: nnx.Module, directory: str | os.PathLike[str], space: Space, genes: np.ndarray, *, onnx: int, note: Note) -> list[Path]:
    """`export` of an architecture's module, with its code where the space writes it; else `note` is told why, and load.py needs jaxzc."""
    try:
        code = code_of(space, genes)
    except JaxzcError as error:
        note(f"load.py needs jaxzc: {error}")
        code = ""
    return export(module, directory, space.inputs, code=code, construction=lines_of(space, genes), onnx=onnx)
