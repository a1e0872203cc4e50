"""Tokens of a text file: words by how often they occur, pieces without overlap, and what follows each token."""

from pathlib import Path

import numpy as np
import pytest

from jaxzc.data import load
from jaxzc.scoring.space.setting import Setting
from jaxzc.types import InputSpec, JaxzcError

LINES = "a b a\nc a b\n\nd a\n"  # a b a <eos> c a b <eos> <eos> d a <eos>
TOKENS = [1, 2, 1, 0, 3, 1, 2, 0, 0, 4, 1, 0]


@pytest.fixture
def spec(tmp_path: Path) -> str:
    (tmp_path / "a.txt").write_text(LINES)
    return f"text:{tmp_path / 'a.txt'}"


def test_pieces_and_what_follows(spec: str) -> None:
    data = load(f"{spec}@3", batch_size=3, batches=1, seed=4)
    (batch,) = data.batches
    starts = 3 * np.random.default_rng(4).permutation(3)[:, None] + np.arange(3)
    assert batch.inputs.dtype == batch.targets.dtype == np.int32
    np.testing.assert_array_equal(batch.inputs, np.array(TOKENS)[starts])
    np.testing.assert_array_equal(batch.targets, np.array(TOKENS)[starts + 1])
    assert data.classes == 5
    assert data.notes.startswith("5 words of 12 tokens")


def test_a_space_is_made_for_a_text(spec: str) -> None:
    setting = Setting(data=f"{spec}@2", batch_size=2, batches=2, options={"emsize": 4, "nhid": 4})
    space, (data,) = setting.prepared("nasbench_nlp", [0])
    assert (space.classes, space.inputs) == (5, InputSpec((2,), "int32"))
    assert data.batches[1].inputs.shape == (2, 2)
    again, _ = Setting(data=spec, batch_size=2, batches=2).prepared(space, [0])  # pieces as long as the space's
    assert again is space
    with pytest.raises(JaxzcError, match=r"inputs float32 \(8, 8, 1\): expected tokens \(steps,\)"):
        Setting(batch_size=2).prepared("nasbench_nlp", [0])


@pytest.mark.parametrize(
    ("end", "message"),
    [
        ("@x", "'x' behind the @: expected the number of tokens"),
        ("@0", "'0' behind the @"),
        ("", "12 tokens, 0 pieces of 70, and 4 were asked for"),
        (".none", "cannot be read"),
    ],
)
def test_mistakes(spec: str, end: str, message: str) -> None:
    with pytest.raises(JaxzcError, match=message):
        load(spec + end, batch_size=2, batches=2)


def test_some_tokens_are_replaced(tmp_path: Path) -> None:
    """Those that are other than the text's have the label 1; a draw from the text's own words may be the same word."""
    path = tmp_path / "long.txt"
    path.write_text(" ".join(str(k % 50) for k in range(2000)))
    (batch,) = load(f"replaced:{path}@20", batch_size=100, batches=1, seed=4).batches
    original = load(f"text:{path}@20", batch_size=100, batches=1, seed=4).batches[0].inputs
    assert batch.inputs.shape == batch.targets.shape == (100, 20)
    np.testing.assert_array_equal(batch.targets, batch.inputs != original)
    assert 0.1 < batch.targets.mean() < 0.2
    space, _ = Setting(data=f"replaced:{path}@6", batch_size=2, options={"hidden": (8,), "widths": (6,)}).prepared("flexibert", [0])
    assert (space.classes, space.inputs) == (51, InputSpec((6,), "int32"))
    with pytest.raises(JaxzcError, match=r"replaced:.* has tokens 20, expected 9: choose other data"):
        load(f"replaced:{path}@20", batch_size=2, shape=(9,))
