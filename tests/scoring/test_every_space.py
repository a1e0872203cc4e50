"""Spaces with a share of the proxies: against the numbers of the day they were stored, and against the architecture's discrete network,
compiled on its own. Half of the slow ones are compiled with XLA's own optimisations, as users' programs are. The whole battery on every
space is in test_battery.py."""

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
from tests.support.drawn_alike import drawn_alike
from tests.support.own_scores import COUNTS, SPACES, STORED, own_scores, share
from tests.support.tolerances import ROUNDING, tolerance

OPTIMISED = ("mobilenetv2_zen", "nasbench201", "nats_sss", "resnet_zen")
"""Spaces whose programs compile in seconds with XLA's optimisations."""
pytestmark = pytest.mark.filterwarnings("ignore:(nasbench_asr|autoformer|flexibert|published). .*synflow:jaxzc.DoubtWarning")


def test_every_proxy_has_its_space() -> None:
    assert {*PROXIES} - {proxy for name in SPACES for proxy in share(name)} <= set().union(*ROUNDING.values())


@pytest.mark.parametrize("name", [pytest.param(name, marks=pytest.mark.slow if name == "pit" else ()) for name in STORED])
def test_scores_are_those_that_are_stored(name: str) -> None:
    """Pit has the proxies of AutoFormer, and is slow."""
    space, _, arch, scores = own_scores(name, list(STORED[name]["scores"]))
    assert space.to_string(arch) == STORED[name]["arch"]
    for proxy, score in STORED[name]["scores"].items():
        np.testing.assert_allclose(scores[proxy], score, rtol=tolerance(name, proxy), atol=1e-6, err_msg=proxy)


@pytest.fixture
def as_users_compile(request: pytest.FixtureRequest) -> Iterator[None]:
    """XLA's optimisations, which the suite leaves out, for the spaces that are named above."""
    before = jax.config.read("jax_disable_most_optimizations")
    jax.config.update("jax_disable_most_optimizations", before and request.node.callspec.params["name"] not in OPTIMISED)
    yield
    jax.config.update("jax_disable_most_optimizations", before)


@pytest.mark.slow
@pytest.mark.usefixtures("as_users_compile")
@pytest.mark.parametrize("name", SPACES)
def test_a_share_of_the_proxies_equals_that_of_the_discrete_network(name: str) -> None:
    space, scorer, arch, scores = own_scores(name)
    genes, program = jnp.asarray(arch, jnp.int32), program_of(space, arch)
    params = scorer.programs(arch).draw(jax.random.key(0), genes)
    network: Any = program.network(genes) if program.in_pieces else space.network(arch)
    own = params if program.in_pieces else program.discrete_params(params, arch)
    key = jax.random.fold_in(fold_in(jax.random.key(0), genes), NOISE)
    proxies = traced_proxies({proxy: PROXIES[proxy] for proxy in scores if proxy not in COUNTS})
    fixed = {} if program.in_pieces else drawn_alike(space, arch, params, proxies, scorer.batches, key)
    fixed["param_count"] = scorer.recipe.param_counts(arch[None])[0]
    task = scorer.recipe.task
    compute = jax.jit(lambda params, batches: compute_scores(proxies, network, params, batches, task, key=key, fixed=fixed))
    whole = compute(own, scorer.batches)
    for proxy in proxies:
        assert np.isfinite(scores[proxy]), proxy
        np.testing.assert_allclose(to_float(whole[proxy]), scores[proxy], rtol=tolerance(name, proxy), atol=1e-6, err_msg=proxy)
