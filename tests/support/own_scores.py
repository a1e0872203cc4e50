"""One architecture of every space and its share of the proxies, scored by us: the numbers that tests/golden/own_scores.json keeps.

    python -m tests.support.own_scores        computes them anew and writes the file

A change of a number there is a change of what a score means: say so in the changelog, and raise the proxy's version."""

import json
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from jaxzc.catalogue import spaces
from jaxzc.proxies import PROXIES
from jaxzc.scoring.space import SpaceScorer
from jaxzc.types import Space
from tests.support.small_spaces import small, smallest, two_batches
from tests.support.tolerances import ROUNDING

STORED = Path(__file__).parents[1] / "golden" / "own_scores.json"
COUNTS = ("params", "flops", "layers")
SPACES = [name for name in sorted(spaces.spaces()) if name != "conv_chains"]


class OwnScores(NamedTuple):
    space: Space
    scorer: SpaceScorer
    arch: np.ndarray
    scores: dict[str, float]


def share(name: str) -> list[str]:
    """The proxies of a space: dealt out one by one; the counts and snip, which every space must have."""
    dealt = [proxy for proxy in PROXIES if proxy not in COUNTS][SPACES.index(name) :: len(SPACES)]
    return list(dict.fromkeys([*COUNTS, "snip", *(proxy for proxy in dealt if ROUNDING.get(name) != proxy)]))


def own_scores(name: str) -> OwnScores:
    rng = np.random.default_rng(0)
    space = small(name)
    batches, arch = two_batches(space, rng), smallest(space, rng)
    scorer = SpaceScorer(space, batches, share(name))
    return OwnScores(space, scorer, arch, scorer.one(arch))


def stored(name: str) -> dict[str, Any]:
    return json.loads(STORED.read_text())[name]


def record(name: str) -> dict[str, Any]:
    """What is kept of a space: the architecture in the space's encoding, and its scores with seven digits."""
    of = own_scores(name)
    return {"arch": of.space.to_string(of.arch), "scores": {proxy: float(f"{score:.7g}") for proxy, score in of.scores.items()}}


if __name__ == "__main__":
    STORED.write_text(json.dumps({name: record(name) for name in SPACES}, indent=1) + "\n")
