"""Settings of the whole suite."""

import gc
import os
from collections.abc import Generator, Iterator
from importlib.metadata import version
from pathlib import Path

# Tests compile thousands of programs and run each once. Without LLVM's costly passes that takes half the time, and with XLA's older emitter
# of fused loops a third of what is left: on a gradient of a convolution and a normalisation, 350 processor milliseconds become 100. A
# large program that is not split among compiler threads takes a sixth less again: the workers keep the cores busy themselves.
# JAXZC_AS_USERS=1 leaves all of it as users have it.
if os.environ.get("JAXZC_AS_USERS", "0") == "0":
    os.environ.setdefault("JAX_DISABLE_MOST_OPTIMIZATIONS", "1")
    quick = "--xla_cpu_parallel_codegen_split_count=1"
    if tuple(map(int, version("jaxlib").split(".")[:2])) < (0, 12):  # later ones do not know the flag, and end the process
        quick += " --xla_cpu_use_fusion_emitters=false"
    os.environ["XLA_FLAGS"] = f"{quick} {os.environ.get('XLA_FLAGS', '')}".strip()

import jax
import numpy as np
import pytest
from absl import logging
from hypothesis import HealthCheck, settings

from jaxzc.scoring.results import Scores
from jaxzc.scoring.space import SpaceScorer
from tests.support import compiled_once
from tests.support.promoting import may_promote

# Property tests: few examples, the same each time. `pytest --hypothesis-profile=wide` looks further, elsewhere each time.
settings.register_profile(
    "quick", max_examples=40, deadline=None, derandomize=True, database=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
settings.register_profile("wide", settings.get_profile("quick"), max_examples=1000, derandomize=False)
settings.load_profile("quick")

SETTINGS = ("jax_enable_x64", "jax_compilation_cache_dir")

LONGEST = (
    "scoring/test_battery.py",
    "golden/test_golden.py",
    "golden/test_golden_spaces.py",
    "golden/test_golden_noise.py",
    "docs/test_notebook.py",
    "scoring/test_every_space.py",
    "golden/test_golden_named_networks.py",
    "ladder/test_steps.py",
    "spaces/programs/test_darts_program.py",
    "spaces/programs/test_nasbench201_network.py",
    "compile/test_pieces.py",
    "compile/test_pieces_of_spaces.py",
    "spaces/programs/test_nasbench101_program.py",
    "scoring/test_score.py",
    "spaces/core/test_source.py",
    "experiments/test_searches.py",
    "spaces/test_nasbench_nlp.py",
    "report/test_browser.py",
    "cli/test_search_command.py",
    "docs/test_examples.py",
    "embedded/test_train_benchmark.py",
)
"""The files that take longest. They go first, so that no worker is left with one of them when the others have finished."""


def promotion(ranks: bool, dtypes: bool) -> None:
    """Whether arrays are broadcast over axes that they do not have, and dtypes mixed, without a word (see `tests.support.promoting`)."""
    jax.config.update("jax_numpy_rank_promotion", "allow" if ranks else "raise")
    jax.config.update("jax_numpy_dtype_promotion", "standard" if dtypes else "strict")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    rank = {f"tests/{name}": number for number, name in enumerate(LONGEST)}
    items.sort(key=lambda item: rank.get(item.nodeid.partition("::")[0], len(rank)))


def pytest_collection_finish() -> None:
    """What the imports have made stays: Python's garbage collector need not look at it again, and looks at the rest less often, since
    tracing makes a hundred thousand objects that live as long as the trace. It took a seventh of the time of tracing."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 20)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """Around a test and the fixtures that it is the first to need."""
    ranks, dtypes = may_promote(item.nodeid)
    promotion(ranks, dtypes)
    try:
        return (yield)
    finally:
        promotion(ranks=True, dtypes=True)


@pytest.hookimpl(trylast=True)
def pytest_runtest_teardown(item: pytest.Item) -> None:
    """Slow tests compile programs of thousands of memory mappings, more than a process may have; of the others there is room for all."""
    if item.get_closest_marker("slow") is not None:
        compiled_once.make_room()


@pytest.fixture(autouse=True, scope="module")
def equal_programs(request: pytest.FixtureRequest) -> None:
    """Are compiled once, but where compilation itself is looked at: what it takes, and that it is given back."""
    compiled_once.switch(not request.node.nodeid.startswith("tests/compile/"))


@pytest.fixture(autouse=True)
def same_settings() -> Iterator[None]:
    """What a command sets for its process is as it was after every test."""
    before, verbosity = {name: getattr(jax.config, name) for name in SETTINGS}, logging.get_verbosity()
    yield
    for name, value in before.items():
        jax.config.update(name, value)
    logging.set_verbosity(verbosity)


@pytest.fixture
def count(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The architectures that are really scored, in order."""
    scored: list[str] = []
    score_many = SpaceScorer.many

    def many(self: SpaceScorer, archs: np.ndarray, seed: int = 0) -> list[Scores]:
        scored.extend(self.space.to_string(arch) for arch in archs)
        return score_many(self, archs, seed)

    monkeypatch.setattr(SpaceScorer, "many", many)
    return scored


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working directory."""
    monkeypatch.chdir(tmp_path)
    return tmp_path
