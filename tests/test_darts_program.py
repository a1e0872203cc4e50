"""The program of DARTS, genotype as data, equals the discrete network of the authors' structure: logits, derivatives, taps and proxies."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jaxzc_spaces.darts import OPS, Darts
from jaxzc_spaces.darts_steps import depthwise, grouped
from jaxzc_spaces.layers import Pass
from jaxzc_spaces.layers import depthwise as discrete_depthwise

from jaxzc.scoring import cross_entropy
from jaxzc.space_scoring import SpaceScorer
from jaxzc.types import Batch

SIZE = {"channels": 2, "classes": 3, "image_shape": (8, 8, 3)}
SPACE = Darts(cells=6, **SIZE)  # the first two cells are one run
MIXED = "max_pool_3x3,0 sep_conv_5x5,1 sep_conv_3x3,0 none,2 dil_conv_5x5,3 skip_connect,1 dil_conv_3x3,0 dil_conv_3x3,0"


def cell(text: str) -> list[int]:
    return [number for edge in text.split() for number in (OPS.index(edge.split(",")[0]), int(edge.split(",")[1]))]


WITH_NONE = cell(MIXED) + cell(MIXED)
CONVOLUTIONS = cell(
    "sep_conv_3x3,0 dil_conv_5x5,1 sep_conv_5x5,2 dil_conv_3x3,1 sep_conv_3x3,3 sep_conv_5x5,0 dil_conv_3x3,4 avg_pool_3x3,1"
) + cell("sep_conv_5x5,0 dil_conv_5x5,1 skip_connect,0 sep_conv_3x3,1 avg_pool_3x3,0 max_pool_3x3,2 dil_conv_3x3,1 dil_conv_5x5,4")
WITHOUT_RELU = cell("skip_connect,0 max_pool_3x3,1 avg_pool_3x3,2 skip_connect,1 none,0 none,1 max_pool_3x3,4 skip_connect,3") + cell(
    "skip_connect,0 skip_connect,1 skip_connect,2 none,1 none,0 none,1 avg_pool_3x3,1 max_pool_3x3,0"
)
GENOTYPES = {"none and repeats": WITH_NONE, "convolutions": CONVOLUTIONS, "no convolution": WITHOUT_RELU}


def perturbed(space: Darts) -> Any:
    """Float64 parameters of the program, scales and biases away from 1 and 0, so that every one takes part."""
    leaves, tree = jax.tree.flatten(space.init(jax.random.key(0)))
    rng = np.random.default_rng(0)
    return jax.tree.unflatten(tree, [jnp.asarray(np.float64(a) + 0.1 * rng.standard_normal(a.shape)) for a in leaves])


def quantities(network: Any, params: Any, images: jax.Array, labels: jax.Array) -> dict[str, Any]:
    def loss(params: Any, images: jax.Array) -> tuple[jax.Array, jax.Array]:
        logits = network.forward(params, images, norm="batch").logits
        return cross_entropy(logits, labels), logits

    def gradient(params: Any) -> tuple[Any, Any]:
        (grads, input_grads), logits = jax.grad(loss, (0, 1), has_aux=True)(params, images)
        return grads, (input_grads, logits)

    grads, pull, (input_grads, logits) = jax.vjp(gradient, params, has_aux=True)
    return {"logits": logits, "gradients": grads, "input gradients": input_grads, "Hessian-vector product": pull(grads)[0]}


@pytest.fixture(scope="module")
def setting() -> Any:
    with jax.enable_x64(True):
        rng = np.random.default_rng(0)
        images, labels = jnp.asarray(rng.standard_normal((4, 8, 8, 3))), jnp.asarray([0, 2, 1, 1])
        program = jax.jit(lambda arch, *args: quantities(SPACE.network(arch), *args))
        return perturbed(SPACE), images, labels, program


@pytest.mark.parametrize("genes", GENOTYPES.values(), ids=GENOTYPES)
def test_derivatives_are_the_discrete_networks(setting: Any, genes: list[int]) -> None:
    params, images, labels, program = setting
    with jax.enable_x64(True):
        ours = program(jnp.asarray(genes, jnp.int32), params, images, labels)
        reference = quantities(SPACE.network(tuple(genes)), SPACE.discrete_params(params, genes), images, labels)
        assert program._cache_size() == 1, "one program for every genotype"
    for name in ("gradients", "Hessian-vector product"):
        # What the genotype has not, has no gradient.
        own = SPACE.discrete_params(ours[name], genes)
        size, own_size = (sum(float(np.abs(a).sum()) for a in jax.tree.leaves(tree)) for tree in (ours[name], own))
        np.testing.assert_allclose(size, own_size, rtol=1e-12)
        ours[name] = own
    for name, value in reference.items():
        assert jax.tree.structure(value) == jax.tree.structure(ours[name])
        for a, b in zip(jax.tree.leaves(ours[name]), jax.tree.leaves(value), strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-8, atol=1e-11, err_msg=name)
