"""A proxy and an ingredient of one's own are used exactly as the library's: in Python, in a space, on the command line."""

from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxzc
from jaxzc.tables import read_scores
from jaxzc.types import JaxzcError
from tests.support.commands import ARCHS, SMALL, refused, run

WEIGHTS = {"w": jnp.asarray(np.random.default_rng(3).normal(size=(6, 4)).astype(np.float32))}
BATCH = (np.random.default_rng(4).normal(size=(5, 6)).astype(np.float32), np.arange(5) % 4)


@jaxzc.ingredient()
def powers(weights: Any, *, power: int = 2) -> Any:
    return [jnp.abs(w) ** power for w in weights]


@jaxzc.proxy(direction="lower", labels=False, norm="batch")
def moment(powers: Any) -> Any:
    return sum(p.sum() for p in powers)


@jaxzc.proxy(direction="lower", ingredients=[powers])
def complete(powers: Any, *, scale: float = 1.0) -> Any:
    return scale * sum(p.sum() for p in powers)


def matrix(params: Any, x: Any) -> Any:
    return jax.nn.relu(x @ params["w"])


def test_a_network_is_scored_by_a_proxy_and_an_ingredient_of_ones_own() -> None:
    proxies = {"two": moment, "three": jaxzc.with_settings(moment, power=3), "l2": "l2_norm"}
    scores = jaxzc.score(matrix, WEIGHTS, BATCH, proxies=proxies, ingredients=[powers])
    weights = np.asarray(WEIGHTS["w"], np.float64)
    assert scores["two"] == pytest.approx((weights**2).sum())
    assert scores["three"] == pytest.approx((np.abs(weights) ** 3).sum())
    brought = jaxzc.score(matrix, WEIGHTS, BATCH, proxies=[complete])  # nothing to hand in
    assert brought == {"complete": pytest.approx(scores["two"])}
    with pytest.raises(JaxzcError, match="proxy 'moment' asks for an ingredient 'powers', which does not exist"):
        jaxzc.score(matrix, WEIGHTS, BATCH, proxies=[moment], unavailable="error")


def test_a_setting_of_an_ingredient_of_the_library_is_set_by_its_proxy() -> None:
    """Few images have few patterns, and a mean over more draws is another mean."""
    texts = ("swap", "swap(images=1)", "swap(repeats=1)", "swap(images=16,repeats=8)")
    scores = jaxzc.score(matrix, WEIGHTS, BATCH, proxies=texts)
    assert scores["swap"] == scores["swap(images=16,repeats=8)"] > scores["swap(images=1)"]
    assert scores["swap(images=1)"] <= 2
    assert scores["swap(repeats=1)"] == int(scores["swap(repeats=1)"])
    with pytest.raises(JaxzcError, match=r"^swap\(repeats=0\): repeats=0: expected a whole number of at least 1"):
        jaxzc.score(matrix, WEIGHTS, BATCH, proxies="swap(repeats=0)", unavailable="error")
    with pytest.raises(JaxzcError, match=r"proxy swap: images='a': expected a whole number, such as the default images=16"):
        jaxzc.score(matrix, WEIGHTS, BATCH, proxies="swap(images='a')")


def test_a_space_is_scored_by_them() -> None:
    space = jaxzc.space("nasbench201", classes=10, inputs=(8, 8, 1), channels=2, cells=1)
    rng = np.random.default_rng(0)
    batch = (rng.normal(size=(4, 8, 8, 1)).astype(np.float32), np.arange(4))
    archs = np.stack([space.parse(text) for text in ARCHS[:2]])
    handed = jaxzc.score_space(space, archs, batch, {"mine": moment, "count": "params"}, ingredients=[powers])
    brought = jaxzc.SpaceScorer(space, batch, {"mine": complete}).many(archs)
    assert [row["mine"] for row in brought] == pytest.approx(handed["mine"].tolist())


MODULE = """
import jaxzc, jax.numpy as jnp

@jaxzc.ingredient()
def sizes(weights, *, power: int = 1):
    return [(jnp.abs(w) ** power).sum() for w in weights]

@jaxzc.proxy(direction="lower", version=3, ingredients=[sizes])
def mine(sizes):
    return sum(sizes)

def undirected(counts):
    return counts.params

nothing = 3
"""


@pytest.fixture
def module(here: Path) -> str:
    """The name of a module in the current directory, another one for each test, as imports are kept."""
    name = f"module_of_{here.name.replace('-', '_')}"
    (here / f"{name}.py").write_text(MODULE)
    (here / "mine.txt").write_text("\n".join(ARCHS[:2]))
    return name


def test_the_command_line_takes_a_function_of_a_module(here: Path, module: str) -> None:
    proxies = f"l2_norm,{module}:mine,{module}:mine(power=2)"
    result = run("score", "nasbench201", *SMALL, "--no-cache", "--quiet", "--archs", "mine.txt", "--proxies", proxies, "--out", "x.parquet")
    assert result.code == 0, result.err
    table = read_scores("x.parquet")
    one, two = table.columns[f"{module}:mine"], table.columns[f"{module}:mine(power=2)"]
    assert np.all((two > 0) & (two < one))
    directions = {"l2_norm": "higher", f"{module}:mine": "lower", f"{module}:mine(power=2)": "lower", "params": "higher", "flops": "higher"}
    assert table.metadata["directions"] == directions


def test_what_cannot_be_imported_is_said_in_a_sentence(here: Path, module: str) -> None:
    def out(proxies: str) -> Any:
        return run("score", "nasbench201", *SMALL, "--no-cache", "--quiet", "--sample", 2, "--proxies", proxies, "--out", "x.parquet")

    refused(
        out("no_such_module:mine"), "the module no_such_module cannot be imported (ModuleNotFoundError: No module named 'no_such_module')"
    )
    refused(out(f"{module}:yours"), f"proxy '{module}:yours': the module {module} has no function 'yours'")
    refused(out(f"{module}:nothing"), "has no function 'nothing'")
    refused(out(f"{module}:mine(powr=2)"), f"unknown setting of {module}:mine 'powr': did you mean 'power'?")
    (here / f"{module}_broken.py").write_text("raise RuntimeError('not today')")
    refused(out(f"{module}_broken:mine"), "cannot be imported (RuntimeError: not today)")


def test_a_search_wants_to_know_the_direction(here: Path, module: str) -> None:
    size = ("nasbench201", *SMALL, "--no-cache", "--quiet", "--evaluations", 4)
    result = run("search", *size, "--fitness", f"{module}:undirected", "--out", "found")
    refused(result, f"fitness {module}:undirected: whether a higher or a lower score is better is not stated")
