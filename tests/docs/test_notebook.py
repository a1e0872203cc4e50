"""The Colab notebook: stripped, clean, with form fields, and it runs from top to bottom."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
NOTEBOOK = ROOT / "colab" / "quickstart.ipynb"
CONTENT: dict[str, Any] = json.loads(NOTEBOOK.read_text(encoding="utf-8"))
CODE = [cell for cell in CONTENT["cells"] if cell["cell_type"] == "code"]
(SETTINGS,) = [number for number, cell in enumerate(CONTENT["cells"]) if "parameters" in cell["metadata"].get("tags", ())]


def test_outputs_are_stripped():
    assert [(cell["outputs"], cell["execution_count"]) for cell in CODE] == [([], None)] * len(CODE)
    assert set(CONTENT["metadata"]) == {"colab", "kernelspec", "language_info"}
    assert len({cell["id"] for cell in CONTENT["cells"]}) == len(CONTENT["cells"])
    assert all(set(cell["metadata"]) <= {"tags"} for cell in CONTENT["cells"])


def test_badge_and_form_fields():
    assert "https://colab.research.google.com/assets/colab-badge.svg" in "".join(CONTENT["cells"][0]["source"])
    title, *lines = CONTENT["cells"][SETTINGS]["source"]
    assert title.startswith("# @title ")
    for line in lines:
        assert re.fullmatch(r"(\w+) = .+  # @param \{.+\}\n?", line)


@pytest.mark.parametrize("command", [["check"], ["format", "--check"]])
def test_the_code_is_clean(command):
    done = subprocess.run([sys.executable, "-m", "ruff", *command, str(NOTEBOOK)], capture_output=True, text=True, cwd=ROOT, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def executed(directory: Path, **settings: Any) -> Any:
    """The notebook after a run; settings take the place of those in its form, as papermill would do it."""
    nbclient = pytest.importorskip("nbclient", reason="notebooks need `pip install nbclient ipykernel`")
    nbformat = pytest.importorskip("nbformat", reason="notebooks need `pip install nbclient ipykernel`")
    pytest.importorskip("ipykernel", reason="notebooks need `pip install nbclient ipykernel`")
    notebook = nbformat.read(NOTEBOOK, 4)
    notebook.cells.insert(SETTINGS + 1, nbformat.v4.new_code_cell("\n".join(f"{name} = {value!r}" for name, value in settings.items())))
    client = nbclient.NotebookClient(notebook, timeout=600, kernel_name="python3", resources={"metadata": {"path": str(directory)}})
    path = os.pathsep.join([str(ROOT), str(ROOT / "spaces"), os.environ.get("PYTHONPATH", "")])
    client.execute(
        env={
            **os.environ,
            "PYTHONPATH": path,
            "IPYTHONDIR": str(directory / "ipython"),
            "MPLBACKEND": "module://matplotlib_inline.backend_inline",
        }
    )
    return notebook


def check(notebook: Any, proxies: list[str]) -> None:
    outputs = [output for cell in notebook.cells if cell.cell_type == "code" for output in cell.outputs]
    text = "".join(output.get("text", "") for output in outputs)
    pictures = [output for output in outputs if "image/png" in output.get("data", {})]
    assert len(pictures) == 2
    assert not [output for output in outputs if output.get("name") == "stderr"]
    assert text.count("noise ceiling: seed_to_seed") == 2
    for name in [*proxies, "params", "flops", "evenness"]:
        assert re.search(rf"^{name} +-?[0-9.]+ +\[", text, re.MULTILINE)
    assert re.search(r"^spearman on \d+ common networks: evenness ", text, re.MULTILINE)
    assert " 32 channels: " in text


def test_it_runs(tmp_path):
    check(executed(tmp_path, architectures=20, proxies="naswot, snip", batch_size=16), ["naswot", "snip"])


@pytest.mark.slow
def test_it_runs_as_it_is(tmp_path):
    check(executed(tmp_path), ["synflow", "naswot", "snip", "zico", "jacob_cov"])
