"""Discrete networks: an NNX module of one architecture as the engine sees it (`jaxzc.types.Network`).

For spaces in which every gene changes shapes, so that each architecture is a program of its own. Layers whose kernels and outputs have one
shape are one group, which keeps programs small: a proxy's arithmetic is done for the whole group at once. Where programs are compiled in
pieces, that would make pieces of every number of layers; there each layer is a group of its own (`DiscreteNetwork.apart`).
"""

import itertools
import math
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jax import lax

from jaxzc.numerics import initialisers
from jaxzc.spacekit import VectorSpace, check_key
from jaxzc.spacekit.vectors import check_vectors
from jaxzc.types import ActivationGroup, Array, Forward, Genes, InitialiserSpec, LayerGroup, Norm, Params, PyTree, Tap
from jaxzc_spaces.core.params import at_path, with_parameters
from jaxzc_spaces.core.passes import Recorder, Step
from jaxzc_spaces.core.stacked import gathered, spread

Path = tuple[Any, ...]
"""Keys of nested parameters: words, and the numbers of a list's members."""
Members = tuple[tuple[str, ...], ...]
"""Per group, the names of its members in the order of execution; a group has the name of its first."""


@dataclass(frozen=True, eq=False)
class Blueprint:
    """What is known of a network before it has parameters.

    make: builds the module; a `functools.partial` where the network is to be written as code that stands alone (`core.alone`).
    graph, state: the module taken apart, its parameters as shapes.
    groups: layers of one role whose kernels and outputs have one shape, in the order in which their first layers run. layers: their
        members, which are the paths of the kernels. biases: (path, fan_in) of the layers' biases. embeddings: paths (`Pass.embedding`).
    activations: values of one shape that are activated alike, the group of the last one last. activated: their members; ways: for each
        group, which of its `modules` each member has. norms: likewise the inputs of batch normalisations. maps: runs of maps of one shape.
    """

    make: Callable[[], nnx.Module]
    graph: Any
    state: Any
    groups: tuple[LayerGroup, ...]
    layers: Members
    biases: tuple[tuple[Path, int], ...]
    embeddings: tuple[Path, ...]
    activations: tuple[ActivationGroup, ...]
    activated: Members
    ways: tuple[tuple[int, ...], ...]
    norms: Members
    maps: Members

    @cached_property
    def apart(self) -> "Blueprint":
        """The blueprint of the same network in which every layer, activation and map is a group of its own."""
        layers = [(group, k, name) for group, names in zip(self.groups, self.layers, strict=True) for k, name in enumerate(names)]
        activated = [
            (replace(group, name=name), way)
            for group, names, ways in zip(self.activations, self.activated, self.ways, strict=True)
            for name, way in zip(names, ways, strict=True)
        ]
        return replace(
            self,
            groups=tuple(replace(group, name=name, cells=(group.cells[k],), places=(group.places[k],)) for group, k, name in layers),
            layers=tuple((name,) for _, _, name in layers),
            activations=tuple(group for group, _ in activated),
            activated=tuple((group.name,) for group, _ in activated),
            ways=tuple((way,) for _, way in activated),
            norms=_alone(self.norms),
            maps=_alone(self.maps),
        )


def _alone(groups: Members) -> Members:
    return tuple((name,) for names in groups for name in names)


def blueprint(make: Callable[[], nnx.Module], image_shape: Sequence[int], cell: Callable[[str], int] | None = None) -> Blueprint:
    """The blueprint of the module that `make` builds, called as module(images, pass).

    cell: for the first word of a kernel's path, the number of the cell, in depth order, that it belongs to; -1 outside cells. Without, it
    is what the module writes into its pass (`Pass.cell`).
    """
    recorders = []

    def run(images: Array) -> Any:
        module: Any = make()
        recorders.append(Recorder(module))
        return module(images, recorders[-1])

    jax.eval_shape(run, jax.ShapeDtypeStruct((2, *image_shape), jnp.float32))
    (recorder,) = recorders
    graph, state = nnx.split(nnx.eval_shape(make))
    layers: dict[Any, list[str]] = {}
    for name, shape, out, _ in recorder.kernels:
        layers.setdefault((shape, out, recorder.roles[name]), []).append(name)
    cells = {name: inside if cell is None else cell(name.split("/")[0]) for name, _, _, inside in recorder.kernels}
    places = {name: number for number, name in enumerate(itertools.chain(*layers.values()))}
    groups = [
        LayerGroup(names[0], shape, math.prod(shape[:-1]), shape[-1], *_each(names, cells, places), role=role)
        for (shape, _, role), names in layers.items()
    ]
    fan_in = {_bias_of(_path(name)): math.prod(shape[:-1]) for name, shape, _, _ in recorder.kernels}
    biases = [(path, fan_in[path]) for path in map(_path, recorder.names.values()) if path in fan_in]
    modules = {name: way for name, _, way in recorder.activated}
    activated = _grouped([(name, (shape, recorder.kinds[name])) for name, shape, _ in recorder.activated])
    ways = [tuple(dict.fromkeys(modules[name] for name in names)) for names in activated]
    maps = [tuple(name for name, _ in run) for _, run in itertools.groupby(recorder.outputs, key=lambda pair: pair[1])]
    return Blueprint(
        make,
        graph,
        state,
        tuple(groups),
        tuple(map(tuple, layers.values())),
        tuple(biases),
        tuple(map(_path, dict.fromkeys(recorder.embeddings))),
        tuple(ActivationGroup(names[0], recorder.kinds[names[0]], way) for names, way in zip(activated, ways, strict=True)),
        activated,
        tuple(tuple(way.index(modules[name]) for name in names) for names, way in zip(activated, ways, strict=True)),
        _grouped(recorder.normalised),
        tuple(maps),
    )


def _each(names: Sequence[str], *of: Mapping[str, int]) -> list[tuple[int, ...]]:
    """What each mapping says of these names."""
    return [tuple(mapping[name] for name in names) for mapping in of]


def _grouped(named: Sequence[tuple[str, Any]]) -> Members:
    """The names of equal shapes, by the last of them."""
    order = {name: number for number, (name, _) in enumerate(named)}
    groups: dict[Any, list[str]] = {}
    for name, shape in named:
        groups.setdefault(shape, []).append(name)
    return tuple(sorted(map(tuple, groups.values()), key=lambda names: order[names[-1]]))


def discrete_network(
    make: Callable[[], nnx.Module], image_shape: Sequence[int], cell: Callable[[str], int] | None = None
) -> "DiscreteNetwork":
    """The network of the module that `make` builds; arguments as for `blueprint`."""
    return DiscreteNetwork(blueprint(make, image_shape, cell))


def _path(name: str) -> Path:
    return tuple(int(word) if word.isdigit() else word for word in name.split("/"))


def _bias_of(kernel: Path) -> Path:
    """Where the bias of this kernel is, if it has one: `linear/bias` of `linear/kernel`, `proj_bias` of `proj`."""
    *path, last = kernel
    return (*path, "bias" if last == "kernel" else f"{last}_bias")


@dataclass(frozen=True, eq=False)
class DiscreteNetwork:
    """The network of one architecture, made by its blueprint. Parameters are nested dicts with the module's names."""

    blueprint: Blueprint

    @property
    def apart(self) -> "DiscreteNetwork":
        """The same network, every layer, activation and map a group of its own: for programs that are cut into pieces."""
        return replace(self, blueprint=self.blueprint.apart)

    @property
    def groups(self) -> tuple[LayerGroup, ...]:
        return self.blueprint.groups

    @property
    def activations(self) -> tuple[ActivationGroup, ...]:
        return self.blueprint.activations

    def init(self, key: Array, initialiser: InitialiserSpec = "torch") -> Params:
        """Parameters: kernels and biases by the initialiser, normalisations with scale 1 and bias 0, embeddings as
        `jaxzc.numerics.initialisers.embeddings` says."""
        sizes = [(int(at_path(self._shapes, path).size), fan_in) for path, fan_in in self.blueprint.biases]
        kernels, biases = initialisers.draw(initialiser, key, self.groups, sizes)
        params = jax.tree_util.tree_map_with_path(lambda path, a: np.full(a.shape, float(path[-1].key == "scale"), a.dtype), self._shapes)
        tables = initialisers.embeddings(key, [at_path(self._shapes, path).shape for path in self.blueprint.embeddings])
        paths = (*(path for path, _ in self.blueprint.biases), *self.blueprint.embeddings)
        for path, drawn in zip(paths, [*biases, *tables], strict=True):
            at_path(params, path[:-1])[path[-1]] = drawn
        return jax.tree.map(jnp.asarray, self.with_weights(params, kernels))

    def weights(self, params: Params) -> list[Array]:
        return [jnp.stack([at_path(params, _path(name)) for name in members]) for members in self.blueprint.layers]

    def with_weights(self, params: Params, weights: Sequence[Array]) -> Params:
        params = jax.tree.map(lambda a: a, params)
        for members, stacked in zip(self.blueprint.layers, weights, strict=True):
            # One split, whose derivative is one concatenation; numpy's needs no program.
            one_each = [1] * len(members)
            rows = np.split(stacked, len(members)) if isinstance(stacked, np.ndarray) else lax.split(jnp.asarray(stacked), one_each)
            for name, kernel in zip(members, rows, strict=True):
                *path, last = _path(name)
                at_path(params, tuple(path))[last] = kernel[0]
        return params

    def map_params(self, fn: Callable[[Array], Array], params: Params) -> Params:
        return jax.tree.map(fn, params)

    def active(self) -> list[Array]:
        return [jnp.ones(len(group.cells), bool) for group in self.groups]

    def activation_counts(self) -> dict[str, Array]:
        pairs = zip(self.activations, self.blueprint.ways, strict=True)
        return OrderedDict((group.name, jnp.asarray(np.eye(len(group.modules), dtype=np.float32)[list(ways)])) for group, ways in pairs)

    def module(self, params: Params) -> Any:
        """The NNX module with these parameters; call it with images and a `Pass`."""
        return with_parameters(self.blueprint.graph, self.blueprint.state, params)

    def run(self, module: Any, inputs: PyTree, p: Step) -> Array:
        return module(jnp.asarray(inputs), p)

    def forward(self, params: Params, inputs: PyTree, *, norm: Norm, tap: Tap | None = None) -> Forward:
        tap, of = tap or Tap(), self.blueprint
        module = self.module(params)
        perturb = spread("perturb", "layer", tap.perturb, of.layers)
        cell_perturb = spread("cell_perturb", "map", tap.cell_perturb, of.maps)
        p = Step(norm, tap._replace(perturb=perturb, cell_perturb=cell_perturb, cell=tap.cell if of.maps else None), module)
        logits = self.run(module, inputs, p)
        result = p.forward(logits, maps=bool(of.maps))
        members = {"layers": of.layers, "activations": of.activated, "norms": of.norms, "cells": of.maps}
        return result._replace(**{name: gathered(getattr(result, name), groups) for name, groups in members.items()})

    @property
    def _shapes(self) -> Any:
        return nnx.to_pure_dict(self.blueprint.state)


@dataclass(frozen=True, eq=False)
class DiscreteProgram:
    """A program that serves one architecture, which is its discrete network (`jaxzc.types.SpaceProgram`)."""

    discrete: DiscreteNetwork

    in_pieces = True

    def init(self, rng_key: Array, initialiser: InitialiserSpec = "torch") -> Params:
        """Parameters (nested dict of float32 arrays) of the architecture."""
        return self.discrete.init(rng_key, initialiser)

    def network(self, genes: Genes) -> DiscreteNetwork:
        """The network, whatever the genes: they are those of the program's key."""
        return self.discrete

    def discrete_params(self, params: Params, arch: Genes) -> Params:
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

    def network(self, arch: Genes) -> DiscreteNetwork:
        raise NotImplementedError(f"{type(self).__name__} has no networks: write network(arch)")
