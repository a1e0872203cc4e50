"""A `Network` (see `jaxzc.types`) made of any pure function `fn(params, inputs, norm) -> outputs`, whatever it was written in."""

import math
from collections import OrderedDict
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxzc._compile.jaxpr import Trace, needed, run
from jaxzc._compile.widening import widen
from jaxzc.networks.analysis.order import places
from jaxzc.networks.analysis.records import Layer, Source
from jaxzc.networks.normalisation import NormModes
from jaxzc.networks.traced.entry import check_examples, examples_first, replacements
from jaxzc.networks.traced.examples import Place, example_layouts
from jaxzc.networks.traced.integers import floats, stored
from jaxzc.networks.traced.sites import collected, layer_places, located, perturbations, sites_of
from jaxzc.networks.traced.tapped import run_tapped
from jaxzc.networks.traced.taps import activation_names, activation_places, activation_taps, of_activations, tap_layer
from jaxzc.networks.traced.tracing import Function, OwnTypes, Traced, check_outputs, key_of, read, trace
from jaxzc.numerics.trees import batch_size, leaf_name
from jaxzc.types import ActivationGroup, Array, Counts, Forward, JaxzcError, LayerGroup, Norm, Params, PyTree, Tap


@dataclass(frozen=True, eq=False)
class ProgramNetwork:
    """The network that `fn` computes; it is traced once for each batch shape, dtype and norm mode.

    groups: one per kernel leaf, in the order in which they first run.
    leaves: for each group, the number of its leaf among the flattened parameters.

    Called with float64 parameters or inputs where it was made with narrower ones, it runs the operations of its own program in float64.
    """

    fn: Function
    groups: tuple[LayerGroup, ...]
    leaves: tuple[int, ...]
    _structure: Any
    _example: Traced
    _own: OwnTypes
    _batch: int
    _cache: dict[Any, Traced] = field(default_factory=dict, repr=False)

    @property
    def normalises(self) -> bool:
        """Whether the model, in its batch mode, divides by a root of something that depends on the images."""
        return self._example.analysis.normalises

    @property
    def evaluates(self) -> bool:
        """Whether the model has no argument for a train mode."""
        return isinstance(self.fn, NormModes) and self.fn.evaluates

    def replaced_statistics(self, params: Params, inputs: PyTree) -> list[Any]:
        """The model's running statistics in whose place a norm mode puts others."""
        return self.fn.replaced(params, inputs) if isinstance(self.fn, NormModes) else []

    def weights(self, params: Params) -> list[Array]:
        """Kernels `[layers, *kernel]`, one array per group; of those stored as integers the floats that multiply. Raises `JaxzcError` where
        these cannot be had."""
        flat = self._flat(params)
        return [jnp.reshape(self._kernel(flat, leaf), (-1, *group.kernel)) for leaf, group in zip(self.leaves, self.groups, strict=True)]

    def _kernel(self, flat: Sequence[Any], leaf: int) -> Any:
        """A leaf, or where it is a kernel stored as integers what the program makes of it."""
        kernel = self._example.integers.get(leaf)
        if kernel is None or _is_float(flat[leaf]):
            return flat[leaf]
        return floats(self._example.program, kernel, flat, self.groups[self.leaves.index(leaf)].name, self._own.is_widened(flat))

    def with_weights(self, params: Params, weights: Sequence[Array]) -> Any:
        """`params` with these kernels in their place."""
        flat = self._flat(params)
        for leaf, weight in zip(self.leaves, weights, strict=True):
            kernel = self._example.integers.get(leaf)
            flat[leaf] = jnp.reshape(weight, np.shape(flat[leaf]) if kernel is None else kernel.kernel)
        return jax.tree_util.tree_unflatten(self._structure, flat)

    def map_params(self, fn: Callable[[Array], Array], params: Params) -> Any:
        """`fn` applied to every floating-point leaf, and to the floats that kernels stored as integers become."""
        flat = self._flat(params)
        kernels = {leaf: self._kernel(flat, leaf) for leaf in self._example.integers}
        flat = [fn(value) if _is_float(value) else value for value in (kernels.get(n, leaf) for n, leaf in enumerate(flat))]
        return jax.tree_util.tree_unflatten(self._structure, flat)

    def active(self) -> list[Array]:
        return [jnp.ones(len(group.cells), bool) for group in self.groups]

    @property
    def activations(self) -> tuple[ActivationGroup, ...]:
        """One per activation function, in the order of execution: "relu0", "relu1", "gelu0", ...."""
        analysis = self._example.analysis
        return tuple(ActivationGroup(name, act.kind) for name, act in zip(activation_names(analysis), analysis.activations, strict=True))

    def activation_counts(self) -> dict[str, Array]:
        calls = [math.prod(act.where.lengths) for act in self._example.analysis.activations]
        return OrderedDict((group.name, jnp.ones((n, 1))) for group, n in zip(self.activations, calls, strict=True))

    def counts(self, params: Params) -> Counts:
        """Parameters (floating-point leaves and kernels), multiply-accumulates for one image, and the number of layers.

        Iterations of `lax.scan` are counted; a branch of `lax.cond` and the body of `lax.while_loop` count once.
        """
        analysis = self._example.analysis
        macs, products = sum(layer.macs for layer in analysis.layers) // self._batch, analysis.products // self._batch
        size = sum(int(np.size(leaf)) for n, leaf in enumerate(self._flat(params)) if _is_float(leaf) or n in self.leaves)
        return Counts(np.int64(size), np.int64(macs), np.int64(sum(len(group.cells) for group in self.groups)), np.int64(products))

    def entry(self, params: Params, inputs: PyTree) -> Any:
        """The first floats that the inputs become: the inputs where they are one array of floats, or else a tuple of arrays `[B, ...]`, the
        float leaves and the embeddings that integers are turned into.

        Raises `JaxzcError` where there are none, or where they come up in a loop.
        """
        flat, leaves = stored(self._example.integers, self._flat(params))[0], jax.tree.leaves(inputs)
        if _is_one_float(inputs):
            return jnp.asarray(inputs)
        traced = self._traced(flat, inputs, "batch")
        entry, program = traced.entry.checked(), traced.program
        if any(len(place) > 1 for place in entry.ops):
            records = run_tapped(program, [*flat, *leaves], {}, dict.fromkeys(entry.ops, lambda output, _: (output, output)), {})[2]
            entries = [examples_first(records[place], place) for place in entry.ops]
        else:
            results = tuple(program.ops[op].outputs[0] for (op,) in entry.ops)
            entries = run(replace(program, ops=needed(program.ops, results), outputs=results), [*flat, *leaves])
        values, batch = (*(jnp.asarray(leaves[place]) for place in entry.leaves), *entries), batch_size(inputs)
        ops, data = list(map(Place, entry.ops)), program.inputs[len(flat) :]
        layouts = example_layouts(program, data, ops, batch, lambda: self._of_twice(flat, inputs, "batch", None))
        check_examples(values, batch, list(layouts.values()))
        return values

    def forward(self, params: Params, inputs: PyTree, *, norm: Norm, tap: Tap | None = None, entry: PyTree = None) -> Forward:
        """Outputs for inputs whose leaves are `[B, ...]`, and what the tap kept: per group and per ReLU, each with a leading axis of 1.

        entry: what is put in the place of `self.entry(params, inputs)`.
        Raises `JaxzcError` where a tap asks for a layer or ReLU that cannot be read (loops, tied weights), naming it.
        """
        flat, kernels = stored(self._example.integers, self._flat(params))
        if norm not in ("batch", "init", "none"):
            raise JaxzcError(f"norm={norm!r} is not one of 'batch', 'init', 'none'")
        if entry is not None and _is_one_float(inputs):
            inputs, entry = entry, None
        traced = self._traced(flat, inputs, norm, (entry, kernels))
        tap, batch, leaves = tap or Tap(), batch_size(inputs), jax.tree.leaves(inputs)
        sites = sites_of(self.groups, self.leaves, traced.analysis, tap)
        reads = [*layer_places(sites), *activation_places(traced.analysis, tap)]
        data, more = traced.program.inputs[len(flat) :], (entry, kernels)
        layouts = example_layouts(traced.program, data, reads, batch, lambda: self._of_twice(flat, inputs, norm, more))
        sites = located(self.groups, sites, layouts)
        taps = [(site, layer.point, self.groups[group].name) for site, (group, layer) in sites.items() if layer.point]
        after = {site: partial(tap_layer, tap, point, batch, name) for site, point, name in taps}
        looks, perturb = activation_taps(traced.analysis, tap, batch, layouts), perturbations(self.groups, sites, tap)
        if entry is not None:
            leaves, values = replacements(traced.entry.checked(), leaves, jax.tree.leaves(entry))
            perturb |= {place: (value, perturb.get(place)) for place, value in values.items()}
            after |= {place: partial(_replaced, after.get(place)) for place in values}
        perturb |= {(traced.integers[leaf].op,): (value, None) for leaf, value in kernels.items()}
        after |= {(traced.integers[leaf].op,): partial(_replaced, None) for leaf in kernels}
        outputs, seen, records = run_tapped(traced.program, [*flat, *leaves], looks, after, perturb)
        layers = None if tap.layer is None else collected(self.groups, sites, records)
        activations = of_activations(traced.analysis, tap, seen)
        return Forward(jax.tree.unflatten(traced.outputs, outputs), layers, activations, jnp.zeros((), jnp.int32))

    def _flat(self, params: Params) -> list[Any]:
        flat, structure = jax.tree_util.tree_flatten(params)
        if structure != self._structure:
            raise JaxzcError(f"params have the structure {structure}, but the network was made with {self._structure}")
        return flat

    def _of_twice(self, flat: Sequence[Any], inputs: PyTree, norm: Norm, more: Any) -> Trace | None:
        """The program for twice as many examples; None where the model does not run with them."""
        doubled = jax.tree.map(lambda leaf: jax.ShapeDtypeStruct((2 * len(leaf), *leaf.shape[1:]), jnp.result_type(leaf)), inputs)
        try:
            return self._traced(flat, doubled, norm, more).program
        except JaxzcError:
            return None

    def _traced(self, flat: Sequence[Any], inputs: PyTree, norm: Norm, entry: PyTree = None) -> Traced:
        in_float64 = self._own.is_widened([*flat, *jax.tree.leaves(inputs), *jax.tree.leaves(entry)])
        if in_float64:
            flat, inputs = self._own.shapes(flat, inputs)
        with jax.enable_x64(self._own.x64) if in_float64 else nullcontext():
            key = key_of(flat, inputs, norm)
            if key not in self._cache:
                traced = trace(self.fn, self._structure, flat, inputs, norm)
                if {leaf for layer in traced.analysis.layers for leaf in layer.leaves} != set(self.leaves):
                    shapes = ", ".join(str(np.shape(leaf)) for leaf in jax.tree.leaves(inputs))
                    raise JaxzcError(f"with norm={norm!r} and inputs {shapes} the model runs other layers than with its example inputs")
                check_outputs(self._example, traced, self._batch, batch_size(inputs))
                self._cache[key] = traced
        if in_float64 and (key, "float64") not in self._cache:
            narrow = self._cache[key]
            self._cache[key, "float64"] = read(widen(narrow.program), flat, narrow.outputs)
        return self._cache[(key, "float64") if in_float64 else key]


def make_network(fn: Function, params: Params, inputs: PyTree, cells: Callable[[str], int] | None = None) -> ProgramNetwork:
    """The network of `fn(params, inputs, norm)`, its layers found with `norm="batch"` and example inputs whose leaves are `[B, ...]`.

    cells: gives the number of the cell that the layer of this name sits in; -1 for all without it.
    Raises `JaxzcError` where there is no layer, or where the result holds no array.
    """
    flat, structure = jax.tree_util.tree_flatten(params)
    traced = trace(fn, structure, flat, inputs, "batch")
    first: dict[int, tuple[Source, Layer]] = {}
    for layer in traced.analysis.layers:
        for source in layer.kernels:
            first.setdefault(source.leaf, (source, layer))
    if not first:
        raise JaxzcError("the model has no layers: no convolution or matrix product of the inputs with a parameter was found")
    names = [leaf_name(path) for path, _ in jax.tree_util.tree_leaves_with_path(params)]
    groups, order = [], places(traced.analysis.layers)
    for leaf, (source, layer) in first.items():
        stack, kernel = np.shape(flat[leaf])[: source.depth], np.shape(flat[leaf])[source.depth :]
        if leaf in traced.integers and not traced.integers[leaf].reason:
            kernel = traced.integers[leaf].kernel
        cell = -1 if cells is None else int(cells(names[leaf]))
        # a factor of a product is a linear layer by itself, whose operation is not seen: by convention [..., inputs, outputs]
        fans = (math.prod(kernel[:-1]), kernel[-1]) if source.factor else (layer.fan_in, layer.channels)
        groups.append(LayerGroup(names[leaf], kernel, *fans, (cell,) * math.prod(stack), order[leaf] if stack else ()))
    if any(group.places for group in groups):
        groups = [replace(group, places=order[leaf]) for leaf, group in zip(first, groups, strict=True)]
    config: Any = jax.config
    own = OwnTypes(tuple(jnp.result_type(leaf) for leaf in (*flat, *jax.tree.leaves(inputs))), bool(config.jax_enable_x64))
    cache = {key_of(flat, inputs, "batch"): traced}
    return ProgramNetwork(fn, tuple(groups), tuple(first), structure, traced, own, batch_size(inputs), cache)


def _replaced(then: Callable[[Any, Any], Any] | None, output: Any, change: tuple[Any, Any]) -> tuple[Any, Any]:
    """A value in the place of an operation's output, and what a tap does there. change: the value, and the tap's perturbation."""
    value, perturb = change
    if np.shape(value) != output.shape:
        raise JaxzcError(f"an entry or kernel has shape {np.shape(value)} in the place of {output.shape}")
    value = value.astype(output.dtype)
    return (value, None) if then is None else then(value, perturb)


def _is_one_float(inputs: PyTree) -> bool:
    return jax.tree.structure(inputs) == jax.tree.structure(0) and jnp.issubdtype(jnp.result_type(inputs), jnp.floating)


def _is_float(leaf: Any) -> bool:
    return jnp.issubdtype(jnp.result_type(leaf), jnp.inexact)
