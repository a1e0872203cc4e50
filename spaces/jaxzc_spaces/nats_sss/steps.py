"""The network of `network.py` as steps of padded widths."""

from collections.abc import Sequence

from jaxzc.spacekit.steps import Step
from jaxzc_spaces.cells.ops import mean_pool2x2
from jaxzc_spaces.core.layers import BN_EPS
from jaxzc_spaces.core.steps.graph import Graph
from jaxzc_spaces.nats_sss.encoding import CELLS, CONVS, SKIP


def nats_steps(widths: Sequence[int], classes: int, image_shape: Sequence[int]) -> tuple[Step, ...]:
    """The whole network. Each ReLU of a block counts twice in NASWOT's hooks, once for the block of that name."""
    net = Graph(image_shape)
    value, c = net.conv(3, 0, net.colours, widths[0]), widths[0]
    for number, c_out in enumerate(widths):
        value = (_cell if number in CELLS else _residual)(net, value, c, c_out)
        c = c_out
    return net.head(net.relu(value, c, 1, BN_EPS), c, classes)


def _cell(net: Graph, value: int, c: int, c_out: int) -> int:
    nodes, rectified = {0: value}, dict[int, int]()
    for target in (1, 2, 3):
        parts: list[int] = []
        for source in range(target):
            if (source, target) == SKIP:
                parts.append(nodes[source] if c == c_out else net.conv(1, nodes[source], c, c_out))
            elif (source, target) in CONVS:
                width = c if source == 0 else c_out
                if source not in rectified:
                    uses = sum(edge[0] == source for edge in CONVS)
                    rectified[source] = net.relu(nodes[source], width, 2 * uses)
                parts.append(net.conv(3, rectified[source], width, c_out))
        nodes[target] = parts[0] if len(parts) == 1 else net.sum(*parts, end=target == 3)
    return nodes[3]


def _residual(net: Graph, value: int, c: int, c_out: int) -> int:
    rectified = net.relu(value, c, 2)
    net.halve()
    first = net.conv(3, rectified, c, c_out, stride=2)
    second = net.conv(3, net.relu(first, c_out, 2), c_out, c_out)
    return net.sum(second, net.conv(1, net.map(mean_pool2x2, value), c, c_out, eps=None), end=True)
