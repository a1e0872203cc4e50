"""In no space's networks is an array broadcast over axes that it does not have; traced only, nothing compiles."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxzc.catalogue import spaces
from jaxzc.spacekit import program_of
from jaxzc.types import Tap
from tests.support.small_spaces import small

NAMES = sorted({*spaces.spaces()} - {"conv_chains"})
"""All but one of somebody else."""


@pytest.mark.parametrize("name", NAMES)
def test_networks_broadcast_nothing_without_a_word(name: str) -> None:
    space, tap = small(name), Tap(layer=lambda y, _: (y, y), activation=lambda x: x)
    arch = space.sample(np.random.default_rng(0), 1)[0]
    program = program_of(space, arch)
    inputs = jax.ShapeDtypeStruct((2, *space.inputs.shape), space.inputs.dtype)
    params = jax.eval_shape(program.init, jax.random.key(0))

    def run(params: Any, genes: Any, inputs: Any) -> list[Any]:
        network = program.network(genes)
        return [network.forward(params, inputs, norm=norm, tap=tap).outputs for norm in ("batch", "init", "none")]

    shapes = [out.shape for out in jax.eval_shape(run, params, jnp.asarray(arch, jnp.int32), inputs)]
    assert shapes == [shapes[0]] * 3
    assert shapes[0][0] == 2
    with pytest.raises(ValueError, match="rank_promotion"):  # which would have said so
        jnp.add(jnp.ones((2, 3)), jnp.ones(3))
