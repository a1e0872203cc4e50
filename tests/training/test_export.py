"""A network that leaves: what is loaded anywhere gives the logits that the module gave."""

import re
import runpy
import sys
from pathlib import Path
from typing import Any

import jax
import numpy as np
import pytest
from flax import nnx, serialization

import jaxzc
from jaxzc.cli import main
from jaxzc.search.curves import curves as search_curves
from jaxzc.training import code_of, export, lines_of
from jaxzc.training.curves import curves
from jaxzc.training.fit import Epoch
from jaxzc.types import JaxzcError

ARCH = "|nor_conv_3x3~0|+|none~0|nor_conv_1x1~1|+|skip_connect~0|none~1|avg_pool_3x3~2|"
IMAGES = np.random.default_rng(0).normal(size=(3, 8, 8, 1)).astype(np.float32)


@pytest.fixture(scope="module")
def winner():
    space = jaxzc.space("nasbench201", classes=10, inputs=(8, 8, 1), channels=2, cells=1)
    module = space.module(space.parse(ARCH), rng_key=jax.random.key(7))  # type: ignore[attr-defined]
    return space, module


def logits_of(module: nnx.Module, images: np.ndarray) -> np.ndarray:
    """Of the module as it is in `eval()`; it is left as it is."""
    copy = nnx.clone(module)
    copy.eval()
    return np.asarray(jax.jit(lambda x: copy(x))(images))  # type: ignore[operator]


def test_what_is_loaded_gives_the_same_logits(winner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("flatbuffers", reason="jax.export needs `pip install flatbuffers`")
    space, module = winner
    paths = export(module, tmp_path / "network", space.inputs, code=code_of(space, space.parse(ARCH)))
    assert [path.name for path in paths] == ["network.py", "weights.msgpack", "network.stablehlo", "load.py"]
    monkeypatch.syspath_prepend(tmp_path / "network")
    monkeypatch.delitem(sys.modules, "network", raising=False)
    loaded = runpy.run_path(str(tmp_path / "network/load.py"))
    expected = logits_of(module, IMAGES)
    np.testing.assert_allclose(logits_of(loaded["model"], IMAGES), expected, rtol=1e-5, atol=1e-6)
    for count in (1, 3):
        np.testing.assert_allclose(np.asarray(loaded["network"].call(IMAGES[:count])), expected[:count], rtol=1e-5, atol=1e-6)
    assert not module.stem_bn.use_running_average  # it can still be trained
    assert set(loaded["network"].platforms) == {"cpu", "cuda", "rocm", "tpu"}


def test_lines_that_make_the_module_by_jaxzc(winner, tmp_path: Path) -> None:
    space, module = winner
    names: dict[str, Any] = {}
    exec(lines_of(space, space.parse(ARCH)), names)
    assert jax.tree.map(np.shape, nnx.state(names["model"])) == jax.tree.map(np.shape, nnx.state(module))


def test_an_architecture_leaves_by_its_string(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    sizes = ["--set", "channels=2", "--set", "cells=1", "--inputs", "8x8x1", "--classes", "10"]
    assert main(["export", "nasbench201", ARCH, *sizes, "--seed", "7", "--out", "winner", "--no-cache"]) == 0
    files = [Path(line) for line in capsys.readouterr().out.splitlines()]
    assert [file.name for file in files] == ["network.py", "weights.msgpack", "network.stablehlo", "load.py"]
    assert "jaxzc" not in re.sub('""".*?"""', "", files[0].read_text(), flags=re.DOTALL)
    weights = serialization.msgpack_restore(files[1].read_bytes())
    space = jaxzc.space("nasbench201", classes=10, inputs=(8, 8, 1), channels=2, cells=1)
    module = space.module(space.parse(ARCH), rng_key=jax.random.key(7))  # type: ignore[attr-defined]
    np.testing.assert_array_equal(weights["stem"], module.stem[...])
    with pytest.raises(JaxzcError, match="nasbench201 is made already: leave out classes, inputs and options"):
        jaxzc.run_export(space, ARCH, out="again", classes=3)
    assert main(["export", "nasbench201", "|nor_conv_7x7~0|", "--out", "again", "--no-cache"]) == 2


def test_a_directory_that_cannot_be_made(winner, tmp_path: Path) -> None:
    space, module = winner
    with pytest.raises(JaxzcError, match=r"the directory .*no/network cannot be made \(No such file or directory\)"):
        export(module, tmp_path / "no/network", space.inputs)


@pytest.mark.slow
def test_onnx_gives_the_same_logits(winner, tmp_path: Path) -> None:
    pytest.importorskip("jax2onnx", reason="needs `pip install 'jaxzc[onnx]'`")
    onnxruntime = pytest.importorskip("onnxruntime", reason="needs `pip install 'jaxzc[onnx]'`")
    space, module = winner
    export(module, tmp_path / "network", space.inputs, onnx=3)
    session = onnxruntime.InferenceSession(tmp_path / "network/network.onnx")
    (logits,) = session.run(None, {session.get_inputs()[0].name: IMAGES})
    np.testing.assert_allclose(logits, logits_of(module, IMAGES), rtol=1e-4, atol=1e-6)


def told(directory: Path) -> list[tuple[int, str, float]]:
    """Step, name and value of every event."""
    from tensorboardX.proto.event_pb2 import Event  # type: ignore[import-not-found]

    (file,) = directory.iterdir()
    data, values = file.read_bytes(), []
    while data:  # length, its checksum, the event, its checksum
        length = int.from_bytes(data[:8], "little")
        event = Event.FromString(data[12 : 12 + length])
        values += [(event.step, value.tag, value.simple_value) for value in event.summary.value]
        data = data[16 + length :]
    return values


def test_curves_of_a_search(tmp_path: Path) -> None:
    pytest.importorskip("tensorboardX", reason="needs `pip install 'jaxzc[tensorboard]'`")
    settings: dict[str, Any] = {"table": "embedded", "metric": "test_accuracy", "algorithm": "random", "duplicates": "exact"}
    with search_curves(tmp_path / "runs") as tell:
        found = jaxzc.run_search("nasbench201", evaluations=12, on_state=tell, **settings)
    values = told(tmp_path / "runs")
    scores = [value for _, name, value in values if name == "score/test_accuracy"]
    np.testing.assert_allclose(scores, found.table["test_accuracy"], rtol=1e-6)
    assert [step for step, name, _ in values if name == "score/test_accuracy"] == list(range(1, 13))
    assert values[-1] == (12, "best/test_accuracy", pytest.approx(np.nanmax(scores)))


def test_curves_are_events(tmp_path: Path) -> None:
    pytest.importorskip("tensorboardX", reason="needs `pip install 'jaxzc[tensorboard]'`")
    with curves(tmp_path / "runs") as tell:
        tell(1, Epoch(2.5, 10.0, 20.0))
        tell(2, Epoch(1.5, 30.0, 40.0))
    assert told(tmp_path / "runs") == [
        *((1, "loss", 2.5), (1, "accuracy/train", 10.0), (1, "accuracy/test", 20.0)),
        *((2, "loss", 1.5), (2, "accuracy/train", 30.0), (2, "accuracy/test", 40.0)),
    ]
