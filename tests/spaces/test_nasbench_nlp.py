"""NAS-Bench-NLP's space: recipes, counts of every row of its table, canonical forms, the program and the module of one recipe."""

import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from jaxzc_spaces.nasbench_nlp import encoding
from jaxzc_spaces.nasbench_nlp.changes import unused
from jaxzc_spaces.nasbench_nlp.encoding import BLEND, FIRST_NODE, FIRST_STATE, Cell, Node, cell_of, genes_of
from jaxzc_spaces.nasbench_nlp.space import PROGRAMS, NasBenchNlp

from jaxzc import SpaceScorer
from jaxzc.tasks import next_token
from jaxzc.types import InputSpec, JaxzcError, Tap
from tests.support.modules import imported, imports, shapes
from tests.support.reference_tables import reference_table

TINY = NasBenchNlp(4, 5, classes=7, inputs=InputSpec((3,), "int32"))
RNN = '{"f": {"op": "linear", "input": ["x", "h_prev_0"]}, "h_new_0": {"op": "activation_tanh", "input": ["f"]}}'
EVERYTHING = {  # all operations, x and states behind each other, in no order of execution
    "h_new_0": {"op": "blend", "input": ["s", "h_prev_0", "l"]},
    "h_new_1": {"op": "elementwise_sum", "input": ["m", "s"]},
    "a": {"op": "linear", "input": ["h_prev_0", "x", "h_prev_1"]},
    "b": {"op": "linear", "input": ["t", "x"]},
    "t": {"op": "activation_tanh", "input": ["a"]},
    "s": {"op": "activation_sigm", "input": ["b"]},
    "l": {"op": "activation_leaky_relu", "input": ["b"]},
    "m": {"op": "elementwise_prod", "input": ["t", "l"]},
}


def rows() -> list[dict[str, str]]:
    return reference_table("nasbench_nlp_345.csv.gz")


def relabelled(cell: Cell, rng: np.random.Generator) -> Cell:
    """The cell with nodes, inputs and hidden states in another order."""
    states = [0, *(1 + rng.permutation(len(cell.outputs) - 1))]
    number = {1: 1, **{FIRST_STATE + old: FIRST_STATE + new for new, old in enumerate(states)}}
    nodes: list[Node] = []
    waiting = list(range(len(cell.nodes)))
    while waiting:
        old = int(rng.choice([n for n in waiting if all(source in number for source in cell.nodes[n].inputs)]))
        waiting.remove(old)
        node = cell.nodes[old]
        inputs = [number[source] for source in node.inputs]
        order = range(len(inputs)) if node.op == BLEND else rng.permutation(len(inputs))
        nodes.append(Node(node.op, tuple(inputs[i] for i in order)))
        number[FIRST_NODE + old] = FIRST_NODE + len(nodes) - 1
    return Cell(tuple(nodes), tuple(number[FIRST_NODE + cell.outputs[old]] - FIRST_NODE for old in states))


def test_recipes_are_read_in_any_order() -> None:
    arch = TINY.parse(json.dumps(EVERYTHING))
    assert encoding.names(json.dumps(EVERYTHING)) == ("a", "t", "b", "s", "l", "h_new_0", "m", "h_new_1")
    assert cell_of(arch).outputs == (5, 7)
    assert json.loads(TINY.to_string(arch))["h_new_1"] == {"op": "elementwise_sum", "input": ["node_6", "node_3"]}
    np.testing.assert_array_equal(TINY.parse(TINY.to_string(arch)), arch)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a recipe", "it is no JSON"),
        ("[]", "expected an object of 1 to 24 nodes"),
        ('{"f": {"op": "activation_tanh", "input": ["h_prev_0"]}}', "it has no h_new_0"),
        (RNN.replace("h_new_0", "h_new_1"), "it has h_new_1; expected h_new_0 and then"),
        (RNN.replace("tanh", "relu"), "node 'h_new_0' is .*; expected an op of linear, blend"),
        (RNN.replace("h_prev_0", "h_prev_1"), "node 'f' reads 'h_prev_1', which is no node, x, or hidden state"),
        (RNN.replace("x", "f"), "node 'f' reads, through others, what it gives"),
        (RNN.replace('"x"', '"h_prev_0"'), "reads a value twice"),
        (RNN.replace('["f"]', '["x"]'), "reads x, which has another width"),
        (RNN.replace('["f"]', '["f", "f"]'), "node 1, activation_tanh, has 2 inputs; expected 1"),
    ],
)
def test_wrong_recipes(text: str, message: str) -> None:
    with pytest.raises(JaxzcError, match=message):
        TINY.parse(text)


@pytest.mark.parametrize(
    ("settings", "message"),
    [({"nhid": 0}, "nhid=0"), ({"inputs": (8,)}, "inputs float32"), ({"inputs": InputSpec((8, 8, 3), "int32")}, "expected tokens")],
)
def test_wrong_settings(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(JaxzcError, match=message):
        NasBenchNlp(**settings)


def test_counts_of_every_recipe_of_the_table() -> None:
    table = rows()
    archs = np.stack([NasBenchNlp().parse(row["recipe"]) for row in table])
    np.testing.assert_array_equal(NasBenchNlp().counts(archs).params, [int(row["params"]) for row in table])
    treebank = [i for i, row in enumerate(table) if row["params_ptb"]]
    counted = NasBenchNlp(classes=10_000).counts(archs[treebank]).params
    np.testing.assert_array_equal(counted, [int(float(table[i]["params_ptb"])) for i in treebank])
    assert len(np.unique(NasBenchNlp().program_keys(archs))) == 2  # two programs serve them all
    assert not any(unused(cell_of(arch)) for arch in archs)


def test_canonical_forms_of_every_recipe_of_the_table() -> None:
    """Rows of one recipe have one form, and so have recipes whose nodes, inputs and hidden states are in another order."""
    table, rng = rows(), np.random.default_rng(0)
    archs = np.stack([TINY.parse(row["recipe"]) for row in table])
    forms = TINY.canonical(archs)
    by_group: dict[str, set[bytes]] = {}
    for row, form in zip(table, forms, strict=True):
        by_group.setdefault(row["recipe_group"], set()).add(form.tobytes())
    assert all(len(group) == 1 for group in by_group.values())
    np.testing.assert_array_equal(TINY.counts(forms).params, TINY.counts(archs).params)
    others = np.stack([genes_of(relabelled(cell_of(arch), rng)) for arch in archs])
    assert (others != archs).any(1).mean() > 0.5
    np.testing.assert_array_equal(TINY.canonical(others), forms)


def test_samples_keep_the_rules_of_the_authors() -> None:
    for arch in TINY.sample(np.random.default_rng(0), 60):
        cell = cell_of(arch)
        assert not unused(cell)
        assert not any(FIRST_STATE <= source < FIRST_NODE for end in cell.outputs for source in cell.nodes[end].inputs)
        assert 2 <= len(cell.nodes) <= 13


@pytest.fixture(scope="module")
def scored() -> Any:
    """Logits and gradients of the loss, of the program of the smallest recipes, for any recipe: compiled once."""
    program = TINY.program((0,))
    tokens = jnp.asarray(np.random.default_rng(0).integers(0, 7, (2, 3)), jnp.int32)

    def value(params: Any, genes: Any) -> tuple[Any, Any]:
        logits = program.network(genes).forward(params, tokens, norm="batch").outputs
        return next_token.loss(logits, (tokens + 1) % 7), logits

    return tokens, program.init(jax.random.key(0)), jax.jit(jax.grad(value, has_aux=True))


@pytest.mark.parametrize("text", [RNN, json.dumps(EVERYTHING)])
def test_module_equals_the_program(scored: Any, text: str) -> None:
    tokens, params, gradients = scored
    arch = TINY.parse(text)
    gradient, logits = gradients(params, jnp.asarray(arch))
    module = TINY.module(arch, params)
    assert sum(leaf.size for leaf in jax.tree.leaves(nnx.state(module))) == TINY.counts(arch[None]).params[0]

    def value(module: Any) -> tuple[Any, Any]:
        logits = module(tokens)
        return next_token.loss(logits, (tokens + 1) % 7), logits

    of_module, own = nnx.jit(nnx.grad(value, has_aux=True))(module)
    np.testing.assert_allclose(own, logits, rtol=1e-5, atol=1e-6)
    expected: Any = TINY.own_params(gradient, arch)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-6), nnx.to_pure_dict(of_module), dict(expected))


def test_matrices_of_other_nodes_have_no_gradient(scored: Any) -> None:
    _, params, gradients = scored
    arch = jnp.asarray(TINY.parse(RNN))
    network = TINY.program((0,)).network(arch)
    gradient, _ = gradients(params, arch)
    for on, of_group in zip(network.active(), network.weights(gradient), strict=True):
        used = np.abs(np.asarray(of_group)).reshape(len(of_group), -1).max(1) > 0
        np.testing.assert_array_equal(used, on)


def test_taps(scored: Any) -> None:
    """A tap reads products and activations' inputs of all steps; the derivative by a gate of every product is that by the matrix, times
    the matrix, summed, since a product is linear in both."""
    tokens, params, gradients = scored
    arch = jnp.asarray(TINY.parse(json.dumps(EVERYTHING)))
    network = TINY.program((0,)).network(arch)
    gates = {group.name: jnp.zeros(len(group.cells)) for group in network.groups}

    def value(params: Any, gates: Any) -> tuple[Any, Any]:
        tap = Tap(lambda y, gate: (y * (1 + gate), jnp.square(y).sum()), lambda x: jnp.abs(x).sum((1, 2)), gates)
        out = network.forward(params, tokens, norm="batch", tap=tap)
        return next_token.loss(out.outputs, (tokens + 1) % 7), out

    (gradient, of_gates), out = jax.jit(jax.grad(value, (0, 1), has_aux=True))(params, gates)
    expected, logits = gradients(params, arch)
    np.testing.assert_allclose(out.outputs, logits, rtol=1e-5, atol=1e-6)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-6), gradient, expected)
    kernels = zip(network.groups, network.active(), network.weights(params), network.weights(expected), strict=True)
    for group, on, weights, grads in kernels:
        np.testing.assert_array_equal(np.asarray(out.layers[group.name]) > 0, on)
        if group.name != "decoder":  # whose matrix is the embedding, too
            np.testing.assert_allclose(of_gates[group.name], (weights * grads).sum((1, 2)), rtol=1e-3, atol=1e-6)
    counts = network.activation_counts()
    for group in network.activations:
        assert out.activations[group.name].shape == (PROGRAMS[0][0], 2)
        np.testing.assert_array_equal(np.asarray(out.activations[group.name]).min(1) > 0, counts[group.name][:, 0] > 0)
        assert counts[group.name].sum() == 1


def test_scores_of_a_space_of_tokens() -> None:
    tokens = np.random.default_rng(0).integers(0, 7, (4, 3))
    scorer = SpaceScorer(TINY, [(tokens, None)], "l2_norm")
    assert scorer.recipe.task is next_token
    archs = np.stack([TINY.parse(RNN), TINY.parse(json.dumps(EVERYTHING))])
    first, second = (row["l2_norm"] for row in scorer.many(archs))
    assert 0 < first < second < np.inf  # of the larger cell, which has all matrices of the smaller one, and more
    assert scorer.compilations == 1
    with pytest.raises(JaxzcError, match=r"nasbench_nlp: inputs int32 \[4, 2\]: expected int32 \[N, 3\]"):
        scorer.with_batches([(tokens[:, :2], None)])
    with pytest.raises(JaxzcError, match="tokens from 0 to 9: expected 0 to 6"):
        scorer.with_batches([(np.where(tokens == 0, 9, 0 * tokens), None)])


@pytest.mark.parametrize("tied", [True, False])
def test_the_file_stands_alone(tied: bool, tmp_path: Path) -> None:
    """With every operation; the parameters of the module, and its logits."""
    space = replace(TINY, tied=tied)
    arch, tokens = space.parse(json.dumps(EVERYTHING)), jnp.arange(6).reshape(2, 3)
    text = space.source(arch)
    assert imports(text) <= {"jax", "flax", *sys.stdlib_module_names}
    assert "multiply-accumulates for 3 tokens." in text
    alone, module = imported(text, tmp_path).make(), space.module(arch)
    assert shapes(alone) == shapes(module)
    nnx.update(alone, nnx.state(module, nnx.Param))
    np.testing.assert_allclose(alone(tokens), module(tokens), rtol=1e-5, atol=1e-6)
