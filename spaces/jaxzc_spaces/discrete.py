"""Discrete networks: one NNX module for each choice of what changes the shapes, its layers found by running it once.

A module is written as what it computes; it calls a `Pass` for every convolution, ReLU, normalisation and rescaling. The first pass, on
shapes only, notes what layers and ReLUs there are; every further pass hands them to the tap. Layers whose kernels and outputs have the
same shapes form one group, so that what a proxy does with a layer is compiled once for all of them.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx
from jax import lax

from jaxzc import initialisers
from jaxzc.numerics import power_of_two
from jaxzc.types import Array, Forward, LayerGroup, Norm, Tap
from jaxzc_spaces.nasbench201_cells import NO_TAP, Norm2d, rescale
from jaxzc_spaces.paths import leaf, with_leaves


@dataclass
class Plan:
    """What one pass meets, in order. paths: of every parameter, by its identity; layers: (path of the kernel, shape of the kernel, shape
    of one image's output, cell); relus: (shape of one image's input, modules that the authors' hooks count there)."""

    paths: dict[int, str] = field(default_factory=dict)
    layers: list[tuple[str, tuple[int, ...], tuple[int, ...], int]] = field(default_factory=list)
    relus: list[tuple[tuple[int, ...], int]] = field(default_factory=list)


class Pass:
    """One run of a module. plan: where the run notes what it meets; None where that is known. cell: the number of the cell that the module
    is in, which the module sets; -1 outside."""

    def __init__(self, norm: Norm, tap: Tap = NO_TAP, perturb: Sequence[Any] | None = None, plan: Plan | None = None):
        self.mode: Norm = norm
        self.tap, self.perturb, self.plan = tap, perturb, plan
        self.cell, self.exponent = -1, jnp.zeros((), jnp.int32)
        self.kept: list[Any] = []
        self.seen: list[Any] = []

    def conv(self, op: Callable[[Array, Array], Array], x: Array, kernel: nnx.Param, bias: Array | None = None) -> Array:
        """`op(x, kernel)`, with a bias in the scale of the rescaled network, read by the tap."""
        y = op(x, kernel[...])
        if bias is not None:
            y = y + (bias if self.mode != "none" else bias * power_of_two(-self.exponent, y.dtype))
        if self.plan is not None:
            self.plan.layers.append((self.plan.paths[id(kernel)], kernel[...].shape, y.shape[1:], self.cell))
        if self.tap.layer is not None:
            y, kept = self.tap.layer(y, None if self.perturb is None else self.perturb[len(self.kept)])
            self.kept.append(kept)
        return y

    def relu(self, x: Array, hooks: int = 1) -> Array:
        """hooks: how many modules with "ReLU" in their type's name act here in the authors' code."""
        if self.plan is not None:
            self.plan.relus.append((x.shape[1:], hooks))
        if self.tap.relu is not None:
            self.seen.append(self.tap.relu(x))
        return jax.nn.relu(x)

    def norm(self, x: Array, norm: Norm2d) -> Array:
        return norm(x, self.mode)

    def rescale(self, x: Array) -> Array:
        x, self.exponent = rescale(x, self.exponent, self.mode)
        return x


@dataclass(frozen=True, eq=False)
class DiscreteNetwork:
    """The network of a module `(images, Pass) -> logits`, as the engine sees it (`jaxzc.types.Network`).

    members: for each group, the numbers of its layers in the order of their calls, and their paths; relus: for each ReLU group, the numbers
    of its ReLUs; hooks: of each ReLU.
    """

    graph: Any
    structure: Any
    groups: tuple[LayerGroup, ...]
    members: tuple[tuple[tuple[int, ...], tuple[str, ...]], ...]
    relus: tuple[tuple[int, ...], ...]
    hooks: tuple[int, ...]

    def weights(self, params: Any) -> list[Array]:
        return [jnp.stack([leaf(params, path) for path in paths]) for _, paths in self.members]

    def with_weights(self, params: Any, weights: Sequence[Array]) -> Any:
        # A split: its derivative is one concatenation, where that of indexing is a sum of as many arrays as there are layers.
        parts = [lax.split(w, [1] * len(paths)) for (_, paths), w in zip(self.members, weights, strict=True)]
        flat = [(path, w) for (_, paths), ws in zip(self.members, parts, strict=True) for path, w in zip(paths, ws, strict=True)]
        return with_leaves(params, dict(flat))

    def map_params(self, fn: Callable[[Array], Array], params: Any) -> Any:
        return jax.tree.map(fn, params)

    def active(self) -> list[Array]:
        return [jnp.ones(len(g.cells), bool) for g in self.groups]

    def relu_counts(self) -> tuple[list[Array], list[Array]]:
        once = [jnp.ones(len(numbers)) for numbers in self.relus]
        return once, [jnp.asarray([float(self.hooks[i]) for i in numbers]) for numbers in self.relus]

    def module(self, params: Any) -> Any:
        """The NNX module with these parameters."""
        state = jax.tree.map(lambda a: a, self.structure)  # replacing works in place
        nnx.replace_by_pure_dict(state, params)
        return nnx.merge(self.graph, state)

    def init(self, key: Array, initialiser: str, bias: str = "head_bias", fan_in: int = 1) -> Any:
        """Parameters (nested dict): kernels and the vector at the path `bias` drawn, normalisation with scale 1 and shift 0."""
        params = nnx.to_pure_dict(self.structure)
        kernels, (drawn,) = initialisers.draw(initialiser, key, self.groups, [(leaf(params, bias).size, fan_in)])
        start = jax.tree_util.tree_map_with_path(lambda path, a: jnp.full(a.shape, float(path[-1].key == "scale")), params)
        return with_leaves(self.with_weights(start, kernels), {bias: drawn})

    def forward(self, params: Any, images: Array, *, norm: Norm, tap: Tap | None = None) -> Forward:
        tap = tap or NO_TAP
        perturb = None
        if tap.perturb is not None:
            perturb = [None] * sum(len(numbers) for numbers, _ in self.members)
            for (numbers, _), group in zip(self.members, tap.perturb, strict=True):
                for position, number in enumerate(numbers):
                    perturb[number] = jax.tree.map(lambda a, position=position: a[position], group)
        run = Pass(norm, tap, perturb)
        logits = self.module(params)(images, run)
        layers = None if tap.layer is None else [_stack([run.kept[i] for i in numbers]) for numbers, _ in self.members]
        relus = None if tap.relu is None else [_stack([run.seen[i] for i in numbers]) for numbers in self.relus]
        return Forward(logits, layers, relus, run.exponent)


def discrete_network(make: Callable[[], nnx.Module], image_shape: tuple[int, int, int]) -> DiscreteNetwork:
    """The network of the module that `make` makes, for images `[B, H, W, channels]` of this shape. Nothing is computed."""
    graph, structure = nnx.split(nnx.eval_shape(make))
    plan = Plan()

    def run(state: Any, images: Array) -> Array:
        module: Any = nnx.merge(graph, state)
        parts = [(path, part) for path, part in nnx.iter_graph(module) if isinstance(part, nnx.Param)]
        plan.paths.update({id(part): "/".join(map(str, path)) for path, part in parts})
        return module(images, Pass("batch", plan=plan))

    jax.eval_shape(run, structure, jax.ShapeDtypeStruct((2, *image_shape), jax.tree.leaves(structure)[0].dtype))
    layers = _grouped([(kernel, out) for _, kernel, out, _ in plan.layers])
    groups, members = [], []
    for numbers in layers:
        name, kernel, _, _ = plan.layers[numbers[0]]
        size = 1
        for n in kernel[:-1]:
            size *= n
        groups.append(LayerGroup(name, kernel, size, kernel[-1], tuple(plan.layers[i][3] for i in numbers)))
        members.append((numbers, tuple(plan.layers[i][0] for i in numbers)))
    relus = _grouped([shape for shape, _ in plan.relus])
    return DiscreteNetwork(graph, structure, tuple(groups), tuple(members), relus, tuple(hooks for _, hooks in plan.relus))


def _grouped(keys: Sequence[Any]) -> tuple[tuple[int, ...], ...]:
    """The positions of equal keys, in the order in which they first come."""
    found: dict[Any, list[int]] = {}
    for number, key in enumerate(keys):
        found.setdefault(key, []).append(number)
    return tuple(map(tuple, found.values()))


def _stack(kept: Sequence[Any]) -> Any:
    return jax.tree.map(lambda *a: jnp.stack(a), *kept)
