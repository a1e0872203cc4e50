"""What one run of a module says of a network before it has parameters: its layers in groups, activations, maps, where parameters are."""

import itertools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx

from jaxzc.types import ActivationGroup, Array, LayerGroup
from jaxzc_spaces.core.passes import Recorder

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
        LayerGroup(
            names[0],
            shape,
            math.prod(shape[:-1]),
            shape[-1],
            tuple(cells[name] for name in names),
            tuple(places[name] for name in names),
            role,
        )
        for (shape, _, role), names in layers.items()
    ]
    fan_in = {_bias_of(path_of(name)): math.prod(shape[:-1]) for name, shape, _, _ in recorder.kernels}
    biases = [(path, fan_in[path]) for path in map(path_of, recorder.names.values()) if path in fan_in]
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
        tuple(map(path_of, dict.fromkeys(recorder.embeddings))),
        tuple(ActivationGroup(names[0], recorder.kinds[names[0]], way) for names, way in zip(activated, ways, strict=True)),
        activated,
        tuple(tuple(way.index(modules[name]) for name in names) for names, way in zip(activated, ways, strict=True)),
        _grouped(recorder.normalised),
        tuple(maps),
    )


def _grouped(named: Sequence[tuple[str, Any]]) -> Members:
    """The names of equal shapes, by the last of them."""
    order = {name: number for number, (name, _) in enumerate(named)}
    groups: dict[Any, list[str]] = {}
    for name, shape in named:
        groups.setdefault(shape, []).append(name)
    return tuple(sorted(map(tuple, groups.values()), key=lambda names: order[names[-1]]))


def path_of(name: str) -> Path:
    return tuple(int(word) if word.isdigit() else word for word in name.split("/"))


def _bias_of(kernel: Path) -> Path:
    """Where the bias of this kernel is, if it has one: `linear/bias` of `linear/kernel`, `proj_bias` of `proj`."""
    *path, last = kernel
    return (*path, "bias" if last == "kernel" else f"{last}_bias")
