"""The program of DARTS, genotype as data, equals the discrete network of the authors' structure: logits and derivatives; one compilation
serves every genotype."""

from functools import cache
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jaxzc_spaces.darts.space import Darts

from jaxzc._compile.pieces import Pieced
from jaxzc.scoring.space import SpaceScorer
from jaxzc.tasks import cross_entropy
from jaxzc.types import Batch, JaxzcError
from tests.support.counted import Counted
from tests.support.darts_cells import DEEPER, GENOTYPES, SIZE, SMALL, WITH_NONE, batches, params_of


def quantities(network: Any, params: Any, batch: Batch, second: bool) -> dict[str, Any]:
    """Logits and gradients of all parameters and images in train mode; with `second`, a Hessian-vector product."""

    def loss(params: Any, images: Any) -> Any:
        logits = network.forward(params, images, norm="batch").outputs
        return cross_entropy(logits, batch.targets), logits

    def gradient(params: Any) -> Any:
        (grads, input_grads), logits = jax.grad(loss, (0, 1), has_aux=True)(params, jnp.asarray(batch.inputs))
        return grads, {"input gradients": input_grads, "logits": logits}

    if not second:
        grads, others = gradient(params)
        return {"gradients": grads, **others}
    grads, pull, others = jax.vjp(gradient, params, has_aux=True)
    return {"gradients": grads, "curvature": pull(grads)[0], **others}


@cache
def program_of(space: Darts, second: bool) -> Any:
    return Counted(lambda genes, params, batch: quantities(space.program().network(genes), params, batch, second))


def agree(space: Darts, name: str, second: bool) -> None:
    genes, batch, program = tuple(GENOTYPES[name]), batches(space)[0], program_of(space, second)
    with jax.enable_x64(True):
        params = params_of(space)
        ours = program(jnp.asarray(genes, jnp.int32), params, batch)
        assert program.compilations == 1, "one program for every genotype"
        discrete = Pieced(lambda params, batch: quantities(space.network(genes), params, batch, second))
        theirs = discrete(space.program().discrete_params(params, genes), batch)
        for quantity in {"gradients", "curvature"} & theirs.keys():  # of parameters; those that the genotype has not get none
            sizes = [sum(float(jnp.abs(a).sum()) for a in jax.tree.leaves(made[quantity])) for made in (ours, theirs)]
            np.testing.assert_allclose(*sizes, rtol=1e-9)
            ours[quantity] = space.program().discrete_params(ours[quantity], genes)
    assert jax.tree.structure(ours) == jax.tree.structure(theirs)
    for quantity, value in theirs.items():
        for a, b in zip(jax.tree.leaves(ours[quantity]), jax.tree.leaves(value), strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-8, atol=1e-11, err_msg=quantity)


@pytest.mark.parametrize("name", GENOTYPES)
def test_logits_and_gradients_equal_those_of_the_discrete_network(name: str) -> None:
    agree(SMALL, name, second=False)


@pytest.mark.slow
@pytest.mark.parametrize("name", GENOTYPES)
def test_second_derivatives_do_too(name: str) -> None:
    agree(DEEPER, name, second=True)


def test_one_compilation_scores_every_genotype() -> None:
    archs = np.array(list(GENOTYPES.values()), np.int32)
    scorer = SpaceScorer(SMALL, (np.float32(batches(SMALL)[0].inputs), np.array([0, 2, 1, 1])), ["l2_norm"])
    rows = scorer.many(archs)
    assert SMALL.program_keys(archs).shape == (3, 0)
    assert scorer.compilations == 1
    assert scorer.programs(archs[0]).draw.compilations == 1  # type: ignore[attr-defined]
    assert len({row["l2_norm"] for row in rows}) == 3
    assert scorer.one(archs[1]) == rows[1]


@pytest.mark.slow
def test_the_memory_of_a_pass_does_not_grow_with_the_cells_of_a_run() -> None:
    """But by their own kernels and outputs: a cell's states are held once."""

    def temporaries(cells: int) -> int:
        space = Darts(cells=cells, **SIZE)
        genes = jax.ShapeDtypeStruct((32,), jnp.int32)
        params = jax.eval_shape(space.program().init, jax.random.key(0))
        run = jax.jit(lambda g, p, x: space.program().network(g).forward(p, x, norm="batch").outputs)
        images = jax.ShapeDtypeStruct((64, 8, 8, 3), jnp.float32)
        plan: Any = run.lower(genes, params, images).compile().memory_analysis()
        return plan.temp_size_in_bytes

    assert temporaries(12) < 1.2 * temporaries(6)


def test_parameters_are_of_the_program_and_are_cut_for_one_genotype() -> None:
    program, arch = SMALL.program(), np.array(WITH_NONE)
    params = jax.eval_shape(program.init, jax.random.key(0))
    assert "runs" in params
    own = jax.eval_shape(lambda p: program.discrete_params(p, arch), params)
    assert "cell0" in own
    assert jax.tree.structure(own) == jax.tree.structure(jax.eval_shape(SMALL.network(arch).init, jax.random.key(0)))


def test_genes_of_any_kind_give_the_same_networks() -> None:
    """What a network is does not depend on the kind of array that holds its genes, or on who holds it."""
    for genes in (WITH_NONE, tuple(WITH_NONE), np.array(WITH_NONE), jnp.asarray(WITH_NONE)):
        assert SMALL.network(genes).blueprint is SMALL.network(WITH_NONE).blueprint
        assert [group.name for group in SMALL.program().network(genes).groups] == [group.name for group in SMALL.program().groups]
    with pytest.raises(JaxzcError, match=r"genes of type \w+ are no integers; expected 32 of them, and where genes are traced"):
        jax.eval_shape(SMALL.network, jax.ShapeDtypeStruct((32,), jnp.int32))
