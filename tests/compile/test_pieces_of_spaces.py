"""Scores of spaces in pieces equal those of whole programs, and the next process finds the pieces on disk."""

import subprocess
import sys
from typing import Any

import numpy as np
import pytest

from jaxzc.scoring.space import SpaceScorer
from jaxzc.spacekit import program_of
from tests.support.small_spaces import small, smallest, two_batches

pytestmark = pytest.mark.usefixtures("none_at_hand")


SHALLOW = "00000001"
"""A chain of NAS-Bench-Macro of which nothing is left but the first layer of each stage, and the last one."""
MORE = (("nasbench_macro", None, "zico,jacob_cov,synflow"), ("resnet_zen", None, "synflow,tcet_snip"))


@pytest.mark.parametrize(
    ("name", "arch", "proxies"),
    [("nasbench_macro", SHALLOW, "jacob_cov,synflow"), *(pytest.param(*case, marks=pytest.mark.slow) for case in MORE)],
)
def test_scores_of_a_space(name: str, arch: str | None, proxies: str) -> None:
    space, rng = small(name), np.random.default_rng(0)
    batches = two_batches(space, rng, 4)
    archs = (space.parse(arch) if arch else smallest(space, rng))[None]
    assert program_of(space, archs[0]).in_pieces
    cut_up, whole = (list(SpaceScorer(space, batches, proxies, pieces=by).each(archs)) for by in (True, False))
    for row, other in zip(cut_up, whole, strict=True):
        for proxy, value in row.items():
            assert value == pytest.approx(other[proxy], rel=3e-3 if proxy == "zico" else 1e-4), proxy


SCRIPT = """
import jax, jaxzc, numpy as np, sys
from jaxzc._compile import cache
from jaxzc.scoring.space import SpaceScorer
from jaxzc.spacekit import program_of
jax.config.update("jax_compilation_cache_dir", sys.argv[1])
made = []
read = cache._read
cache._read = lambda path: made.append(read(path)) or made[-1]
space = jaxzc.space("nasbench_macro", classes=10, inputs=(8, 8, 3), channels=2, head=8)
batch = np.ones((2, 8, 8, 3), np.float32) * np.arange(2)[:, None, None, None], np.arange(2)
print(SpaceScorer(space, batch, "snip").one(space.parse("00000001")), sum(m is None for m in made), len(made))
"""


def test_the_next_process_finds_them_on_disk(tmp_path: Any) -> None:
    runs = [
        subprocess.run([sys.executable, "-c", SCRIPT, str(tmp_path)], capture_output=True, text=True, check=True).stdout.rsplit(maxsplit=2)
        for _ in range(2)
    ]
    (scores, compiled, pieces_), (again, compiled_again, pieces_again) = runs
    assert scores == again
    assert (int(compiled), int(compiled_again)) == (int(pieces_), 0)
    assert int(pieces_) == int(pieces_again) > 20
