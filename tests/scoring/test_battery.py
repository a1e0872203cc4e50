"""One battery over every proxy and every space: what a score may depend on, and what it may not."""

import re
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jaxzc_spaces.core.discrete import DiscreteNetwork

from jaxzc.catalogue import spaces
from jaxzc.definitions.signatures import needs
from jaxzc.proxies import PROXIES
from jaxzc.scoring.compute import compute_scores, traced_proxies
from jaxzc.scoring.keys import NOISE, fold_in
from jaxzc.scoring.results import to_float
from jaxzc.scoring.space import SpaceScorer
from jaxzc.spacekit import key_of, program_of
from jaxzc.types import Space
from tests.support.drawn_alike import drawn_alike, ingredients
from tests.support.one_stage import OneStage
from tests.support.small_spaces import SMALL, drawn, small, two_batches
from tests.support.tolerances import ROUNDING, tolerance

DISCONNECTED = {"nasbench201": -np.inf, "transnas101_micro": None}
"""Spaces whose architecture of zeros has no path from the images to the logits, and its naswot: None where a ReLU of the stem still tells
the images apart."""

OTHERS = {"autoformer": "transformers", "flexibert": "transformers", "pit": "transformers"}
"""Spaces that are scored with another set of proxies than the founding ones."""

ONE_STAGE = "one stage"
"""NAS-Bench-201 with its first stage alone, which every change is tried on: a third of the program of the whole network."""

SLOW = {
    "nasbench201",
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
    "nasbench_nlp",
    "nasbench_asr",
    "autoformer",
    "flexibert",
    "pit",
}
"""Spaces in which every architecture is a program of its own, and six whose programs compile for minutes."""

ONE_PIXEL = {"synflow_bn": 0.0, "sweet_gradsign": 0.0}
CUT_OFF = {"nasbench_asr": {"tcet_synflow": 0.0}, "mnasnet": ONE_PIXEL, "published": ONE_PIXEL}
"""Scores that are one number whatever the architecture is, and which. NAS-Bench-ASR: without normalisation the LSTM saturates, and layers
before it get no gradient from synflow. The classifier alone is left, whose kernel of signs is singular. The scorer warns of it. The others:
their last map is one pixel at this size, where an image alone is normalised to zero (MnasNet's synflow_bn is 51 and 33 for images of
64 x 64)."""
pytestmark = pytest.mark.filterwarnings("ignore:(nasbench_asr|autoformer|flexibert|published). .*synflow:jaxzc.DoubtWarning")

DECIDED_BY_ROUNDING = {"flexibert": {"synflow", "snr_synflow"}}
"""Scores of which the space itself says that rounding decides; what it advises instead, `synflow_bn`, is compared in their place."""

EVERYTHING = {"nasbench201"}
"""Spaces on which all proxies are tried; on the others the founding ones, which take half the time to compile."""

SCORES = [name for name in PROXIES if name not in ("params", "flops", "layers")]


class Case(NamedTuple):
    space: Space
    scorer: SpaceScorer
    archs: np.ndarray
    rows: list[dict[str, float]]


def _spaces() -> list[Any]:
    return [ONE_STAGE, *(pytest.param(name, marks=pytest.mark.slow) if name in SLOW else name for name in sorted(spaces.spaces()))]


@pytest.fixture(scope="module", params=_spaces())
def case(request: pytest.FixtureRequest) -> Case:
    space: Any = OneStage(classes=3, **SMALL["nasbench201"]) if request.param == ONE_STAGE else small(request.param)
    rng = np.random.default_rng(0)
    batches = two_batches(space, rng)
    scorer = SpaceScorer(space, batches, "all" if space.name in EVERYTHING else OTHERS.get(space.name, "founding"))
    one_each = len(space.program_keys(space.sample(np.random.default_rng(0), 1))[0])
    archs = drawn(space, 2 if one_each else 4, rng)
    if space.name in DISCONNECTED:
        archs = np.concatenate([archs, np.zeros((1, len(space.choices)), np.int8)])
    return Case(space, scorer, archs, list(scorer.each(archs)))


def _rows_with(case: Case, name: str) -> list[dict[str, float]]:
    if name not in case.scorer.proxies:
        pytest.skip("this space is scored with other proxies")
    return case.rows


@pytest.mark.parametrize("name", list(PROXIES))
def test_scores_are_numbers_that_tell_architectures_apart(case: Case, name: str) -> None:
    values = [row[name] for row in _rows_with(case, name)]
    if name in CUT_OFF.get(case.space.name, ()):
        assert {*values} == {CUT_OFF[case.space.name][name]}
        return
    assert all(isinstance(v, float) for v in values)
    if name not in SCORES:  # two architectures may well have as many layers
        counts = case.space.counts(case.space.sample(np.random.default_rng(1), 20))
        values = getattr(counts, name).tolist()
    assert any(np.isfinite(values))
    assert len({v for v in values if not np.isnan(v)}) >= 2, f"{name} gives {values}"  # naswot of a singular kernel is minus infinity


def test_what_is_counted_is_there(case: Case) -> None:
    """Of the first architecture's network as it is trained; arithmetic says how much it has."""
    counts, network = case.space.counts(case.archs[:1]), getattr(case.space, "own_network", case.space.network)(case.archs[0])
    if not isinstance(network, DiscreteNetwork):
        pytest.skip("its parameters are drawn elsewhere")
    params = jax.eval_shape(network.init, jax.random.key(0))
    assert counts.params.item() == sum(leaf.size for leaf in jax.tree.leaves(params))
    assert counts.layers.item() == sum(len(group.cells) for group in network.groups)


def test_deterministic_and_independent_of_order(case: Case) -> None:
    again = list(case.scorer.each(case.archs[::-1]))[::-1]
    for first, second in zip(case.rows, again, strict=True):
        np.testing.assert_array_equal(list(first.values()), list(second.values()))


def test_one_compilation_for_every_architecture(case: Case) -> None:
    """One, or one for each kind of architectures that share one."""
    if program_of(case.space, case.archs[0]).in_pieces:
        pytest.skip("every architecture is a program of its own")
    list(case.scorer.each(case.archs))
    for arch in case.archs:
        assert {function.compilations for function in case.scorer.programs(arch)} == {1}  # type: ignore[attr-defined]
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


def test_no_proxy_decomposes_several_matrices_at_once(case: Case) -> None:
    """Batched decompositions may stop for ever on a machine of two cores: tests/numerics/test_numerics.py."""
    if case.space.name not in EVERYTHING:
        pytest.skip("a space on which not all proxies are tried")
    genes, key, count = jnp.asarray(case.archs[0], jnp.int32), jax.random.key(0), case.scorer.recipe.param_counts(case.archs[:1])[0]
    programs: Any = case.scorer.programs(case.archs[0])
    lowered = programs.score.jitted.lower(programs.draw(key, genes), genes, case.scorer.batches, key, count).as_text()
    calls = re.findall(r"@(lapack_\w+)\(.*?\) .*?: \(tensor<([\dx]+)xf\d\d>", lowered)
    assert {name for name, _ in calls} == {"lapack_dsyevd_ffi", "lapack_dgetrf_ffi", "lapack_dgesdd_ffi"}
    assert all(shape.count("x") == 1 for _, shape in calls), calls


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


@pytest.fixture(scope="module")
def discrete(case: Case) -> dict[str, Any]:
    """Every ingredient that a proxy asks for, of the first architecture's discrete network."""
    arch = case.archs[0]
    shared = program_of(case.space, arch)
    if shared.in_pieces:
        pytest.skip("the program of one architecture is its discrete network")
    proxies, batches, genes = case.scorer.recipe.traced, case.scorer.batches, jnp.asarray(arch, jnp.int32)
    key = jax.random.fold_in(fold_in(jax.random.key(0), genes), NOISE)
    params = case.scorer.programs(arch).draw(jax.random.key(0), genes)
    fixed = drawn_alike(case.space, arch, params, proxies, batches, key) | {"param_count": case.scorer.recipe.param_counts(arch[None])[0]}
    names = sorted({name for proxy in proxies.values() for name in needs(proxy)})
    network = case.space.network(arch)
    run = jax.jit(lambda params, fixed: ingredients(names, network, params, batches, key, fixed, case.scorer.recipe.task))
    return run(shared.discrete_params(params, arch), fixed)


@pytest.mark.parametrize("name", SCORES)
def test_program_equals_discrete_network_and_proxies_without_jit(case: Case, discrete: dict[str, Any], name: str) -> None:
    if name in ROUNDING.get(case.space.name, ()):
        pytest.skip("rounding errors, which no two programs share")
    proxy, rows = PROXIES[name], _rows_with(case, name)
    value = to_float(proxy(*(discrete[need] for need in needs(proxy))))  # operation by operation
    np.testing.assert_allclose(value, rows[0][name], rtol=tolerance(case.space.name, name), atol=1e-6)


@pytest.mark.parametrize("names", [["naswot", "lnwot"], ["snip"], ["zen", "swap"]])
def test_a_score_does_not_depend_on_its_company(case: Case, names: list[str]) -> None:
    _rows_with(case, names[0])
    alone = SpaceScorer(case.space, list(case.scorer.batches), names).one(case.archs[0])
    for name in names:
        np.testing.assert_allclose(alone[name], case.rows[0][name], rtol=tolerance(case.space.name, name, 1e-4))


def test_float32_is_close_to_float64(case: Case) -> None:
    arch = jnp.asarray(case.archs[0], jnp.int32)
    params = case.scorer.programs(case.archs[0]).draw(jax.random.key(0), arch)
    left_out = DECIDED_BY_ROUNDING.get(case.space.name, set())
    names = ["naswot", "lnwot", "snr_synflow", "synflow", "l2_norm", *["synflow_bn"] * bool(left_out)]
    names = [name for name in names if name in case.scorer.proxies and name not in left_out]
    chosen = {name: PROXIES[name] for name in names}
    with jax.enable_x64(True):
        wide = jax.tree.map(lambda a: a.astype(jnp.float64) if a.dtype == jnp.float32 else a, (params, case.scorer.batches))
        program = program_of(case.space, case.archs[0])
        made = jax.jit(lambda p, a, b: compute_scores(traced_proxies(chosen), program.network(a), p, b))(wide[0], arch, wide[1])
        made = {name: to_float(value) for name, value in made.items()}
    for name in names:
        np.testing.assert_allclose(case.rows[0][name], made[name], rtol=1e-4, err_msg=name)
