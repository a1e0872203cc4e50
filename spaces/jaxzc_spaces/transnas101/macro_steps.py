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
    value = net.relu(net.conv("3x3, stride 2", 0, net.colours, half), half, 2)
    net.halve()
    value, c = net.conv("3x3, stride 2", value, half, channels), channels
    for width, stride in layers:
        value = _block(net, _block(net, value, c, width, stride), width, width, 1)
        c = width
    return net.head(value, c, classes)


def _block(net: Graph, value: int, c: int, width: int, stride: int) -> int:
    rectified, behind = net.relu(value, c, 2), ", stride 2" if stride == 2 else ""
    if stride == 2:
        net.halve()
    first = net.conv(f"3x3{behind}", rectified, c, width)
    second = net.conv("3x3", net.relu(first, width, 2), width, width)
    if behind or c != width:
        value = net.conv(f"1x1{behind}", value, c, width, eps=SHORTCUT_EPS)
    return net.sum(value, second, end=True)
