"""The first cell of the notebooks, which is the same in all: what it installs, what it keeps of the runtime's, and what it refuses."""

import json
import sys
from importlib.metadata import PackageNotFoundError
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest

NOTEBOOK = Path(__file__).parents[2] / "colab" / "quickstart.ipynb"
OLD = {"jax": "0.7.2", "jax-cuda12-plugin": "0.7.2", "numpy": "2.0.2"}
NEW = {"jax": "0.10.1", "jaxlib": "0.10.1", "jax-cuda12-plugin": "0.10.1", "numpy": "2.0.2"}


WHEEL = Path("jaxzc-0.1.0-py3-none-any.whl")


def first_cell(monkeypatch: pytest.MonkeyPatch, runtime: dict[str, str], *, upgrade: bool, installs: bool = True) -> tuple[str, Any, Mock]:
    """The first cell as Python, the names that it runs with, and what stands for IPython, whose pip installs jaxzc or does not."""
    cells = pytest.importorskip("IPython.core.inputtransformer2", reason="notebooks need `pip install ipykernel`").TransformerManager
    magics = Mock()

    def version(name: str) -> str:
        if name not in runtime:
            raise PackageNotFoundError(name)
        return runtime[name]

    monkeypatch.setattr("importlib.metadata.version", version)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: True if installs and magics.run_line_magic.called else None)
    monkeypatch.delitem(sys.modules, "jax", raising=False)
    cell = next(cell for cell in json.loads(NOTEBOOK.read_text(encoding="utf-8"))["cells"] if cell["cell_type"] == "code")
    text = "".join(cell["source"]).replace("UPGRADE = False", f"UPGRADE = {upgrade}")
    return cells().transform_cell(text), {"get_ipython": lambda: magics}, magics


@pytest.mark.parametrize(
    ("runtime", "upgrade", "kept", "wanted"),
    [
        (OLD, True, {"numpy"}, ["jax[cuda12]"]),
        ({"jax": "0.9.0"}, True, set(), ["jax"]),
        (NEW, False, set(NEW), []),
    ],
)
def test_what_the_first_cell_keeps_and_replaces(
    runtime: dict[str, str], upgrade: bool, kept: set[str], wanted: list[str], here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A runtime whose JAX is too old gets all of it anew, where that is asked for; of a newer one JAX and its CUDA package stay."""
    code, names, magics = first_cell(monkeypatch, runtime, upgrade=upgrade)
    WHEEL.touch()
    exec(code, names)
    assert Path("keep.txt").read_text() == "".join(f"{name}=={number}\n" for name, number in runtime.items() if name in kept)
    assert (names["wanted"], names["source"]) == (wanted, WHEEL)
    assert magics.run_line_magic.call_args[0][0] == "pip"


def test_what_the_first_cell_refuses(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before pip: nothing to install from, a JAX that is too old, one that is imported already. After it: a pip that failed."""
    code, names, magics = first_cell(monkeypatch, OLD, upgrade=False)
    with pytest.raises(RuntimeError, match=r"has no wheel of jaxzc: put one there \(`pip wheel --no-deps \.` writes it\), or set SOURCE"):
        exec(code, names)
    WHEEL.touch()
    with pytest.raises(RuntimeError, match=r"this runtime has JAX 0\.7\.2, and jaxzc needs 0\.10: set UPGRADE = True"):
        exec(code, names)
    code, names, magics = first_cell(monkeypatch, OLD, upgrade=True, installs=False)
    with pytest.raises(RuntimeError, match=r"jaxzc was not installed from jaxzc-0\.1\.0-py3-none-any\.whl: pip says why above"):
        exec(code, names)
    assert magics.run_line_magic.called
    monkeypatch.setitem(sys.modules, "jax", Mock())
    with pytest.raises(RuntimeError, match="JAX is imported already, and cannot be replaced under it: restart the session"):
        exec(code, names)
