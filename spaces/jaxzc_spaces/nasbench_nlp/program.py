"""NAS-Bench-NLP's network as a program in which the recipe is data, so that it serves every recipe of some size."""

from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import jax
import jax.numpy as jnp

from jaxzc.numerics import initialisers
from jaxzc.types import ActivationGroup, Array, Forward, Genes, InitialiserSpec, LayerGroup, Norm, Params, PyTree, Tap
from jaxzc_spaces.nasbench_nlp.derivatives import outputs
from jaxzc_spaces.nasbench_nlp.encoding import LEAKY, SIGM, TANH
from jaxzc_spaces.nasbench_nlp.interpreter import Kernels, Wiring, wiring
from jaxzc_spaces.nasbench_nlp.taps import tapped

KINDS = {"tanh": TANH, "sigmoid": SIGM, "leaky_relu": LEAKY}
"""Kind of activation -> operation."""
MODULES = {"tanh": ("Tanh",), "sigmoid": ("Sigmoid",), "leaky_relu": ("LeakyReLU",)}
FAN_OF_TENTH = 100
"""The number of inputs for which PyTorch's bound, 1 / sqrt(inputs), is the bound of the authors' embedding and decoder, 0.1."""


@dataclass(frozen=True)
class NlpProgram:
    """The program of all recipes that fit into its places and matrices.

    sizes: (inputs, units) of each layer. words: of the vocabulary. steps: tokens of an example. places: nodes; x_kernels, hidden_kernels:
    matrices of a layer for x and for other inputs of linear nodes.
    Parameters: `embedding [words, emsize]`, of every layer the stacks `x`, `hidden` and `bias` (`interpreter.Kernels`), `decoder [units,
    words]` unless it is tied, and `decoder_bias [words]`.
    """

    sizes: tuple[tuple[int, int], ...]
    words: int
    tied: bool
    steps: int
    places: int
    x_kernels: int
    hidden_kernels: int

    in_pieces = False

    @cached_property
    def groups(self) -> tuple[LayerGroup, ...]:
        """Of every layer the matrices for x and for other inputs; then the decoder. Cells are the layers."""
        groups = []
        for number, (wide, units) in enumerate(self.sizes):
            groups.append(LayerGroup(f"layers/{number}/x", (wide, units), wide, units, (number,) * self.x_kernels))
            groups.append(LayerGroup(f"layers/{number}/hidden", (units, units), units, units, (number,) * self.hidden_kernels))
        units = self.sizes[-1][1]
        return (*groups, LayerGroup("decoder", (units, self.words), units, self.words))

    @property
    def activations(self) -> tuple[ActivationGroup, ...]:
        return tuple(ActivationGroup(f"layers/{n}/{kind}", kind, (MODULES[kind],)) for n in range(len(self.sizes)) for kind in KINDS)

    def init(self, rng_key: Array, initialiser: InitialiserSpec = "torch") -> Params:
        """Parameters. "torch" is what the authors' PyTorch code draws: the cells' matrices and biases uniformly within 1 / sqrt(units), the
        embedding and the decoder within 0.1, and the decoder's bias 0. Other initialisers draw matrices; biases are as they say, or 0."""
        units = [size[1] for size in self.sizes]
        groups = list(self.groups)
        if not self.tied:
            emsize = self.sizes[0][0]
            groups.append(LayerGroup("embedding", (emsize, self.words), emsize, self.words))
        if initialiser == "torch":
            groups = [replace(g, fan_in=units[g.cells[0]] if g.cells[0] >= 0 else FAN_OF_TENTH) for g in groups]
        kernels, biases = initialisers.draw(initialiser, rng_key, groups, [(self.places * n, n) for n in units])
        layers = {
            n: {"x": kernels[2 * n], "hidden": kernels[2 * n + 1], "bias": biases[n].reshape(self.places, units[n])}
            for n in range(len(units))
        }
        decoder = {} if self.tied else {"decoder": kernels[2 * len(units)][0]}
        params = {"embedding": kernels[-1][0].T, "layers": layers, **decoder, "decoder_bias": jnp.zeros(self.words, jnp.float32)}
        return jax.tree.map(jnp.asarray, params)

    def network(self, genes: Genes) -> "NlpNetwork":
        return NlpNetwork(self, wiring(jnp.asarray(genes, jnp.int32), self.places))

    def discrete_params(self, params: Params, arch: Genes) -> Params:
        """The parameters themselves: the discrete network is the program's."""
        return params


@dataclass(frozen=True, eq=False)
class NlpNetwork:
    """The network of one recipe (`jaxzc.types.EmbeddingNetwork`): tokens int `[B, steps]` -> logits `[B, steps, words]`.

    Each matrix of a linear node is a layer, whose output is its product in all steps, `[B, steps, units]`; the bias that a node has for all
    its inputs is not part of it. What a tap changes there has its effect to first order (`taps.py`). With tied weights the decoder's kernel
    is the embedding: a gradient by it is the sum of both uses. A map (`Tap.cell`) is the output of a recurrent layer, `[B, steps, units]`.
    """

    program: NlpProgram
    recipe: Wiring

    @property
    def groups(self) -> tuple[LayerGroup, ...]:
        return self.program.groups

    @property
    def activations(self) -> tuple[ActivationGroup, ...]:
        return self.program.activations

    def weights(self, params: Params) -> list[Array]:
        stacks = [params["layers"][n][stack] for n in range(len(self.program.sizes)) for stack in ("x", "hidden")]
        return [*stacks, _decoder(params)[None]]

    def with_weights(self, params: Params, weights: Sequence[Array]) -> Params:
        layers = {n: layer | {"x": weights[2 * n], "hidden": weights[2 * n + 1]} for n, layer in params["layers"].items()}
        decoder = {"embedding": weights[-1][0].T} if self.program.tied else {"decoder": weights[-1][0]}
        return params | {"layers": layers, **decoder}

    def map_params(self, fn: Callable[[Array], Array], params: Params) -> Params:
        return jax.tree.map(fn, params)

    def active(self) -> list[Array]:
        of_x, of_hidden = self.recipe.reads_x.sum(), self.recipe.reads_hidden.sum()
        of_layer = [jnp.arange(self.program.x_kernels) < of_x, jnp.arange(self.program.hidden_kernels) < of_hidden]
        return [*of_layer * len(self.program.sizes), jnp.ones(1, bool)]

    def activation_counts(self) -> Mapping[str, Array]:
        """One activation function for each node that is one: its inputs in all steps are one value."""
        counts = {kind: (self.recipe.op == op).astype(jnp.float32)[:, None] for kind, op in KINDS.items()}
        return OrderedDict((group.name, counts[group.kind]) for group in self.activations)

    def entry(self, params: Params, inputs: Array) -> Array:
        """The tokens' embeddings `[B, steps, emsize]`."""
        return jnp.take(params["embedding"], inputs, axis=0)

    def forward(self, params: Params, inputs: Array, *, norm: Norm, tap: Tap | None = None, entry: PyTree = None) -> Forward:
        """A pass; it has no normalisation, so that all modes are one."""
        tap = tap or Tap()
        x = self.entry(params, inputs) if entry is None else entry
        layers: OrderedDict[str, Any] = OrderedDict()
        activations: OrderedDict[str, Any] = OrderedDict()
        maps: OrderedDict[str, Any] = OrderedDict()
        for number in range(len(self.program.sizes)):
            kernels, name = Kernels(**params["layers"][number]), f"layers/{number}"
            xs = x.swapaxes(0, 1)
            if tap.layer is None and tap.activation is None:
                ys = outputs(kernels, xs, None, self.recipe)
            else:
                perturb = None if tap.perturb is None else (tap.perturb[f"{name}/x"], tap.perturb[f"{name}/hidden"])
                ys, products, activated = tapped(kernels, xs, self.recipe, tap, perturb)
                if products is not None:
                    layers[f"{name}/x"], layers[f"{name}/hidden"] = products
                if activated is not None:
                    activations |= self._by_kind(name, activated)
            x = ys.swapaxes(0, 1)
            if tap.cell is not None:
                shift = None if tap.cell_perturb is None else jax.tree.map(lambda a: a[0], tap.cell_perturb[name])
                x, record = tap.cell(x, shift)
                maps[name] = jax.tree.map(lambda a: a[None], record)
        y = x @ _decoder(params) + params["decoder_bias"][None, None]
        if tap.layer is not None:
            shift = None if tap.perturb is None else jax.tree.map(lambda a: a[0], tap.perturb["decoder"])
            y, record = tap.layer(y, shift)
            layers["decoder"] = jax.tree.map(lambda a: a[None], record)
        read = (layers if tap.layer else None, activations if tap.activation else None)
        return Forward(y, *read, cells=maps if tap.cell else None)

    def _by_kind(self, name: str, activated: PyTree) -> dict[str, Any]:
        """The tap's records of a layer's places, `[places, ...]`, for each kind of activation; zeros where a place is of another."""
        records = {}
        for kind, op in KINDS.items():
            on = self.recipe.op == op
            records[f"{name}/{kind}"] = jax.tree.map(lambda a, on=on: jnp.where(_beside(on, a), a, jnp.zeros((), a.dtype)), activated)
        return records


def _decoder(params: Params) -> Array:
    return params["decoder"] if "decoder" in params else params["embedding"].T


def _beside(on: Array, a: Array) -> Array:
    return on.reshape(-1, *(1,) * (a.ndim - 1))
