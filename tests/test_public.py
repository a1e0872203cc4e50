"""`import jaxzc`: its names, what it imports and when."""

import inspect
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import jaxzc

MODULES = ["aggregates", "data", "evaluation", "experiments", "ingredients", "networks", "proxies", "report", "search", "tables", "tasks"]
ROOT = Path(__file__).parents[1]

BLOCKED = """
import sys

class Blocked:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {"sklearn", "tensorflow_datasets", "matplotlib", "pyarrow", "orbax", "pandas", "scipy"} - ALLOWED:
            raise ModuleNotFoundError(f"{name} is blocked")

sys.meta_path.insert(0, Blocked())
"""


def run(code: str, allowed: str = "set()") -> str:
    source = BLOCKED.replace("ALLOWED", allowed) + code
    done = subprocess.run([sys.executable, "-c", source], capture_output=True, text=True, cwd=ROOT, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_tab_shows_public_names_only() -> None:
    assert dir(jaxzc) == sorted([*jaxzc.__all__, "__version__"])
    assert [name for name in dir(jaxzc) if name.startswith("_")] == ["__version__"]
    assert set(MODULES) <= set(dir(jaxzc))
    assert jaxzc.__version__.count(".") == 2
    with pytest.raises(AttributeError, match="module 'jaxzc' has no attribute 'scorer': its names are PROXIES, Batch, "):
        jaxzc.scorer  # noqa: B018
    names: dict[str, object] = {}
    exec("from jaxzc import *", names)
    assert set(jaxzc.__all__) <= names.keys()


@pytest.mark.parametrize("name", jaxzc.__all__)
def test_every_public_name_is_explained(name: str) -> None:
    value = getattr(jaxzc, name)
    assert inspect.getdoc(value)
    if inspect.isclass(value) and not value.__module__.startswith("jaxzc.types."):
        methods = {key: member for key, member in vars(value).items() if inspect.isfunction(member) or isinstance(member, property)}
        assert [key for key, member in methods.items() if not key.startswith("_") and not inspect.getdoc(member)] == []


@pytest.mark.parametrize(
    ("function", "scorer"),
    [(jaxzc.score, jaxzc.Scorer), (jaxzc.score_space, jaxzc.SpaceScorer), (jaxzc.sweet_interval, jaxzc.SpaceScorer)],
    ids=lambda value: value.__name__,
)
def test_functions_in_one_line_show_the_options_of_their_scorers(function: Any, scorer: Any) -> None:
    shown, options = inspect.signature(function).parameters, inspect.signature(scorer).parameters
    keywords = {name: parameter for name, parameter in options.items() if parameter.kind is parameter.KEYWORD_ONLY}
    assert keywords.items() <= shown.items()
    assert "options" not in shown


def test_importing_imports_nothing_else() -> None:
    code = """
before = set(sys.modules)
import jaxzc
print(sorted({name.partition(".")[0] for name in set(sys.modules) - before} - sys.stdlib_module_names))
"""
    assert run(code) == "['jaxzc']\n"


def test_scoring_needs_jax_flax_optax_and_numpy_only() -> None:
    code = """
import jaxzc, numpy as np
for name in ("Scorer", "SpaceScorer", "space", "spaces", "compute_scores", "PROXIES", "Batch", "search", "tasks", "networks", "data"):
    getattr(jaxzc, name)
x = np.random.default_rng(0).normal(size=(4, 3)).astype(np.float32)
print(sorted(jaxzc.score(lambda p, x: x @ p, np.ones((3, 2), np.float32), (x, np.array([0, 1, 0, 1])), "snip,params")))
"""
    assert run(code, "{'scipy'}") == "['params', 'snip']\n"  # jax itself imports scipy


def test_modules_work_after_the_bare_import() -> None:
    code = f"import jaxzc\nprint([inspect for inspect in {MODULES} if not getattr(jaxzc, inspect).__name__ == 'jaxzc.' + inspect])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=False)
    assert (done.stdout, done.returncode) == ("[]\n", 0), done.stderr
