"""Networks of inverted bottlenecks that a search found: MnasNet, MobileNetV3, EfficientNet.

Sources: Tan et al., MnasNet, CVPR 2019; Howard et al., Searching for MobileNetV3, ICCV 2019; Tan & Le, EfficientNet, ICML 2019.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

from flax import nnx

from jaxzc.types import Array
from jaxzc_spaces.core.passes import Pass
from jaxzc_spaces.core.units import ConvBN, InvertedBottleneck
from jaxzc_spaces.published.parts import Chain, Excitation, Head, Several, global_mean


class Stage(NamedTuple):
    """So many units of one width, the first with the stride. kernel: of the depthwise convolutions. expansion: channels inside for each at
    the input. squeeze: channels between the layers of squeeze-and-excitation, for each at the input; 0: without."""

    expansion: float
    kernel: int
    width: int
    units: int
    stride: int
    squeeze: float = 0
    act: str = "relu"


MNASNET_B1 = (
    Stage(1, 3, 16, 1, 1),
    Stage(3, 3, 24, 3, 2),
    Stage(3, 5, 40, 3, 2),
    Stage(6, 5, 80, 3, 2),
    Stage(6, 3, 96, 2, 1),
    Stage(6, 5, 192, 4, 2),
    Stage(6, 3, 320, 1, 1),
)
MNASNET_A1 = (
    Stage(1, 3, 16, 1, 1),
    Stage(6, 3, 24, 2, 2),
    Stage(3, 5, 40, 3, 2, 1 / 4),
    Stage(6, 3, 80, 4, 2),
    Stage(6, 3, 112, 2, 1, 1 / 4),
    Stage(6, 5, 160, 3, 2, 1 / 4),
    Stage(6, 3, 320, 1, 1),
)


def bottlenecks(table: Sequence[Stage], first: int) -> tuple[list[nnx.Module], int]:
    """The units of a table, and how many channels the last has. A unit expands where that changes the channels."""
    units: list[nnx.Module] = []
    c = first
    for stage in table:
        for position in range(stage.units):
            inner, squeezed = int(c * stage.expansion), int(c * stage.squeeze)
            excitation = Excitation(inner, squeezed, stage.act) if squeezed else None
            stride = stage.stride if position == 0 else 1
            units.append(
                InvertedBottleneck(c, stage.width, stride, stage.kernel, inner, stage.act, expands=inner != c, excitation=excitation)
            )
            c = stage.width
    return units, c


def mnasnet(classes: int, image: Sequence[int], *, table: Sequence[Stage]) -> Chain:
    """A MnasNet."""
    units, c = bottlenecks(table, 32)
    return Chain(ConvBN(3, image[2], 32, 2), units, Several(ConvBN(1, c, 1280), Head(1280, classes)))


class V3Unit(NamedTuple):
    """inner: channels inside. excites: whether there is squeeze-and-excitation. The others as in `Stage`."""

    kernel: int
    inner: int
    width: int
    excites: bool
    act: str
    stride: int


MOBILENETV3_LARGE = (
    V3Unit(3, 16, 16, False, "relu", 1),
    V3Unit(3, 64, 24, False, "relu", 2),
    V3Unit(3, 72, 24, False, "relu", 1),
    V3Unit(5, 72, 40, True, "relu", 2),
    V3Unit(5, 120, 40, True, "relu", 1),
    V3Unit(5, 120, 40, True, "relu", 1),
    V3Unit(3, 240, 80, False, "hard_swish", 2),
    V3Unit(3, 200, 80, False, "hard_swish", 1),
    V3Unit(3, 184, 80, False, "hard_swish", 1),
    V3Unit(3, 184, 80, False, "hard_swish", 1),
    V3Unit(3, 480, 112, True, "hard_swish", 1),
    V3Unit(3, 672, 112, True, "hard_swish", 1),
    V3Unit(5, 672, 160, True, "hard_swish", 2),
    V3Unit(5, 960, 160, True, "hard_swish", 1),
    V3Unit(5, 960, 160, True, "hard_swish", 1),
)
"""Table 1 of the paper."""


def rounded(channels: float, unit: int = 8) -> int:
    """The nearest multiple of `unit` (halves go up), at least one, and never below nine tenths."""
    nearest = max(unit, int(channels + unit / 2) // unit * unit)
    return nearest + unit if nearest < 0.9 * channels else nearest


class V3Head(nnx.Module):
    """A 1x1 convolution, the global mean, a linear layer without bias and a hard swish, and the classifier."""

    def __init__(self, c_in: int, c: int, hidden: int, classes: int):
        self.last = ConvBN(1, c_in, c, act="hard_swish")
        self.hidden = ConvBN(1, c, hidden, norm=False, act="hard_swish")
        self.scores = ConvBN(1, hidden, classes, norm=False, act=None, bias=True)

    def __call__(self, x: Array, p: Pass) -> Array:
        return self.scores(self.hidden(global_mean(self.last(x, p), p), p), p)[:, 0, 0]


def mobilenetv3(classes: int, image: Sequence[int], *, table: Sequence[V3Unit], last: int, hidden: int) -> Chain:
    """A MobileNetV3: `last` channels of the last convolution, `hidden` of the layer before the classifier."""
    c, units = 16, []
    for unit in table:
        excitation = Excitation(unit.inner, rounded(unit.inner / 4), "relu", "hard_sigmoid") if unit.excites else None
        settings = (unit.width, unit.stride, unit.kernel, unit.inner, unit.act)
        units.append(InvertedBottleneck(c, *settings, expands=unit.inner != c, excitation=excitation))
        c = unit.width
    return Chain(ConvBN(3, image[2], 16, 2, act="hard_swish"), units, V3Head(c, last, hidden, classes))


EFFICIENTNET = (
    Stage(1, 3, 16, 1, 1, 1 / 4, "silu"),
    Stage(6, 3, 24, 2, 2, 1 / 4, "silu"),
    Stage(6, 5, 40, 2, 2, 1 / 4, "silu"),
    Stage(6, 3, 80, 3, 2, 1 / 4, "silu"),
    Stage(6, 5, 112, 3, 1, 1 / 4, "silu"),
    Stage(6, 5, 192, 4, 2, 1 / 4, "silu"),
    Stage(6, 3, 320, 1, 1, 1 / 4, "silu"),
)


def efficientnet(classes: int, image: Sequence[int], *, width: float = 1.0, depth: float = 1.0) -> Chain:
    """An EfficientNet whose channels and layers are those of B0 times these factors."""
    first, last = rounded(32 * width), rounded(1280 * width)
    table = [stage._replace(width=rounded(stage.width * width), units=math.ceil(stage.units * depth)) for stage in EFFICIENTNET]
    units, c = bottlenecks(table, first)
    return Chain(ConvBN(3, image[2], first, 2, act="silu"), units, Several(ConvBN(1, c, last, act="silu"), Head(last, classes)))
