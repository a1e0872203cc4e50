"""The program with the architecture as an argument equals the discrete network: logits, both gradients, Hessian-vector product."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jaxzc_spaces.nasbench201.encoding import CONV1, CONV3, NONE, OPS, POOL, SKIP
from jaxzc_spaces.nasbench201.space import NasBench201

from jaxzc._compile import platforms
from jaxzc._compile.pieces import Pieced
from jaxzc.networks import as_network
from jaxzc.tasks import cross_entropy
from jaxzc.types import InputSpec, JaxzcError, Tap
from tests.support.counted import Counted
from tests.support.one_stage import OneStage

SPACE = NasBench201(channels=2, cells=2, classes=3, inputs=InputSpec((8, 8, 3)))
SHALLOW = NasBench201(channels=2, cells=1, classes=3, inputs=InputSpec((8, 8, 3)))
CORNERS = {
    "all none": [NONE] * 6,
    "all skip": [SKIP] * 6,
    "all conv3x3": [CONV3] * 6,
    "all pool": [POOL] * 6,
    "disconnected": [CONV3, NONE, CONV1, NONE, NONE, NONE],
    "dead source": [NONE, CONV3, CONV3, SKIP, CONV1, NONE],
    "dead target": [CONV3, CONV1, CONV3, SKIP, POOL, NONE],
}
RANDOM = {str(genes): genes for genes in np.random.default_rng(5).integers(0, len(OPS), (5, 6)).tolist()}
EVERY = CORNERS | RANDOM
FAST = ("all none", "disconnected", "dead target", [*RANDOM][-1])
"""Every operation, and edges that lead from nowhere or nowhere; the others are slow: a discrete network compiles for several seconds."""


def _quantities(network: Any, params: Any, images: jax.Array, labels: jax.Array) -> dict[str, Any]:
    def loss(params: Any, images: jax.Array) -> tuple[jax.Array, jax.Array]:
        logits = network.forward(params, images, norm="batch").outputs
        return cross_entropy(logits, labels), logits

    def gradient(params: Any) -> tuple[Any, Any]:
        (of_params, of_images), logits = jax.grad(loss, (0, 1), has_aux=True)(params, images)
        return of_params, (of_images, logits)

    grads, pull, (input_grads, logits) = jax.vjp(gradient, params, has_aux=True)
    return {"logits": logits, "gradients": grads, "input gradients": input_grads, "Hessian-vector product": pull(grads)[0]}


@pytest.fixture(scope="module")
def setting() -> tuple[Any, jax.Array, jax.Array, Any]:
    with jax.enable_x64(True):
        # Scales and biases away from 1 and 0, so that every parameter takes part.
        params = SPACE.program().init(jax.random.key(0))
        leaves, tree = jax.tree.flatten(params)
        rng = np.random.default_rng(0)
        params = jax.tree.unflatten(tree, [jnp.asarray(a, jnp.float64) + 0.1 * rng.standard_normal(a.shape) for a in leaves])
        images, labels = jnp.asarray(rng.standard_normal((3, 8, 8, 3))), jnp.asarray([0, 2, 1])
        program = Counted(lambda arch, p, x, y: _quantities(SPACE.program().network(arch), p, x, y))
        return params, images, labels, program


def test_the_form_for_tpus_keeps_less_and_gives_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    """There convolutions are computed again for the gradients; run here, by a processor."""
    space = OneStage(channels=2, cells=1, classes=3, inputs=InputSpec((4, 4, 1)))
    original = platforms.form_for
    rng = np.random.default_rng(0)
    genes = jnp.asarray([CONV3, CONV1, POOL, CONV3, NONE, CONV3], jnp.int32)
    flops: dict[str, float] = {}
    results: dict[str, Any] = {}
    with jax.enable_x64(True):
        params = jax.tree.map(lambda a: a.astype(jnp.float64), space.program().init(jax.random.key(0)))
        data = jnp.asarray(rng.standard_normal((3, 4, 4, 1))), jnp.asarray([0, 2, 1])
        for platform in ("cpu", "tpu"):
            monkeypatch.setattr(platforms, "form_for", lambda of, _, platform=platform: original(of, platform))
            program = jax.jit(lambda *arguments: _quantities(space.program().network(genes), *arguments)).lower(params, *data).compile()
            costs: Any = program.cost_analysis()
            flops[platform], results[platform] = costs["flops"], program(params, *data)
    assert flops["tpu"] > flops["cpu"], "no convolution is computed again"
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-12), results["tpu"], results["cpu"])


@pytest.mark.parametrize("name", [pytest.param(name, marks=() if name in FAST else pytest.mark.slow) for name in EVERY])
def test_program_equals_discrete_network(setting: Any, name: str) -> None:
    arch, (params, images, labels, program) = EVERY[name], setting
    with jax.enable_x64(True):
        ours = program(jnp.asarray(arch, jnp.int32), params, images, labels)
        cut = SPACE.program().discrete_params
        # In pieces, most of which the discrete networks have in common.
        discrete = Pieced(lambda params, *data: _quantities(SPACE.network(arch), params, *data))
        reference = discrete(cut(params, arch), images, labels)
        assert program.compilations == 1, "one program for every architecture"
        for quantity in ("gradients", "Hessian-vector product"):  # of parameters; those that the architecture has not get none
            squares = [sum(float(jnp.square(a).sum()) for a in jax.tree.leaves(made[quantity])) for made in (ours, reference)]
            np.testing.assert_allclose(*squares, rtol=1e-9)
            ours[quantity] = cut(ours[quantity], arch)
    for quantity, value in reference.items():
        assert jax.tree.structure(ours[quantity]) == jax.tree.structure(value)
        for a, b in zip(jax.tree.leaves(ours[quantity]), jax.tree.leaves(value), strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-11, err_msg=quantity)


def test_the_discrete_network_read_as_a_users_module_agrees() -> None:
    """The adapter for anybody's NNX module sees the same layers in the discrete network as the space itself."""
    arch = (CONV3, SKIP, CONV1, POOL, CONV1, CONV3)
    network = SHALLOW.network(arch)
    params = network.init(jax.random.key(1))
    images = jax.random.normal(jax.random.key(2), (2, 8, 8, 3))
    other, flat = as_network(lambda p, x: network.forward(p, x, norm="batch").outputs, params, images)
    both = jax.jit(lambda p, q, x: (other.forward(p, x, norm="batch").outputs, network.forward(q, x, norm="batch").outputs))
    np.testing.assert_allclose(*both(flat, params, images), rtol=1e-5)


def test_norm_modes_and_rescaling() -> None:
    network = SHALLOW.network([CONV3] * 6)
    params = network.init(jax.random.key(3))
    images = jax.random.normal(jax.random.key(4), (2, 8, 8, 3))
    big = jax.tree.map(lambda a: a * 1e6, params)
    run = jax.jit(network.forward, static_argnames="norm")
    out = run(big, images, norm="none")
    assert np.isfinite(out.outputs).all()
    assert int(out.exponent) > 127, "the true logits are beyond float32"
    with jax.enable_x64(True):
        wide = jax.tree.map(lambda a: a.astype(jnp.float64), (big, images))
        exact = run(*wide, norm="none")
    ours = np.ldexp(np.asarray(out.outputs, np.float64), int(out.exponent))
    np.testing.assert_allclose(ours, np.ldexp(np.asarray(exact.outputs), int(exact.exponent)), rtol=1e-4)
    assert not np.allclose(run(params, images, norm="init").outputs, run(params, images, norm="batch").outputs)


def test_taps_read_and_change_layers() -> None:
    arch = (CONV3, NONE, CONV1, SKIP, NONE, POOL)
    params = SPACE.program().init(jax.random.key(5))
    images = jax.random.normal(jax.random.key(6), (2, 8, 8, 3))
    network = SPACE.program().network(arch)

    def run(params: Any, **tap: Any) -> Any:
        return jax.jit(lambda params: network.forward(params, images, norm="batch", **tap))(params)

    plain, read = run(params), run(params, tap=Tap(layer=lambda y, _: (y, y.mean()), activation=lambda x: x.mean()))
    np.testing.assert_allclose(plain.outputs, read.outputs, rtol=1e-5, atol=1e-6)
    assert read.layers is not None
    assert read.activations is not None
    for group, kept, on in zip(network.groups, read.layers.values(), network.active(), strict=True):
        assert kept.shape == on.shape == (len(group.cells),)
    np.testing.assert_allclose(read.layers["head"][0], plain.outputs.mean(), rtol=1e-5)
    silenced = run(params, tap=Tap(layer=lambda y, _: (0 * y, None)))
    np.testing.assert_array_equal(silenced.outputs, np.zeros((2, 3)))


@pytest.mark.parametrize(("options", "words"), [({"channels": 0}, "channels=0"), ({"inputs": (9, 8, 3)}, r"\(9, 8, 3\).*divisible by 4")])
def test_sizes_that_cannot_be(options: dict[str, Any], words: str) -> None:
    with pytest.raises(JaxzcError, match=words):
        NasBench201(**options)
