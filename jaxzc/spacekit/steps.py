"""Networks as steps of padded widths: how a space of free widths and depths describes an architecture so that nothing is compiled for it.

A space that is `WithSteps` says which operations an architecture is made of, one after another. Their channels are rounded up to a short
ladder of widths (`rung`), so that all its architectures are made of few different operations. `jaxzc.ladder` compiles each of them once,
and says why the scores stay those of the architecture itself.
"""

from typing import NamedTuple, Protocol, runtime_checkable

from jaxzc.types import Array, Genes, Norm


class Operation(Protocol):
    """What is compiled of a step: a frozen dataclass of numbers, of padded widths. Equal operations are compiled once.

    Channels that only padding adds must come out as zeros where they, and their kernels, go in as zeros.
    kernel: padded shape of a kernel of its own (HWIO, or [in, out]), which should depend on one width; () where it has none.
    """

    @property
    def kernel(self) -> tuple[int, ...]: ...

    def layer(self, inputs: tuple[Array, ...], kernel: Array | None) -> Array:
        """The output of the convolution or linear layer without its bias; without a kernel, what `after` takes."""
        ...

    def after(self, y: Array, norm: Norm) -> tuple[Array | None, Array]:
        """The input of the ReLU that follows the layer's output `y` (None without one), and the step's output."""
        ...


class Convolution(NamedTuple):
    """A dense convolution, for which nothing is compiled. Half its size, rounded down, is padded on each side.

    kernel: padded shape (HWIO, of odd height and width). strides: down and to the right.
    """

    kernel: tuple[int, int, int, int]
    strides: tuple[int, int]


class Kernel(NamedTuple):
    """The true kernel of a step.

    shape: of the kernel. output: of the layer's output for one example. bias: whether the layer has a bias.
    """

    shape: tuple[int, ...]
    output: tuple[int, ...]
    bias: bool = False


class Step(NamedTuple):
    """One step of a network.

    operation: of padded widths. inputs: numbers of the values that it reads: 0 is the images, n the output of step n - 1.
    convolution: of its only input; its output is what the operation reads. The operation has no kernel then.
    kernel: None where there is none. ghosts: units that padding adds to the output for one example.
    hooks: modules that the hooks of NASWOT's authors count at its ReLU (`jaxzc.types.ActivationGroup`), 0 without ReLU.
    rescale: whether its output is all that later steps read, so that `norm="none"` may take a power of two out of it.
    """

    operation: Operation
    inputs: tuple[int, ...]
    convolution: Convolution | None = None
    kernel: Kernel | None = None
    ghosts: int = 0
    hooks: int = 0
    rescale: bool = True

    @property
    def padded(self) -> tuple[int, ...]:
        """Padded shape of its kernel; () where there is none."""
        return self.operation.kernel if self.convolution is None else self.convolution.kernel


@runtime_checkable
class WithSteps(Protocol):
    """A space that can describe an architecture as steps."""

    def steps(self, arch: Genes) -> tuple[Step, ...] | None:
        """The steps of an architecture, the classifier last; None where this space's options do not allow it."""
        ...


def rung(width: int) -> int:
    """The smallest of 1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, ... that is not below `width`."""
    power = 1 << max(width - 1, 0).bit_length()
    return power * 3 // 4 if power >= 4 and width <= power * 3 // 4 else power
