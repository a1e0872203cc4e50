"""The base class of spaces: what follows from `choices`, what a subclass has to write, and programs made of functions."""

from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxzc
from jaxzc.scoring.space import SpaceScorer, score_space
from jaxzc.spacekit import FunctionProgram, VectorSpace, key_of, program_of, sample_at_most
from jaxzc.types import Counts, InputSpec, JaxzcError, Space, TooFewArchitectures, WithGraph, WithOwnCounts, WithSameNetwork


def linear(params: Any, x: Any) -> Any:
    return jax.nn.relu(x @ params["first"] + params["first_bias"][None]) @ params["last"]


@dataclass(frozen=True)
class Widths(VectorSpace):
    """Two genes; only the first, the hidden width less one, changes shapes."""

    classes: int = 3
    inputs: InputSpec = InputSpec((4,))

    name = "widths"
    choices = (3, 2)

    def program_keys(self, archs: np.ndarray) -> np.ndarray:
        return archs[:, :1]

    def program(self, key: tuple[int, ...] = ()) -> FunctionProgram:
        width = key[0] + 1
        shapes = {"first": (4, width), "first_bias": (width,), "last": (width, self.classes), "scale": (2,), "shift": (2,)}
        return FunctionProgram(linear, shapes, self.inputs)

    def counts(self, archs: np.ndarray) -> Counts:
        width = np.atleast_2d(archs)[:, 0].astype(np.int64) + 1
        return Counts(5 * width + 3 * width, 4 * width + 3 * width, np.full_like(width, 2))


SPACE: Space = Widths()


def test_what_follows_from_the_choices() -> None:
    archs = SPACE.enumerate()
    assert archs.dtype == np.int32
    assert archs.tolist() == [[0, 0], [0, 1], [1, 0], [1, 1], [2, 0], [2, 1]]
    assert [SPACE.to_string(arch) for arch in archs] == ["0-0", "0-1", "1-0", "1-1", "2-0", "2-1"]
    np.testing.assert_array_equal([SPACE.parse(SPACE.to_string(arch)) for arch in archs], archs)
    np.testing.assert_array_equal(SPACE.canonical(archs), archs)
    assert SPACE.neighbours([0, 0]).tolist() == [[1, 0], [2, 0], [0, 1]]
    rng = np.random.default_rng(0)
    assert sorted(SPACE.sample(rng, 6).tolist()) == archs.tolist()
    assert ((SPACE.mutate(rng, archs) != archs).sum(axis=1) == 1).all()


@pytest.mark.parametrize("text", ["", "0", "0-0-0", "0-x", "-1-0", None])
def test_what_is_no_architecture_is_quoted(text: Any) -> None:
    with pytest.raises(JaxzcError, match=r"is no widths architecture: expected 2 numbers joined by '-', as in 0-0"):
        SPACE.parse(text)


def test_genes_beyond_their_choices_are_named() -> None:
    for text in ("3-0", f"{2**70}-0"):
        with pytest.raises(JaxzcError, match="expected"):
            SPACE.parse(text)


def test_keys_and_programs() -> None:
    assert [key_of(SPACE, arch) for arch in SPACE.enumerate()] == [(0,), (0,), (1,), (1,), (2,), (2,)]
    params = program_of(SPACE, [2, 1]).init(jax.random.key(0), "torch")
    assert params["first"].shape == (4, 3)
    assert np.abs(params["first_bias"]).max() <= 0.5
    np.testing.assert_array_equal(params["scale"], [1, 1])
    np.testing.assert_array_equal(params["shift"], [0, 0])
    x = jnp.ones((2, 4))
    for network in (SPACE.network([2, 1]), program_of(SPACE, [2, 1]).network(jnp.asarray([2, 1]))):
        np.testing.assert_allclose(network.forward(params, x, norm="batch").outputs, linear(params, x), rtol=1e-6)


def test_a_space_without_programs_of_its_own_shares_one() -> None:
    class Silent(VectorSpace):
        name, choices, classes, inputs = "silent", (2, 2), 2, InputSpec((4,))

    space = Silent()
    assert space.program_keys(np.zeros((3, 2), int)).shape == (3, 0)
    assert space.program_keys(np.zeros((3, 2), int)).dtype == np.int32
    for call in (space.program, lambda: space.counts(np.zeros((1, 2), int))):
        with pytest.raises(NotImplementedError, match="Silent"):
            call()


def test_it_is_scored_with_a_program_for_each_key() -> None:
    batch = np.random.default_rng(0).standard_normal((5, 4)).astype(np.float32), np.arange(5) % 3
    scorer = SpaceScorer(SPACE, batch, "snip,l2_norm,params", pieces=False)
    rows = scorer.many(SPACE.enumerate()[:4])
    assert scorer.compilations == 2
    assert [row["params"] for row in rows] == [8, 8, 16, 16]
    assert rows[0]["snip"] != rows[1]["snip"], "weights are of the architecture, not of the program"
    columns = score_space(SPACE, SPACE.enumerate()[:2], batch, "snip", pieces=False, weights="shared")
    assert columns["snip"][0] == columns["snip"][1]


def test_abilities_are_had_by_having_their_methods() -> None:
    assert not isinstance(SPACE, WithOwnCounts | WithSameNetwork | WithGraph)


def test_inputs_may_be_a_shape() -> None:
    space = Widths(inputs=(np.int64(4),))  # type: ignore[arg-type]
    assert space.inputs == InputSpec((4,), "float32")
    assert space == Widths()
    assert space.inputs.batch(3).shape == (3, 4)
    assert InputSpec((7,), "int32").batch(2).dtype == np.int32
    for shape in ((), (0, 4), (-1,), (2.5,), 4, "ab"):
        with pytest.raises(JaxzcError, match=r"inputs of shape .*: expected the positive sizes of one example, such as \(32, 32, 3\)"):
            Widths(inputs=shape)  # type: ignore[arg-type]
    with pytest.raises(JaxzcError, match="inputs of dtype 'floaty': expected the name of a dtype"):
        InputSpec((4,), "floaty")


@pytest.mark.parametrize("size", [4, 672, 10**6])
def test_a_sample_of_all_where_a_space_has_fewer(size: int) -> None:
    """Of a space whose vectors are all architectures, and of one where the product of `choices` (1,536) is not their number (672)."""
    menus = {"widths": (24, 32), "depths": (2, 3, 4), "heads": (3, 4), "ratios": (3.5, 4.0)}
    space = Widths() if size == 4 else jaxzc.space("autoformer", inputs=(8, 8, 3), patch=2, **menus)
    n = len(space.enumerate())
    with pytest.raises(TooFewArchitectures, match=f"cannot sample {n + 1:,} distinct architectures from a space of {n:,}; expected 0 <= n"):
        space.sample(np.random.default_rng(0), n + 1)
    archs = sample_at_most(space, np.random.default_rng(0), size)
    assert len(np.unique(archs, axis=0)) == len(archs) == min(size, n)
