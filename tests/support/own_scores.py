"""One architecture of a space and its share of the proxies, scored by us: the numbers that tests/golden/own_scores.json keeps.

    JAX_DISABLE_MOST_OPTIMIZATIONS=1 python -m tests.support.own_scores [SPACE ...]

computes those of the spaces that are named (default: of all) anew and writes them into the file, which holds those that compile in half a
minute. A change of a number there is a change of
what a score means: say so in the changelog, and raise the proxy's version."""

import json
import sys
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from jaxzc.catalogue import spaces
from jaxzc.proxies import FOR_TRANSFORMERS, PROXIES, RECURRENT
from jaxzc.scoring.space import SpaceScorer
from jaxzc.types import Space
from tests.support.small_spaces import small, smallest, two_batches
from tests.support.tolerances import ROUNDING

FILE = Path(__file__).parents[1] / "golden" / "own_scores.json"
STORED: dict[str, dict[str, Any]] = json.loads(FILE.read_text()) if FILE.exists() else {}
"""Space -> {"arch": the architecture in the space's encoding, "scores": proxy -> score with seven digits}."""
COUNTS = ("params", "flops", "layers")
OF_CELLS = ("az_expressivity", "az_progressivity", "az_trainability", "zen")
"""Proxies of cells and of the inputs of normalisations, which not every space has."""
OF_TRANSFORMERS, OF_RECURRENT, OF_SPEECH = ("autoformer", "flexibert", "pit"), "nasbench_nlp", "nasbench_asr"
SPACES = [name for name in sorted(spaces.spaces()) if name != "conv_chains"]
"""All but one of somebody else."""


class OwnScores(NamedTuple):
    space: Space
    scorer: SpaceScorer
    arch: np.ndarray
    scores: dict[str, float]


def share(name: str) -> list[str]:
    """The proxies of a space: dealt out one by one; the counts and snip, which every space must have. Transformers, recurrent networks
    and those for speech have their own."""
    if name in OF_TRANSFORMERS:
        return [*COUNTS, "snip", "synflow_bn", *FOR_TRANSFORMERS]
    if name == OF_RECURRENT:
        return [*COUNTS, "snip", "synflow", *(proxy for proxy in RECURRENT if proxy not in ROUNDING.get(name, ()))]
    if name == OF_SPEECH:
        return [*COUNTS, "snip", "grasp", "synflow", "synflow_bn", "jacob_cov", "naswot", "zico"]
    others = [other for other in SPACES if other not in (*OF_TRANSFORMERS, OF_RECURRENT, OF_SPEECH)]
    general = [proxy for proxy in PROXIES if proxy not in (*COUNTS, *FOR_TRANSFORMERS, *RECURRENT, *OF_CELLS)]
    dealt = [*general[others.index(name) :: len(others)], *(OF_CELLS if name == "nasbench201" else ())]
    return list(dict.fromkeys([*COUNTS, "snip", *(proxy for proxy in dealt if proxy not in ROUNDING.get(name, ()))]))


def own_scores(name: str, proxies: list[str] | None = None) -> OwnScores:
    """proxies: by default the space's share."""
    rng = np.random.default_rng(0)
    space = small(name)
    batches, arch = two_batches(space, rng), smallest(space, rng)
    scorer = SpaceScorer(space, batches, share(name) if proxies is None else proxies)
    return OwnScores(space, scorer, arch, scorer.one(arch))


def record(name: str) -> dict[str, Any]:
    """What is kept of a space."""
    of = own_scores(name)
    return {"arch": of.space.to_string(of.arch), "scores": {proxy: float(f"{score:.7g}") for proxy, score in of.scores.items()}}


if __name__ == "__main__":
    for name in sys.argv[1:] or SPACES:
        STORED[name] = record(name)
        FILE.write_text(json.dumps(STORED, indent=1, sort_keys=True) + "\n")
