"""Networks whose parameters serve every architecture of a space, so that genes may be traced: what they have in common."""

from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any, ClassVar, cast

import jax
import jax.numpy as jnp
from flax import nnx

from jaxzc.numerics import initialisers
from jaxzc.types import ActivationGroup, Array, Forward, Genes, InitialiserSpec, LayerGroup, Norm, Params, PyTree, Tap
from jaxzc_spaces.core.params import leaf, with_leaves, with_parameters
from jaxzc_spaces.core.passes import Pass


@dataclass(frozen=True)
class SharedNetwork:
    """The network of one architecture of a space, as the engine sees it (`jaxzc.types.Network`), but for what depends on the space's own
    genes: which layers are active, and how many activations there are.

    The space has `groups`, whose names are the paths of the kernels, `activations`, and `merged(params)`, the NNX module, which is called
    with (images, arch, pass) and returns logits. offers_norms, offers_maps: whether taps can read these.
    """

    offers_norms: ClassVar[bool] = True
    offers_maps: ClassVar[bool] = True

    space: Any
    arch: Array

    @property
    def activations(self) -> tuple[ActivationGroup, ...]:
        return self.space.activations

    @property
    def groups(self) -> tuple[LayerGroup, ...]:
        return self.space.groups

    def weights(self, params: Params) -> list[Array]:
        return [leaf(params, g.name).reshape(-1, *g.kernel) for g in self.groups]

    def with_weights(self, params: Params, weights: Sequence[Array]) -> Params:
        return with_leaves(params, {group.name: w for group, w in zip(self.groups, weights, strict=True)})

    def map_params(self, fn: Callable[[Array], Array], params: Params) -> Params:
        return jax.tree.map(fn, params)

    def forward(self, params: Params, inputs: Array, *, norm: Norm, tap: Tap | None = None) -> Forward:
        tap, module = tap or Tap(), self.space.merged(params)
        offered = tap._replace(norm=tap.norm if self.offers_norms else None, cell=tap.cell if self.offers_maps else None)
        p = Pass(norm, offered, module)
        result = p.forward(module(inputs, self.arch, p))
        return result._replace(layers=_ordered(result.layers, self.groups), activations=_ordered(result.activations, self.activations))


def _ordered(records: PyTree, groups: Sequence[Any]) -> Any:
    """Loops keep things in an order of their own."""
    return None if records is None else OrderedDict((group.name, records[group.name]) for group in groups)


class SharedProgram:
    """A program whose parameters serve all of its architectures (`jaxzc.types.SpaceProgram`): an NNX module (`make`), called with (images,
    genes, pass). A subclass has `groups` and `activations` as well.

    network_type: of the networks of its architectures.
    """

    in_pieces = False
    network_type: ClassVar[type[SharedNetwork]]

    def make(self) -> Any:
        raise NotImplementedError

    def init(self, rng_key: Array, initialiser: InitialiserSpec = "torch") -> Params:
        return _drawn(self, initialiser, rng_key)

    def draw(self, initialiser: InitialiserSpec, key: Array) -> Params:
        """Parameters: kernels and the classifier's bias (`head_bias`) by the initialiser, normalisations with scale 1 and shift 0."""
        groups: Sequence[LayerGroup] = cast(Any, self).groups
        kernels, (head_bias,) = initialisers.draw(initialiser, key, groups, [(groups[-1].channels, groups[-1].fan_in)])
        drawn = {group.name: kernel for group, kernel in zip(groups, kernels, strict=True)}
        return with_leaves(at_start(self.structure[1]), drawn) | {"head_bias": head_bias}

    def network(self, genes: Genes) -> Any:
        return self.network_type(self, jnp.asarray(genes, jnp.int32))

    @cached_property
    def structure(self) -> tuple[Any, Any]:
        """The module taken apart, its parameters as shapes."""
        return nnx.split(nnx.eval_shape(self.make))

    def merged(self, params: Params) -> Any:
        """The NNX module with these parameters."""
        return with_parameters(*self.structure, params)


@partial(jax.jit, static_argnums=(0, 1))
def _drawn(program: SharedProgram, initialiser: InitialiserSpec, key: Array) -> Params:
    return program.draw(initialiser, key)


def at_start(structure: Any) -> Any:
    """Parameters of which kernels and biases are still to be drawn: normalisations have scale 1 and shift 0, all else is 0."""
    shapes = nnx.to_pure_dict(structure)
    return jax.tree_util.tree_map_with_path(lambda path, a: jnp.full(a.shape, float(path[-1].key == "scale"), a.dtype), shapes)
