"""Networks in steps of padded widths against the discrete networks that they stand for."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jaxzc_spaces.core.discrete import DiscreteNetwork
from jaxzc_spaces.superblocks.blocks import parse_blocks
from jaxzc_spaces.superblocks.network import plainnet_steps
from jaxzc_spaces.superblocks.space import plainnet_blueprint

from jaxzc.ladder.passes import Passes
from jaxzc.ladder.store import Pieces
from jaxzc.ladder.weights import Weights, draw, existing, fold_in
from jaxzc.proxies.tcet import layer_snr
from jaxzc.scoring.keys import fold_in as one_by_one
from jaxzc.spacekit.steps import rung
from jaxzc.tasks import classification
from jaxzc.tasks.losses import cross_entropy
from jaxzc.types import Batch, Tap

CHAIN = "SuperConvK3BNRELU(3,5,1,1)SuperResIDWE2K3(5,7,2,5,1)SuperConvK1BNRELU(7,9,1,1)"
SIZE = (6, 6, 3)


@pytest.fixture(scope="module")
def setup():
    blocks = tuple(parse_blocks(CHAIN, 3))
    steps, network = plainnet_steps(blocks, 4, SIZE), DiscreteNetwork(plainnet_blueprint(blocks, 4, SIZE, False))
    key = jax.random.key(3)
    rng = np.random.default_rng(0)
    batch = Batch(rng.standard_normal((4, *SIZE)), rng.integers(0, 4, 4))
    return steps, network, draw(steps, key, "torch"), network.init(key, "torch"), batch


def true(step, flat):
    """The true entries of a padded kernel, or of its gradient, flattened."""
    return np.asarray(flat)[existing(step)]


def in_order(network, groups):
    """Entries of the layers' stacked arrays, by the order in which layers run."""
    each = {name: value[k] for members, value in zip(network.blueprint.layers, groups, strict=True) for k, name in enumerate(members)}
    return [each[name] for name in sorted(each, key=lambda name: (not name.startswith("block"), order(name)))]


def order(name):
    words = ("conv", "a", "b", "expand", "depthwise", "project")
    return [words.index(word) if word in words else word for word in name.split("/")[:2]] + [
        words.index(word) for word in name.split("/")[2:] if word in words
    ]


def test_ladder():
    assert [rung(width) for width in (1, 3, 5, 8, 9, 40, 49, 100, 1000)] == [1, 3, 6, 8, 12, 48, 64, 128, 1024]
    rungs = {rung(width) for width in range(1, 6145)}
    assert all(rung(r) == r for r in rungs)
    assert all(width <= rung(width) <= 1.5 * width for width in range(1, 6145))


def test_weights_are_those_of_the_discrete_network(setup):
    steps, network, weights, params, _ = setup
    for step, flat, kernel in zip(steps, weights.kernels, in_order(network, network.weights(params)), strict=True):
        np.testing.assert_array_equal(true(step, flat), np.ravel(kernel))
        assert not np.asarray(flat)[~existing(step)].any()
    np.testing.assert_array_equal(weights.biases[-1], params["head"]["linear"]["bias"])


def test_gradients_and_codes_are_those_of_the_discrete_network(setup):
    steps, network, weights, params, batch = setup
    with jax.enable_x64(True):
        wide = jax.tree.map(lambda a: jnp.asarray(a, jnp.float64), params)
        inputs, targets = jnp.asarray(batch.inputs, jnp.float64), jnp.asarray(batch.targets)

        @jax.jit
        def discrete(ws):
            def value(ws):
                return cross_entropy(network.forward(network.with_weights(wide, ws), inputs, norm="batch").outputs, targets)

            tap = Tap(layer=lambda y, _: (y, (y > 0).reshape(len(y), -1)))
            return jax.grad(value)(ws), list(network.forward(wide, inputs, norm="init", tap=tap).layers.values())

        expected, codes = discrete(network.weights(wide))
        flat = Weights(*([None if a is None else jnp.asarray(a, jnp.float64) for a in part] for part in weights))
        passes = Passes(Pieces(), steps, flat)
        grads, _ = passes.gradients(Batch(inputs, targets), classification, "batch")
        _, results = passes.forward(inputs, "init", layers=True)
    for step, mine, theirs in zip(steps, grads, in_order(network, expected), strict=True):
        np.testing.assert_allclose(true(step, mine), np.ravel(theirs), rtol=1e-9, atol=1e-13)
        assert not np.asarray(mine)[~existing(step)].any()
    for result, code in zip(results, in_order(network, codes), strict=True):
        agree = (np.asarray(code)[:, None] == np.asarray(code)[None]).sum(-1)
        np.testing.assert_array_equal(result["layer_kernel"], agree)


def test_synflow_of_positive_weights_is_the_same_in_every_layer(setup):
    """Synflow is conserved: sum w dR/dw is R, layer by layer, where there are no biases before the layer."""
    steps, _, weights, _, _ = setup
    grads, exponent = Passes(Pieces(), steps, weights).synflow(SIZE)
    flows = [
        float((np.abs(np.asarray(w, np.float64)) * np.asarray(g)).sum()) * 2.0 ** int(exponent)
        for w, g in zip(weights.kernels, grads, strict=True)
    ]
    np.testing.assert_allclose(flows, flows[0], rtol=1e-5)


def test_signal_to_noise_ratio_leaves_out_what_does_not_exist():
    values = jnp.asarray([[1.0, 4.0, 0.0, 2.5, 0.0]])
    there = jnp.asarray([[True, True, False, True, False]])
    np.testing.assert_allclose(layer_snr(values, there), 7.5 / np.std([1, 4, 2.5], ddof=1), rtol=1e-6)
    np.testing.assert_allclose(layer_snr(values * 0 + 2 * there, there), 6)  # equal values have no deviation


def test_key_of_an_architecture():
    genes, key = jnp.asarray([3, 0, 7], jnp.int32), jax.random.key(1)
    assert (jax.random.key_data(fold_in(key, genes)) == jax.random.key_data(one_by_one(key, genes))).all()
