"""The five cell spaces of NDS (Radosavovic et al., On Network Design Spaces for Visual Recognition, ICCV 2019): DARTS, ENAS, PNAS, NASNet
and Amoeba, with free width and depth.

Lists of operations, nodes, widths and depths are those of the paper's sections 4.2 and 5.1 to our knowledge; the benchmark's files were
not at hand to check them. The networks are checked against the authors' code.
"""

import json
from dataclasses import dataclass
from functools import cached_property, lru_cache, partial
from typing import ClassVar

import numpy as np

from jaxzc.spacekit.steps import Step
from jaxzc.spacekit.vectors import check_vector
from jaxzc.types import Counts, Genes, InputSpec, JaxzcError
from jaxzc_spaces.core.blueprint import Blueprint, blueprint
from jaxzc_spaces.core.discrete import DiscreteNetwork, OneNetworkEach
from jaxzc_spaces.core.sizes import check_images
from jaxzc_spaces.darts.space import OPS as DARTS_OPS
from jaxzc_spaces.darts.space import cell_number
from jaxzc_spaces.genotypes import counts as genotype_counts
from jaxzc_spaces.genotypes.encoding import Encoding, Genotype
from jaxzc_spaces.genotypes.network import GenotypeNet
from jaxzc_spaces.genotypes.space import GenotypeSpace
from jaxzc_spaces.genotypes.steps import genotype_steps

WIDTHS = (16, 24, 32)
DEPTHS = (4, 8, 12, 16, 20)

_POOLS = ("avg_pool_3x3", "max_pool_3x3")
ENAS_OPS = ("skip_connect", "sep_conv_3x3", "sep_conv_5x5", *_POOLS)
AMOEBA_OPS = ("skip_connect", "sep_conv_3x3", "sep_conv_5x5", "sep_conv_7x7", *_POOLS, "dil_sep_conv_3x3", "conv_7x1_1x7")
PNAS_OPS = ("skip_connect", "sep_conv_3x3", "sep_conv_5x5", "sep_conv_7x7", *_POOLS, "dil_conv_3x3", "conv_7x1_1x7")
NASNET_OPS = (
    "skip_connect",
    "conv_3x1_1x3",
    "conv_7x1_1x7",
    "dil_conv_3x3",
    *_POOLS,
    "max_pool_5x5",
    "max_pool_7x7",
    "conv_1x1",
    "conv_3x3",
    "sep_conv_3x3",
    "sep_conv_5x5",
    "sep_conv_7x7",
)


@dataclass(frozen=True)
class _Nds(OneNetworkEach, GenotypeSpace):
    """stem: `cifar`, or `imagenet`, which divides the image by 8 before the cells. width, depth: instead of the genes' values
    (0: the genes'), so that networks can be made small."""

    stem: str = "cifar"
    width: int = 0
    depth: int = 0
    classes: int = 10
    inputs: InputSpec = InputSpec((32, 32, 3))

    ops: ClassVar[tuple[str, ...]]
    nodes: ClassVar[int] = 5
    loose_ends: ClassVar[bool] = True

    def __post_init__(self) -> None:
        super().__post_init__()
        for field, least in (("width", 0), ("depth", 0), ("classes", 1)):
            if getattr(self, field) < least:
                raise JaxzcError(f"{self.name}: {field}={getattr(self, field)}: expected a whole number of at least {least}")
        if self.stem not in ("cifar", "imagenet"):
            raise JaxzcError(f"{self.name}: stem={self.stem!r}: expected 'cifar' or 'imagenet'")
        if self.width % 2 and self.stem == "imagenet":
            raise JaxzcError(f"{self.name}: width={self.width}: expected an even number, which the ImageNet stem halves")
        check_images(self)

    @cached_property
    def encoding(self) -> Encoding:  # pyright: ignore[reportIncompatibleMethodOverride]
        return Encoding(self.name, self.ops, self.nodes, self.loose_ends, (len(WIDTHS), len(DEPTHS)))

    # Architectures.

    def parse(self, text: str) -> np.ndarray:
        """The genes int32 of the settings of a network as `jaxzc import nds` writes them: the benchmark's JSON object with `width`, `depth`
        and `genotype`. Raises `JaxzcError` that quotes what is wrong."""
        try:
            net = json.loads(text)
            width, depth, genotype = net["width"], net["depth"], net["genotype"]
        except (TypeError, KeyError, ValueError) as error:
            form = 'JSON such as {"depth":8,"genotype":{"normal":[["skip_connect",0],...],...},"width":16}'
            raise JaxzcError(f"{text!r} is no {self.name} architecture ({error!r}); expected {form}") from error
        for value, known, what in ((width, WIDTHS, "width"), (depth, DEPTHS, "depth")):
            if value not in known:
                raise self.encoding.malformed(text, f"its {what} is {value!r}", f"one of {', '.join(map(str, known))}")
        if not isinstance(genotype, dict):
            raise self.encoding.malformed(text, f"its genotype is {genotype!r}", "an object with normal and reduce")
        return self.encoding.genes(genotype, text, (WIDTHS.index(width), DEPTHS.index(depth)))

    def size(self, arch: Genes) -> tuple[int, int]:
        """Width and depth of the genes."""
        return WIDTHS[int(arch[0])], DEPTHS[int(arch[1])]

    def to_string(self, arch: Genes) -> str:
        genotype, (width, depth) = self.genotype(arch), self.size(arch)
        cells = {}
        for name, cell in genotype._asdict().items():
            cells |= {name: cell.edges, f"{name}_concat": cell.concat}
        return json.dumps({"depth": depth, "genotype": cells, "width": width}, sort_keys=True, separators=(",", ":"))

    def counts(self, archs: np.ndarray) -> Counts:
        """Exact; `flops` are multiply-accumulates of convolutions and linear layers."""
        tallies = []
        for arch in np.atleast_2d(archs):
            genotype, (width, depth) = self.genotype(arch), self._built(arch)
            tallies.append(genotype_counts.network_tally(genotype, width, depth, self.classes, self.inputs.shape, self.stem))
        return genotype_counts.as_counts(tallies)

    # Networks.

    def network(self, arch: Genes) -> DiscreteNetwork:
        """The network of these genes."""
        genes = check_vector(self.choices, arch)
        return DiscreteNetwork(_blueprint(self, self.genotype(genes), *self._built(genes)))

    def steps(self, arch: Genes) -> tuple[Step, ...]:
        """The same network as steps."""
        genes = check_vector(self.choices, arch)
        return genotype_steps(self.genotype(genes), *self._built(genes), self.classes, self.inputs.shape, self.stem)

    def _built(self, arch: Genes) -> tuple[int, int]:
        width, depth = self.size(arch)
        return self.width or width, self.depth or depth


@lru_cache(maxsize=64)
def _blueprint(space: _Nds, genotype: Genotype, width: int, depth: int) -> Blueprint:
    shape = width, depth, space.classes, space.inputs.shape[2], space.stem, True, False
    return blueprint(partial(GenotypeNet, genotype, *shape), space.inputs.shape, cell_number)


class NdsDarts(_Nds):
    """NDS-DARTS: 4 nodes, 8 operations (none among them), all nodes make the output."""

    name, ops, nodes, loose_ends = "nds_darts", DARTS_OPS, 4, False


class NdsEnas(_Nds):
    """NDS-ENAS: 5 nodes, 5 operations, loose ends make the output."""

    name, ops = "nds_enas", ENAS_OPS


class NdsPnas(_Nds):
    """NDS-PNAS: 5 nodes, 8 operations, all nodes make the output."""

    name, ops, loose_ends = "nds_pnas", PNAS_OPS, False


class NdsNasnet(_Nds):
    """NDS-NASNet: 5 nodes, 13 operations, loose ends make the output."""

    name, ops = "nds_nasnet", NASNET_OPS


class NdsAmoeba(_Nds):
    """NDS-Amoeba: 5 nodes, 8 operations, loose ends make the output."""

    name, ops = "nds_amoeba", AMOEBA_OPS
