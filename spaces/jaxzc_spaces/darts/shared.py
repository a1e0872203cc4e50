"""The program of DARTS as the engine sees it: its layer groups, which of their layers a genotype has, and its parameters."""

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from jaxzc.numerics import initialisers
from jaxzc.types import ActivationGroup, Array, Genes, InitialiserSpec, LayerGroup, Params, PyTree
from jaxzc_spaces.core.params import leaf, with_leaves
from jaxzc_spaces.core.passes import Recorder
from jaxzc_spaces.core.shared import SharedNetwork, SharedProgram, at_start
from jaxzc_spaces.darts.loop import DIL3, EDGES, SEP3, SEP5, SKIP, plan
from jaxzc_spaces.darts.program import LAST_RELU, ProgramNet, relu_steps


class DartsNetwork(SharedNetwork):
    """The network of one genotype."""

    @property
    def _genes(self) -> Array:
        return jnp.asarray(self.arch).reshape(2, EDGES, 2)

    def active(self) -> list[Array]:
        present = [jnp.ones(1, bool) for _ in self.space.outside.kernels]
        for run in self.space.runs:
            genes = self._genes[int(run.reduction)]
            op, steps = genes[:, 0], plan(genes.reshape(-1), run.reduction)
            conv, wide = (steps.present > 0) & (steps.operation == 3), steps.reach == 2
            cell = {"dw3": conv & ~wide, "dw5": conv & wide, "pw": conv, "fr": jnp.repeat((op == SKIP) & (genes[:, 1] < 2), 2)}
            present += [jnp.tile(cell[slot], run.count) if slot in cell else jnp.ones(size, bool) for slot, size in run.slots().items()]
        return present

    def activation_counts(self) -> dict[str, Array]:
        counts = [jnp.ones(1) for _ in self.space.outside.activated]
        for run in self.space.runs:
            counts += [jnp.ones(size) for slot, size in run.slots().items() if slot.startswith("inner")]
            steps = plan(self._genes[int(run.reduction)].reshape(-1), run.reduction)
            relus, strided = relu_steps(steps), steps.strided > 0
            each = [relus & ~strided, *([relus & strided] if run.reduction else [])]
            counts += [jnp.tile(on, run.count).astype(jnp.float32) for on in each]
        pairs = zip(self.activations, [*counts, jnp.zeros(1)], strict=True)
        return OrderedDict((group.name, count[:, None]) for group, count in pairs)


@dataclass(frozen=True)
class DartsProgram(SharedProgram):
    """The program of all genotypes of one network size. One set of parameters serves all of them."""

    network_type = DartsNetwork

    channels: int
    cells: int
    classes: int
    image_shape: tuple[int, ...]
    stem: str
    affine: bool
    auxiliary: bool

    def draw(self, initialiser: InitialiserSpec, key: Array) -> Params:
        """Kernels and the biases of linear layers by the initialiser, normalisations with scale 1 and shift 0."""
        start = at_start(self.structure[1])
        biases = [g.name.removesuffix("kernel") + "bias" for g in self.groups if g.name.endswith("linear/kernel")]
        sizes = [(leaf(start, path).size, leaf(start, path.removesuffix("bias") + "kernel").shape[0]) for path in biases]
        kernels, drawn = initialisers.draw(initialiser, key, self.groups, sizes)
        return with_leaves(start, {g.name: k for g, k in zip(self.groups, kernels, strict=True)} | dict(zip(biases, drawn, strict=True)))

    def discrete_params(self, params: Params, arch: Genes) -> Params:
        return discrete_params(self, params, arch)

    def make(self) -> ProgramNet:
        return ProgramNet(self.channels, self.cells, self.classes, self.image_shape[2], self.stem, self.affine, self.auxiliary)

    @cached_property
    def runs(self) -> Sequence[Any]:
        return list(nnx.eval_shape(self.make).runs)

    @cached_property
    def outside(self) -> Recorder:
        """The layers and activations outside the runs of stacked cells (stem, first cells' preprocessing, head), in execution order."""
        recorders = []

        def run(images: Array) -> Any:
            net = self.make()
            recorders.append(Recorder(net))
            return net(images, jnp.zeros(4 * EDGES, jnp.int32), recorders[-1])

        jax.eval_shape(run, jax.ShapeDtypeStruct((2, *self.image_shape), jnp.float32))
        return recorders[-1]

    @cached_property
    def groups(self) -> tuple[LayerGroup, ...]:
        """The layer groups. First, every layer outside the runs is a group of its own. Then each run of equal cells has these groups:

        `inner0`, `inner1`: preprocessing of inputs that come from the same run. `dw3`, `dw5`: depthwise convolutions with 3x3 and with 5x5
        kernels. `pw`: pointwise convolutions. `fr`, in reduction cells only: the two convolutions of a factorised reduction, which is what
        a skip connection with stride 2 is.
        """
        shapes = nnx.to_pure_dict(self.structure[1])
        named = [(path, (cell,)) for path, _, _, cell in self.outside.kernels]
        for number, run in enumerate(self.runs):
            for slot, size in run.slots().items():
                first = {"inner0": 2, "inner1": 1}.get(slot, 0)
                cells = np.arange(run.first + first, run.first + run.count)
                named.append((f"runs/{number}/{slot}", tuple(np.repeat(cells, size // len(cells)).tolist())))

        def group(path: str, cells: tuple[int, ...]) -> LayerGroup:
            shape = leaf(shapes, path).shape
            shape = shape[-2:] if path.endswith("linear/kernel") else shape[-4:]
            return LayerGroup(path, shape, int(np.prod(shape[:-1])), shape[-1], cells)

        return tuple(group(path, cells) for path, cells in named)

    @cached_property
    def activations(self) -> tuple[ActivationGroup, ...]:
        """The activation groups: every ReLU outside the runs; then, for each run, those of its preprocessing and of its steps; and the
        network's last ReLU a second time, with a count of 0, so that it comes last."""
        groups = [ActivationGroup(name, modules=(modules,)) for name, _, modules in self.outside.activated]
        for number, run in enumerate(self.runs):
            inner = [f"runs/{number}/{slot}_relu" for slot in run.slots() if slot.startswith("inner")]
            groups += [ActivationGroup(name, modules=(("ReLU", "ReLUConvBN"),)) for name in inner]
            groups += [ActivationGroup(f"runs/{number}/{slot}") for slot in run.relus()]
        return (*groups, ActivationGroup(LAST_RELU))


darts_program = lru_cache(maxsize=16)(DartsProgram)


def discrete_params(program: DartsProgram, params: Params, arch: Genes) -> Params:
    """The parameters of the discrete network of one genotype (genes int `[32]`), taken from those of the program."""
    genes = np.asarray(arch).reshape(2, EDGES, 2).tolist()
    discrete = {name: block for name, block in params.items() if name != "runs"}
    for number, run in enumerate(program.runs):
        ours = leaf(params, f"runs/{number}")
        for place in range(run.count):
            cell: dict[str, Any] = {}
            for slot, entry, first in (("inner0", "pre0", 2), ("inner1", "pre1", 1)):
                if place >= first:
                    cell[entry] = {"conv": ours[slot][place - first], "bn": _at(ours[f"{slot}_bn"], (place - first,))}
                else:
                    cell[entry] = ours["second" if place == 1 else entry]
            for e, (op, source) in enumerate(genes[int(run.reduction)]):
                operation = _operation(ours, place, e, op, run.reduction and source < 2)
                if operation:
                    cell.setdefault(f"node{e // 2}", {})[f"op{e % 2}"] = operation
            discrete[f"cell{run.first + place}"] = cell
    return discrete


def _operation(ours: Any, place: int, edge: int, op: int, strided: bool) -> dict[str, Any]:
    """The parameters of one edge's operation, under the names that the discrete network gives them. Empty if it has none.

    ours: parameters of the run. place: number of the cell in the run. strided: whether the edge halves the map.
    """

    def bn(step: int) -> Any:
        return {"bn": _at(ours["bn"], (place, step))} if "bn" in ours else {}

    if op == SKIP and strided:
        return {"conv1": ours["fr"][place, edge, 0], "conv2": ours["fr"][place, edge, 1], **bn(2 * edge)}
    if op < SEP3:
        return {}
    dw, operation = "dw3" if op in (SEP3, DIL3) else "dw5", {}
    for part in range(2 if op in (SEP3, SEP5) else 1):
        step, name = 2 * edge + part, "" if op > SEP5 else str(part)
        block = {"dw": ours[dw][place, step], "pw": ours["pw"][place, step], **bn(step)}
        operation |= {f"{key}{name}": value for key, value in block.items()}
    return operation


def _at(tree: PyTree, index: Any) -> Any:
    return jax.tree.map(lambda a: a[index], tree)
