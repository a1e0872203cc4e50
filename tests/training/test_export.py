"""A network that leaves: what is loaded anywhere gives the logits that the module gave."""

import runpy
from pathlib import Path

import jax
import numpy as np
import pytest
from flax import nnx

import jaxzc
from jaxzc.training import export, lines_of
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


def test_what_is_loaded_gives_the_same_logits(winner, tmp_path: Path) -> None:
    pytest.importorskip("flatbuffers", reason="jax.export needs `pip install flatbuffers`")
    space, module = winner
    paths = export(module, tmp_path / "network", space.inputs, made=lines_of(space, space.parse(ARCH)))
    assert [path.name for path in paths] == ["weights.msgpack", "network.stablehlo", "load.py"]
    loaded = runpy.run_path(str(tmp_path / "network/load.py"))
    expected = logits_of(module, IMAGES)
    np.testing.assert_array_equal(logits_of(loaded["model"], IMAGES), expected)
    for count in (1, 3):
        np.testing.assert_allclose(np.asarray(loaded["network"].call(IMAGES[:count])), expected[:count], rtol=1e-5, atol=1e-6)
    assert not module.stem_bn.use_running_average  # it can still be trained
    assert set(loaded["network"].platforms) == {"cpu", "cuda", "rocm", "tpu"}


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


def test_curves_are_events(tmp_path: Path) -> None:
    pytest.importorskip("tensorboardX", reason="needs `pip install 'jaxzc[tensorboard]'`")
    from tensorboardX.proto.event_pb2 import Event  # type: ignore[import-not-found]

    with curves(tmp_path / "runs") as tell:
        tell(1, Epoch(2.5, 10.0, 20.0))
        tell(2, Epoch(1.5, 30.0, 40.0))
    (file,) = (tmp_path / "runs").iterdir()
    data, values = file.read_bytes(), []
    while data:  # length, its checksum, the event, its checksum
        length = int.from_bytes(data[:8], "little")
        event = Event.FromString(data[12 : 12 + length])
        values += [(event.step, value.tag, value.simple_value) for value in event.summary.value]
        data = data[16 + length :]
    assert values == [
        *((1, "loss", 2.5), (1, "accuracy/train", 10.0), (1, "accuracy/test", 20.0)),
        *((2, "loss", 1.5), (2, "accuracy/train", 30.0), (2, "accuracy/test", 40.0)),
    ]
