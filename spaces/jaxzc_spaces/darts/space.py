"""The search space of DARTS (Liu et al., ICLR 2019), and of NAS-Bench-301, which is built on it.

>>> space = Darts(channels=36, cells=20, classes=10)
>>> arch = space.sample(np.random.default_rng(0), 1)[0]
>>> program = space.program()
>>> params = program.init(jax.random.key(0))              # serve every genotype
>>> program.network(arch).forward(params, images, norm="batch").outputs

All genotypes of one size are one program, in which operations and inputs are data (`jaxzc_spaces.darts.program`). `space.network(arch)` is
the discrete network, whose parameters have the authors' names: `program.discrete_params(params, arch)`.
"""

import ast
from dataclasses import dataclass
from functools import cached_property, lru_cache, partial
from typing import Any

import numpy as np

from jaxzc.types import Counts, Genes, InputSpec, JaxzcError
from jaxzc_spaces.core.blueprint import Blueprint, blueprint
from jaxzc_spaces.core.discrete import DiscreteNetwork
from jaxzc_spaces.core.sizes import check_images, check_positive
from jaxzc_spaces.darts.shared import DartsProgram, darts_program
from jaxzc_spaces.genotypes import counts as genotype_counts
from jaxzc_spaces.genotypes.encoding import Encoding, Genotype
from jaxzc_spaces.genotypes.network import GenotypeNet
from jaxzc_spaces.genotypes.space import GenotypeSpace

OPS = (
    "none",
    "max_pool_3x3",
    "avg_pool_3x3",
    "skip_connect",
    "sep_conv_3x3",
    "sep_conv_5x5",
    "dil_conv_3x3",
    "dil_conv_5x5",
)
NODES = 4


@dataclass(frozen=True)
class Darts(GenotypeSpace):
    """DARTS: two cells of four nodes, each the sum of two of seven operations on different earlier states.

    The fields are the network; the defaults are NAS-Bench-301's size. The DARTS paper evaluates at channels=36, cells=20 (CIFAR) and
    channels=48, cells=14, stem="imagenet".

    affine: whether normalisations inside operations have scale and bias; the parameters that NAS-Bench-Suite-Zero lists for
        NAS-Bench-301 are those of False. auxiliary: build the second classifier (CIFAR stem, 32x32 images); scores read the first one's
        logits. zero, repeats: whether sampling and mutation use the operation none, and give a node one state twice; neither is in the
        space, both are in lists of random genotypes, and parsing accepts them.
    """

    channels: int = 32
    cells: int = 8
    stem: str = "cifar"
    affine: bool = True
    auxiliary: bool = False
    zero: bool = False
    repeats: bool = False
    classes: int = 10
    inputs: InputSpec = InputSpec((32, 32, 3))

    name = "darts"

    def __post_init__(self) -> None:
        super().__post_init__()
        check_positive(self, "channels", "cells", "classes")
        if self.stem not in ("cifar", "imagenet"):
            raise JaxzcError(f"darts: stem={self.stem!r}: expected 'cifar' or 'imagenet'")
        if self.channels % 2 and self.stem == "imagenet":
            raise JaxzcError(f"darts: channels={self.channels}: expected an even number, which the ImageNet stem halves")
        check_images(self, 4 if self.stem == "cifar" else 32, f"stem {self.stem} and the reductions halve them without padding")
        if self.auxiliary and (self.stem != "cifar" or self.inputs.shape[:2] != (32, 32) or self.cells < 3):
            raise JaxzcError("darts: auxiliary=True: expected stem 'cifar', images of 32 x 32 and 3 cells or more, for which it is defined")

    @cached_property
    def encoding(self) -> Encoding:  # pyright: ignore[reportIncompatibleMethodOverride]
        drawn = OPS if self.zero else OPS[1:]
        return Encoding("darts", OPS, NODES, loose_ends=False, drawn=drawn, distinct=not self.repeats)

    # Architectures.

    def parse(self, text: str) -> np.ndarray:
        """The genes int32 `[32]` of a genotype as DARTS prints it. Raises `JaxzcError` that quotes what is wrong."""
        return self.encoding.genes(parse_genotype(text), text)

    def to_string(self, arch: Genes) -> str:
        g = self.genotype(arch)
        normal, reduce = (f"{name}={list(cell.edges)}, {name}_concat={list(cell.concat)}" for name, cell in g._asdict().items())
        return f"Genotype({normal}, {reduce})"

    def counts(self, archs: np.ndarray) -> Counts:
        """Exact; `flops` are multiply-accumulates of convolutions and linear layers."""
        shape = self.channels, self.cells, self.classes, self.inputs.shape, self.stem, self.affine, self.auxiliary
        tallies = [genotype_counts.network_tally(self.genotype(arch), *shape) for arch in np.atleast_2d(archs)]
        return genotype_counts.as_counts(tallies)

    # Networks.

    def program(self, key: tuple[int, ...] = ()) -> DartsProgram:
        """The one program of all genotypes."""
        return darts_program(self.channels, self.cells, self.classes, self.inputs.shape, self.stem, self.affine, self.auxiliary)

    def network(self, arch: Genes) -> DiscreteNetwork:
        """The discrete network of genes `[32]`."""
        return DiscreteNetwork(_blueprint(self, self.genotype(arch)))


@lru_cache(maxsize=64)
def _blueprint(space: Darts, genotype: Genotype) -> Blueprint:
    shape = space.channels, space.cells, space.classes, space.inputs.shape[2], space.stem, space.affine, space.auxiliary
    return blueprint(partial(GenotypeNet, genotype, *shape), space.inputs.shape, cell_number)


def cell_number(word: str) -> int:
    """The number of the cell that a path beginning with this word is in."""
    return int(word.removeprefix("cell")) if word.startswith("cell") else -1


def parse_genotype(text: str) -> dict[str, Any]:
    """The keywords of `Genotype(normal=[...], normal_concat=range(2, 6), ...)`, read as literals: nothing is evaluated."""
    try:
        call = ast.parse(text.strip(), mode="eval").body
        if not isinstance(call, ast.Call) or call.args or getattr(call.func, "id", "") != "Genotype":
            raise ValueError("no call of Genotype with keywords")
        return {str(keyword.arg): _literal(keyword.value) for keyword in call.keywords}
    except (ValueError, SyntaxError, AttributeError, TypeError, RecursionError) as error:
        form = "Genotype(normal=[('sep_conv_3x3', 0), ...], normal_concat=[2, 3, 4, 5], reduce=[...], reduce_concat=[2, 3, 4, 5])"
        raise JaxzcError(f"{text!r} is no genotype ({error}); expected {form}") from error


def _literal(node: ast.expr) -> Any:
    if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "range":
        bounds = [ast.literal_eval(argument) for argument in node.args]
        if not 1 <= len(bounds) <= 2 or not all(isinstance(b, int) and 0 <= b < 100 for b in bounds):
            raise ValueError("a range that is none of states")
        return list(range(*bounds))
    return ast.literal_eval(node)
