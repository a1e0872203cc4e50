"""Builds networks that are graphs of steps of padded widths, in which each step names the values that it reads."""

from collections.abc import Sequence

from jaxzc.spacekit.steps import Convolution, Kernel, Operation, Step, rung
from jaxzc_spaces.core.layers import BN_EPS
from jaxzc_spaces.core.steps.operations import BNReLU, DepthwiseBNReLU, MeanLinear, MeanPool, Sum


class Graph:
    """Steps so far, and the size of the maps that the next ones give. Value 0 is the images; methods return the number of their output."""

    def __init__(self, image_shape: Sequence[int]):
        self.height, self.width, self.colours = image_shape
        self.steps: list[Step] = []

    def halve(self) -> None:
        """Layers from here on give maps of half the size."""
        self.height, self.width = (self.height + 1) // 2, (self.width + 1) // 2

    def conv(
        self,
        size: int,
        value: int,
        c_in: int,
        c_out: int,
        stride: int = 1,
        eps: float | None = BN_EPS,
        relu: bool = False,
        end: bool = False,
    ) -> int:
        """A convolution, batch normalisation unless eps is None, and ReLU if asked for. end: of a block (`Step.rescale`)."""
        of = Convolution((size, size, self._padded(value, c_in), rung(c_out)), stride)
        kernel = self._kernel(size, c_in, c_out)
        return self._add(BNReLU(eps, relu), value, convolution=of, kernel=kernel, width=c_out, hooks=int(relu), end=end)

    def depthwise(self, size: int, value: int, c: int, stride: int = 1) -> int:
        """A depthwise convolution, batch normalisation and ReLU."""
        operation = DepthwiseBNReLU(size, rung(c), stride, BN_EPS)
        return self._add(operation, value, kernel=self._kernel(size, 1, c), width=c, hooks=1)

    def mean_pool(self, value: int) -> int:
        """Means of 2 x 2 pixels."""
        return self._add(MeanPool(), value)

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
        self,
        operation: Operation,
        *inputs: int,
        convolution: Convolution | None = None,
        kernel: Kernel | None = None,
        width: int = 0,
        hooks: int = 0,
        end: bool = False,
    ) -> int:
        ghosts = self.height * self.width * (rung(width) - width) if width else 0
        self.steps.append(Step(operation, inputs, convolution, kernel, ghosts, hooks, rescale=end))
        return len(self.steps)

    def _kernel(self, size: int, c_in: int, c_out: int) -> Kernel:
        return Kernel((size, size, c_in, c_out), (self.height, self.width, c_out))

    def _padded(self, value: int, channels: int) -> int:
        return channels if value == 0 else rung(channels)
