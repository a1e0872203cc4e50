"""Words for arrays and batches, and the error of input that cannot be used."""

import operator
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple, TypeAlias

import jax
import numpy as np

Array = jax.Array
PyTree: TypeAlias = Any
"""A pytree of arrays: nested dicts, lists and tuples, or registered classes, whose leaves are arrays. JAX has no static type for it."""
Params: TypeAlias = PyTree
"""A network's parameters: a pytree whose leaves are arrays, most often a nested dict."""
Norm = Literal["batch", "init", "none"]
"""How normalisation layers act: `batch`: with the statistics of the batch (train mode); `init`: with fresh running statistics,
mean 0 and variance 1 (eval mode of an untrained network); `none`: replaced by the identity, scale and bias included."""


class JaxzcError(ValueError):
    """The user's input cannot be used. The message names the value, what was expected, and how to fix it."""


class TooFewArchitectures(JaxzcError):
    """A space has fewer architectures than were asked for. size: how many it has."""

    def __init__(self, wanted: int, size: int):
        super().__init__(f"cannot sample {wanted:,} distinct architectures from a space of {size:,}; expected 0 <= n <= {size:,}")
        self.size = size


class Batch(NamedTuple):
    """One batch of N examples.

    inputs: what the network takes, such as images float `[N, H, W, C]`, already normalised; or any pytree of arrays `[N, ...]`.
    targets: what the outputs are compared with, such as labels int `[N]`; or any pytree of arrays `[N, ...]`. None if no proxy needs them.
    """

    inputs: PyTree
    targets: PyTree = None


@dataclass(frozen=True)
class InputSpec:
    """Shape (without the batch axis) and dtype (by name) of one example of a network's inputs.

    Raises `JaxzcError` for a shape that is not made of positive integers, and for a dtype that does not exist.
    """

    shape: tuple[int, ...]
    dtype: str = "float32"

    def __post_init__(self) -> None:
        try:
            shape = tuple(operator.index(size) for size in self.shape)
        except TypeError:
            shape = ()
        if not shape or min(shape) < 1:
            raise JaxzcError(
                f"inputs of shape {self.shape!r}: expected the positive sizes of one example, such as (32, 32, 3) for an image"
            )
        try:
            dtype = np.dtype(self.dtype).name
        except TypeError:
            raise JaxzcError(f"inputs of dtype {self.dtype!r}: expected the name of a dtype, such as 'float32' or 'int32'") from None
        object.__setattr__(self, "shape", shape)
        object.__setattr__(self, "dtype", dtype)

    @property
    def in_words(self) -> str:
        """One example by its kind: "an image of 32 x 32 x 3", "300 frames of 80 features", "128 tokens"; of other shapes "an example"."""
        sizes = " x ".join(map(str, self.shape))
        if len(self.shape) == 1 and np.issubdtype(self.dtype, np.integer):
            return f"{sizes} tokens"
        if len(self.shape) == 2 and np.issubdtype(self.dtype, np.floating):
            return f"{self.shape[0]} frames of {self.shape[1]} features"
        return f"an {'image' if len(self.shape) == 3 else 'example'} of {sizes}"

    def batch(self, size: int) -> jax.ShapeDtypeStruct:
        """Shape and dtype of `size` examples."""
        return jax.ShapeDtypeStruct((size, *self.shape), np.dtype(self.dtype))


def input_spec(inputs: Any) -> InputSpec:
    """An `InputSpec`, unchanged, or one of this shape in float32. Raises `JaxzcError` for anything else."""
    return inputs if isinstance(inputs, InputSpec) else InputSpec(inputs)
