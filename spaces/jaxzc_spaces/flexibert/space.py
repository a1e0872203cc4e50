"""The FlexiBERT space of training-free-nas (Serianni & Kalita, ACL 2023): 10,621,440 BERT-like networks, of which 500 were trained.

>>> space = FlexiBert()
>>> arch = space.parse("H256|SA:WMA:h4:ff1024:n3|LT:DCT:h2:ff512:n3")
>>> space.network(arch)

Every architecture is a program of its own, compiled in pieces.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import Any

import numpy as np

from jaxzc.spacekit.vectors import check_vectors
from jaxzc.types import Counts, Genes, InputSpec, JaxzcError
from jaxzc_spaces.core.sizes import check_menus, check_positive
from jaxzc_spaces.flexibert.encoding import HEADS, Menu
from jaxzc_spaces.flexibert.network import FlexiBertModule, Part, Sizes, network_counts
from jaxzc_spaces.transformers.space import OfVariableDepth
from jaxzc_spaces.transformers.tokens import TokenNetwork, token_network

READINGS = ("sampled", "published", "trained")


@dataclass(frozen=True)
class FlexiBert(OfVariableDepth):
    """FlexiBERT's networks, as discriminators of replaced tokens.

    reading: what a configuration means. "sampled": what it says; the first feed-forward layer of each layer is four times as wide as the
        network, the further ones have the width that it says. "published": what the published proxies and parameter counts are of: the
        largest hidden size and the largest width whatever it says. "trained": as "sampled" with scaled dot product attention in the place
        of every operator, which the published training code selects whatever it says.
    hidden: hidden sizes. widths: of feed-forward layers. positions, embedding: the most tokens, width of words' vectors.
    inputs: tokens int `[T]`. classes: words of the vocabulary. (A network gives one logit for each token.)
    """

    reading: str = "sampled"
    hidden: tuple[int, ...] | None = None
    widths: tuple[int, ...] | None = None
    positions: int = 512
    embedding: int = 128
    classes: int = 30522
    inputs: InputSpec = InputSpec((128,), "int32")

    name = "flexibert"
    task = "multilabel"

    def __post_init__(self) -> None:
        super().__post_init__()
        check_positive(self, "positions", "embedding", "classes")
        check_menus(self, int, "hidden", "widths")
        shape, dtype = self.inputs.shape, self.inputs.dtype
        if len(shape) != 1 or not np.issubdtype(dtype, np.integer) or shape[0] > self.positions:
            raise JaxzcError(
                f"flexibert: inputs of shape {shape} and dtype {dtype}: expected at most {self.positions} tokens, (T,) of int32, which "
                "data such as replaced:FILE@128 have"
            )
        if self.reading not in READINGS:
            raise JaxzcError(f"flexibert: reading={self.reading!r}: expected one of {', '.join(READINGS)}")
        if odd := [hidden for hidden in self.menu.hidden if hidden % max(HEADS)]:
            raise JaxzcError(f"flexibert: a hidden size of {odd[0]}: expected one that {max(HEADS)} heads divide")

    @property
    def menu(self) -> Menu:
        return Menu(self.hidden or (128, 256), self.widths or (512, 1024))

    def counts(self, archs: np.ndarray) -> Counts[np.ndarray]:
        each = np.array([counts for counts, _ in self._counted(archs)], np.int64)
        return Counts(*each.reshape(-1, len(Counts._fields)).T)

    @property
    def own_counts(self) -> dict[str, Callable[[np.ndarray], np.ndarray]]:
        """`encoder_params`: parameters without the head, which published counts are (of the reading "published")."""
        return {"encoder_params": lambda archs: np.array([encoder for _, encoder in self._counted(archs)], np.int64)}

    def network(self, arch: Genes) -> TokenNetwork:
        """The network of genes. Cells are the layers."""
        return _network(self, *self.parts(arch))

    def parts(self, arch: Genes) -> tuple[int, tuple[Part, ...]]:
        """The hidden size and the layers that genes stand for, by the space's reading."""
        hidden, layers = self.menu.architecture(arch)
        if self.reading == "published":
            widest = max(self.menu.widths)
            return max(self.menu.hidden), tuple(Part(of.operator, of.heads, (widest,) * of.number) for of in layers)
        operators = ["SA:SDP" if self.reading == "trained" else of.operator for of in layers]
        widths = [(4 * hidden, *(of.width,) * (of.number - 1)) for of in layers]
        return hidden, tuple(Part(o, of.heads, w) for o, of, w in zip(operators, layers, widths, strict=True))

    @property
    def sizes(self) -> Sizes:
        return Sizes(self.classes, self.positions, self.embedding)

    def _counted(self, archs: np.ndarray) -> Any:
        rows = check_vectors(self.choices, np.atleast_2d(archs))
        return [network_counts(self.sizes, *self.parts(row), self.inputs.shape[0]) for row in rows]


@lru_cache(maxsize=64)
def _network(space: FlexiBert, hidden: int, parts: tuple[Part, ...]) -> TokenNetwork:
    return token_network(partial(FlexiBertModule, space.sizes, hidden, parts), space.inputs)
