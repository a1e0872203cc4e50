"""The program of all NAS-Bench-ASR architectures: its layers, what is active in each, and how its parameters are drawn."""

from collections import OrderedDict
from dataclasses import dataclass
from functools import cached_property

import jax
import jax.numpy as jnp
import numpy as np

from jaxzc.numerics import initialisers
from jaxzc.types import ActivationGroup, Array, Genes, InitialiserSpec, LayerGroup, Params
from jaxzc_spaces.core.params import with_leaves
from jaxzc_spaces.core.shared import SharedNetwork, SharedProgram, at_start
from jaxzc_spaces.nasbench_asr.counts import Sizes
from jaxzc_spaces.nasbench_asr.encoding import CHOICES, NODES, OP_GENES, as_read, nodes, reading
from jaxzc_spaces.nasbench_asr.layers import BLOCK_KERNEL
from jaxzc_spaces.nasbench_asr.network import SLOT_OF, SLOTS, AsrNet
from jaxzc_spaces.nasbench_asr.own import own_params, with_torch_lstm


@dataclass(frozen=True)
class AsrNetwork(SharedNetwork):
    """The network of genes int32 `[9]`, which may be traced; `arch` has them as PyTorch's code reads them.

    Its LSTM is one operation, as in PyTorch: what it squashes are no activation functions of the network."""

    offers_norms = False

    def active(self) -> list[Array]:
        return [self._on(group.name.split("/")[-1], group.cells) for group in self.groups]

    def activation_counts(self) -> dict[str, Array]:
        nodes = (self._slots() < len(SLOTS)).astype(jnp.float32)
        counts = [
            jnp.tile(nodes, self.space.sizes.cells[int(group.name.split("/")[1])])[:, None] if "cells" in group.name else jnp.ones((1, 1))
            for group in self.activations
        ]
        return OrderedDict((group.name, count) for group, count in zip(self.activations, counts, strict=True))

    def _slots(self) -> Array:
        return jnp.asarray(SLOT_OF)[self.arch[np.array(OP_GENES)]]

    def _on(self, kind: str, cells: tuple[int, ...]) -> Array:
        return jnp.tile(self._slots() == SLOTS.index(kind), len(cells) // NODES) if kind in SLOTS else jnp.ones(1, bool)


@dataclass(frozen=True)
class AsrProgram(SharedProgram):
    """Its parameters serve all architectures. semantics: which of the authors' codes the genes are read as."""

    network_type = AsrNetwork

    sizes: Sizes
    semantics: str

    def make(self) -> AsrNet:
        return AsrNet(self.sizes)

    def network(self, genes: Genes) -> AsrNetwork:
        read = jnp.asarray(reading(self.semantics))[np.arange(len(CHOICES)), jnp.asarray(genes, jnp.int32)]
        return AsrNetwork(self, read)

    def discrete_params(self, params: Params, arch: Genes) -> Params:
        return own_params(params, nodes(as_read(self.semantics, np.asarray(arch))))

    def draw(self, initialiser: InitialiserSpec, key: Array) -> Params:
        """Kernels and biases by the initialiser, normalisations with scale 1 and bias 0. "torch" is what PyTorch draws."""
        biased = [group for group in self.groups if group.name != "lstm/weight_hh" or self.sizes.biases == 2]
        sizes = [(len(group.cells) * group.channels, group.fan_in) for group in biased]
        kernels, biases = initialisers.draw(initialiser, key, self.groups, sizes)
        drawn = {group.name: kernel for group, kernel in zip(self.groups, kernels, strict=True)}
        drawn |= {_bias_of(group.name): bias for group, bias in zip(biased, biases, strict=True)}
        return with_torch_lstm(jax.tree.map(jnp.asarray, with_leaves(at_start(self.structure[1]), drawn)), initialiser)

    @cached_property
    def groups(self) -> tuple[LayerGroup, ...]:
        """Layer groups in depth order: of every block its convolution, and one group of each kernel of its cells' nodes. The convolutions
        and the cells are numbered as cells."""
        groups, features, first, of = [], self.sizes.features, 0, self.sizes
        for number, (f, count) in enumerate(zip(of.filters, of.cells, strict=True)):
            name, inside = f"blocks/{number}", f // of.groups
            cells = tuple(np.repeat(np.arange(first + 1, first + 1 + count), NODES).tolist())
            groups += [
                LayerGroup(f"{name}/conv", (BLOCK_KERNEL, features, f), BLOCK_KERNEL * features, f, (first,)),
                LayerGroup(f"{name}/cells/conv5", (5, inside, f), 5 * inside, f, cells),
                LayerGroup(f"{name}/cells/conv7", (7, inside, f), 7 * inside, f, cells),
                LayerGroup(f"{name}/cells/linear", (f, f), f, f, cells),
            ]
            features, first = f, first + 1 + count
        if of.units:
            groups += [
                LayerGroup(f"lstm/weight_{kind}", (width, 4 * of.units), width, 4 * of.units)
                for kind, width in (("ih", features), ("hh", of.units))
            ]
        outputs = of.units or features
        return (*groups, LayerGroup("head/kernel", (outputs, of.classes), outputs, of.classes))

    @property
    def activations(self) -> tuple[ActivationGroup, ...]:
        names = [name for number in range(len(self.sizes.filters)) for name in (f"blocks/{number}/relu", f"blocks/{number}/cells/relu")]
        return tuple(ActivationGroup(name) for name in names)


def _bias_of(kernel: str) -> str:
    return "head/bias" if kernel == "head/kernel" else f"{kernel}_bias"
