"""The network of one recipe as a Flax NNX module: with the matrices of its own nodes, and no others."""

from typing import Any

import jax.numpy as jnp
from flax import nnx
from jax import lax

from jaxzc.types import Array, Params
from jaxzc_spaces.core.layers import kernel
from jaxzc_spaces.nasbench_nlp.encoding import FIRST_NODE, FIRST_STATE, LINEAR, Cell, X
from jaxzc_spaces.nasbench_nlp.interpreter import FUNCTIONS


class LinearNode(nnx.Module):
    """The sum of its inputs' products with a matrix each, `w0`, `w1`, ... `[in, units]`, and one bias."""

    def __init__(self, wide: list[int], units: int):
        for i, c_in in enumerate(wide):
            setattr(self, f"w{i}", kernel(c_in, units))
        self.bias, self.count = kernel(units), len(wide)

    def arrays(self) -> tuple[list[Array], Array]:
        """Matrices, and the bias `[1, units]`."""
        return [getattr(self, f"w{i}")[...] for i in range(self.count)], self.bias[...][None]


class Layer(nnx.Module):
    """A recurrent layer: inputs `[B, steps, wide]` -> the first hidden state behind every step `[B, steps, units]`; it starts from zeros.

    Its linear nodes are `node0`, `node3`, ..., by their numbers in the cell.
    """

    def __init__(self, cell: Cell, wide: int, units: int):
        self.cell, self.units = cell, units
        for number, (op, inputs) in enumerate(cell.nodes):
            if op == LINEAR:
                setattr(self, f"node{number}", LinearNode([wide if source == X else units for source in inputs], units))

    def __call__(self, x: Array) -> Array:
        weights = {number: getattr(self, f"node{number}").arrays() for number, node in enumerate(self.cell.nodes) if node.op == LINEAR}

        def step(states: tuple[Array, ...], x: Array) -> tuple[tuple[Array, ...], Array]:
            values = {X: x, **{FIRST_STATE + i: state for i, state in enumerate(states)}}
            for number, (op, inputs) in enumerate(self.cell.nodes):
                read, function = [values[source] for source in inputs], FUNCTIONS[op]
                if function is None:
                    matrices, y = weights[number]
                    for a, w in zip(read, matrices, strict=True):
                        y = y + a @ w
                else:
                    y = function(*read)
                values[FIRST_NODE + number] = y
            new = tuple(values[FIRST_NODE + number] for number in self.cell.outputs)
            return new, new[0]

        start = tuple(jnp.zeros((len(x), self.units), x.dtype) for _ in self.cell.outputs)
        return lax.scan(step, start, x.swapaxes(0, 1))[1].swapaxes(0, 1)


class LanguageModel(nnx.Module):
    """Embedding, recurrent layers, decoder. Call: tokens int `[B, steps]` -> logits `[B, steps, words]`.

    sizes: (inputs, units) of each layer. tied: whether the decoder's matrix is the embedding.
    """

    def __init__(self, cell: Cell, sizes: tuple[tuple[int, int], ...], words: int, tied: bool):
        self.embedding = kernel(words, sizes[0][0])
        self.layers = nnx.List([Layer(cell, *size) for size in sizes])
        self.decoder = None if tied else kernel(sizes[-1][1], words)
        self.decoder_bias = kernel(words)

    def __call__(self, tokens: Array) -> Array:
        table = self.embedding[...]
        x = jnp.take(table, tokens, axis=0)
        for layer in self.layers:
            x = layer(x)
        return x @ (table.T if self.decoder is None else self.decoder[...]) + self.decoder_bias[...][None, None]


def own_params(params: Params, cell: Cell) -> dict[str, Any]:
    """The parameters of `LanguageModel`, cut from those of the program that recipes share."""
    return params | {"layers": {number: _layer_params(layer, cell) for number, layer in params["layers"].items()}}


def _layer_params(stacks: Any, cell: Cell) -> dict[str, Any]:
    used = {"x": 0, "hidden": 0}
    of_layer: dict[str, Any] = {}
    for number, (op, inputs) in enumerate(cell.nodes):
        if op != LINEAR:
            continue
        node = {"bias": stacks["bias"][number]}
        for i, source in enumerate(inputs):
            stack = "x" if source == X else "hidden"
            node[f"w{i}"] = stacks[stack][used[stack]]
            used[stack] += 1
        of_layer[f"node{number}"] = node
    return of_layer
