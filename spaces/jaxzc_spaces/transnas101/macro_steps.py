"""The network of the macro space (`network.py`) as steps of padded widths."""

from collections.abc import Sequence

from jaxzc.spacekit.steps import Step
from jaxzc_spaces.core.steps.graph import Graph
from jaxzc_spaces.transnas101.network import SHORTCUT_EPS


def macro_steps(layers: Sequence[tuple[int, int]], channels: int, classes: int, image_shape: Sequence[int]) -> tuple[Step, ...]:
    """The whole network; layers: (width after, stride) of each. Each ReLU of a block counts twice in NASWOT's hooks, once for the block of
    that name."""
    net, half = Graph(image_shape), channels // 2
    net.halve()
    value = net.relu(net.conv(3, 0, net.colours, half, stride=2), half, 2)
    net.halve()
    value, c = net.conv(3, value, half, channels, stride=2), channels
    for width, stride in layers:
        value = _block(net, _block(net, value, c, width, stride), width, width, 1)
        c = width
    return net.head(value, c, classes)


def _block(net: Graph, value: int, c: int, width: int, stride: int) -> int:
    rectified = net.relu(value, c, 2)
    if stride == 2:
        net.halve()
    first = net.conv(3, rectified, c, width, stride)
    second = net.conv(3, net.relu(first, width, 2), width, width)
    if stride == 2 or c != width:
        value = net.conv(1, value, c, width, stride, eps=SHORTCUT_EPS)
    return net.sum(value, second, end=True)
