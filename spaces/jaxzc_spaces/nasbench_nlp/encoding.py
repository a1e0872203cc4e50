"""NAS-Bench-NLP's recipes as genes, without networks; numpy only.

A recipe names the nodes of a recurrent cell, each with an operation and the values that it reads:

    {"f": {"op": "linear", "input": ["x", "h_prev_0"]}, "h_new_0": {"op": "activation_tanh", "input": ["f"]}}

`x` is the layer's input, `h_prev_i` a hidden state as the step before left it, and the node `h_new_i` its new value; `h_new_0` is the
layer's output. Other names mean nothing: `to_string` writes `node_0`, `node_1`, ... in the order of the genes.

Genes int32 `[99]`: for each of 24 places, in an order in which every node reads only earlier ones, the operation (0: no node, which the
places behind the last have) and three inputs; then the places of h_new_0, h_new_1 and h_new_2, counted from 1. An input is 0 for none, 1
for x, 2 to 4 for the hidden states, and 5 + p for the node in place p.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, NoReturn

import numpy as np

from jaxzc.spacekit.vectors import check_vector
from jaxzc.types import Genes, JaxzcError

NODES, STATES, INPUTS = 24, 3, 3
"""The most nodes, hidden states, and inputs of a node."""
OPS = (
    *("none", "linear", "blend", "elementwise_prod", "elementwise_sum"),
    *("activation_tanh", "activation_sigm", "activation_leaky_relu"),
)
"""Operations by their genes."""
NONE, LINEAR, BLEND, PROD, SUM, TANH, SIGM, LEAKY = range(len(OPS))
ARITY = {LINEAR: (1, 2, 3), BLEND: (3,), PROD: (2,), SUM: (2,), TANH: (1,), SIGM: (1,), LEAKY: (1,)}
"""Operation -> how many inputs it may have."""
ORDERED = (BLEND,)
"""Operations that do not treat all inputs alike."""
ABSENT, X, FIRST_STATE, FIRST_NODE = 0, 1, 2, 2 + STATES
"""Inputs: none, x, the first hidden state, the first node."""
CHOICES = tuple(count for place in range(NODES) for count in (len(OPS), *[FIRST_NODE + place] * INPUTS)) + (NODES + 1,) * STATES
RECIPE = '{"f": {"op": "linear", "input": ["x", "h_prev_0"]}, "h_new_0": {"op": "activation_tanh", "input": ["f"]}}'


class Node(NamedTuple):
    """op: as in `OPS`. inputs: as in genes, one to three."""

    op: int
    inputs: tuple[int, ...]


class Cell(NamedTuple):
    """nodes: in an order in which every node reads only earlier ones. outputs: the numbers of those that are h_new_0, h_new_1, ..."""

    nodes: tuple[Node, ...]
    outputs: tuple[int, ...]


def cell_of(arch: Genes) -> Cell:
    """The cell of genes int `[99]`. Raises `JaxzcError` for genes that are none."""
    row = check_vector(CHOICES, arch)
    table = row[: NODES * (1 + INPUTS)].reshape(NODES, 1 + INPUTS).tolist()
    count = next((place for place, (op, *_) in enumerate(table) if op == NONE), NODES)
    if any(any(gene) for gene in table[count:]):
        _refuse(arch, f"place {count} has no node, and genes behind it are not 0")
    nodes = []
    for place, (op, *inputs) in enumerate(table[:count]):
        read = tuple(source for source in inputs if source != ABSENT)
        if tuple(inputs[: len(read)]) != read:
            _refuse(arch, f"place {place} has the inputs {inputs}; expected those that are absent (0) last")
        nodes.append(Node(op, read))
    ends = row[NODES * (1 + INPUTS) :].tolist()
    present = [end - 1 for end in ends if end]
    if ends[: len(present)] != [end + 1 for end in present]:
        _refuse(arch, f"the hidden states lie at {ends}; expected those that are absent (0) last")
    cell = Cell(tuple(nodes), tuple(present))
    if reason := wrong(cell):
        _refuse(arch, reason)
    return cell


def genes_of(cell: Cell) -> np.ndarray:
    """The genes int32 `[99]` of a cell."""
    rows = [[node.op, *node.inputs, *[ABSENT] * (INPUTS - len(node.inputs))] for node in cell.nodes]
    rows += [[NONE] * (1 + INPUTS)] * (NODES - len(rows))
    ends = [number + 1 for number in cell.outputs] + [0] * (STATES - len(cell.outputs))
    return np.array([gene for row in rows for gene in row] + ends, np.int32)


def wrong(cell: Cell) -> str:
    """What makes a cell no architecture; "" where it is one."""
    if not cell.outputs:
        return "there is no h_new_0; expected a new value of every hidden state"
    if len(set(cell.outputs)) < len(cell.outputs) or max(cell.outputs) >= len(cell.nodes):
        return f"the hidden states are nodes {cell.outputs} of {len(cell.nodes)}; expected one node for each"
    for number, (op, inputs) in enumerate(cell.nodes):
        name = f"node {number}, {OPS[op]},"
        if len(inputs) not in ARITY[op]:
            return f"{name} has {len(inputs)} inputs; expected {' or '.join(map(str, ARITY[op]))}"
        if op == LINEAR and len(set(inputs)) < len(inputs):
            return f"{name} reads a value twice; expected different ones"
        if op != LINEAR and X in inputs:
            return f"{name} reads x, which has another width than hidden states; expected only linear nodes to"
        if states := [source - FIRST_STATE for source in inputs if FIRST_STATE + len(cell.outputs) <= source < FIRST_NODE]:
            return f"{name} reads h_prev_{states[0]}, and there is no h_new_{states[0]}"
    return ""


def parse(text: str) -> np.ndarray:
    """The genes int32 `[99]` of a recipe, a JSON object. Nodes may be in any order; those that are ready first come first.

    Raises `JaxzcError` that quotes the recipe and what is wrong in it."""
    recipe = _recipe(text)
    states, order = _states(text, recipe), _order(text, recipe)
    numbers = {"x": X, **{f"h_prev_{i}": FIRST_STATE + i for i in range(len(states))}}
    numbers |= {name: FIRST_NODE + number for number, name in enumerate(order)}
    nodes = [Node(OPS.index(recipe[name]["op"]), tuple(numbers[source] for source in recipe[name]["input"])) for name in order]
    cell = Cell(tuple(nodes), tuple(order.index(name) for name in states))
    if reason := wrong(cell):
        _refuse(text, reason)
    return genes_of(cell)


def names(text: str) -> tuple[str, ...]:
    """The names of a recipe's nodes, in the order of its genes. Raises `JaxzcError` as `parse` does."""
    parse(text)
    return tuple(_order(text, _recipe(text)))


def _recipe(text: str) -> dict[str, Any]:
    """The object that a text is, of nodes that have an operation and read what there is; `JaxzcError` for anything else."""
    try:
        recipe: Any = json.loads(text)
    except (TypeError, ValueError, RecursionError) as error:
        _refuse(text, f"it is no JSON ({str(error)!r:.60})")
    if not isinstance(recipe, dict) or not recipe or len(recipe) > NODES:
        _refuse(text, f"expected an object of 1 to {NODES} nodes")
    known = {"x", *recipe, *(f"h_prev_{i}" for i in range(len(_states(text, recipe))))}
    for name, node in recipe.items():
        if name == "x" or name.startswith("h_prev_"):
            _refuse(text, f"a node is called {name!r}, which is an input")
        if not isinstance(node, dict) or set(node) != {"op", "input"} or node["op"] not in OPS[1:] or not isinstance(node["input"], list):
            _refuse(text, f"node {name!r} is {node!r:.80}; expected an op of {', '.join(OPS[1:])} and a list of inputs")
        if missing := [source for source in node["input"] if not isinstance(source, str) or source not in known]:
            _refuse(text, f"node {name!r} reads {missing[0]!r:.40}, which is no node, x, or hidden state with a new value")
    return recipe


def _order(text: str, recipe: Mapping[str, Any]) -> list[str]:
    """The nodes in an order in which each reads only earlier ones; `JaxzcError` where there is none."""
    order: list[str] = []
    waiting = list(recipe)
    while waiting:
        ready = next((name for name in waiting if not any(source in waiting for source in recipe[name]["input"])), None)
        if ready is None:
            _refuse(text, f"node {waiting[0]!r} reads, through others, what it gives: expected no circle but through hidden states")
        waiting.remove(ready)
        order.append(ready)
    return order


def to_string(arch: Genes) -> str:
    """The recipe of genes int `[99]`, as JSON; `parse` gives these genes again. Raises `JaxzcError` for genes that are none."""
    nodes, outputs = cell_of(arch)
    called = {X: "x"} | {FIRST_STATE + i: f"h_prev_{i}" for i in range(STATES)}
    for number in range(len(nodes)):
        called[FIRST_NODE + number] = f"h_new_{outputs.index(number)}" if number in outputs else f"node_{number}"
    recipe = {
        called[FIRST_NODE + number]: {"op": OPS[node.op], "input": [called[source] for source in node.inputs]}
        for number, node in enumerate(nodes)
    }
    return json.dumps(recipe)


def _states(text: str, recipe: Mapping[str, Any]) -> Sequence[str]:
    """The names of the nodes that are new values of hidden states, in order; `JaxzcError` where some are left out."""
    possible = [f"h_new_{i}" for i in range(STATES)]
    states = [name for name in possible if name in recipe]
    others = [name for name in recipe if name.startswith("h_new_") and name[6:].isdecimal() and name not in possible]
    if others or states != possible[: len(states)] or not states:
        _refuse(text, f"it has {', '.join(states + others) or 'no h_new_0'}; expected h_new_0 and then h_new_1 and h_new_2, if any")
    return states


def _refuse(what: Any, reason: str) -> NoReturn:
    quoted = " ".join(str(what).split())
    raise JaxzcError(f"{quoted[:120]!r} is no NAS-Bench-NLP recipe: {reason}; an example is {RECIPE}")
