"""Networks of inverted bottlenecks that a search found: MnasNet, MobileNetV3, EfficientNet.

Sources: Tan et al., MnasNet, CVPR 2019; Howard et al., Searching for MobileNetV3, ICCV 2019; Tan & Le, EfficientNet, ICML 2019.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

from flax import nnx

from jaxzc.types import Array
from jaxzc_spaces.core.passes import Pass
from jaxzc_spaces.core.units import ConvBN
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


class InvertedBottleneck(nnx.Module):
    """A 1x1 convolution to `inner` channels (left out where they are as many), a depthwise one, squeeze-and-excitation with `squeezed`
    channels (0: none), and a linear 1x1 convolution; with a shortcut where input and output have one shape."""

    def __init__(self, c_in: int, c_out: int, stride: int, kernel: int, inner: int, squeezed: int, act: str, gate: str, squeeze_act: str):
        self.shortcut = stride == 1 and c_in == c_out
        self.expand = ConvBN(1, c_in, inner, act=act) if inner != c_in else None
        self.depthwise = ConvBN(kernel, inner, inner, stride, groups=inner, act=act)
        self.se = Excitation(inner, squeezed, squeeze_act, gate) if squeezed else None
        self.project = ConvBN(1, inner, c_out, act=None)

    def __call__(self, x: Array, p: Pass) -> Array:
        y = x if self.expand is None else self.expand(x, p)
        y = self.depthwise(y, p)
        y = y if self.se is None else self.se(y, p)
        y = self.project(y, p)
        return x + y if self.shortcut else y


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


def bottlenecks(table: Sequence[Stage], first: int, gate: str = "sigmoid", squeeze_act: str | None = None) -> tuple[list[nnx.Module], int]:
    """The units of a table, and how many channels the last has."""
    c, units = first, []
    for stage in table:
        for position in range(stage.units):
            units.append(
                InvertedBottleneck(
                    c,
                    stage.width,
                    stage.stride if position == 0 else 1,
                    stage.kernel,
                    int(c * stage.expansion),
                    int(c * stage.squeeze),
                    stage.act,
                    gate,
                    squeeze_act or stage.act,
                )
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
        squeezed = rounded(unit.inner / 4) if unit.excites else 0
        units.append(InvertedBottleneck(c, unit.width, unit.stride, unit.kernel, unit.inner, squeezed, unit.act, "hard_sigmoid", "relu"))
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
