"""A space's program made of a plain function of parameters and inputs: all that a small space needs."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import jax
import jax.numpy as jnp

from jaxzc.networks import ProgramNetwork, as_network
from jaxzc.numerics import initialisers
from jaxzc.types import Array, Genes, InitialiserSpec, InputSpec, LayerGroup, Params


@dataclass(frozen=True)
class FunctionProgram:
    """The program of one architecture, which is a function and the shapes of its parameters (`jaxzc.types.SpaceProgram`).

    forward: `forward(params, inputs, norm="batch") -> outputs`; params maps the names of `shapes` to arrays; `norm` says how normalisation
        acts (`jaxzc.types.Norm`) and may be left out by a function that does not normalise.
    shapes: name -> shape. Parameters of two and more axes are kernels (HWIO, or [in, out]), drawn by the initialiser, and so is
        `NAME_bias` of a kernel `NAME`. Of all others, those whose name begins with `scale` are 1 and the rest are 0.
    inputs: one example.
    """

    forward: Callable[..., Any]
    shapes: Mapping[str, tuple[int, ...]]
    inputs: InputSpec

    in_pieces = True

    def init(self, rng_key: Array, initialiser: InitialiserSpec = "torch") -> dict[str, Array]:
        fan_in = {name: math.prod(shape[:-1]) for name, shape in self.shapes.items() if len(shape) > 1}
        groups = [LayerGroup(name, self.shapes[name], n, self.shapes[name][-1]) for name, n in fan_in.items()]
        biases = {f"{name}_bias": n for name, n in fan_in.items() if f"{name}_bias" in self.shapes}
        kernels, vectors = initialisers.draw(
            initialiser, rng_key, groups, [(math.prod(self.shapes[name]), n) for name, n in biases.items()]
        )
        params = {name: jnp.full(shape, float(name.startswith("scale"))) for name, shape in self.shapes.items()}
        drawn = dict(zip(fan_in, kernels, strict=True)) | dict(zip(biases, vectors, strict=True))
        return params | {name: jnp.reshape(jnp.asarray(values), self.shapes[name]) for name, values in drawn.items()}

    def network(self, genes: Genes) -> ProgramNetwork:
        """The network of the one architecture that the program serves; `genes` are not used."""
        return self._network

    def discrete_params(self, params: Params, arch: Genes) -> Params:
        """The parameters themselves."""
        return params

    @cached_property
    def _network(self) -> ProgramNetwork:
        params = {name: jax.ShapeDtypeStruct(shape, jnp.float32) for name, shape in self.shapes.items()}
        return as_network(self.forward, params, self.inputs.batch(1))[0]
