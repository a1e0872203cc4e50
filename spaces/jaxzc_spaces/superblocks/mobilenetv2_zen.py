"""ZiCo's ImageNet space: chains of inverted bottlenecks (Li et al., ZiCo, ICLR 2023, appendix D; first in Zen-NAS, ICCV 2021)."""

from collections.abc import Sequence
from dataclasses import dataclass

from jaxzc.types import JaxzcError
from jaxzc_spaces.superblocks.blocks import KINDS, Block
from jaxzc_spaces.superblocks.space import PlainNetSpace


@dataclass(frozen=True)
class MobileNetV2Zen(PlainNetSpace):
    """ZiCo's ImageNet space: MobileNetV2-like chains of inverted bottlenecks.

    A 3x3 convolution, four stages, all of stride 2, and a 1x1 convolution of `head` channels that no mutation changes. `inputs` are
    usually (224, 224, 3); other sizes are for study.
    """

    head: int = 2048

    name = "mobilenetv2_zen"
    kinds = tuple(kind for kind in KINDS if KINDS[kind][0] == "inverted")
    strides = (2, 2, 2, 2, 2)
    initial_string = (
        "SuperConvK3BNRELU(3,8,2,1)SuperResIDWE6K3(8,32,2,8,1)SuperResIDWE6K3(32,48,2,32,1)"
        "SuperResIDWE6K3(48,96,2,48,1)SuperResIDWE6K3(96,128,2,96,1)SuperConvK1BNRELU(128,2048,1,1)"
    )
    free_head = False

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.head < 1:
            raise JaxzcError(f"mobilenetv2_zen: head={self.head}: expected a positive integer")
        object.__setattr__(self, "initial_string", type(self).initial_string.replace("2048", str(self.head)))

    def _head(self, genes: Sequence[int]) -> int:
        return self.head

    def _head_genes(self, text: str, last: Block) -> list[int]:
        if last.c_out != self.head:
            raise self._foreign(text, f"its last convolution has {last.c_out} channels", f"{self.head}, which the option head sets")
        return []
