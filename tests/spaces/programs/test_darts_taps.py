"""What taps, proxies and perturbations meet in the program of DARTS is what they meet in the discrete network."""

from operator import attrgetter
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jaxzc_spaces.darts.space import Darts

from jaxzc._compile.pieces import Pieced
from jaxzc.ingredients.examples import example_grads
from jaxzc.ingredients.maps import map_shapes
from jaxzc.proxies import PROXIES
from jaxzc.scoring.compute import compute_scores, traced_proxies
from jaxzc.tasks import classification
from jaxzc.types import Batch, InputSpec, Tap
from tests.support.against_discrete import BY_GROUP, assert_equal_scores, drawn_anew
from tests.support.by_hand import slopes
from tests.support.counted import Counted
from tests.support.darts_cells import DEEPER, GENOTYPES, SIZE, SMALL, batches, params_of

SIZES = {
    "runs of three cells": Darts(cells=9, **SIZE),
    "without scales": DEEPER,
    "imagenet": Darts(cells=2, stem="imagenet", channels=2, classes=3, inputs=InputSpec((32, 32, 3))),
    "auxiliary": Darts(cells=3, auxiliary=True, channels=2, classes=3),
    "one cell": Darts(cells=1, **SIZE),
}


@pytest.mark.parametrize("size", [pytest.param(s, marks=() if s == "one cell" else pytest.mark.slow) for s in SIZES])
def test_norm_modes_and_taps_equal_those_of_the_discrete_network(size: str) -> None:
    """What exists is as many layers, ReLUs, normalisations and maps as the discrete network has, with the same values, in the same cells;
    what does not exist keeps zeros."""
    space, images = SIZES[size], batches(SIZES[size])[0].inputs
    size_of = lambda x: jnp.square(x).sum()  # noqa: E731
    tap = Tap(layer=lambda y, _: (y, size_of(y)), cell=lambda y, _: (y, size_of(y)), activation=size_of, norm=size_of)

    def run(network: Any, params: Any) -> Any:
        read = network.forward(params, images, norm="batch", tap=tap)
        logits = {norm: attrgetter("outputs", "exponent")(network.forward(params, images, norm=norm)) for norm in ("init", "none")}
        return read, logits, network.active(), network.activation_counts()

    with jax.enable_x64(True):
        params = params_of(space)
        program = Counted(lambda genes, params: run(space.program().network(genes), params))
        for genes in GENOTYPES.values():
            ours, modes, there, counts = jax.device_get(program(jnp.asarray(genes, jnp.int32), params))
            network = space.network(genes)
            discrete = Pieced(lambda params, network=network: run(network, params))
            theirs, their_modes, _, their_counts = jax.device_get(discrete(space.program().discrete_params(params, genes)))
            on = np.concatenate(there)
            cells = np.concatenate([group.cells for group in space.program().groups])
            assert on.sum() == space.counts(np.array(genes)).layers[0]
            assert sorted(cells[on]) == sorted(c for group in network.groups for c in group.cells)
            np.testing.assert_allclose(ours.outputs, theirs.outputs, rtol=1e-9, atol=1e-12)
            np.testing.assert_allclose(modes["init"][0], their_modes["init"][0], rtol=1e-9, atol=1e-12)
            np.testing.assert_allclose(*(np.ldexp(m["none"][0], m["none"][1]) for m in (modes, their_modes)), rtol=1e-9)
            there, at = space.program().network(jnp.asarray(genes)), lambda kept: np.concatenate(list(kept.values()))
            assert list(ours.layers) == [group.name for group in there.groups]
            assert list(ours.activations) == list(counts) == [group.name for group in there.activations]
            last = ours.activations.pop("last_relu")
            for mine, other in ((ours.activations, theirs.activations), (ours.norms, theirs.norms)):
                values = at(mine)
                np.testing.assert_allclose(np.sort(values[values != 0]), np.sort(at(other)), rtol=1e-9)
            np.testing.assert_allclose(np.sort(at(ours.layers)[on]), np.sort(at(theirs.layers)), rtol=1e-9)
            np.testing.assert_allclose(at(ours.cells), at(theirs.cells), rtol=1e-9)
            np.testing.assert_allclose(last[-1], theirs.activations[network.activations[-1].name][-1], rtol=1e-9)
            assert not counts.pop("last_relu").any()
            for weigh in (lambda way: 1, len):  # each ReLU once, and with the blocks around it
                mine, other = (
                    {group.name: c[group.name] @ [weigh(way) for way in group.modules] for group in n.activations if group.name in c}
                    for n, c in ((there, counts), (network, their_counts))
                )
                assert at(mine).sum() == at(other).sum()
                weighed = [
                    sum((c[name] * kept[name]).sum() for name in c) for c, kept in ((mine, ours.activations), (other, theirs.activations))
                ]
                np.testing.assert_allclose(*weighed, rtol=1e-9)
        assert program.compilations == 1


SIGNS = {"gradsign", "grad_conflict", "sweet_gradsign"}
"""Proxies that count signs of single examples' gradients, zeros that were rounded among them: the mean of a normalised map is its bias, so
the head gives the last cell's kernels no gradient from a batch of one."""


def rounded_zeros(network: Any, params: Any, batch: Batch) -> int:
    """How many single examples' gradients are zero but for rounding."""
    made = example_grads(network, params, (batch,), classification, "batch", wanted=frozenset(["example_grads"]))
    return sum(int(((g != 0) & (jnp.abs(g) < 1e-12)).sum()) for g in made["example_grads"])


@pytest.mark.slow
@pytest.mark.parametrize("name", ["convolutions", "none and repeats"])
@pytest.mark.filterwarnings("ignore::jaxzc.UnavailableWarning")
def test_every_proxy_equals_that_of_the_discrete_network(name: str) -> None:
    """Kernels and probes that proxies draw anew are drawn once and given to both."""
    space, genes, root = SMALL, tuple(GENOTYPES[name]), jax.random.key(7)
    chosen = {n: f for n, f in PROXIES.items() if n not in BY_GROUP}
    size = np.float64(space.counts(np.array(genes)).params[0])

    def scores(network: Any, params: Any, batches: Any, given: Any) -> Any:
        return compute_scores(traced_proxies(chosen), network, params, batches, key=root, fixed={"param_count": size, **given})

    with jax.enable_x64(True):
        params, data, traced = params_of(space), batches(space), jnp.asarray(genes, jnp.int32)
        network = space.program().network(traced)
        fresh = drawn_anew(network, params, root)
        cut = lambda p: space.program().discrete_params(p, genes)  # noqa: E731
        given = {n: jax.vmap(cut)(p) if n == "swap_params" else cut(p) for n, p in fresh.items()}
        discrete, rng = space.network(genes), np.random.default_rng(2)
        for each, to in ((network, fresh), (discrete, given)):
            rng = np.random.default_rng(2)
            shapes = map_shapes(each, fresh["az_params"] if each is network else given["az_params"], data[0].inputs, "batch")
            to["az_probes"] = [
                jnp.asarray(np.stack([rng.choice([-1.0, 1.0], s.shape[1:]) for _ in range(len(s))])) for s in shapes.values()
            ]
        ours = jax.jit(lambda g, p, b, f: scores(space.program().network(g), p, b, f))(traced, params, data, fresh)
        theirs = jax.jit(lambda p, b, f: scores(discrete, p, b, f))(cut(params), data, given)
        atol = dict.fromkeys(SIGNS, 2.0 * rounded_zeros(discrete, cut(params), data[0]))
    assert_equal_scores(ours, theirs, atol)


def test_perturbations_reach_their_layers() -> None:
    """The derivative by a shift of every layer's output is that of the discrete network, and zero where there is no layer."""
    genes, images = GENOTYPES["none and repeats"], batches(SMALL)[0].inputs
    with jax.enable_x64(True):
        params, traced = params_of(SMALL), jnp.asarray(genes, jnp.int32)
        ours, there = jax.jit(lambda g, p: (slopes(n := SMALL.program().network(g), p, images), n.active()))(traced, params)
        discrete = Pieced(lambda params: slopes(SMALL.network(genes), params, images))
        theirs = discrete(SMALL.program().discrete_params(params, genes))
    ours, on = np.concatenate(ours), np.concatenate(there)
    assert not ours[~on].any()
    np.testing.assert_allclose(np.sort(ours[on]), np.sort(np.concatenate(theirs)), rtol=1e-8, atol=1e-12)
