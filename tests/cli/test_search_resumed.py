"""A search's directory when `jaxzc search` is interrupted, goes on, or is one of another search's."""

import os
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

import jaxzc
from jaxzc._durable.lease import Lease
from jaxzc._durable.store import store
from jaxzc.data import load as load_data
from jaxzc.scoring.space import SpaceScorer
from jaxzc.search import Problem, RandomSearch, Search, load, run, save
from jaxzc.search.job import run as job
from jaxzc.search.job.folder import begin, saving
from jaxzc.search.job.scores import proxy_scores, table_scores
from jaxzc.tables import read_scores
from jaxzc.types import JaxzcError
from tests.support.commands import refused
from tests.support.search_commands import TABLE, search

pytestmark = pytest.mark.usefixtures("undrawn")


def test_proxies_interrupted_and_resumed(here, monkeypatch):
    """Ctrl-C in the middle of a generation, then the same command: the result of the uninterrupted search, bit for bit."""
    command = ("--fitness", "l2_norm,params", "--evaluations", 21, "--population", 8, "--tournament", 3)
    whole = search(*command, "--out", "whole")
    assert whole.code == 0
    calls = iter(range(100))

    @contextmanager
    def interrupted(scorer, seed, processes, note):
        with proxy_scores(scorer, seed, processes, note) as score:

            def scored(archs):
                if next(calls) == 2:
                    raise KeyboardInterrupt
                return score(archs)

            yield scored

    with monkeypatch.context() as patch:
        patch.setattr(job, "proxy_scores", interrupted)
        patch.setattr(job, "CHUNK", 3)
        stopped = search(*command, "--out", "parts")
    assert stopped.code == 130
    assert "6 evaluations are kept in parts: the same command goes on" in stopped.err
    assert load("parts/state.npz").evaluated == 6
    resumed = search(*command, "--out", "parts")
    assert resumed.code == 0
    assert "going on after 6 evaluations" in resumed.err
    for a, b in zip(load("whole/state.npz"), load("parts/state.npz"), strict=True):
        assert a.tobytes() == b.tobytes()
    assert (
        read_scores("whole/evaluated.parquet").columns["l2_norm"].tolist()
        == read_scores("parts/evaluated.parquet").columns["l2_norm"].tolist()
    )
    # The scores are those of `jaxzc score`.
    log = read_scores("whole/evaluated.parquet").columns
    drawn = load_data("digits", batch_size=4, batches=2, seed=0)
    space = jaxzc.space("nasbench201", classes=10, inputs=(8, 8, 1), channels=4, cells=1)
    assert SpaceScorer(space, drawn.batches, "l2_norm").one(space.parse(log["arch"][4]))["l2_norm"] == log["l2_norm"][4]


def test_two_processes_do_not_search_in_one_directory(here):
    """The second is refused, with --overwrite too, and the first one's files are as they were."""
    assert search(*TABLE, "--evaluations", 20, "--out", "found").code == 0
    lease, before = Lease(store("found"), "search"), Path("found/state.npz").read_bytes()
    lease.take()
    for more in ((), ("--overwrite",)):
        refused = search(*TABLE, "--evaluations", 30, "--out", "found", *more)
        assert refused.code == 2
        assert f"found holds a search that is being run by process {os.getpid()} on" in refused.err
    assert Path("found/state.npz").read_bytes() == before
    lease.release()
    assert search(*TABLE, "--evaluations", 30, "--out", "found").code == 0
    assert not any(Path("found/leases").iterdir())


def test_more_evaluations_later_are_those_of_one_search(here):
    assert search(*TABLE, "--evaluations", 101, "--out", "whole").code == 0
    assert search(*TABLE, "--evaluations", 70, "--out", "parts").code == 0
    assert search(*TABLE, "--evaluations", 101, "--out", "parts").code == 0
    assert (
        read_scores("whole/evaluated.parquet").columns["arch"].tolist() == read_scores("parts/evaluated.parquet").columns["arch"].tolist()
    )


def test_another_search_in_the_directory_is_refused(here):
    assert search(*TABLE, "--evaluations", 64, "--out", "found").code == 0
    refused(search(*TABLE, "--evaluations", 64, "--out", "found", "--seed", 1), "holds a search with seed 0, not 1", "--overwrite")
    refused(search(*TABLE, "--evaluations", 64, "--out", "found", "--budget", "params<=1e6"), "budget 'no constraint'")
    assert search(*TABLE, "--evaluations", 64, "--out", "found", "--seed", 1, "--overwrite").code == 0
    (here / "found" / "search.json").write_text("{")
    refused(search(*TABLE, "--out", "found"), "damaged")
    (here / "found" / "search.json").unlink()
    refused(search(*TABLE, "--out", "found"), "holds other files")


def test_states_are_kept_now_and_then(tmp_path):
    """At most every `seconds`, and the last one always, whatever ends the loop."""
    space = jaxzc.space("nasbench201", classes=10, inputs=(32, 32, 3))
    one = Search(Problem(space), RandomSearch(batch=2))
    score = table_scores(space, {"a": {space.to_string(space.enumerate()[5]): 1.0}})
    for _ in saving(run(one, one.init(), score, 10), tmp_path, seconds=0):
        pass
    assert load(tmp_path / "state.npz").evaluated == 10
    states = saving(run(one, one.init(), score, 10), tmp_path, seconds=1e9)
    assert next(states).evaluated == 2
    assert next(states).evaluated == 4
    assert load(tmp_path / "state.npz").evaluated == 10
    states.close()
    assert load(tmp_path / "state.npz").evaluated == 4


def test_a_state_of_other_settings_is_never_taken(tmp_path):
    space = jaxzc.space("nasbench201", classes=10, inputs=(32, 32, 3))
    start = Search(Problem(space), RandomSearch()).init()
    directory = tmp_path / "found"
    assert begin(directory, {"seed": 0}, start) is start
    save(directory / "state.npz", start._replace(step=np.array(7)))
    assert begin(directory, {"seed": 0}, start).step == 7
    with pytest.raises(JaxzcError, match="more None, not 1"):
        begin(directory, {"seed": 0, "more": 1}, start)
    assert begin(directory, {"seed": 1}, start, overwrite=True) is start
    assert begin(directory, {"seed": 1}, start) is start
