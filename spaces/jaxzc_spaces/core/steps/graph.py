"""Builds networks that are graphs of steps of padded widths, in which each step names the values that it reads."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import jax.numpy as jnp

from jaxzc.spacekit.steps import Kernel, Operation, Step, rung
from jaxzc.types import Array, Norm
from jaxzc_spaces.cells import ops as edge_ops
from jaxzc_spaces.core.layers import BN_EPS
from jaxzc_spaces.core.steps.operations import BNReLU, ConvBNReLU, MeanLinear, Sum, normalised

FORMS: dict[str, tuple[int, Callable[[Array, Array], Array]]] = {
    "3x3": (3, edge_ops.conv3x3),
    "3x3, stride 2": (3, edge_ops.conv3x3_stride2),
    "1x1": (1, edge_ops.conv1x1),
    "1x1, stride 2": (1, lambda x, w: edge_ops.conv1x1(x[:, ::2, ::2], w)),
    "1x1, pooled": (1, lambda x, w: edge_ops.conv1x1(edge_ops.mean_pool2x2(x), w)),
}
"""Name -> size of the kernel, and convolution."""


@dataclass(frozen=True)
class Conv:
    """A convolution of padded widths, without a ReLU. eps: of the batch normalisation behind it; None: there is none."""

    form: str
    c_in: int
    c_out: int
    eps: float | None

    @property
    def kernel(self) -> tuple[int, ...]:
        size = FORMS[self.form][0]
        return (size, size, self.c_in, self.c_out)

    parts = None

    def layer(self, inputs: tuple[Array, ...], kernel: Array | None) -> Array:
        return FORMS[self.form][1](inputs[0], jnp.asarray(kernel))

    def after(self, y: Array, norm: Norm) -> tuple[None, Array]:
        return None, y if self.eps is None else normalised(y, norm, self.eps)


class Graph:
    """Steps so far, and the size of the maps that the next ones give. Value 0 is the images; methods return the number of their output."""

    def __init__(self, image_shape: Sequence[int]):
        self.height, self.width, self.colours = image_shape
        self.steps: list[Step] = []

    def halve(self) -> None:
        """Layers from here on give maps of half the size."""
        self.height, self.width = (self.height + 1) // 2, (self.width + 1) // 2

    def conv(self, form: str, value: int, c_in: int, c_out: int, eps: float | None = BN_EPS, end: bool = False) -> int:
        """A convolution, and batch normalisation unless eps is None. end: of a block (`Step.rescale`)."""
        size = FORMS[form][0]
        operation = Conv(form, self._padded(value, c_in), rung(c_out), eps)
        return self._add(operation, value, kernel=self._kernel(size, c_in, c_out), width=c_out, end=end)

    def conv_relu(self, size: int, value: int, c_in: int, c_out: int, stride: int = 1, depthwise: bool = False) -> int:
        """A convolution, batch normalisation and ReLU."""
        operation = ConvBNReLU(size, self._padded(value, c_in), rung(c_out), stride, depthwise, BN_EPS)
        return self._add(operation, value, kernel=self._kernel(size, 1 if depthwise else c_in, c_out), width=c_out, hooks=1)

    def relu(self, value: int, width: int, hooks: int, eps: float | None = None) -> int:
        """A ReLU of true channels `width`, behind a batch normalisation unless eps is None. hooks: see `Step`."""
        return self._add(BNReLU(eps), value, width=width, hooks=hooks)

    def sum(self, *values: int, end: bool = False) -> int:
        """The sum of values. end: of a block (`Step.rescale`)."""
        return self._add(Sum(), *values, end=end)

    def head(self, value: int, c: int, classes: int) -> tuple[Step, ...]:
        """Adds the global mean and the classifier. -> all steps"""
        self._add(MeanLinear(rung(c), classes), value, kernel=Kernel((c, classes), (classes,), bias=True))
        return tuple(self.steps)

    def _add(
        self, operation: Operation, *inputs: int, kernel: Kernel | None = None, width: int = 0, hooks: int = 0, end: bool = False
    ) -> int:
        ghosts = self.height * self.width * (rung(width) - width) if width else 0
        self.steps.append(Step(operation, inputs, kernel, ghosts, hooks, rescale=end))
        return len(self.steps)

    def _kernel(self, size: int, c_in: int, c_out: int) -> Kernel:
        return Kernel((size, size, c_in, c_out), (self.height, self.width, c_out))

    def _padded(self, value: int, channels: int) -> int:
        return channels if value == 0 else rung(channels)
