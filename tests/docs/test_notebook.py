"""The Colab notebooks: stripped, clean, with form fields, starting alike, and each runs from top to bottom."""

import contextlib
import io
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from matplotlib import pyplot

from jaxzc.report import files
from tests.support.processes import ROOT, environment

NOTEBOOKS = sorted((ROOT / "colab").glob("*.ipynb"))
BADGE = "https://colab.research.google.com/assets/colab-badge.svg"


class Case(NamedTuple):
    """A notebook at a small size: settings that take the place of those in its form, how many pictures it draws, and what it prints."""

    settings: dict[str, Any]
    pictures: int
    prints: list[str]


CASES = {
    "quickstart": Case(
        {"architectures": 20, "proxies": "naswot, l2_norm", "batch_size": 16},
        2,
        [
            *(rf"^{name} +-?[0-9.]+ +\[" for name in ("naswot", "l2_norm", "params", "flops", "evenness")),
            r"evenness .* difference",
            " 32 channels: ",
        ],
    ),
    "your_network": Case(
        {"batch_size": 6, "widths": "4", "proxies": "l2_norm, naswot"},
        0,
        [
            r"^Linen: .*'l2_norm'",
            r"^NNX: ",
            r"^function: ",
            r"^width +4, +\d+ parameters: l2_norm ",
            r"'naswot': nan",
            r"naswot.*ReLU",
            r"'grad_norm'",
        ],
    ),
    "your_proxy": Case(
        {"architectures": 20, "rivals": "l2_norm", "batch_size": 8},
        2,
        ["loss_grads", r"^spread +-?[0-9.]+ +\[", r"^flatter +-?[0-9.]+ +\[", r"spread .* params .* difference"],
    ),
    "search_and_train": Case(
        {"evaluations": 20, "fitness": "l2_norm", "epochs": 1, "batch_size": 8},
        1,
        [
            r"^\|",
            r" ms  \|",
            r"^epoch 1: loss ",
            r"^\(8, 10\) \('cpu', 'cuda', 'rocm', 'tpu'\)",
            "^from network import load",
            r"^class OwnNet\(nnx\.Module\)",
        ],
    ),
    "nasbench201": Case(
        {"architectures": 12, "proxies": "sweet_ntk, naswot", "batch_size": 8},
        1,
        ["the SMALL benchmark", r"^sweet_ntk +-?[0-9.]+ +\[", r"^best +-?[0-9.]+ +\["],
    ),
    "many_devices": Case(
        {"architectures": 8, "proxies": "l2_norm", "added": "naswot", "batch_size": 6},
        0,
        [
            r"^interrupted: ",
            r"^6 of 24 scores are there",
            r"^32 of 32 scores are there",
            r"\['flops', 'l2_norm', 'naswot', 'params'\] 0 missing, 0 failed",
        ],
    ),
}


IN_KERNEL = "your_proxy"
"""The one that compiles least: a kernel is a process of its own."""


def content(path: Path) -> dict[str, Any]:
    return json.loads(path.read_text(encoding="utf-8"))


def code_of(path: Path) -> list[dict[str, Any]]:
    return [cell for cell in content(path)["cells"] if cell["cell_type"] == "code"]


def form_of(path: Path) -> int:
    """The number of the cell with the form."""
    (number,) = [number for number, cell in enumerate(content(path)["cells"]) if "parameters" in cell["metadata"].get("tags", ())]
    return number


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_outputs_are_stripped(path: Path) -> None:
    cells = content(path)["cells"]
    assert [(cell["outputs"], cell["execution_count"]) for cell in code_of(path)] == [([], None)] * len(code_of(path))
    assert set(content(path)["metadata"]) == {"colab", "kernelspec", "language_info"}
    assert len({cell["id"] for cell in cells}) == len(cells)
    assert all(set(cell["metadata"]) <= {"tags"} for cell in cells)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_badge_and_form_fields(path: Path) -> None:
    assert BADGE in "".join(content(path)["cells"][0]["source"])
    title, *lines = content(path)["cells"][form_of(path)]["source"]
    assert title.startswith("# @title ")
    for line in lines:
        assert re.fullmatch(r"(\w+) = .+  # @param \{.+\}\n?", line)
    assert set(CASES[path.stem].settings) <= {line.partition(" = ")[0] for line in lines}


def test_all_start_alike() -> None:
    """One cell installs jaxzc, from one constant; `test_first_cell.py` says what it does."""
    assert {path.stem for path in NOTEBOOKS} == set(CASES)
    (first,) = {"".join(code_of(path)[0]["source"]) for path in NOTEBOOKS}
    assert first.count("SOURCE = ") == 1


@pytest.mark.parametrize("command", [["check"], ["format", "--check"]])
def test_the_code_is_clean(command: list[str]) -> None:
    done = subprocess.run([sys.executable, "-m", "ruff", *command, "colab"], capture_output=True, text=True, cwd=ROOT, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def executed(path: Path, directory: Path, settings: dict[str, Any]) -> Any:
    """The notebook after a run; settings take the place of those in its form, as papermill would do it."""
    nbclient = pytest.importorskip("nbclient", reason="notebooks need `pip install nbclient ipykernel`")
    nbformat = pytest.importorskip("nbformat", reason="notebooks need `pip install nbclient ipykernel`")
    pytest.importorskip("ipykernel", reason="notebooks need `pip install nbclient ipykernel`")
    notebook = nbformat.read(path, 4)
    given = "\n".join(f"{name} = {value!r}" for name, value in settings.items())
    notebook.cells.insert(form_of(path) + 1, nbformat.v4.new_code_cell(given))
    client = nbclient.NotebookClient(notebook, timeout=600, kernel_name="python3", resources={"metadata": {"path": str(directory)}})
    client.execute(
        env=environment(
            PATH=os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")]),  # `!python` is this Python
            IPYTHONDIR=str(directory / "ipython"),
            MPLBACKEND="module://matplotlib_inline.backend_inline",
        )
    )
    return notebook


def check(notebook: Any, case: Case) -> None:
    outputs = [output for cell in notebook.cells if cell.cell_type == "code" for output in cell.outputs]
    text = "".join(output.get("text", "") for output in outputs)
    assert sum("image/png" in output.get("data", {}) for output in outputs) == case.pictures
    assert not [output for output in outputs if output.get("name") == "stderr"]
    for pattern in case.prints:
        assert re.search(pattern, text, re.MULTILINE), f"{pattern} is not in\n{text}"


def test_it_runs_in_a_kernel(tmp_path: Path) -> None:
    """One of them, as Jupyter runs it."""
    check(executed(ROOT / "colab" / f"{IN_KERNEL}.ipynb", tmp_path, CASES[IN_KERNEL].settings), CASES[IN_KERNEL])


@pytest.mark.parametrize("name", [name for name in CASES if name != IN_KERNEL])
def test_its_code_runs(name: str, here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Cell by cell in this process, which has JAX at hand; in kernels of their own they are slow tests."""
    cells = pytest.importorskip("IPython.core.inputtransformer2", reason="notebooks need `pip install ipykernel`").TransformerManager
    pictures: list[int] = []
    printed, names = io.StringIO(), dict[str, Any](__name__="__main__")

    def show() -> None:
        for number in pyplot.get_fignums():
            pyplot.figure(number).canvas.draw()
            pictures.append(number)
        pyplot.close("all")

    monkeypatch.setattr(pyplot, "show", show)
    monkeypatch.setattr(files, "drawings", lambda evaluation, comparisons: {})  # of a whole report: seconds; tests/report draws them
    path = ROOT / "colab" / f"{name}.ipynb"
    form = "".join(content(path)["cells"][form_of(path)]["source"])
    with contextlib.redirect_stdout(printed):
        for cell in code_of(path):
            source = "".join(cell["source"])
            exec(cells().transform_cell(source), names)
            if source == form:
                names |= CASES[name].settings
    assert len(pictures) == CASES[name].pictures
    for pattern in CASES[name].prints:
        assert re.search(pattern, printed.getvalue(), re.MULTILINE), f"{pattern} is not in\n{printed.getvalue()}"


@pytest.mark.slow
@pytest.mark.parametrize("small", [True, False])
@pytest.mark.parametrize("name", CASES)
def test_it_runs(name: str, small: bool, tmp_path: Path) -> None:
    """In a kernel of its own, at a small size and with the settings of the form; of the patterns, those that do not depend on them."""
    case = CASES[name] if small else CASES[name]._replace(prints=[])
    check(executed(ROOT / "colab" / f"{name}.ipynb", tmp_path, CASES[name].settings if small else {}), case)
