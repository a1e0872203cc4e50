"""Every space with a share of the proxies, so that each proxy is tried somewhere: the scorer's program against the
architecture's discrete network, compiled on its own, and against the numbers of the day they were stored. Half of the spaces are compiled
with XLA's own optimisations, as users' programs are. The whole battery on every space is slow (test_battery.py)."""

from collections.abc import Iterator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxzc.proxies import PROXIES
from jaxzc.scoring.compute import compute_scores, traced_proxies
from jaxzc.scoring.keys import NOISE, fold_in
from jaxzc.scoring.results import to_float
from jaxzc.spacekit import program_of
from tests.support.own_scores import COUNTS, SPACES, own_scores, share, stored
from tests.support.tolerances import LOOSE, ROUNDING

OPTIMISED = ("mobilenetv2_zen", "nasbench201", "nats_sss", "resnet_zen")
"""Spaces whose programs compile in seconds with XLA's optimisations."""


def test_every_proxy_is_tried_somewhere() -> None:
    assert {*PROXIES} - {proxy for name in SPACES for proxy in share(name)} <= {*ROUNDING.values()}


@pytest.fixture
def as_users_compile(request: pytest.FixtureRequest) -> Iterator[None]:
    """XLA's optimisations, which the suite leaves out, for the spaces that are named above."""
    before = jax.config.read("jax_disable_most_optimizations")
    jax.config.update("jax_disable_most_optimizations", before and request.node.callspec.params["name"] not in OPTIMISED)
    yield
    jax.config.update("jax_disable_most_optimizations", before)


@pytest.mark.usefixtures("as_users_compile")
@pytest.mark.parametrize("name", SPACES)
def test_a_share_of_the_proxies(name: str) -> None:
    space, scorer, arch, scores = own_scores(name)
    assert [space.to_string(arch), [*scores]] == [stored(name)["arch"], [*stored(name)["scores"]]]
    for proxy, score in scores.items():
        assert np.isfinite(score), proxy
        np.testing.assert_allclose(score, stored(name)["scores"][proxy], rtol=LOOSE.get(proxy, 1e-3), atol=1e-6, err_msg=proxy)

    genes, program = jnp.asarray(arch, jnp.int32), program_of(space, arch)
    params = scorer.programs(arch).draw(jax.random.key(0), genes)
    network: Any = program.network(genes) if program.in_pieces else space.network(arch)
    own = params if program.in_pieces else program.discrete_params(params, arch)
    key = jax.random.fold_in(fold_in(jax.random.key(0), genes), NOISE)
    fixed = {"param_count": scorer.recipe.param_counts(arch[None])[0]}
    proxies = traced_proxies({proxy: PROXIES[proxy] for proxy in scores if proxy not in COUNTS})
    whole = jax.jit(lambda params, batches: compute_scores(proxies, network, params, batches, key=key, fixed=fixed))(own, scorer.batches)
    for proxy in proxies:
        np.testing.assert_allclose(to_float(whole[proxy]), scores[proxy], rtol=LOOSE.get(proxy, 1e-3), atol=1e-6, err_msg=proxy)
