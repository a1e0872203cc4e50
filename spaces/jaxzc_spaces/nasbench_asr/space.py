"""NAS-Bench-ASR (Mehrotra et al., ICLR 2021): 13,824 networks for speech recognition, whose cells are convolutions over frames.

>>> space = NasBenchAsr()
>>> arch = space.parse("[[1, 0], [1, 0, 0], [1, 0, 0, 0]]")
>>> program = space.program()
>>> frames = jnp.zeros((2, *space.inputs.shape))
>>> program.network(arch).forward(program.init(jax.random.key(0)), frames, norm="batch").outputs  # logits [B, T / 4, symbols]
"""

import math
import operator
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache, partial

import numpy as np

from jaxzc.types import Counts, Genes, InputSpec, JaxzcError
from jaxzc_spaces.core.blueprint import blueprint
from jaxzc_spaces.core.module import WithModule
from jaxzc_spaces.core.sizes import check_positive
from jaxzc_spaces.nasbench_asr import encoding, isomorphism
from jaxzc_spaces.nasbench_asr.counts import Sizes, network_counts
from jaxzc_spaces.nasbench_asr.layers import STRIDES
from jaxzc_spaces.nasbench_asr.own import OwnAsrNetwork, OwnNet
from jaxzc_spaces.nasbench_asr.program import AsrProgram


@dataclass(frozen=True)
class NasBenchAsr(WithModule):
    """NAS-Bench-ASR: networks from log-mel frames to symbols, without an alignment.

    filters, cells: of each of the four blocks. groups: of the cells' convolutions. units: of the LSTM behind the blocks; 0: there is none.
    semantics: which of the authors' two codes the architecture is built by. "torch", or "tensorflow", with which the benchmark's table was
        trained: there dilations are not heeded, a bit is 1 where there is no skip, and the LSTM has one bias for each gate.
    clip: the value at which activations are cut off; `math.inf`: nowhere.
    classes: symbols and the blank, which is the first. inputs: frames and features of an example (T, F).
    """

    filters: tuple[int, ...] = (600, 800, 1000, 1200)
    cells: tuple[int, ...] = (3, 4, 5, 6)
    groups: int = 100
    units: int = 500
    semantics: str = "torch"
    clip: float = 20.0
    classes: int = 49
    inputs: InputSpec = InputSpec((300, 80))

    name = "nasbench_asr"
    choices = encoding.CHOICES
    task = "ctc_per_frame"

    def __post_init__(self) -> None:
        super().__post_init__()
        check_positive(self, "groups", "classes")
        for field in ("filters", "cells"):
            sizes = tuple(operator.index(size) for size in getattr(self, field))
            object.__setattr__(self, field, sizes)
            if len(sizes) != len(STRIDES) or min(sizes) < 1:
                raise JaxzcError(f"{self.name}: {field}={sizes}: expected {len(STRIDES)} positive integers, one for each block")
        if odd := [width for width in self.filters if width % self.groups]:
            raise JaxzcError(f"{self.name}: groups={self.groups} do not divide {odd[0]} filters: expected a divisor of all four widths")
        if self.units < 0:
            raise JaxzcError(f"{self.name}: units={self.units}: expected units of the LSTM, or 0 for none")
        if self.semantics not in encoding.SEMANTICS:
            raise JaxzcError(f"{self.name}: semantics={self.semantics!r}: expected one of {', '.join(encoding.SEMANTICS)}")
        if not self.clip > 0:
            raise JaxzcError(f"{self.name}: clip={self.clip}: expected a positive number")
        if len(self.inputs.shape) != 2 or not np.issubdtype(self.inputs.dtype, np.floating):
            raise JaxzcError(
                f"{self.name}: inputs {self.inputs.dtype} {self.inputs.shape}: expected frames of floats (T, F), such as (300, 80)"
            )

    # Architectures.

    def parse(self, text: str) -> np.ndarray:
        return encoding.parse(text)

    def to_string(self, arch: Genes) -> str:
        return encoding.to_string(arch)

    def canonical(self, archs: np.ndarray) -> np.ndarray:
        return isomorphism.canonical(archs)

    def same_network(self, archs: np.ndarray) -> np.ndarray:
        return isomorphism.same_network(self.semantics, archs)

    model_hash = staticmethod(isomorphism.model_hash)

    def counts(self, archs: np.ndarray) -> Counts:
        return network_counts(np.atleast_2d(archs), self.sizes, self.inputs.shape[0])

    @property
    def own_counts(self) -> dict[str, Callable[[np.ndarray], np.ndarray]]:
        """`published_params`: parameters as the benchmark states them, of an LSTM with one bias for each gate and one output less."""
        fewer = self.sizes._replace(biases=1, classes=self.classes - 1)
        return {"published_params": lambda archs: network_counts(np.atleast_2d(archs), fewer, self.inputs.shape[0]).params}

    # Networks.

    def doubts(self, archs: np.ndarray) -> dict[str, str]:
        """synflow's gradients, which the LSTM and the clip of every network keep from what lies before them."""
        by = ["the LSTM's sigmoids and tanh saturate"] * bool(self.units) + ["activations are cut off"] * math.isfinite(self.clip)
        cure = "score them with units=0 and clip=inf, or take synflow_bn, which keeps normalisation"
        reason = (
            f"without normalisation positive weights drive activations so high that {' and '.join(by)}, and layers before get no gradient"
        )
        return {"synflow_grads": f"{reason}: {cure}"} if by else {}

    @property
    def sizes(self) -> Sizes:
        biases = 1 if self.semantics == "tensorflow" else 2
        return Sizes(self.filters, self.cells, self.groups, self.units, biases, self.classes, self.inputs.shape[1], float(self.clip))

    def program(self, key: tuple[int, ...] = ()) -> AsrProgram:
        """The one program of all architectures."""
        return _program(self.sizes, self.semantics)

    def network(self, arch: Genes) -> OwnAsrNetwork:
        """The discrete network of genes `[9]`, with parameters of its own only. Cells are the blocks' convolutions and their cells."""
        return _network(self, encoding.nodes(encoding.as_read(self.semantics, np.asarray(arch))))


_program = lru_cache(maxsize=16)(AsrProgram)


@lru_cache(maxsize=64)
def _network(space: NasBenchAsr, nodes: tuple[encoding.Node, ...]) -> OwnAsrNetwork:
    return OwnAsrNetwork(blueprint(partial(OwnNet, nodes, space.sizes), space.inputs.shape))
