"""A `Network` (see `jaxzc.types`) made of any pure function `fn(params, images, norm) -> logits`, whatever it was written in."""

import math
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxzc._compile.jaxpr import Program, flatten, run
from jaxzc.networks.analysis import Found, Layer, analyse
from jaxzc.networks.taps import tap_layer, tap_relus, unreadable
from jaxzc.types import Array, Counts, Forward, JaxzcError, LayerGroup, Norm, Tap

SETTINGS = ("jax_enable_x64", "jax_default_matmul_precision")

Function = Callable[[Any, Array, Norm], Any]


@dataclass(frozen=True, eq=False)
class _Traced:
    program: Program
    found: Found


@dataclass(frozen=True, eq=False)
class ProgramNetwork:
    """The network that `fn` computes; it is traced once for each batch shape, dtype and norm mode.

    groups: one per kernel leaf, in the order in which they first run.
    leaves: for each group, the number of its leaf among the flattened parameters.
    """

    fn: Function
    groups: tuple[LayerGroup, ...]
    leaves: tuple[int, ...]
    _structure: Any
    _example: _Traced
    _batch: int
    _cache: dict[Any, _Traced] = field(default_factory=dict, repr=False)

    @property
    def normalises(self) -> bool:
        """Whether the model, in its batch mode, divides by a root of something that depends on the images."""
        return self._example.found.normalises

    def weights(self, params: Any) -> list[Array]:
        """Kernels `[layers, *kernel]`, one array per group. Raises `JaxzcError` where they are integers."""
        flat = self._flat(params)
        for leaf, group in zip(self.leaves, self.groups, strict=True):
            if not _is_float(flat[leaf]):
                raise JaxzcError(
                    f"the weights of layer {group.name} are {jnp.result_type(flat[leaf])}, which have no gradient and are not what "
                    "multiplies: make the numbers that multiply (weights times scale, in float32) the parameters"
                )
        return [jnp.reshape(flat[leaf], (-1, *group.kernel)) for leaf, group in zip(self.leaves, self.groups, strict=True)]

    def with_weights(self, params: Any, weights: Sequence[Array]) -> Any:
        """`params` with these kernels in their place."""
        flat = self._flat(params)
        for leaf, weight in zip(self.leaves, weights, strict=True):
            flat[leaf] = jnp.reshape(weight, np.shape(flat[leaf]))
        return jax.tree_util.tree_unflatten(self._structure, flat)

    def map_params(self, fn: Callable[[Array], Array], params: Any) -> Any:
        """`fn` applied to every floating-point leaf."""
        flat = [fn(leaf) if _is_float(leaf) else leaf for leaf in self._flat(params)]
        return jax.tree_util.tree_unflatten(self._structure, flat)

    def active(self) -> list[Array]:
        return [jnp.ones(len(group.cells), bool) for group in self.groups]

    def relu_counts(self) -> tuple[list[Array], list[Array]]:
        ones = [jnp.ones(1) for _ in self._example.found.relus]
        return ones, list(ones)

    def counts(self, params: Any) -> Counts:
        """Parameters (floating-point leaves), multiply-accumulates for one image, and the number of layers.

        Iterations of `lax.scan` are counted; a branch of `lax.cond` and the body of `lax.while_loop` count once.
        """
        macs = sum(layer.macs for layer in self._example.found.layers) // self._batch
        size = sum(int(np.size(leaf)) for leaf in self._flat(params) if _is_float(leaf))
        return Counts(np.int64(size), np.int64(macs), np.int64(sum(len(group.cells) for group in self.groups)))

    def forward(self, params: Any, inputs: Array, *, norm: Norm, tap: Tap | None = None) -> Forward:
        """Logits `[B, classes]` of inputs `[B, ...]`, and what the tap kept: per group and per ReLU, each with a leading axis of 1.

        Raises `JaxzcError` where a tap asks for a layer or ReLU that cannot be read (loops, tied weights), naming it.
        """
        flat = self._flat(params)
        if norm not in ("batch", "init", "none"):
            raise JaxzcError(f"norm={norm!r} is not one of 'batch', 'init', 'none'")
        traced = self._trace(flat, inputs, norm)
        tap = tap or Tap()
        layers, after = self._tap_layers(traced.found, tap, inputs.shape[0])
        relus, before = tap_relus(traced.found, tap, inputs.shape[0])
        (outputs,) = run(traced.program, [*flat, inputs], before, after)
        kept = None if layers is None else [layers[group] for group in range(len(self.groups))]
        return Forward(outputs, kept, relus, jnp.zeros((), jnp.int32))

    def _tap_layers(self, found: Found, tap: Tap, batch: int) -> tuple[dict[int, Any] | None, dict[int, Callable[[Any], Any]]]:
        """Where layer taps keep things (by group), and what to do after which operation."""
        if tap.layer is None:
            return None, {}
        if tap.perturb is not None and len(tap.perturb) != len(self.groups):
            raise JaxzcError(f"tap.perturb has {len(tap.perturb)} entries for {len(self.groups)} layer groups")
        kept: dict[int, Any] = {}
        after: dict[int, Callable[[Any], Any]] = {}
        for group, layer in self._by_group(found):
            name = self.groups[group].name
            if layer.point is None:
                raise JaxzcError(f"layer {name} {unreadable(layer.reason)}")
            perturb = None if tap.perturb is None else jax.tree.map(lambda leaf: leaf[0], tap.perturb[group])

            def keep(value: Any, group: int = group) -> None:
                kept[group] = jax.tree.map(lambda leaf: leaf[None], value)

            after[layer.point.op] = partial(tap_layer, tap.layer, perturb, layer.point, batch, name, keep)
        return kept, after

    def _by_group(self, found: Found) -> list[tuple[int, Layer]]:
        """Each layer with its group's number; an error where a group has several (or its kernel is used once more elsewhere)."""
        pairs = [(self.leaves.index(leaf), layer) for layer in found.layers for leaf in layer.leaves]
        calls = Counter(group for group, _ in pairs)
        for group, times in calls.items():
            if times > 1:
                raise JaxzcError(
                    f"layer {self.groups[group].name} is used {times} times (tied weights), its activations are not one array: "
                    "leave out proxies that need activations"
                )
        return pairs

    def _flat(self, params: Any) -> list[Any]:
        flat, structure = jax.tree_util.tree_flatten(params)
        if structure != self._structure:
            raise JaxzcError(f"params have the structure {structure}, but the network was made with {self._structure}")
        return flat

    def _trace(self, flat: Sequence[Any], images: Any, norm: Norm) -> _Traced:
        key = _key(flat, images, norm)
        if key not in self._cache:
            traced = _trace(self.fn, self._structure, flat, images, norm)
            if {leaf for layer in traced.found.layers for leaf in layer.leaves} != set(self.leaves):
                raise JaxzcError(
                    f"with norm={norm!r} and images {np.shape(images)} the model runs other layers than with its example images"
                )
            self._cache[key] = traced
        return self._cache[key]


def make_network(fn: Function, params: Any, images: Any, cells: Callable[[str], int] | None = None) -> ProgramNetwork:
    """The network of `fn(params, images, norm)`, its layers found with `norm="batch"` and the example images `[B, ...]`.

    cells: gives the number of the cell that the layer of this name sits in; -1 for all without it.
    Raises `JaxzcError` where there is no layer, or where the result is not one array `[B, classes]`.
    """
    flat, structure = jax.tree_util.tree_flatten(params)
    traced = _trace(fn, structure, flat, images, "batch")
    first: dict[int, Layer] = {}
    for layer in traced.found.layers:
        for leaf in layer.leaves:
            first.setdefault(leaf, layer)
    if not first:
        raise JaxzcError("the model has no layers: no convolution or matrix product of the images with a parameter was found")
    names = [_name(path) for path, _ in jax.tree_util.tree_leaves_with_path(params)]
    groups = []
    for leaf, layer in first.items():
        shape = np.shape(flat[leaf])
        cell = -1 if cells is None else int(cells(names[leaf]))
        stacked = math.prod(shape[: layer.depth])
        groups.append(LayerGroup(names[leaf], shape[layer.depth :], layer.fan_in, layer.channels, (cell,) * stacked))
    cache = {_key(flat, images, "batch"): traced}
    return ProgramNetwork(fn, tuple(groups), tuple(first), structure, traced, images.shape[0], cache)


def _trace(fn: Function, structure: Any, flat: Sequence[Any], images: Any, norm: Norm) -> _Traced:
    """The program of `fn` for these shapes, checked to give logits."""
    if not np.shape(images) or np.shape(images)[0] == 0:
        raise JaxzcError(f"images must be [B, ...] with B >= 1, got shape {np.shape(images)}")

    def call(flat: Sequence[Any], images: Any) -> Any:
        return fn(jax.tree_util.tree_unflatten(structure, flat), images, norm)

    closed, out = jax.make_jaxpr(call, return_shape=True)([_abstract(leaf) for leaf in flat], _abstract(images))
    if not isinstance(out, jax.ShapeDtypeStruct):
        raise JaxzcError(
            f"the model must return one array of logits [B, classes], it returns a {type(out).__name__}: wrap it so that it does"
        )
    if len(out.shape) != 2 or out.shape[0] != images.shape[0]:
        raise JaxzcError(f"logits must be [B, classes] with B={images.shape[0]}, the model returns {out.shape}")
    program = flatten(closed)
    return _Traced(program, analyse(program, [np.shape(leaf) for leaf in flat]))


def _abstract(leaf: Any) -> jax.ShapeDtypeStruct:
    return jax.ShapeDtypeStruct(np.shape(leaf), jnp.result_type(leaf))


def _key(flat: Sequence[Any], images: Any, norm: Norm) -> Any:
    """What a trace depends on, settings that are baked into it included."""
    shapes = tuple((np.shape(leaf), jnp.result_type(leaf)) for leaf in (*flat, images))
    return norm, shapes, *(getattr(jax.config, setting) for setting in SETTINGS)


def _name(path: Sequence[Any]) -> str:
    """A leaf's path as "Conv_0/kernel"; the `value` inside an NNX variable is not named."""
    words = [str(getattr(key, "key", getattr(key, "idx", getattr(key, "name", key)))) for key in path]
    if words and isinstance(path[-1], jax.tree_util.GetAttrKey) and words[-1] == "value":
        words.pop()
    return "/".join(words) or "params"


def _is_float(leaf: Any) -> bool:
    return jnp.issubdtype(jnp.result_type(leaf), jnp.inexact)
