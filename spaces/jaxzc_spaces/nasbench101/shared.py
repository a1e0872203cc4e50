"""NAS-Bench-101's programs as the engine sees them: which architectures share one, layer groups, and what of them a cell has."""

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any

import jax.numpy as jnp
import numpy as np
from flax import nnx

from jaxzc.types import ActivationGroup, Array, Genes, JaxzcError, LayerGroup, Params
from jaxzc_spaces.core.params import leaf, nested
from jaxzc_spaces.core.shared import SharedNetwork, SharedProgram
from jaxzc_spaces.nasbench101.encoding import CONV1, CONV3, POOL, VERTICES, cells, pruned, widths
from jaxzc_spaces.nasbench101.layout import INTERIOR, OUTPUT, cell, layouts
from jaxzc_spaces.nasbench101.program import ProgramNet

STACKS = 3
KEY = 1 + STACKS * len(INTERIOR)
"""Numbers of a key."""


def program_keys(archs: Genes, channels: int) -> np.ndarray:
    """int32 `[n, 16]` of architectures `[n, 26]`: how many vertices lead to the output (1 where only the input does), and the channels of
    the 5 interior vertices in each of 3 stacks. Vertices that the pruned cell has not are as wide as the narrowest of the output's parts.

    Raises `JaxzcError` where the output is not reached from the input.
    """
    graphs = pruned(cells(archs))
    disconnected = np.flatnonzero(~graphs.edges.any((1, 2)))
    if len(disconnected):
        raise unreached(np.atleast_2d(archs)[disconnected[0]])
    parts = np.maximum(graphs.edges[:, 1:-1, -1].sum(1), 1)
    stacks = [channels << stack for stack in range(STACKS)]
    by_stack = (np.maximum(widths(graphs, c)[:, 1:-1], (c // parts)[:, None]) for c in stacks)
    return np.column_stack([parts, *by_stack]).astype(np.int32)


def unreached(arch: Genes) -> JaxzcError:
    return JaxzcError(
        f"nasbench101: no path leads from the input to the output of the cell {np.asarray(arch).tolist()}: expected a connected "
        "cell, as all of the benchmark are (`is_connected` tells them apart)"
    )


class NasBench101Network(SharedNetwork):
    """The network of one cell."""

    offers_maps = False

    def _blocks(self) -> tuple[Any, Any, Any]:
        """Whether each vertex has a convolution from the input, a 1x1, a 3x3: three times bool `[7]`."""
        graph = cell(jnp.asarray(self.arch))
        return graph.edges[0], graph.live & (graph.ops == CONV1), graph.live & (graph.ops == CONV3)

    def _by_run(self, kinds: Sequence[Array], from_input: Array) -> list[Array]:
        entries = []
        for run, _ in self.space.runs:
            entries += [jnp.tile(kind[np.array(members)], run.count) for kind in kinds for _, members in run.layout.classes]
            entries.append(jnp.tile(from_input[OUTPUT], run.count))
        return entries

    def active(self) -> list[Array]:
        blocks = self._blocks()
        return [jnp.ones(1, bool), *self._by_run(blocks, blocks[0]), jnp.ones(1, bool)]

    def activation_counts(self) -> dict[str, Array]:
        proj, conv1x1, conv3x3 = (present.astype(jnp.float32) for present in self._blocks())
        counts = [jnp.ones(1), *self._by_run([proj, conv1x1 + conv3x3], proj)]
        return OrderedDict((group.name, count[:, None]) for group, count in zip(self.activations, counts, strict=True))


@dataclass(frozen=True)
class NasBench101Program(SharedProgram):
    """The program of all cells with one key; its parameters serve all of them."""

    network_type = NasBench101Network

    key: tuple[int, ...]
    channels: int
    modules: int
    classes: int
    in_channels: int

    def discrete_params(self, params: Params, arch: Genes) -> Params:
        return discrete_params(self, params, arch)

    def make(self) -> ProgramNet:
        return ProgramNet(layouts(self.key, self.channels), self.modules, self.classes, self.in_channels)

    @cached_property
    def runs(self) -> list[tuple[Any, list[int]]]:
        """The runs of equal modules, and the numbers of their cells in depth order."""
        entries, first = [], 0
        for run in nnx.eval_shape(self.make).runs:
            entries.append((run, list(range(first, first + run.count))))
            first += run.count
        return entries

    @cached_property
    def groups(self) -> tuple[LayerGroup, ...]:
        """Stem, head, and per run of equal modules: the vertices' 1x1 convolutions from the input, their own 1x1 and 3x3 ones (each as one
        group for each width), and the output's from the input."""

        def conv(name: str, k: int, c_in: int, c: int, cells: Sequence[int] = (-1,)) -> LayerGroup:
            return LayerGroup(name, (k, k, c_in, c), k * k * c_in, c, tuple(cells))

        groups = [conv("stem", 3, self.in_channels, self.channels)]
        for number, (run, inside) in enumerate(self.runs):
            at = f"runs/{number}/"
            classes = [(k, w, np.repeat(inside, len(members)).tolist()) for k, (w, members) in enumerate(run.layout.classes)]
            groups += [conv(f"{at}proj/{k}", 1, run.c_in, w, of) for k, w, of in classes]
            groups += [conv(f"{at}conv1x1/{k}", 1, w, w, of) for k, w, of in classes]
            groups += [conv(f"{at}conv3x3/{k}", 3, w, w, of) for k, w, of in classes]
            groups += [conv(f"{at}out", 1, run.c_in, run.layout.channels, inside)]
        c = self.channels << 2
        return (*groups, LayerGroup("head", (c, self.classes), c, self.classes))

    @cached_property
    def activations(self) -> tuple[ActivationGroup, ...]:
        """Inputs of ReLUs: of the stem, and per run of equal modules of the vertices' convolutions from the input and of their own ones
        (one group for each width), and of the output's; the network's last is at its end."""
        names = ["stem_relu"]
        for number, (run, _) in enumerate(self.runs):
            names += [f"runs/{number}/{kind}/{k}" for kind in ("proj_relu", "op_relu") for k in range(len(run.layout.classes))]
            names.append(f"runs/{number}/out_relu")
        return tuple(map(ActivationGroup, names))


nasbench101_program = lru_cache(maxsize=64)(NasBench101Program)


def discrete_params(program: NasBench101Program, params: Params, arch: Genes) -> Params:
    """The parameters of the discrete network of a cell (genes `[26]`), cut from those of its program."""
    edges, ops = (part[0] for part in pruned(cells(np.asarray(arch)[None])))
    modules = [(number, place) for number, (run, _) in enumerate(program.runs) for place in range(run.count)]
    filled = {"stem/conv": params["stem"], "stem/bn/scale": params["stem_bn"]["scale"], "stem/bn/bias": params["stem_bn"]["bias"]}
    filled |= {"head": params["head"], "head_bias": params["head_bias"]}

    def fill(at: str, kernel: Array, bn: Any, index: Any) -> None:
        filled.update({f"{at}/conv": kernel[index], f"{at}/bn/scale": bn["scale"][index], f"{at}/bn/bias": bn["bias"][index]})

    for number, (run, place) in enumerate(modules):
        stack, position = divmod(number, program.modules)
        ours, layout, at = leaf(params, f"runs/{run}"), program.runs[run][0].layout, f"stacks/{stack}/{position}/"
        for v in INTERIOR:
            k, i = layout.place(v)
            if edges[0, v]:
                fill(f"{at}proj/vertex{v}", ours["proj"][k], ours["proj_bn"][k], (place, i))
            if edges[v].any() and ops[v] != POOL:
                fill(f"{at}op/vertex{v}", ours["conv3x3" if ops[v] == CONV3 else "conv1x1"][k], ours["op_bn"][k], (place, i))
        if edges[0, OUTPUT]:
            fill(f"{at}proj/vertex{VERTICES - 1}", ours["out"], ours["out_bn"], (place, 0))
    return nested(filled)
