"""A network that leaves: its code, its weights, a program that runs without jaxzc or Flax, and the lines that load them.

    network.py            the module as code that imports JAX and Flax only, for architectures of spaces that can write it
    weights.msgpack       parameters and running statistics, in Flax's own format
    network.stablehlo     the network for CPUs, GPUs and TPUs, weights inside, as `jax.export` serialises it; for any number of images
    network.onnx          where asked for: the same as ONNX
    load.py               how to load them

The exported program maps a network of one image over the images (`jax.vmap`). So the number of images may stay open, and no form of a
convolution that is chosen by the size of the batch comes in.
"""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx, serialization

from jaxzc._durable.files import replacing
from jaxzc.types import Array, InputSpec, JaxzcError, Space

CODE, WEIGHTS, PROGRAM, ONNX, LINES = "network.py", "weights.msgpack", "network.stablehlo", "network.onnx", "load.py"
PLATFORMS = ("cpu", "cuda", "rocm", "tpu")


def export(
    module: nnx.Module, directory: str | os.PathLike[str], inputs: InputSpec, *, code: str = "", construction: str = "", onnx: int = 0
) -> list[Path]:
    """Writes an image classifier into a directory, which is made where it is not there; returns the files.

    module: an NNX module, images `[N, *inputs.shape]` -> logits `[N, classes]`. It is exported as in `module.eval()`: normalised by its
        running statistics. The module itself is left as it is.
    code: text of a Python file with a function `load(path)`, which gives the module with the weights of a file (`code_of` gives that of an
        architecture). construction: without such a text, lines of Python that end in `model = ...`, a module of the same form.
    onnx: how many images the ONNX program takes at a time; 0: write none.

    Raises `JaxzcError` where the directory cannot be made, and where a package is missing that an export needs.
    """
    directory = Path(directory)
    try:
        directory.mkdir(exist_ok=True)
    except OSError as error:
        raise JaxzcError(f"the directory {directory} cannot be made ({error.strerror}): name one whose parent is there") from error
    graph, state = nnx.split(module)
    evaluated = nnx.merge(graph, state)
    evaluated.eval()
    contents = {CODE: code.encode()} if code else {}
    contents |= {
        WEIGHTS: weights_of(evaluated),
        PROGRAM: program_of(evaluated, inputs),
        LINES: _lines(code, construction, inputs, onnx).encode(),
    }
    if onnx:
        contents[ONNX] = onnx_of(evaluated, inputs, onnx)
    for name, content in contents.items():
        with replacing(directory / name) as file:
            file.write(content)
    return [directory / name for name in contents]


def weights_of(module: Any) -> bytes:
    """Parameters and running statistics in Flax's format, places in lists as text: before Flax 0.12.8 it reads no numbers there."""

    def written(tree: Any) -> Any:
        return {str(key): written(value) for key, value in tree.items()} if isinstance(tree, dict) else np.asarray(tree)

    return serialization.msgpack_serialize(written(nnx.to_pure_dict(nnx.state(module, (nnx.Param, nnx.BatchStat)))))


def program_of(module: Any, inputs: InputSpec) -> bytes:
    """The module as `jax.export` serialises it, for `PLATFORMS` and any number of images. Raises `JaxzcError` without flatbuffers."""
    (number,) = jax.export.symbolic_shape("images")
    shape = jax.ShapeDtypeStruct((number, *inputs.shape), jnp.dtype(inputs.dtype))
    exported = jax.export.export(jax.jit(_of_images(module)), platforms=PLATFORMS)(shape)
    try:
        return bytes(exported.serialize())
    except ImportError as error:
        raise JaxzcError("jax.export writes its programs with flatbuffers, which is not installed: pip install flatbuffers") from error


def onnx_of(module: Any, inputs: InputSpec, images: int) -> bytes:
    """The module as an ONNX model of `images` images at a time, by jax2onnx. Raises `JaxzcError` where that is not installed."""
    try:
        from jax2onnx import to_onnx  # pyright: ignore[reportMissingImports]
    except ImportError as error:
        raise JaxzcError("ONNX is written by jax2onnx, which is not installed: pip install 'jaxzc[onnx]'") from error
    return to_onnx(_of_images(module), [(images, *inputs.shape)]).SerializeToString()


def _of_images(module: Any) -> Callable[[Array], Array]:
    return jax.vmap(lambda image: module(image[None])[0])


def code_of(space: Space, arch: np.ndarray) -> str:
    """The text of a Python file that defines an architecture's module without jaxzc (`space.source`, `jaxzc_spaces.core.alone`). Raises
    `JaxzcError` where the space does not write it."""
    source = getattr(space, "source", None)
    if source is None:
        raise JaxzcError(f"{space.name} does not write its architectures as code: give it a method source(arch)")
    return source(arch)


def lines_of(space: Space, arch: np.ndarray) -> str:
    """Lines of Python that make an architecture of a space as a module; they import jaxzc."""
    kind = type(space)
    return "\n".join(
        [
            "from jaxzc import InputSpec",
            f"from {kind.__module__} import {kind.__name__}",
            "",
            f"space = {space!r}",
            f"model = space.module(space.parse({space.to_string(arch)!r}))",
        ]
    )


def _lines(code: str, construction: str, inputs: InputSpec, onnx: int) -> str:
    shape = ", ".join(map(str, inputs.shape))
    parts = [
        f'"""Loads the network of this directory; images are {inputs.dtype} [N, {shape}], normalised as those it was trained on."""',
        "from pathlib import Path\n\nimport jax\n\nHERE = Path(__file__).parent",
        f"# Wherever JAX is, without jaxzc and Flax: logits = network.call(images)\n"
        f'network = jax.export.deserialize(bytearray((HERE / "{PROGRAM}").read_bytes()))',
    ]
    if code:
        parts.append(
            "# As a Flax NNX module, to go on with: logits = model(images)\n"
            f'from {Path(CODE).stem} import load\n\nmodel = load(HERE / "{WEIGHTS}")'
        )
    elif construction:
        parts.append(
            "# As a Flax NNX module, to go on with: logits = model(images)\n"
            f"from flax import nnx, serialization\n{construction}\n"
            f'weights = serialization.msgpack_restore((HERE / "{WEIGHTS}").read_bytes())\n'
            "nnx.update(model, nnx.restore_int_paths(weights))\nmodel.eval()"
        )
    if onnx:
        parts.append(
            f"# With onnxruntime, {onnx} images at a time: logits = session.run(None, {{session.get_inputs()[0].name: images}})[0]\n"
            f'# import onnxruntime\n# session = onnxruntime.InferenceSession(HERE / "{ONNX}")'
        )
    return "\n\n".join(parts) + "\n"
