"""Discrete networks: an NNX module of one architecture as the engine sees it (`jaxzc.types.Network`).

For spaces in which every gene changes shapes, so that each architecture is a program of its own. Layers whose kernels and outputs have one
shape are one group, which keeps programs small: a proxy's arithmetic is done for the whole group at once.
"""

import itertools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jax import lax

from jaxzc.numerics import initialisers
from jaxzc.spacekit import VectorSpace, check_key
from jaxzc.spacekit.vectors import check_vectors
from jaxzc.types import Array, Forward, JaxzcError, LayerGroup, Norm, Normalise, Tap
from jaxzc_spaces.core.layers import Pass
from jaxzc_spaces.core.params import with_parameters

Path = tuple[Any, ...]
"""Keys of nested parameters: words, and the numbers of a list's members."""


@dataclass(frozen=True, eq=False)
class Blueprint:
    """What is known of a network before it has parameters.

    graph, state: the module taken apart, its parameters as shapes.
    groups: layer groups in the order in which their first layers run. members: per group, its layers as (number in the order of
        execution, path of the kernel). biases: (path, fan_in) of the layers' biases.
    relus: per group of ReLUs with inputs of one shape, their numbers in the order of execution, the group of the last ReLU last; hooks:
        for each ReLU, see `Pass.relu`. norms: likewise for batch normalisations. maps: for runs of maps of one shape (see `Pass.map`).
    """

    graph: Any
    state: Any
    groups: tuple[LayerGroup, ...]
    members: tuple[tuple[tuple[int, Path], ...], ...]
    biases: tuple[tuple[Path, int], ...]
    relus: tuple[tuple[int, ...], ...]
    hooks: tuple[int, ...]
    norms: tuple[tuple[int, ...], ...]
    maps: tuple[tuple[int, ...], ...]


class _Recorder(Pass):
    """Notes every layer's kernel and output shape, and the shapes of what else a tap may read."""

    def __init__(self) -> None:
        super().__init__()
        self.kernels: list[tuple[nnx.Param, tuple[int, ...], int]] = []
        self.inputs: list[tuple[tuple[int, ...], int]] = []
        self.normalised: list[tuple[int, ...]] = []
        self.outputs: list[tuple[int, ...]] = []

    def layer(self, kernel: nnx.Param, y: Array) -> Array:
        self.kernels.append((kernel, y.shape[1:], self.cell))
        return y

    def relu(self, x: Array, hooks: int = 1) -> Array:
        self.inputs.append((x.shape[1:], hooks))
        return jax.nn.relu(x)

    def normalising(self, x: Array) -> None:
        self.normalised.append(x.shape[1:])

    def map(self, x: Array) -> Array:
        self.outputs.append(x.shape[1:])
        return x


def blueprint(make: Callable[[], nnx.Module], image_shape: Sequence[int], cell: Callable[[str], int] | None = None) -> Blueprint:
    """The blueprint of the module that `make` builds, called as module(images, pass).

    cell: for the first word of a kernel's path, the number of the cell, in depth order, that it belongs to; -1 outside cells. Without, it
    is what the module writes into its pass (`Pass.cell`).
    """
    recorder, paths = _Recorder(), {}

    def run(images: Array) -> Any:
        module: Any = make()
        paths.update({id(node): tuple(path) for path, node in nnx.iter_graph(module) if isinstance(node, nnx.Param)})
        return module(images, recorder)

    jax.eval_shape(run, jax.ShapeDtypeStruct((2, *image_shape), jnp.float32))
    graph, state = nnx.split(nnx.eval_shape(make))
    layers: dict[Any, list[tuple[int, Path]]] = {}
    for number, (kernel, out, _) in enumerate(recorder.kernels):
        layers.setdefault((tuple(kernel.shape), out), []).append((number, paths[id(kernel)]))
    cells = [inside if cell is None else cell(str(paths[id(kernel)][0])) for kernel, _, inside in recorder.kernels]
    groups = [
        LayerGroup("/".join(map(str, m[0][1])), shape, math.prod(shape[:-1]), shape[-1], tuple(cells[number] for number, _ in m))
        for (shape, _), m in layers.items()
    ]
    fan_in = {paths[id(kernel)]: math.prod(kernel.shape[:-1]) for kernel, _, _ in recorder.kernels}
    owners = {_bias_of(path): path for path in fan_in}
    biases = [(path, fan_in[owners[path]]) for path in paths.values() if path in owners]
    maps = [[number for number, _ in run] for _, run in itertools.groupby(enumerate(recorder.outputs), key=lambda pair: pair[1])]
    return Blueprint(
        graph,
        state,
        tuple(groups),
        tuple(map(tuple, layers.values())),
        tuple(biases),
        _grouped([shape for shape, _ in recorder.inputs]),
        tuple(hooks for _, hooks in recorder.inputs),
        _grouped(recorder.normalised),
        tuple(map(tuple, maps)),
    )


def _grouped(shapes: Sequence[Any]) -> tuple[tuple[int, ...], ...]:
    """The numbers of equal shapes, by the last of them."""
    found: dict[Any, list[int]] = {}
    for number, shape in enumerate(shapes):
        found.setdefault(shape, []).append(number)
    return tuple(sorted(map(tuple, found.values()), key=lambda numbers: numbers[-1]))


def discrete_network(
    make: Callable[[], nnx.Module], image_shape: Sequence[int], cell: Callable[[str], int] | None = None
) -> "DiscreteNetwork":
    """The network of the module that `make` builds; arguments as for `blueprint`."""
    return DiscreteNetwork(blueprint(make, image_shape, cell))


def _bias_of(kernel: Path) -> Path:
    """Where the bias of this kernel is, if it has one: `linear/bias` of `linear/kernel`, `proj_bias` of `proj`."""
    *path, last = kernel
    return (*path, "bias" if last == "kernel" else f"{last}_bias")


@dataclass(frozen=True, eq=False)
class DiscreteNetwork:
    """The network of one architecture, made by its blueprint. Parameters are nested dicts with the module's names."""

    blueprint: Blueprint

    @property
    def groups(self) -> tuple[LayerGroup, ...]:
        return self.blueprint.groups

    def init(self, key: Array, initialiser: str = "torch") -> Any:
        """Parameters: kernels and biases by the initialiser, normalisations with scale 1 and bias 0."""
        sizes = [(int(_leaf(self._shapes, path).size), fan_in) for path, fan_in in self.blueprint.biases]
        kernels, biases = initialisers.draw(initialiser, key, self.groups, sizes)
        params = jax.tree_util.tree_map_with_path(lambda path, a: np.full(a.shape, float(path[-1].key == "scale"), a.dtype), self._shapes)
        for (path, _), bias in zip(self.blueprint.biases, biases, strict=True):
            _leaf(params, path[:-1])[path[-1]] = bias
        return jax.tree.map(jnp.asarray, self.with_weights(params, kernels))

    def weights(self, params: Any) -> list[Array]:
        return [jnp.stack([_leaf(params, path) for _, path in members]) for members in self.blueprint.members]

    def with_weights(self, params: Any, weights: Sequence[Array]) -> Any:
        params = jax.tree.map(lambda a: a, params)
        for members, stacked in zip(self.blueprint.members, weights, strict=True):
            # One split, whose derivative is one concatenation; numpy's needs no program.
            one_each = [1] * len(members)
            rows = np.split(stacked, len(members)) if isinstance(stacked, np.ndarray) else lax.split(jnp.asarray(stacked), one_each)
            for (_, path), kernel in zip(members, rows, strict=True):
                _leaf(params, path[:-1])[path[-1]] = kernel[0]
        return params

    def map_params(self, fn: Callable[[Array], Array], params: Any) -> Any:
        return jax.tree.map(fn, params)

    def active(self) -> list[Array]:
        return [jnp.ones(len(group.cells), bool) for group in self.groups]

    def relu_counts(self) -> tuple[list[Array], list[Array]]:
        once = [jnp.ones(len(numbers)) for numbers in self.blueprint.relus]
        hooks = [jnp.asarray([self.blueprint.hooks[n] for n in numbers], jnp.float32) for numbers in self.blueprint.relus]
        return once, hooks

    def module(self, params: Any) -> Any:
        """The NNX module with these parameters; call it with images and a `Pass`."""
        return with_parameters(self.blueprint.graph, self.blueprint.state, params)

    def forward(self, params: Any, inputs: Array, *, norm: Norm | Normalise, tap: Tap | None = None) -> Forward:
        tap = tap or Tap()
        numbers = [[number for number, _ in members] for members in self.blueprint.members]
        maps = self.blueprint.maps
        perturb = _spread("perturb", "layer", tap.perturb, numbers)
        p = Pass(norm, tap, perturb, _spread("cell_perturb", "map", tap.cell_perturb, maps) if maps else None)
        logits = self.module(params)(jnp.asarray(inputs), p)
        return Forward(
            logits,
            _gathered(p.layers, numbers) if tap.layer else None,
            _gathered(p.relus, self.blueprint.relus) if tap.relu else None,
            p.exponent,
            _gathered(p.norms, self.blueprint.norms) if tap.norm else None,
            _gathered(p.maps, maps) if tap.cell and maps else None,
        )

    @property
    def _shapes(self) -> Any:
        return nnx.to_pure_dict(self.blueprint.state)


def _spread(name: str, what: str, stacked: Sequence[Any] | None, groups: Sequence[Sequence[int]]) -> list[Any] | None:
    """What a tap gives for each group, as one pytree for each member in the order of execution."""
    if stacked is None:
        return None
    if len(stacked) != len(groups):
        raise JaxzcError(f"tap.{name} has {len(stacked)} entries for {len(groups)} {what} groups: give one pytree for each group")
    ordered: dict[int, Any] = {}
    for numbers, leaves in zip(groups, stacked, strict=True):
        ordered |= {number: jax.tree.map(lambda a, k=k: a[k], leaves) for k, number in enumerate(numbers)}
    return [ordered[number] for number in range(len(ordered))]


def _gathered(kept: Sequence[Any], groups: Sequence[Sequence[int]]) -> list[Any]:
    return [jax.tree.map(lambda *a: jnp.stack(a), *(kept[number] for number in numbers)) for numbers in groups]


@dataclass(frozen=True, eq=False)
class DiscreteProgram:
    """A program that serves one architecture, which is its discrete network (`jaxzc.types.SpaceProgram`)."""

    discrete: DiscreteNetwork

    in_pieces = True

    def init(self, rng_key: Array, initialiser: str = "torch") -> Any:
        """Parameters (nested dict of float32 arrays) of the architecture."""
        return self.discrete.init(rng_key, initialiser)

    def network(self, genes: Any) -> DiscreteNetwork:
        """The network, whatever the genes: they are those of the program's key."""
        return self.discrete

    def discrete_params(self, params: Any, arch: Any) -> Any:
        """The parameters themselves."""
        return params


class OneNetworkEach(VectorSpace):
    """For spaces in which every gene changes shapes, so that every architecture has a program of its own. They write `network`."""

    def program_keys(self, archs: np.ndarray) -> np.ndarray:
        """int32 `[n, genes]`: the architectures themselves."""
        return check_vectors(self.choices, archs)

    def program(self, key: tuple[int, ...] = ()) -> DiscreteProgram:
        check_key(self, key, len(self.choices))
        return DiscreteProgram(self.network(key))

    def network(self, arch: Any) -> DiscreteNetwork:
        raise NotImplementedError(f"{type(self).__name__} has no networks: write network(arch)")


def _leaf(params: Any, path: Path) -> Any:
    for key in path:
        params = params[key]
    return params
