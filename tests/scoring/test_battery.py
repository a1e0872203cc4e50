"""One battery over every proxy and every space: what a score may depend on, and what it may not."""

import inspect
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxzc.catalogue import spaces
from jaxzc.proxies import PROXIES
from jaxzc.scoring.compute import compute_scores, traced_proxies
from jaxzc.scoring.keys import NOISE, fold_in
from jaxzc.scoring.results import to_float
from jaxzc.scoring.space import SpaceScorer
from jaxzc.signatures import needs
from jaxzc.spacekit import key_of, program_of
from jaxzc.types import Batch, Space

SMALL: dict[str, dict[str, Any]] = {
    "nasbench201": {"channels": 2, "cells": 1, "inputs": (8, 8, 3)},
    "nasbench101": {"channels": 5, "modules": 1, "inputs": (8, 8, 3)},
    "nats_sss": {"unit": 1, "inputs": (8, 8, 3)},
    "transnas101_micro": {"channels": 2, "inputs": (33, 33, 3)},
    "transnas101_macro": {"channels": 2, "inputs": (65, 65, 3)},
    "nasbench_macro": {"channels": 2, "head": 8, "inputs": (16, 16, 3)},
    "darts": {"channels": 2, "cells": 3, "inputs": (8, 8, 3)},
    **{f"nds_{name}": {"width": 2, "depth": 3, "inputs": (8, 8, 3)} for name in ("darts", "enas", "pnas", "nasnet", "amoeba")},
    "mobilenetv2_zen": {"head": 16, "inputs": (64, 64, 3)},
    "resnet_zen": {"inputs": (16, 16, 3)},
    "mnasnet": {"stem": 4, "widths": (4, 4, 4, 8, 8, 8, 8), "head": 16},
}
"""Options that make a space's networks tiny; a space that is not named here is scored at its default size. (Where the last map is 1 x 1, a
batch of one image is normalised to zero, and with it what some proxies see of TransNAS's networks, whose images are larger therefore.)"""

DISCONNECTED = {"nasbench201": -np.inf, "transnas101_micro": None}
"""Spaces whose architecture of zeros has no path from the images to the logits, and its naswot: None where a ReLU of the stem still tells
the images apart."""

ROUNDING = {"transnas101_micro": "jacob_cov", "transnas101_macro": "jacob_cov", "darts": "sweet_gradsign"}
"""Scores that are rounding errors in a space. Where batch normalisation comes last, the sum of the logits does not depend on the images,
and the last cell's gradients of one image are zero but for rounding: their signs are none."""

SLOW = {
    "transnas101_micro",
    "nasbench101",
    "nats_sss",
    "transnas101_macro",
    "nasbench_macro",
    "darts",
    *(f"nds_{name}" for name in ("darts", "enas", "pnas", "nasnet", "amoeba")),
    "mobilenetv2_zen",
    "resnet_zen",
    "mnasnet",
    "published",
}
"""Spaces in which every architecture is a program of its own, and three whose programs compile for minutes."""

LARGEST = 5_000_000
"""Parameters. Networks with more, which take minutes, are not drawn."""

EVERYTHING = {"nasbench201"}
"""Spaces on which all proxies are tried; on the others the founding ones, which take half the time to compile."""

# float32 scores of two programs that round differently: sums of terms of both signs, counts at a threshold, and heavy tails move more.
LOOSE = {"plain": 1e-2, "grasp": 1e-2, "jacob_cov": 1e-2, "zico": 1e-1, "sweet_zico": 1e-1, "sweetimator": 5e-2, "sweet_gradsign": 5e-2}
LOOSE |= {"zico_bc": 1e-1, "l_swag": 1e-1, "gradsign": 5e-2, "grad_conflict": 5e-2, "sweet_grad_norm": 5e-2, "epe_nas": 1e-2}
LOOSE |= {"ntk_condition": 1e-2, "ntk_condition_init": 1e-2, "linear_regions": 2e-2, "swap": 2e-2, "swap_regularised": 2e-2, "vkdnw": 1e-2}
LOOSE |= {"az_progressivity": 1e-2, "az_trainability": 1e-2, "wrcor": 1e-2, "zen": 1e-2, "dextr": 1e-2}
SCORES = [name for name in PROXIES if name not in ("params", "flops", "layers")]


class Case(NamedTuple):
    space: Space
    scorer: SpaceScorer
    archs: np.ndarray
    rows: list[dict[str, float]]


def _spaces() -> list[Any]:
    return [pytest.param(name, marks=pytest.mark.slow) if name in SLOW else name for name in sorted(spaces.spaces())]


@pytest.fixture(scope="module", params=_spaces())
def case(request: pytest.FixtureRequest) -> Case:
    options = {"inputs": (32, 32, 3), **SMALL.get(request.param, {})}
    space = spaces.space(request.param, classes=3, **options)
    rng = np.random.default_rng(0)
    batches = [Batch(rng.standard_normal((6, *space.inputs.shape)).astype(np.float32), rng.integers(0, 3, 6)) for _ in range(2)]
    scorer = SpaceScorer(space, batches, "all" if request.param in EVERYTHING else "founding")
    archs = space.sample(rng, 2 if len(space.program_keys(space.sample(np.random.default_rng(0), 1))[0]) else 4)
    while (heavy := space.counts(archs).params > LARGEST).any():
        archs[heavy] = space.sample(rng, int(heavy.sum()))
    if request.param in DISCONNECTED:
        archs = np.concatenate([archs, np.zeros((1, len(space.choices)), np.int8)])
    return Case(space, scorer, archs, list(scorer.each(archs)))


def _rows_with(case: Case, name: str) -> list[dict[str, float]]:
    if name not in case.scorer.proxies:
        pytest.skip("this space is scored with the founding proxies")
    return case.rows


@pytest.mark.parametrize("name", list(PROXIES))
def test_scores_are_numbers_that_tell_architectures_apart(case: Case, name: str) -> None:
    values = [row[name] for row in _rows_with(case, name)]
    assert all(isinstance(v, float) for v in values)
    if name not in SCORES:  # two architectures may well have as many layers
        counts = case.space.counts(case.space.sample(np.random.default_rng(1), 20))
        values = getattr(counts, name).tolist()
    finite = {v for v in values if np.isfinite(v)}
    assert len(finite) >= 2, f"{name} gives {values}"


def test_deterministic_and_independent_of_order(case: Case) -> None:
    again = list(case.scorer.each(case.archs[::-1]))[::-1]
    for first, second in zip(case.rows, again, strict=True):
        np.testing.assert_array_equal(list(first.values()), list(second.values()))


def test_one_compilation_for_every_architecture(case: Case) -> None:
    """One, or one for each kind of architectures that share one."""
    list(case.scorer.each(case.archs))
    for arch in case.archs:
        draw, score = case.scorer.programs(arch)
        compiled: Any = [score] if program_of(case.space, arch).in_pieces else [draw, score]  # in pieces numpy makes the weights
        assert {function.compilations for function in compiled} == {1}
    assert case.scorer.compilations == len({key_of(case.space, arch) for arch in case.archs})


def test_seed_changes_scores_and_is_reproducible(case: Case) -> None:
    other = case.scorer.one(case.archs[0], seed=1)
    assert other["snip"] != case.rows[0]["snip"]
    assert other.get("zen", 0) != case.rows[0].get("zen")  # weights drawn anew and noise are of the seed, too
    assert other["params"] == case.rows[0]["params"]
    assert other == case.scorer.one(case.archs[0], seed=1)


def test_inactive_weights_change_no_score(case: Case) -> None:
    """Kernels of operations that the architecture has not chosen may hold anything."""
    program = program_of(case.space, case.archs[0])
    if program.in_pieces:
        pytest.skip("the program of one architecture has no kernels but its own")
    arch = jnp.asarray(case.archs[0], jnp.int32)
    network = program.network(arch)
    programs = case.scorer.programs(case.archs[0])
    params = programs.draw(jax.random.key(0), arch)
    noise = [
        jnp.where(on.reshape(-1, *(1,) * (w.ndim - 1)), w, 1e3 * (w + 1))
        for w, on in zip(network.weights(params), network.active(), strict=True)
    ]
    assert any(not np.array_equal(a, b) for a, b in zip(noise, network.weights(params), strict=True)), "nothing was inactive"
    count = case.scorer.recipe.param_counts(case.archs[:1])[0]
    made = programs.score(network.with_weights(params, noise), arch, case.scorer.batches, jax.random.key(0), count)
    for name, value in made.items():
        np.testing.assert_array_equal(to_float(jax.device_get(value)), case.rows[0][name], err_msg=name)


def test_nan_and_infinities_are_kept(case: Case) -> None:
    """Of a disconnected architecture: a constant Jacobian has no correlation, equal codes no determinant."""
    if case.space.name not in DISCONNECTED:
        pytest.skip("every network of the space is connected")
    disconnected, naswot = case.rows[-1], DISCONNECTED[case.space.name]
    assert np.isnan(disconnected["jacob_cov"])
    assert np.isfinite(disconnected["naswot"]) if naswot is None else disconnected["naswot"] == naswot
    assert disconnected["zico"] == 0
    if "zen" in disconnected:
        assert np.isnan(disconnected["ntk_condition"])
        assert disconnected["zen"] == disconnected["az_expressivity"] == -np.inf


def _reader(name: str) -> Any:
    """A proxy that returns one ingredient as it is."""

    def read(value: Any) -> Any:
        return value

    parameter = inspect.Parameter(name, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    read.__signature__ = inspect.Signature([parameter])  # type: ignore[attr-defined]
    return read


@pytest.fixture(scope="module")
def discrete(case: Case) -> dict[str, Any]:
    """Every ingredient that a proxy asks for, of the first architecture's discrete network."""
    arch = case.archs[0]
    shared = program_of(case.space, arch)
    if shared.in_pieces:
        pytest.skip("the program of one architecture is its discrete network")
    names = sorted({name for proxy in case.scorer.recipe.traced.values() for name in needs(proxy)})
    network = case.space.network(arch)
    genes = jnp.asarray(arch, jnp.int32)
    key, given = (
        jax.random.fold_in(fold_in(jax.random.key(0), genes), NOISE),
        {"param_count": case.scorer.recipe.param_counts(arch[None])[0]},
    )
    program = jax.jit(lambda p, b: compute_scores({name: _reader(name) for name in names}, network, p, b, key=key, fixed=given))
    params = shared.discrete_params(case.scorer.programs(arch).draw(jax.random.key(0), genes), arch)
    return program(params, case.scorer.batches)


@pytest.mark.parametrize("name", SCORES)
def test_program_equals_discrete_network_and_proxies_without_jit(case: Case, discrete: dict[str, Any], name: str) -> None:
    if ROUNDING.get(case.space.name) == name:
        pytest.skip("rounding errors, which no two programs share")
    proxy, rows = PROXIES[name], _rows_with(case, name)
    value = to_float(proxy(*(discrete[need] for need in needs(proxy))))  # operation by operation
    np.testing.assert_allclose(value, rows[0][name], rtol=LOOSE.get(name, 1e-3), atol=1e-6)


@pytest.mark.parametrize("names", [["naswot", "lnwot"], ["snip"], ["zen", "swap"]])
def test_a_score_does_not_depend_on_its_company(case: Case, names: list[str]) -> None:
    _rows_with(case, names[0])
    alone = SpaceScorer(case.space, list(case.scorer.batches), names).one(case.archs[0])
    for name in names:
        np.testing.assert_allclose(alone[name], case.rows[0][name], rtol=LOOSE.get(name, 1e-4))


def test_float32_is_close_to_float64(case: Case) -> None:
    arch = jnp.asarray(case.archs[0], jnp.int32)
    params = case.scorer.programs(case.archs[0]).draw(jax.random.key(0), arch)
    names = ("naswot", "lnwot", "snr_synflow", "synflow", "l2_norm")
    chosen = {name: PROXIES[name] for name in names}
    with jax.enable_x64(True):
        wide = jax.tree.map(lambda a: a.astype(jnp.float64) if a.dtype == jnp.float32 else a, (params, case.scorer.batches))
        program = program_of(case.space, case.archs[0])
        made = jax.jit(lambda p, a, b: compute_scores(traced_proxies(chosen), program.network(a), p, b))(wide[0], arch, wide[1])
        made = {name: to_float(value) for name, value in made.items()}
    for name in names:
        np.testing.assert_allclose(case.rows[0][name], made[name], rtol=1e-4, err_msg=name)
