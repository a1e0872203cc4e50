"""A fitness that a space, or some of its networks, has nothing for: a search refuses before it computes, or goes on and says so."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxzc
from jaxzc.scoring.space import SpaceScorer
from jaxzc.search import RandomSearch
from jaxzc.search.job.scores import check_fitness
from jaxzc.spacekit import FunctionProgram, VectorSpace
from jaxzc.types import Batch, Counts, InputSpec, JaxzcError
from tests.support.commands import refused
from tests.support.commands import run as command


@dataclass(frozen=True)
class Perceptrons(VectorSpace):
    """Perceptrons of one hidden layer, each a program of its own: with ReLU and of many widths, or with tanh."""

    classes: int = 10
    inputs: InputSpec = InputSpec((8, 8, 1))

    name = "perceptrons"
    choices = (2, 6)

    def program_keys(self, archs: np.ndarray) -> np.ndarray:
        return archs

    def program(self, key: tuple[int, ...] = ()) -> FunctionProgram:
        return FunctionProgram(smooth if key[0] else rectified, {"hidden": (64, 2 + key[1]), "head": (2 + key[1], 10)}, self.inputs)

    def counts(self, archs: np.ndarray) -> Counts:
        params = 74 * (2 + archs[:, 1])
        return Counts(params, params, np.full(len(archs), 2))


def rectified(params: Any, x: Any) -> Any:
    return jax.nn.relu(x.reshape(len(x), -1) @ params["hidden"]) @ params["head"]


def smooth(params: Any, x: Any) -> Any:
    return jnp.tanh(x.reshape(len(x), -1) @ params["hidden"]) @ params["head"]


SMALL: dict[str, Any] = {"batch_size": 4, "batches": 1, "algorithm": RandomSearch(batch=12), "evaluations": 12}


def never(*_: Any) -> Any:
    raise AssertionError("a network was scored")


@pytest.fixture
def unscored(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(SpaceScorer, "many", never)


@pytest.mark.usefixtures("unscored")
def test_a_fitness_that_the_space_refuses_ends_a_search_before_anything_is_computed(here: Path) -> None:
    options = ("--set", "channels=2", "--set", "cells=1", "--batch-size", "4", "--quiet", "--no-cache")
    refusal = "fitness hidden_covariance cannot be computed in the space nasbench201: needs hidden states of recurrent layers"
    refused(command("search", "nasbench201", *options, "--fitness", "l2_norm,hidden_covariance", "--out", "found"), refusal)
    assert not (here / "found").exists()


@pytest.mark.usefixtures("unscored")
def test_a_fitness_that_none_of_the_first_networks_has_is_refused() -> None:
    start = np.array([[1, width] for width in range(6)], np.int32)
    reason = "for none of the first 6 networks of the search: needs "
    with pytest.raises(JaxzcError, match=f"^fitness naswot cannot be computed in the space perceptrons, {reason}"):
        jaxzc.run_search(Perceptrons(), "naswot", start=start, **SMALL)


def test_a_search_goes_on_where_some_networks_lack_its_fitness_and_says_so() -> None:
    notes: list[str] = []
    found = jaxzc.run_search(Perceptrons(), "naswot", note=notes.append, **SMALL)
    (said,) = notes
    assert said.startswith("naswot cannot be computed for some networks and is NaN there: needs ")
    assert " (the first: 1-" in said
    smooth_ones = found.state.archs[:, 0] == 1
    assert smooth_ones.sum() == 6
    np.testing.assert_array_equal(np.isnan(found.state.scores[:, 0]), smooth_ones)
    assert found.genes[0] == 0


def test_one_program_is_traced_where_it_has_every_score(monkeypatch: pytest.MonkeyPatch) -> None:
    traced: list[tuple[int, ...]] = []
    space, of = Perceptrons(), Perceptrons.program
    monkeypatch.setattr(Perceptrons, "program", lambda self, key=(): (traced.append(key), of(self, key))[1])
    images = Batch(np.zeros((4, 8, 8, 1), np.float32), np.zeros(4, np.int32))
    scorer = SpaceScorer(space, [images], "naswot,l2_norm", unavailable="nan")
    check_fitness(scorer, np.array([[0, 1], [1, 1], [0, 2]], np.int32))
    assert traced == [(0, 1)]
    traced.clear()
    check_fitness(scorer, np.array([[1, 1], [0, 1], [0, 2]], np.int32))
    assert traced == [(1, 1), (0, 1)]
