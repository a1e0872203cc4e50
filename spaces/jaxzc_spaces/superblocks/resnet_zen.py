"""The CIFAR space of Zen-NAS, ZiCo and T-CET (networks under a million parameters): chains of residual blocks."""

from dataclasses import dataclass

from jaxzc_spaces.superblocks.blocks import KINDS
from jaxzc_spaces.superblocks.space import PlainNetSpace


@dataclass(frozen=True)
class ResNetZen(PlainNetSpace):
    """The CIFAR space of Zen-NAS, ZiCo and T-CET: ResNet-like chains.

    A 3x3 convolution, four stages of strides 1, 2, 2, 2, and a 1x1 convolution of free width. Kinds: two k x k convolutions, or two
    bottlenecks, k = 3, 5, 7. Source: Lin et al., Zen-NAS, ICCV 2021; Xiang et al., T-CET, AutoML 2023, code.
    """

    name = "resnet_zen"
    kinds = tuple(kind for kind in KINDS if KINDS[kind][0] in ("basic", "bottleneck"))
    strides = (1, 1, 2, 2, 2)
    initial_string = (
        "SuperConvK3BNRELU(3,8,1,1)SuperResK3K3(8,16,1,8,1)SuperResK3K3(16,32,2,16,1)"
        "SuperResK3K3(32,64,2,32,1)SuperResK3K3(64,64,2,32,1)SuperConvK1BNRELU(64,128,1,1)"
    )
    free_head = True
