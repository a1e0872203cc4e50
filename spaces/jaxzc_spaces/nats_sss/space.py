"""The size search space of NATS-Bench (Dong et al., TPAMI 2021): 32,768 networks of one topology and five widths.

>>> space = NatsSizeSpace()
>>> arch = space.parse("8:16:32:64:64")
>>> program = program_of(space, arch)                          # of jaxzc.spacekit
>>> params = program.init(jax.random.key(0))
>>> program.network(arch).forward(params, images, norm="batch").outputs

All five genes change shapes: each width vector is a program of its own, of which a CPU compiles nothing where a proxy is scored in steps of
padded widths (`steps.py`, `jaxzc.ladder`). Masks over the widest network would be one program for all, but every network would cost what
the widest one does, 61 times the multiply-accumulates of the narrowest.
"""

from dataclasses import dataclass
from functools import lru_cache, partial

import numpy as np

from jaxzc.spacekit import vectors
from jaxzc.spacekit.steps import Step
from jaxzc.types import Counts, Genes, InputSpec
from jaxzc_spaces.core.discrete import DiscreteNetwork, OneNetworkEach, discrete_network
from jaxzc_spaces.core.module import WithModule
from jaxzc_spaces.core.sizes import check_images, check_positive
from jaxzc_spaces.nats_sss import encoding as encoding
from jaxzc_spaces.nats_sss.network import NatsSizeNet
from jaxzc_spaces.nats_sss.steps import nats_steps


@dataclass(frozen=True)
class NatsSizeSpace(OneNetworkEach, WithModule):
    """NATS-Bench's size space: 8^5 = 32,768 width vectors.

    unit: channels that one step of a width stands for, 8 in the benchmark; official strings name the benchmark's widths whatever it is.
    inputs: images (H, W, channels), H and W divisible by 4.
    """

    unit: int = 8
    classes: int = 10
    inputs: InputSpec = InputSpec((32, 32, 3))

    name = "nats_sss"
    choices = encoding.CHOICES

    def __post_init__(self) -> None:
        super().__post_init__()
        check_positive(self, "unit", "classes")
        check_images(self, 4, "two residual blocks halve them")

    def parse(self, text: str) -> np.ndarray:
        return encoding.parse(text)

    def to_string(self, arch: Genes) -> str:
        return encoding.to_string(arch)

    def counts(self, archs: np.ndarray) -> Counts:
        return encoding.macs_params_layers(np.atleast_2d(archs), self.unit, self.classes, self.inputs.shape)

    def widths(self, arch: Genes) -> tuple[int, ...]:
        """Channels behind each of the five layers."""
        return tuple(self.unit * (int(gene) + 1) for gene in vectors.check_vector(self.choices, arch))

    def steps(self, arch: Genes) -> tuple[Step, ...]:
        """The same network as steps of padded widths."""
        return nats_steps(self.widths(arch), self.classes, self.inputs.shape)

    def network(self, arch: Genes) -> DiscreteNetwork:
        """The network of genes `[5]`."""
        return _network(self, self.widths(arch))


@lru_cache(maxsize=64)
def _network(space: NatsSizeSpace, widths: tuple[int, ...]) -> DiscreteNetwork:
    return discrete_network(partial(NatsSizeNet, widths, space.classes, space.inputs.shape[2]), space.inputs.shape)
