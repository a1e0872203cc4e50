"""The PiT search space of TF-TAS (Zhou et al., CVPR 2022) and Auto-Prox (Wei et al., AAAI 2024): 1,600 pooling vision transformers.

>>> space = Pit()
>>> arch = space.parse("B16-D2.8.4-H2.4.4-M60")
>>> space.network(arch)

Every architecture is a program of its own, compiled in pieces; those of its layers that have equal sizes are compiled once.
"""

from dataclasses import dataclass
from functools import lru_cache, partial

import numpy as np

from jaxzc.spacekit.vectors import check_vectors
from jaxzc.types import Counts, Genes, InputSpec, JaxzcError
from jaxzc_spaces.core.discrete import DiscreteNetwork, discrete_network
from jaxzc_spaces.core.sizes import check_images, check_menus, check_positive
from jaxzc_spaces.pit.encoding import PUBLISHED, Architecture, Menu, stages
from jaxzc_spaces.pit.network import PitModule, network_counts
from jaxzc_spaces.transformers.space import OfMenu


@dataclass(frozen=True)
class Pit(OfMenu):
    """PiT-like networks.

    bases: widths of a head. depths, heads: layers and heads of the three stages, as digits; heads must divide those of the next stage.
    ratios: of the feed-forward parts. None: what the published space has (`encoding.PUBLISHED`).
    patch, stride: pixels of a patch's side, and from one patch to the next.
    inputs: images (H, W, channels), H and W at least a patch.
    """

    bases: tuple[int, ...] | None = None
    depths: tuple[str, ...] | None = None
    heads: tuple[str, ...] | None = None
    ratios: tuple[int, ...] | None = None
    patch: int = 16
    stride: int = 8
    classes: int = 1000
    inputs: InputSpec = InputSpec((224, 224, 3))

    name = "pit"

    def __post_init__(self) -> None:
        super().__post_init__()
        check_positive(self, "patch", "stride", "classes")
        check_images(self)
        if min(self.inputs.shape[:2]) < self.patch:
            raise JaxzcError(f"pit: images of shape {self.inputs.shape}: expected a height and width of at least a patch, {self.patch}")
        check_menus(self, int, "bases", "ratios")
        check_menus(self, str, "depths", "heads")
        for first, second, third in self.menu.heads:
            if second % first or third % second:
                raise JaxzcError(f"pit: heads={first}{second}{third}: expected numbers that divide the next stage's, as in 248")

    @property
    def menu(self) -> Menu:
        own = self.bases, self.depths and tuple(map(stages, self.depths)), self.heads and tuple(map(stages, self.heads)), self.ratios
        return Menu(*(values or published for values, published in zip(own, PUBLISHED, strict=True)))  # type: ignore[arg-type]

    @property
    def choices(self) -> tuple[int, ...]:  # pyright: ignore[reportIncompatibleVariableOverride]
        return self.menu.choices

    def counts(self, archs: np.ndarray) -> Counts[np.ndarray]:
        menu, rows = self.menu, check_vectors(self.choices, np.atleast_2d(archs))
        each = [network_counts(menu.architecture(row), *self._sizes) for row in rows]
        return Counts(*np.array(each, np.int64).reshape(-1, len(Counts._fields)).T)

    def network(self, arch: Genes) -> DiscreteNetwork:
        """The network of genes `[4]`. Cells are the layers."""
        return _network(self, self.menu.architecture(arch))

    @property
    def _sizes(self) -> tuple[int, int, int, tuple[int, ...]]:
        return self.patch, self.stride, self.classes, self.inputs.shape


@lru_cache(maxsize=64)
def _network(space: Pit, of: Architecture) -> DiscreteNetwork:
    return discrete_network(partial(PitModule, of, *space._sizes), space.inputs.shape)
