"""The network of `network.py` as steps of padded widths."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import jax.numpy as jnp

from jaxzc.spacekit.steps import Kernel, Operation, Step, rung
from jaxzc.types import Array, Norm
from jaxzc_spaces.cells import ops as edge_ops
from jaxzc_spaces.core.layers import BN_EPS
from jaxzc_spaces.core.steps import BNReLU, MeanLinear, Sum, normalised
from jaxzc_spaces.nats_sss.encoding import CELLS, CONVS, SKIP

FORMS: dict[str, tuple[int, Callable[[Array, Array], Array]]] = {
    "3x3": (3, edge_ops.conv3x3),
    "3x3, stride 2": (3, edge_ops.conv3x3_stride2),
    "1x1": (1, edge_ops.conv1x1),
    "1x1, pooled": (1, lambda x, w: edge_ops.conv1x1(edge_ops.mean_pool2x2(x), w)),
}
"""Name -> size of the kernel, and convolution."""


@dataclass(frozen=True)
class Conv:
    """A convolution of padded widths; `normalised`: with batch normalisation behind it."""

    form: str
    c_in: int
    c_out: int
    normalised: bool

    @property
    def kernel(self) -> tuple[int, ...]:
        size = FORMS[self.form][0]
        return (size, size, self.c_in, self.c_out)

    parts = None

    def layer(self, inputs: tuple[Array, ...], kernel: Array | None) -> Array:
        return FORMS[self.form][1](inputs[0], jnp.asarray(kernel))

    def after(self, y: Array, norm: Norm) -> tuple[None, Array]:
        return None, normalised(y, norm, BN_EPS) if self.normalised else y


class _Builder:
    """Steps so far, and the size of the maps that the next ones give."""

    def __init__(self, image_shape: Sequence[int]):
        self.height, self.width, self.colours = image_shape
        self.steps: list[Step] = []

    def add(
        self, operation: Operation, *inputs: int, kernel: Kernel | None = None, width: int = 0, hooks: int = 0, end: bool = False
    ) -> int:
        """The number of the step's output. width: true channels of an output with a code; end: of a block."""
        ghosts = self.height * self.width * (rung(width) - width) if width else 0
        self.steps.append(Step(operation, inputs, kernel, ghosts, hooks, rescale=end))
        return len(self.steps)

    def conv(self, form: str, value: int, c_in: int, c_out: int, normalised: bool = True) -> int:
        padded = c_in if value == 0 else rung(c_in)
        size = FORMS[form][0]
        kernel = Kernel((size, size, c_in, c_out), (self.height, self.width, c_out))
        return self.add(Conv(form, padded, rung(c_out), normalised), value, kernel=kernel, width=c_out)

    def relu(self, value: int, width: int, hooks: int, eps: float | None = None) -> int:
        return self.add(BNReLU(eps), value, width=width, hooks=hooks)


def nats_steps(widths: Sequence[int], classes: int, image_shape: Sequence[int]) -> tuple[Step, ...]:
    """The whole network. Each ReLU of a block counts twice in NASWOT's hooks, once for the block of that name."""
    net = _Builder(image_shape)
    value, c = net.conv("3x3", 0, net.colours, widths[0]), widths[0]
    for number, c_out in enumerate(widths):
        value = (_cell if number in CELLS else _residual)(net, value, c, c_out)
        c = c_out
    value = net.relu(value, c, 1, BN_EPS)
    net.add(MeanLinear(rung(c), classes), value, kernel=Kernel((c, classes), (classes,), bias=True))
    return tuple(net.steps)


def _cell(net: _Builder, value: int, c: int, c_out: int) -> int:
    nodes, rectified = {0: value}, dict[int, int]()
    for target in (1, 2, 3):
        parts: list[int] = []
        for source in range(target):
            if (source, target) == SKIP:
                parts.append(nodes[source] if c == c_out else net.conv("1x1", nodes[source], c, c_out))
            elif (source, target) in CONVS:
                width = c if source == 0 else c_out
                if source not in rectified:
                    uses = sum(edge[0] == source for edge in CONVS)
                    rectified[source] = net.relu(nodes[source], width, 2 * uses)
                parts.append(net.conv("3x3", rectified[source], width, c_out))
        nodes[target] = parts[0] if len(parts) == 1 else net.add(Sum(), *parts, end=target == 3)
    return nodes[3]


def _residual(net: _Builder, value: int, c: int, c_out: int) -> int:
    rectified = net.relu(value, c, 2)
    net.height, net.width = net.height // 2, net.width // 2
    first = net.conv("3x3, stride 2", rectified, c, c_out)
    second = net.conv("3x3", net.relu(first, c_out, 2), c_out, c_out)
    return net.add(Sum(), second, net.conv("1x1, pooled", value, c, c_out, normalised=False), end=True)
