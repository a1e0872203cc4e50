"""AutoFormer's search spaces (Chen et al., ICCV 2021): vision transformers of one width whose layers choose heads and ratio.

>>> space = AutoFormer(size="tiny")
>>> arch = space.parse("E192-H3.4.3.3.4.4.3.4.4.3.4.3-M40.35.35.35.40.35.40.40.35.40.35.35")
>>> space.network(arch)

Every architecture is a program of its own, compiled in pieces; those of its layers that have equal sizes are compiled once.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import Any

import numpy as np

from jaxzc.types import Counts, Genes, InputSpec, JaxzcError
from jaxzc_spaces.autoformer.counts import cream_flops, network_counts
from jaxzc_spaces.autoformer.encoding import SIZES, Architecture, Menu
from jaxzc_spaces.autoformer.network import HEAD, AutoFormerModule, Form
from jaxzc_spaces.core.discrete import DiscreteNetwork, discrete_network
from jaxzc_spaces.core.sizes import check_images, check_menus, check_positive
from jaxzc_spaces.transformers.space import OfVariableDepth

READOUTS = ("patches", "class")
VARIANTS = ("cream", "autoprox")


@dataclass(frozen=True)
class AutoFormer(OfVariableDepth):
    """AutoFormer's spaces of three sizes.

    size: "tiny", "small" or "base". widths, depths, heads, ratios: what there is to choose from; None: the size's.
    variant: "cream", the authors' networks: heads of width 64, relative positions, or "autoprox": plain vision transformers, heads of the
        network's width divided by their number, no relative positions, eps 1e-6.
    patch: pixels of a patch's side. distance: rows and columns beyond which relative positions are alike, with "cream" (0: none).
    positions: whether learned positions are added to the tokens. readout: what the classifier reads, the mean of the "patches" or the
        "class" token. fixed_width: with "cream", width of queries, keys and values whatever the heads (the authors' `change_qkv=False`; 0:
        64 for each head).
    inputs: images (H, W, channels), H and W divisible by the patch.
    """

    size: str = "tiny"
    variant: str = "cream"
    widths: tuple[int, ...] | None = None
    depths: tuple[int, ...] | None = None
    heads: tuple[int, ...] | None = None
    ratios: tuple[float, ...] | None = None
    patch: int = 16
    distance: int = 14
    positions: bool = True
    readout: str = "patches"
    fixed_width: int = 0
    classes: int = 1000
    inputs: InputSpec = InputSpec((224, 224, 3))

    name = "autoformer"

    def __post_init__(self) -> None:
        super().__post_init__()
        check_positive(self, "patch", "classes")
        check_images(self, self.patch, "a patch is that large")
        for field, known in (("size", tuple(SIZES)), ("variant", VARIANTS), ("readout", READOUTS)):
            if getattr(self, field) not in known:
                raise JaxzcError(f"autoformer: {field}={getattr(self, field)!r}: expected one of {', '.join(known)}")
        check_menus(self, int, "widths", "depths", "heads")
        check_menus(self, float, "ratios")
        self._check_widths()

    def _check_widths(self) -> None:
        if any(abs(round(10 * ratio) - 10 * ratio) > 1e-9 for ratio in self.ratios or ()):
            raise JaxzcError(f"autoformer: ratios={self.ratios}: expected tenths, such as 3.5")
        if min(self.distance, self.fixed_width) < 0:
            raise JaxzcError(f"autoformer: distance={self.distance}, fixed_width={self.fixed_width}: expected no negative numbers")
        if self.variant == "autoprox" and self.fixed_width:
            raise JaxzcError(f"autoformer: fixed_width={self.fixed_width}: expected 0 with variant='autoprox', whose heads share the width")
        menu = self.menu
        for width in (self.fixed_width,) if self.fixed_width else menu.widths if self.variant == "autoprox" else ():
            if odd := [heads for heads in menu.heads if width % heads]:
                raise JaxzcError(f"autoformer: {odd[0]} heads share a width of {width}: expected widths that every number of heads divides")

    @property
    def menu(self) -> Menu:
        of = SIZES[self.size]
        tenths = tuple(round(10 * ratio) for ratio in self.ratios) if self.ratios else of.tenths
        return Menu(self.widths or of.widths, self.depths or of.depths, self.heads or of.heads, tenths)

    @property
    def form(self) -> Form:
        head, distance, eps = (HEAD, self.distance, 1e-5) if self.variant == "cream" else (0, 0, 1e-6)
        return Form(self.patch, eps, head, self.fixed_width, distance, self.positions, self.readout == "class")

    def counts(self, archs: np.ndarray) -> Counts[np.ndarray]:
        return self._counted(network_counts, archs)

    @property
    def own_counts(self) -> dict[str, Callable[[np.ndarray], np.ndarray]]:
        """`cream_flops`: FLOPs as the authors' code, and tables of its networks, count them (`counts.cream_flops`)."""
        return {"cream_flops": partial(self._counted, cream_flops)} if self.variant == "cream" else {}

    def network(self, arch: Genes) -> DiscreteNetwork:
        """The network of genes. Cells are the layers."""
        return _network(self, self.menu.architecture(arch))

    def _counted(self, count: Callable[..., Any], archs: np.ndarray) -> Any:
        return count(np.atleast_2d(archs), self.menu, self.form, self.classes, self.inputs.shape)


@lru_cache(maxsize=64)
def _network(space: AutoFormer, of: Architecture) -> DiscreteNetwork:
    shape = space.inputs.shape
    return discrete_network(partial(AutoFormerModule, space.form, of, space.classes, shape), shape)
