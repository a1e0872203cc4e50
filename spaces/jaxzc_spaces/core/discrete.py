"""Discrete networks: an NNX module of one architecture as the engine sees it (`jaxzc.types.Network`).

For spaces in which every gene changes shapes, so that each architecture is a program of its own. Layers whose kernels and outputs have one
shape are one group, which keeps programs small: a proxy's arithmetic is done for the whole group at once. Where programs are compiled in
pieces, that would make pieces of every number of layers; there each layer is a group of its own (`DiscreteNetwork.apart`).
"""

from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
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
from jaxzc_spaces.core.blueprint import Blueprint, blueprint, path_of
from jaxzc_spaces.core.params import at_path, with_parameters
from jaxzc_spaces.core.passes import Step
from jaxzc_spaces.core.stacked import gathered, spread


def discrete_network(
    make: Callable[[], nnx.Module], image_shape: Sequence[int], cell: Callable[[str], int] | None = None
) -> "DiscreteNetwork":
    """The network of the module that `make` builds; arguments as for `blueprint`."""
    return DiscreteNetwork(blueprint(make, image_shape, cell))


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
        return [jnp.stack([at_path(params, path_of(name)) for name in members]) for members in self.blueprint.layers]

    def with_weights(self, params: Params, weights: Sequence[Array]) -> Params:
        params = jax.tree.map(lambda a: a, params)
        for members, stacked in zip(self.blueprint.layers, weights, strict=True):
            # One split, whose derivative is one concatenation; numpy's needs no program.
            one_each = [1] * len(members)
            rows = np.split(stacked, len(members)) if isinstance(stacked, np.ndarray) else lax.split(jnp.asarray(stacked), one_each)
            for name, kernel in zip(members, rows, strict=True):
                *path, last = path_of(name)
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
