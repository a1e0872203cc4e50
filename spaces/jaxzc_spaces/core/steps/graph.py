"""Builds networks that are graphs of steps of padded widths, in which each step names the values that it reads."""

from collections.abc import Callable, Sequence

from jaxzc.spacekit.steps import Convolution, Kernel, Operation, Step, rung
from jaxzc.types import Array
from jaxzc_spaces.core.layers import BN_EPS
from jaxzc_spaces.core.steps.operations import BNReLU, Concat, Depthwise, Map, MeanLinear, Sum


class Graph:
    """Steps so far, and the size of the maps that the next ones give. Value 0 is the images; methods return the number of their output.

    padded: width -> padded width; the width itself where a space has few of them."""

    def __init__(self, image_shape: Sequence[int], padded: Callable[[int], int] = rung):
        self.height, self.width, self.colours = image_shape
        self.padded = padded
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
        kernel = Kernel((size, size, c_in, c_out), (self.height, self.width, c_out))
        return self.convolution(kernel, value, (stride, stride), eps, relu, end)

    def convolution(
        self, kernel: Kernel, value: int, strides: tuple[int, int], eps: float | None = None, relu: bool = False, end: bool = False
    ) -> int:
        """As `conv`, with any kernel."""
        height, width, c_in, c_out = kernel.shape
        of = Convolution((height, width, c_in if value == 0 else self.padded(c_in), self.padded(c_out)), strides)
        return self._add(BNReLU(eps, relu), value, convolution=of, kernel=kernel, width=c_out, hooks=int(relu), end=end)

    def depthwise(
        self, size: int, value: int, c: int, stride: int = 1, eps: float | None = BN_EPS, relu: bool = True, dilation: int = 1
    ) -> int:
        """A depthwise convolution, batch normalisation unless eps is None, and ReLU if asked for."""
        operation = Depthwise(size, self.padded(c), stride, eps, relu, dilation)
        kernel = Kernel((size, size, 1, c), (self.height, self.width, c))
        return self._add(operation, value, kernel=kernel, width=c, hooks=int(relu))

    def map(self, of: Callable[..., Array], value: int, **settings: int) -> int:
        """A function of images, which leaves channels as they are, with settings: `mean_pool2x2`, for example."""
        return self._add(Map(of, tuple(settings.items())), value)

    def relu(self, value: int, width: int, hooks: int, eps: float | None = None) -> int:
        """A ReLU of true channels `width`, behind a batch normalisation unless eps is None. hooks: see `Step`."""
        return self._add(BNReLU(eps), value, width=width, hooks=hooks)

    def read_again(self, relu: int, hooks: int) -> int:
        """A ReLU that was added already, for another reader: the authors' network has one more of the same. -> its number"""
        step = self.steps[relu - 1]
        self.steps[relu - 1] = step._replace(hooks=step.hooks + hooks)
        return relu

    def concat(self, *values: int, eps: float | None = None) -> int:
        """Channels of values beside each other, and batch normalisation unless eps is None."""
        return self._add(Concat(eps), *values)

    def sum(self, *values: int, end: bool = False) -> int:
        """The sum of values. end: of a block (`Step.rescale`)."""
        return self._add(Sum(), *values, end=end)

    def head(self, value: int, c: int, classes: int) -> tuple[Step, ...]:
        """Adds the global mean and the classifier. -> all steps"""
        self._add(MeanLinear(self.padded(c), classes), value, kernel=Kernel((c, classes), (classes,), bias=True))
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
        ghosts = self.height * self.width * (self.padded(width) - width) if width else 0
        self.steps.append(Step(operation, inputs, convolution, kernel, ghosts, hooks, rescale=end))
        return len(self.steps)
