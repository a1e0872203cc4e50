"""NAS-Bench-ASR's space: vectors, classes of equal hashes and of equal networks, two semantics, the program and the module of a vector."""

import math
import sys
from functools import partial
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from jaxzc_spaces.nasbench_asr import NasBenchAsr
from jaxzc_spaces.nasbench_asr.encoding import as_read
from jaxzc_spaces.nasbench_asr.isomorphism import network_form
from jaxzc_spaces.nasbench_asr.layers import cut_off, padding

from jaxzc.tasks import ctc_per_frame
from jaxzc.types import InputSpec, JaxzcError, Tap
from tests.support.modules import imported, imports, shapes

TINY = NasBenchAsr((4, 4, 6, 6), (1, 2, 1, 1), 2, 3, classes=5, inputs=InputSpec((9, 5)))
EVERYTHING = "[[4, 1], [0, 0, 1], [1, 1, 0, 1]]"
"""Dilation, a linear layer, a convolution, and skips of every length."""
RNG = np.random.default_rng(0)
FRAMES = jnp.asarray(RNG.standard_normal((3, 9, 5)), jnp.float32)
SYMBOLS = jnp.array([[1, 2], [3, 0], [4, 4]])  # the last two are one frame too long


@pytest.mark.parametrize("text", ["", "[1, 2]", "[[1, 0], [1, 0], [1, 0, 0, 0]]", "[[1, 0], [1, 0, 0], [1, 0, 0, true]]", "[[[[["])
def test_wrong_vectors(text: str) -> None:
    with pytest.raises(JaxzcError, match="is no NAS-Bench-ASR architecture: expected three lists"):
        TINY.parse(text)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"filters": (8, 8)}, "expected 4 positive integers"),
        ({"groups": 7}, "groups=7 do not divide 600 filters"),
        ({"semantics": "keras"}, "expected one of torch, tensorflow"),
        ({"clip": 0.0}, "clip=0"),
        ({"units": -1}, "units=-1"),
        ({"inputs": InputSpec((8, 8), "int32")}, "expected frames of floats"),
    ],
)
def test_wrong_settings(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(JaxzcError, match=message):
        NasBenchAsr(**settings)


def test_paddings_of_the_paper() -> None:
    assert [padding(size, dilation=d) for size, d in ((5, 1), (5, 2), (7, 1), (7, 2))] == [(0, 4), (4, 4), (2, 4), (8, 4)]
    assert (padding(8), padding(8, stride=2)) == ((3, 4), (5, 2))


def test_classes_of_the_whole_space() -> None:
    """The published number of hashes, those without zero; classes of equal functions, operations without effect left out."""
    archs = TINY.enumerate()
    forms = TINY.canonical(archs)
    without = (archs[:, (0, 2, 5)] != 5).all(1)
    assert (len(archs), len(np.unique(forms, axis=0)), len(np.unique(forms[without], axis=0))) == (13_824, 8_242, 8_000)
    assert len({_effect(network_form(arch)) for arch in archs}) == 9_195
    same = TINY.same_network(archs)
    np.testing.assert_array_equal(TINY.counts(same)[:3], TINY.counts(archs)[:3])
    np.testing.assert_array_equal(TINY.same_network(same), same)
    assert len(np.unique(same, axis=0)) >= 9_195


def _effect(form: tuple[tuple[int, ...], ...]) -> tuple[tuple[int, ...], ...]:
    """A network's form without the operations that its output does not depend on."""
    *operations, output = form
    live = {number for number, times in enumerate(output) if times}
    for number in range(len(operations), 0, -1):
        if number in live:
            live |= {source for source, times in enumerate(operations[number - 1][1:]) if times}
    order = [0, *(number for number in range(1, len(operations) + 1) if number in live)]
    picked = [(operations[number - 1][0], *(operations[number - 1][1 + source] for source in order)) for number in order[1:]]
    return (*picked, tuple(output[number] for number in order))


def test_tensorflow_reads_no_dilation_and_the_opposite_bit() -> None:
    arch = TINY.parse(EVERYTHING)
    np.testing.assert_array_equal(as_read("tensorflow", arch), TINY.parse("[[3, 0], [0, 1, 0], [1, 0, 1, 0]]"))
    other = NasBenchAsr(*TINY.sizes[:4], semantics="tensorflow", classes=5, inputs=TINY.inputs)
    assert TINY.counts(arch[None]).params[0] - other.counts(arch[None]).params[0] == 4 * TINY.units
    np.testing.assert_array_equal(other.program().network(arch).arch, as_read("tensorflow", arch))
    lstm = jax.eval_shape(other.program().init, jax.random.key(0))["lstm"]
    assert sorted(lstm) == ["weight_hh", "weight_ih", "weight_ih_bias"]


@pytest.fixture(scope="module")
def scored() -> Any:
    """Logits and gradients of the loss by parameters and genes: compiled once."""
    program = TINY.program()

    def value(params: Any, genes: Any) -> tuple[Any, Any]:
        logits = program.network(genes).forward(params, FRAMES, norm="batch").outputs
        return ctc_per_frame.loss(logits, SYMBOLS), logits

    return program.init(jax.random.key(0)), jax.jit(jax.grad(value, has_aux=True))


@pytest.mark.parametrize("text", [EVERYTHING, pytest.param("[[5, 1], [3, 0, 1], [2, 1, 1, 0]]", marks=pytest.mark.slow)])
def test_module_equals_the_program(scored: Any, text: str) -> None:
    params, gradients = scored
    arch = TINY.parse(text)
    gradient, logits = gradients(params, jnp.asarray(arch))
    module = TINY.module(arch, params)
    assert sum(leaf.size for leaf in jax.tree.leaves(nnx.state(module))) == TINY.counts(arch[None]).params[0]

    @nnx.jit
    def own(module: Any) -> Any:
        def value(module: Any) -> tuple[Any, Any]:
            logits = module(FRAMES)
            return ctc_per_frame.loss(logits, SYMBOLS), logits

        return nnx.grad(value, has_aux=True)(module)

    of_module, own_logits = own(module)
    assert own_logits.shape == (3, 3, 5)
    np.testing.assert_allclose(own_logits, logits, rtol=1e-4, atol=1e-5)
    expected = TINY.own_params(gradient, arch)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-3, atol=1e-5), nnx.to_pure_dict(of_module), dict(expected))


@pytest.mark.slow
def test_what_a_tap_changes_moves_the_logits() -> None:
    """Of every layer, the LSTM's product with its states included: derivatives by a perturbation are those by a bias."""
    program, arch = TINY.program(), jnp.asarray(TINY.parse(EVERYTHING))
    params, network = program.init(jax.random.key(1)), program.network(arch)

    def perturbed(shift: Any) -> Any:
        perturb = {g.name: jnp.zeros((len(g.cells), 1, 1, g.channels)) for g in network.groups}
        perturb |= {name: a.reshape(-1, 1, 1, a.shape[-1]) for name, a in shift.items()}
        tap = Tap(layer=lambda y, p: (y + p, None), perturb=perturb)
        return (network.forward(params, FRAMES, norm="batch", tap=tap).outputs ** 2).sum()

    def biased(shift: Any) -> Any:
        moved = jax.tree.map(lambda a: a, params)
        moved["lstm"]["weight_hh_bias"] += shift["lstm/weight_hh"]
        moved["blocks"][1]["cells"]["linear_bias"] += shift["blocks/1/cells/linear"].reshape(2, 3, -1)
        return (network.forward(moved, FRAMES, norm="batch").outputs ** 2).sum()

    zero = {"lstm/weight_hh": jnp.zeros(4 * TINY.units), "blocks/1/cells/linear": jnp.zeros((6, 4))}
    made, expected = jax.jit(jax.grad(perturbed))(zero), jax.jit(jax.grad(biased))(zero)
    for name in zero:
        assert np.abs(expected[name]).max() > 0
        np.testing.assert_allclose(made[name], expected[name], rtol=1e-3, atol=1e-5)


def test_draws_are_pytorchs() -> None:
    """Within 1 / sqrt(units) in the LSTM, within 1 / sqrt(inputs) elsewhere; of the module's own draw, too."""
    arch = TINY.parse(EVERYTHING)
    for params in (TINY.program().init(jax.random.key(0)), TINY.network(arch).init(jax.random.key(0))):
        for name in ("weight_ih", "weight_ih_bias", "weight_hh", "weight_hh_bias"):
            largest = float(jnp.abs(params["lstm"][name]).max())
            assert 0.6 * TINY.units**-0.5 < largest <= TINY.units**-0.5
        assert float(jnp.abs(params["head"]["bias"]).max()) <= TINY.units**-0.5


def test_activations_are_cut_off() -> None:
    """At 20, or nowhere; the derivative there is that of the left side, as PyTorch's."""
    x = jnp.array([-1.0, 0.5, 20.0, 30.0])
    for clip, values, slopes in ((20.0, [0, 0.5, 20, 20], [0, 1, 1, 0]), (math.inf, [0, 0.5, 20, 30], [0, 1, 1, 1])):
        np.testing.assert_array_equal(cut_off(x, clip), values)
        np.testing.assert_array_equal(jax.grad(lambda x, clip=clip: cut_off(x, clip).sum())(x), slopes)


@pytest.mark.parametrize("runs", [False, pytest.param(True, marks=pytest.mark.slow)])
def test_the_file_stands_alone(runs: bool, tmp_path: Path) -> None:
    arch = TINY.parse(EVERYTHING)
    text = TINY.source(arch)
    assert imports(text) <= {"jax", "flax", *sys.stdlib_module_names}
    network = imported(text, tmp_path)
    assert shapes(nnx.eval_shape(network.make)) == shapes(nnx.eval_shape(partial(TINY.module, arch)))
    if runs:
        model, module = network.make(), TINY.module(arch)
        nnx.update(model, nnx.state(module))
        run = nnx.jit(lambda model: model(FRAMES))
        np.testing.assert_allclose(run(model), run(module), rtol=1e-4, atol=1e-5)
