"""The MnasNet-like space of Accel-NASBench (Ahmad et al., DAC 2024): about 1e11 networks, some measured.

>>> space = MnasNet()
>>> arch = space.parse("e1k3l1s0-e4k3l2s0-e6k5l2s1-e6k3l3s0-e6k5l3s1-e6k5l4s1-e6k3l1s1")
>>> space.network(arch)

Expansions, kernels and layers change shapes: every architecture is a program of its own, compiled in pieces.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache, partial

import numpy as np

from jaxzc.types import Counts, Genes, InputSpec, JaxzcError
from jaxzc_spaces.core.discrete import DiscreteNetwork, OneNetworkEach, discrete_network
from jaxzc_spaces.core.module import WithModule
from jaxzc_spaces.core.sizes import check_images, check_positive
from jaxzc_spaces.mnasnet import counts as counting
from jaxzc_spaces.mnasnet import encoding as encoding
from jaxzc_spaces.mnasnet.devices import measured
from jaxzc_spaces.mnasnet.network import GATES, MnasNetModule


@dataclass(frozen=True)
class MnasNet(OneNetworkEach, WithModule):
    """Accel-NASBench's space: seven blocks of inverted bottlenecks, behind a 3x3 convolution of stride 2.

    stem, widths, head: channels of the first convolution, behind each block, and of the last convolution.
    activation: "relu", with which the benchmark's networks were trained, or "silu", the default of its class; the gates of
        squeeze-and-excitation are hard sigmoids with the first and sigmoids with the second.
    devices: a table with the columns `encoding` (or `arch`), `throughput_DEVICE_img_s` and `latency_DEVICE_ms` (CSV or Parquet): each
        becomes a cost that a search can be bounded by, see `own_counts`.
    inputs: images (H, W, channels).
    """

    stem: int = 32
    widths: tuple[int, ...] = (16, 24, 40, 80, 112, 192, 320)
    head: int = 1280
    activation: str = "relu"
    devices: str = ""
    classes: int = 1000
    inputs: InputSpec = InputSpec((224, 224, 3))

    name = "mnasnet"
    choices = encoding.CHOICES

    def __post_init__(self) -> None:
        super().__post_init__()
        check_positive(self, "stem", "head", "classes")
        check_images(self)
        object.__setattr__(self, "widths", tuple(self.widths))
        if len(self.widths) != encoding.BLOCKS or min(self.widths) < 1:
            raise JaxzcError(f"mnasnet: widths={self.widths}: expected {encoding.BLOCKS} positive integers, one for each block")
        if self.activation not in GATES:
            raise JaxzcError(f"mnasnet: activation={self.activation!r}: expected one of {', '.join(GATES)}")

    def parse(self, text: str) -> np.ndarray:
        return encoding.parse(text)

    def to_string(self, arch: Genes) -> str:
        return encoding.to_string(arch)

    def counts(self, archs: np.ndarray) -> Counts:
        counted = self._counted(archs)
        return Counts(params=counted[:, counting.PARAMS], flops=counted[:, counting.FLOPS], layers=counted[:, counting.LAYERS])

    @property
    def own_counts(self) -> dict[str, Callable[[np.ndarray], np.ndarray]]:
        """`table_macs`, the multiply-accumulates of the benchmark's table; and of `devices`, in nanoseconds, DEVICE_ns for one image at the
        table's throughput, DEVICE_latency_ns for an image on its own. These are what the table says of its networks, and of others what
        a sum over layers predicts that is fitted to it (`jaxzc_spaces.mnasnet.devices`)."""
        own: dict[str, Callable[[np.ndarray], np.ndarray]] = {"table_macs": lambda archs: counting.published_macs(self._counted(archs))}
        times = measured(self.devices) if self.devices else {}
        return own | {name: partial(time.nanoseconds) for name, time in times.items()}

    def network(self, arch: Genes) -> DiscreteNetwork:
        """The network of genes `[28]`. Cells are the blocks."""
        return _network(self, encoding.blocks(arch))

    def _counted(self, archs: np.ndarray) -> np.ndarray:
        return counting.network_counts(np.atleast_2d(archs), self.stem, self.widths, self.head, self.classes, self.inputs.shape)


@lru_cache(maxsize=64)
def _network(space: MnasNet, blocks: tuple[encoding.Block, ...]) -> DiscreteNetwork:
    sizes = space.stem, space.widths, space.head, space.activation, space.classes, space.inputs.shape[2]
    return discrete_network(partial(MnasNetModule, blocks, *sizes), space.inputs.shape)
