"""`space.module(arch)`: an ordinary NNX module with the architecture's own parameters, equal to the network that is scored."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import orbax.checkpoint as ocp
import pytest
from flax import nnx

import jaxzc
from jaxzc.catalogue import spaces
from jaxzc.spacekit import program_of
from jaxzc.types import JaxzcError
from tests.support.modules import TINY, drawn, tiny


def data(space: Any) -> tuple[Any, Any]:
    rng = np.random.default_rng(0)
    return jnp.asarray(rng.standard_normal((4, *space.inputs.shape)), jnp.float32), jnp.array([0, 1, 2, 1])


def loss(logits: Any, labels: Any) -> Any:
    return optax.softmax_cross_entropy_with_integer_labels(logits, labels).mean()


def scored(space: Any, arch: np.ndarray) -> tuple[Any, Any]:
    """The network that scores are computed with (shared where architectures share one), and parameters for it."""
    program = program_of(space, arch)
    return program.network(jnp.asarray(arch, jnp.int32)), program.init(jax.random.key(2))


def test_all_spaces_are_here() -> None:
    """But the example of a third party, and the spaces of tokens and of speech, whose modules have tests of their own."""
    assert set(TINY) == set(spaces.spaces()) - {"conv_chains", "nasbench_nlp", "nasbench_asr", "flexibert"}


@pytest.mark.parametrize("number", [1, pytest.param(6, marks=pytest.mark.slow)])
@pytest.mark.parametrize("name", TINY)
def test_module_has_its_own_parameters_and_no_others(name: str, number: int) -> None:
    space = tiny(name)
    for arch in space.sample(np.random.default_rng(0), number):
        module = nnx.eval_shape(lambda arch=arch: space.module(arch))
        assert sum(leaf.size for leaf in jax.tree.leaves(nnx.state(module, nnx.Param))) == space.counts(arch[None]).params[0]
        norms = [leaf.size for leaf in jax.tree.leaves(nnx.state(module, nnx.BatchStat))]
        assert (len(norms) > 1) == bool(space.own_network(arch).blueprint.norms)  # VGG, SqueezeNet and transformers have none
        assert not jax.tree.leaves(nnx.state(module, nnx.Not(nnx.Any(nnx.Param, nnx.BatchStat))))


FAST = "nasbench201"
"""Its program is shared. Where an architecture is a program of its own, that is made of the module, and slow here as the others are."""


@pytest.mark.parametrize("name", [pytest.param(name, marks=() if name == FAST else pytest.mark.slow) for name in TINY])
def test_module_equals_the_network_that_is_scored(name: str) -> None:
    space = tiny(name)
    arch = drawn(space)
    network, params = scored(space, arch)
    images, labels = data(space)

    def shared(params: Any) -> tuple[Any, Any]:
        logits = network.forward(params, images, norm="batch").outputs
        return loss(logits, labels), logits

    @nnx.jit
    def own(module: Any) -> tuple[Any, Any]:
        def value(module: Any) -> tuple[Any, Any]:
            logits = module(images)
            return loss(logits, labels), logits

        gradient, logits = nnx.grad(value, has_aux=True)(module)
        return gradient, logits

    gradient, logits = jax.jit(jax.grad(shared, has_aux=True))(params)
    module = space.module(arch, params)
    of_module, own_logits = own(module)
    np.testing.assert_allclose(own_logits, logits, rtol=2e-3, atol=2e-3)
    expected, made = space.own_params(gradient, arch), nnx.to_pure_dict(of_module)
    scale = max(float(jnp.abs(leaf).max()) for leaf in jax.tree.leaves(expected))
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-2, atol=5e-3 * scale), made, dict(expected))
    assert all(np.ptp(leaf) > 0 for leaf in jax.tree.leaves(nnx.state(module, nnx.BatchStat)) if leaf.size > 3 and np.any(leaf))


@pytest.fixture(scope="module")
def space() -> Any:
    return tiny("nasbench201")


ARCH = np.array([3, 0, 2, 1, 4, 0])


@nnx.jit
def run(module: Any, images: Any) -> Any:
    """Logits; in training the running statistics move."""
    return module(images)


def test_running_statistics(space: Any) -> None:
    """In training the batch's, of which the running ones take a share; in evaluation the running ones, so that images are on their own."""
    images, _ = data(space)
    module = space.module(ARCH, momentum=0.75)
    own = jax.jit(lambda params: space.own_network(ARCH).forward(params, images, norm="batch").outputs)
    plain = own(nnx.to_pure_dict(nnx.state(module, nnx.Param)))
    np.testing.assert_allclose(run(module, images), plain, rtol=1e-4, atol=1e-5)
    stem = jax.lax.conv_general_dilated(images, module.stem[...], (1, 1), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC"))
    np.testing.assert_allclose(module.stem_bn.mean[...], 0.25 * stem.mean((0, 1, 2)), rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(module.stem_bn.var[...], 0.75 + 0.25 * stem.var((0, 1, 2)), rtol=1e-4)
    module.eval()
    before = jax.tree.map(jnp.copy, nnx.state(module, nnx.BatchStat))
    alone = run(module, jnp.concatenate([images[:1], 9 * images[1:]]))[0]
    np.testing.assert_allclose(run(module, images)[0], alone, rtol=1e-4, atol=1e-5)
    jax.tree.map(np.testing.assert_array_equal, nnx.state(module, nnx.BatchStat), before)
    module.train()
    assert abs(run(module, images)[0] - alone).max() > 1e-3


def test_trained_with_nnx_optimizer_and_saved(space: Any, tmp_path: Any) -> None:
    images, labels = data(space)
    module = space.module(ARCH, rng_key=jax.random.key(1))
    optimiser = nnx.Optimizer(module, optax.sgd(0.1), wrt=nnx.Param)

    @nnx.jit
    def step(module: Any, optimiser: Any) -> Any:
        value, gradient = nnx.value_and_grad(lambda module: loss(module(images), labels))(module)
        optimiser.update(module, gradient)
        return value

    values = [float(step(module, optimiser)) for _ in range(8)]
    assert values[-1] < values[0] / 2
    module.eval()
    with ocp.StandardCheckpointer() as checkpointer:
        checkpointer.save(tmp_path / "module", nnx.to_pure_dict(nnx.state(module)))
        checkpointer.wait_until_finished()
        other = space.module(ARCH)
        state = nnx.state(other)
        nnx.replace_by_pure_dict(state, checkpointer.restore(tmp_path / "module", nnx.to_pure_dict(state)))
    nnx.update(other, state)
    other.eval()
    np.testing.assert_array_equal(run(other, images), run(module, images))


def test_exported(space: Any) -> None:
    images, _ = data(space)
    module = space.module(ARCH)
    run(module, images)
    module.eval()
    graph, state = nnx.split(module)
    of_leaves = jax.jit(lambda leaves, x: nnx.merge(graph, jax.tree.unflatten(jax.tree.structure(state), leaves))(x))
    leaves = jax.tree.leaves(state)
    exported = jax.export.export(of_leaves)(leaves, images)
    assert exported.out_avals[0].shape == (4, 3)
    assert len(exported.mlir_module_serialized) > 1000
    np.testing.assert_allclose(exported.call(leaves, images), run(module, images), rtol=1e-5, atol=1e-6)


def test_attributes_are_readable(space: Any) -> None:
    module = space.module(ARCH)
    assert [part for part in vars(module.stages[1][0]) if part.startswith("edge")] == ["edge01", "edge12"]
    assert module.stages[1][0].edge01.conv.shape == (3, 3, 8, 8)


def test_mistakes_are_explained(space: Any) -> None:
    network = space.own_network(ARCH)
    bare = network.module(network.init(jax.random.key(0)))
    with pytest.raises(JaxzcError, match="running statistics"):
        bare(data(space)[0])
    plain: Any = jaxzc.space("resnet_zen", classes=3, inputs=(8, 8, 3))
    arch = drawn(plain)
    with pytest.raises(JaxzcError, match="without shortcuts: expected those of a space with residual=True"):
        plain.module(arch, plain.network(arch).init(jax.random.key(0)))


@pytest.mark.parametrize("batch", [4, 16])
def test_anybodys_scorer_finds_every_layer_of_a_module(batch: int) -> None:
    """Convolutions that have a form for each platform are among them, at every batch."""
    space: Any = jaxzc.space("nasbench201", classes=3, inputs=(8, 8, 3), channels=4, cells=1)
    arch = np.array([3, 2, 1, 0, 4, 3])
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal((batch, 8, 8, 3)).astype(np.float32), np.arange(batch, dtype=np.int32) % 3
    module = space.module(arch)
    scores = jaxzc.score(module, None, (x, y), ["grad_norm", "layers", "params"])
    gradients = nnx.grad(lambda module: loss(module(x), y))(module)
    norms = [jnp.linalg.norm(g.reshape(-1)) for g in jax.tree.leaves(gradients) if g.ndim > 1]
    counts = space.counts(arch[None])
    assert len(norms) == scores["layers"] == counts.layers[0]
    assert scores["params"] == counts.params[0]
    np.testing.assert_allclose(scores["grad_norm"], sum(norms), rtol=1e-5)
