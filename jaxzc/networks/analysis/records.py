"""What an analysis of a traced program notes: what its values depend on, and where its layers and activation functions are."""

from dataclasses import dataclass, field
from typing import NamedTuple


class Taint(NamedTuple):
    """What a value depends on: the images, or else parameter leaves."""

    data: bool
    leaves: frozenset["Source"] = frozenset()


class Source(NamedTuple):
    """A parameter leaf that a value was made from; how many of its leading axes loops have sliced; whether it is a factor of a product of
    parameters."""

    leaf: int
    depth: int
    factor: bool = False


class Point(NamedTuple):
    """Where a layer's output is read: after which operation; the transposition to [rows..., channels...]; how many axes are rows; how many
    runs of all examples lie along the first of them, once it is known to be theirs (`jaxzc.networks.traced.runs`)."""

    op: int
    axes: tuple[int, ...]
    rows: int
    runs: int = 1


class Where(NamedTuple):
    """The loops around an operation: numbers of the `lax.scan`s, each in the program of the one before; their lengths; and what hides the
    operation from taps, where something does."""

    loops: tuple[int, ...] = ()
    lengths: tuple[int, ...] = ()
    hidden: str = ""

    @property
    def reason(self) -> str:
        return f"runs inside {self.hidden}" if self.hidden else ""

    def into(self, construct: str) -> "Where":
        return self._replace(hidden=self.hidden or construct)


@dataclass(frozen=True)
class Layer:
    """One call of a convolution or linear layer.

    kernels: its kernel's parameter leaf (several where parameters of one size were added, or parameters multiplied).
    macs: multiply-accumulates for the traced batch, loop iterations included.
    where: the loops around it.
    product: number of the operation that multiplies, and which of its inputs is the kernel.
    point: where its output is read; None where it cannot be, and `reason` says why.
    """

    kernels: tuple[Source, ...]
    fan_in: int
    channels: int
    macs: int
    product: tuple[int, int]
    point: Point | None
    reason: str = ""
    where: Where = Where()  # noqa: RUF009

    @property
    def leaves(self) -> tuple[int, ...]:
        return tuple(source.leaf for source in self.kernels)


class Nonlinearity(NamedTuple):
    """kind: "relu", "relu6", "leaky_relu", "prelu", "elu", "hard_sigmoid", "softplus", "silu", "gelu", "tanh" or "sigmoid". position: which
    input of the operation it acts on, up to a positive factor."""

    kind: str
    position: int


class Activation(NamedTuple):
    """One activation function.

    kind: see `Nonlinearity`. op: number of the operation that completes the function. position: the operation's input on which the function
    acts. where: the loops around the operation.
    """

    kind: str
    op: int
    position: int
    where: Where


@dataclass
class Analysis:
    """What a program has, in execution order.

    products: multiply-accumulates, for the traced batch, of matrix products and convolutions of the data that are no layers: those of data
    with data (attention), and with constants.
    """

    layers: list[Layer] = field(default_factory=list)
    activations: list[Activation] = field(default_factory=list)
    normalises: bool = False
    products: int = 0
