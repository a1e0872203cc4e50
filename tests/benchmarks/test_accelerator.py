"""The GPU kit: what its table says of made-up results, and the whole of it at toy size on this CPU."""

import json
import math
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

FOLDER = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture
def kit(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """The scripts, which find each other because they lie in one folder."""
    monkeypatch.syspath_prepend(FOLDER)
    import accelerator  # pyright: ignore[reportMissingImports]

    yield accelerator
    for name in ("accelerator", "accelerator_table"):
        sys.modules.pop(name, None)


def row(chunk: int, *scores: dict[str, str]) -> dict[str, Any]:
    return {"chunk": chunk, "compile_s": 20.0, "architectures_per_s": 50.0, "flops_per_s": 5e12, "peak_bytes": 3 * 10**9, "scores": scores}


def test_table_and_files(kit: Any, tmp_path: Path) -> None:
    results = kit.Results(tmp_path / "card", {"networks": 2})
    results.peak({"device": "a card", "platform": "gpu", "jax": "0.10", "archs": [[0], [1]]})
    results.peak({"peak": "float32", "flops_per_s": 50e12})
    results.peak({"peak": "copy", "bytes_per_s": 2e12})
    take = results.pytorch(False, {"grad_norm": "grad_norm", "two": "grad_norm,snip"})
    for proxy, seconds in (("grad_norm", 99.0), ("grad_norm", 1.0), ("snip", 2.0), ("grad_norm", 3.0), ("snip", 4.0)):
        take({"proxy": proxy, "seconds": seconds, "peak_bytes": 10**9})
    assert results.torch["TF32 off"]["sets"] == {"grad_norm": {"networks": 2, "seconds": 2.0}, "two": {"networks": 2, "seconds": 5.0}}
    results.rate("grad_norm", "highest")(row(16, {"a": "1.0", "b": "nan", "c": "1.0"}, {"a": "2.0", "b": "nan", "c": "nan"}))
    results.reference = [
        {"network": 0, "scores": {"a": "1.0", "b": "nan", "c": "1.0005"}},
        {"network": 1, "scores": {"a": "2.01", "b": "nan", "c": "3.0"}},
    ]
    agreement = results.agreement(results.rows[0])
    assert agreement == {"a": pytest.approx(0.01 / 2.01), "b": 0.0, "c": math.inf}
    results.rate("founding", "highest")({"chunk": 64, "error": "JaxRuntimeError: RESOURCE_EXHAUSTED"})
    assert results.omitted == {"founding, highest, chunk 64": "JaxRuntimeError: RESOURCE_EXHAUSTED"}
    results.left_out("grasp", "the time was over")
    results.write()
    table = (tmp_path / "card.md").read_text()
    assert "| grad_norm | highest | 16 | 20.0 | 50 | 5 (10.0%) | 3.00 | 100.0 / - | inf c (2 of 3) |" in table
    assert "Not measured: grasp (the time was over)" in table
    facts = json.loads((tmp_path / "card.json").read_text())
    assert facts["agreement"][0]["chunk"] == 16
    assert sorted(path.name for path in tmp_path.iterdir()) == ["card.json", "card.md"]


def test_what_the_time_does_not_allow_is_said(kit: Any, tmp_path: Path) -> None:
    results = kit.main(["--toy", "--seconds", "0", "--sets", "grad_norm", "--out", str(tmp_path / "none")])
    assert not results.rows
    assert set(results.omitted.values()) >= {"the time was over"}
    assert "grad_norm, highest, chunks [2]" in results.omitted
    assert json.loads((tmp_path / "none.json").read_text())["omitted"] == results.omitted


def test_the_sizes_of_blocks_at_toy_size(kit: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import gpu_kernels  # pyright: ignore[reportMissingImports]
    from jaxzc_spaces.cells import side_by_side

    for name in ("INTERPRETED", "PIXELS", "WARPS", "PIXELS_OF_A_SUM"):
        monkeypatch.setattr(side_by_side, name, getattr(side_by_side, name))  # the script changes them
    rows = gpu_kernels.main(["--toy", "--out", str(tmp_path / "kernels.jsonl")])
    assert [row["program"] for row in rows] == ["value", "kernels_of"]
    assert all(row["us"] > 0 for row in rows)
    assert [json.loads(line)["bytes"] for line in (tmp_path / "kernels.jsonl").read_text().splitlines()] == [57344, 32768]


BLOCKER = """
import sys

class Blocker:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {blocked}:
            raise ImportError(name + " is not on a borrowed machine")

sys.meta_path.insert(0, Blocker())
"""
"""A `sitecustomize` that hides what jaxzc needs beside JAX, Flax and Optax."""
ELSEWHERE = {"threadpoolctl", "tqdm", "pyarrow", "sklearn", "matplotlib", "PIL", "tensorflow_datasets", "google_crc32c"}


def test_the_kit_at_toy_size(kit: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With JAX, Flax and Optax alone."""
    (tmp_path / "sitecustomize.py").write_text(BLOCKER.format(blocked=ELSEWHERE))
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    results = kit.main(["--toy", "--seconds", "900", "--sets", "grad_norm", "--out", str(tmp_path / "toy")])
    assert not {what for what in results.omitted if "PyTorch" not in what}
    assert [(r["set"], r["precision"], r["chunk"]) for r in results.rows] == [
        ("grad_norm", "highest", 2),
        ("grad_norm", "highest", 1),
        ("grad_norm", "default", 2),
    ]
    assert all(r["architectures_per_s"] > 0 and r["flops_per_s"] > 0 for r in results.rows)
    assert len(results.reference) == 2
    assert all(worst <= 1e-3 for r in results.rows for worst in results.agreement(r).values())
    assert results.about["platform"] == "cpu"
