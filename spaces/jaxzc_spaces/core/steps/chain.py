"""Builds networks that are chains of steps of padded widths."""

from collections.abc import Sequence

from jaxzc.spacekit.steps import Convolution, Kernel, Step, rung
from jaxzc_spaces.core.steps.operations import BNReLU, Depthwise, MeanLinear


class Chain:
    """Builds the steps of a chain, in which every layer reads the one before it."""

    def __init__(self, image_shape: Sequence[int], eps: float):
        self.height, self.width, self.channels = image_shape
        self.padded, self.eps = self.channels, eps
        self.steps: list[Step] = []

    def conv(self, size: int, c_out: int, stride: int = 1, depthwise: bool = False, rescale: bool = True) -> None:
        """rescale: see `Step`."""
        c_in, inside = self.channels, self.padded
        self.height, self.width = ((side + 2 * ((size - 1) // 2) - size) // stride + 1 for side in (self.height, self.width))
        self.channels, self.padded = c_out, rung(c_out)
        operation = Depthwise(size, inside, stride, self.eps, relu=True) if depthwise else BNReLU(self.eps)
        convolution = None if depthwise else Convolution((size, size, inside, self.padded), (stride, stride))
        kernel = Kernel((size, size, 1 if depthwise else c_in, c_out), (self.height, self.width, c_out))
        ghosts = self.height * self.width * (self.padded - c_out)
        self.steps.append(Step(operation, (len(self.steps),), convolution, kernel, ghosts, hooks=1, rescale=rescale))

    def head(self, classes: int) -> tuple[Step, ...]:
        """Adds the classifier. -> all steps"""
        kernel = Kernel((self.channels, classes), (classes,), bias=True)
        self.steps.append(Step(MeanLinear(self.padded, classes), (len(self.steps),), kernel=kernel, rescale=False))
        return tuple(self.steps)
