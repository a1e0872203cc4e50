"""The network of `network.py` as steps of padded widths."""

from collections.abc import Sequence

from jaxzc.spacekit.steps import Step
from jaxzc_spaces.core.steps.graph import Graph
from jaxzc_spaces.nasbench_macro.network import FIRST_OF_STAGE, OPS


def macro_steps(arch: Sequence[int], channels: int, head: int, classes: int, image_shape: Sequence[int]) -> tuple[Step, ...]:
    """The whole network of genes `[8]`."""
    net = Graph(image_shape)
    value, c = net.conv(3, 0, net.colours, channels, relu=True), channels
    for layer, op in enumerate(arch):
        first = layer in FIRST_OF_STAGE
        c_in, c = c, 2 * c if first else c
        if op:
            value = _bottleneck(net, value, c_in, c, *OPS[op])
        elif first:
            net.halve()
            value = net.conv(1, value, c_in, c, stride=2, end=True)
    return net.head(net.conv(1, value, c, head, relu=True), head, classes)


def _bottleneck(net: Graph, value: int, c_in: int, c: int, expansion: int, size: int) -> int:
    wide, stride = expansion * c_in, 1 if c_in == c else 2
    y = net.conv(1, value, c_in, wide, relu=True)
    if stride == 2:
        net.halve()
    y = net.depthwise(size, y, wide, stride)
    y = net.conv(1, y, wide, c, end=stride == 2)
    return y if stride == 2 else net.sum(value, y, end=True)
