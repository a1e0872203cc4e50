"""Problems and budgets, and one sentence for what is no problem, no budget, no answer and no state."""

from typing import Any

import numpy as np
import pytest

from jaxzc.search import NSGA2, AgingEvolution, Limit, Problem, RandomSearch, Search, SteadyState, load, parse_budget, run, save
from jaxzc.search import state as states
from jaxzc.types import JaxzcError
from tests.support.landscapes import SPACE, additive, finish, problem


def test_start_beyond_the_budget_is_refused():
    with pytest.raises(JaxzcError, match="given to start from, breaks flops<=60000"):
        Search(problem(), RandomSearch()).init(0, np.full((1, 6), 3))


def test_a_budget_that_leaves_nothing():
    search = Search(Problem(SPACE, constraints=parse_budget("params<100")), RandomSearch())
    smallest = f"{SPACE.counts(SPACE.enumerate()).params.min():,}"
    with pytest.raises(JaxzcError, match=rf"nasbench201 keeps to params<100 \(the nearest has params {smallest}\): loosen"):
        search.ask(search.init())


def test_functions_as_constraint_and_cost():
    def latency(archs):
        return 0.5 * (archs == 3).sum(1)

    search = Search(
        Problem(SPACE, constraints=[lambda a: latency(a) < 1.6, Limit("layers", "<=", 13)], costs=(latency, "params")), NSGA2(10)
    )
    state = finish(search, 60)
    assert latency(state.archs).max() <= 1.5
    assert SPACE.counts(state.archs).layers.max() <= 13
    np.testing.assert_array_equal(state.costs, np.stack([latency(state.archs), SPACE.counts(state.archs).params], axis=1))


def test_a_budget_is_text_of_limits():
    assert parse_budget("flops<=100e6, params < 1_000") == (Limit("flops", "<=", 100e6), Limit("params", "<", 1000.0))
    for text in ("flops", "flops<=", "flops<=1e"):
        with pytest.raises(JaxzcError, match="cannot be read"):
            parse_budget(text)
    with pytest.raises(JaxzcError, match="does not count 'watts'; expected one of params, flops, layers"):
        problem(constraints=parse_budget("watts<=3"))


def test_what_is_no_problem_or_no_answer_is_refused():
    cases: list[tuple[dict[str, Any], str]] = [
        ({"scores": ()}, "at least one score"),
        ({"scores": ("a",), "higher": (True, False)}, "a direction for each"),
        ({"duplicates": "none"}, "duplicates='none'"),
        ({"costs": ("watts",)}, "watts"),
    ]
    for options, word in cases:
        with pytest.raises(JaxzcError, match=word):
            Problem(SPACE, **options)
    for make in (lambda: RandomSearch(0), lambda: AgingEvolution(tournament=0), lambda: SteadyState(genes=0), lambda: NSGA2(population=0)):
        with pytest.raises(JaxzcError, match="expected a whole number of at least 1"):
            make()
    with pytest.raises(JaxzcError, match="nothing to weigh"):
        finish(Search(Problem(SPACE, costs=()), NSGA2()))
    with pytest.raises(JaxzcError, match="expected one bool per architecture"):
        finish(Search(Problem(SPACE, constraints=[lambda a: a]), RandomSearch()))
    search = Search(Problem(SPACE), RandomSearch())
    with pytest.raises(JaxzcError, match="seed -1"):
        search.init(-1)
    asked, state = search.ask(search.init())
    with pytest.raises(JaxzcError, match="not those asked for"):
        search.tell(state, asked[::-1], np.zeros(64))
    with pytest.raises(JaxzcError, match=r"have shape \[64, 2\]: expected \[64, 1\]"):
        search.tell(state, asked, np.zeros((64, 2)))
    with pytest.raises(JaxzcError, match="chunk=0"):
        next(run(search, state, additive, 5, chunk=0))
    with pytest.raises(JaxzcError, match="none of the 64"):
        search.best(search.tell(state, asked, np.full(64, np.nan)))


def test_damaged_and_missing_states_are_said(tmp_path):
    with pytest.raises(JaxzcError, match="there is no search state"):
        load(tmp_path / "none.npz")
    (tmp_path / "bad.npz").write_bytes(b"PK\x03\x04 not really")
    with pytest.raises(JaxzcError, match="cannot be read"):
        load(tmp_path / "bad.npz")
    with pytest.raises(JaxzcError, match="cannot be written"):
        save(tmp_path / "no" / "state.npz", Search(Problem(SPACE), RandomSearch()).init())


def test_keys_stay_sorted_and_are_found():
    keys = np.zeros(0, "S4")
    assert not states.contains(keys, np.array([b"a"])).any()
    keys = states.insert(states.insert(keys, np.array([b"c", b"a"])), np.array([b"b", b"d"]))
    assert keys.tolist() == [b"a", b"b", b"c", b"d"]
    assert states.contains(keys, np.array([b"e", b"a", b"d", b""])).tolist() == [False, True, True, False]
