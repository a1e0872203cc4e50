"""Jobs on tiny networks, for the tests of what they keep and of what may break. Only counts are scored: nothing compiles."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import tests.support.commands as commands
from jaxzc import jobs
from jaxzc.catalogue import spaces
from jaxzc.scoring.results import Scores
from jaxzc.scoring.space import SpaceScorer
from tests.support.commands import Result

Many = Callable[[SpaceScorer, np.ndarray, int], list[Scores]]
MANY: Many = SpaceScorer.many
SPACE = spaces.space("nasbench201", classes=10, inputs=(8, 8, 1), channels=2, cells=1)


def score(*arguments: Any, sample: int = 20, proxies: str = "layers") -> Result:
    return commands.score("--sample", sample, "--proxies", proxies, *arguments)


def done(result: Result) -> Result:
    assert result.code == 0, result.err
    return result


def refused(result: Result, *fragments: str) -> None:
    """One sentence, which may stand after notes."""
    commands.refused(result, *fragments, notes=True)


def merged(where: Any = "job") -> jobs.Merged:
    return jobs.merge(jobs.store(where))


def part_files(where: str = "job") -> list[Path]:
    return sorted(Path(where, "parts").glob("*.parquet"))


def failing(monkeypatch: pytest.MonkeyPatch, error: BaseException, when: Callable[[list[str]], bool]) -> list[int]:
    """Scoring raises where `when(strings of the architectures)`; returns the sizes of the calls."""
    sizes: list[int] = []

    def many(self: SpaceScorer, archs: np.ndarray, seed: int = 0) -> list[Scores]:
        sizes.append(len(archs))
        if when([self.space.to_string(arch) for arch in archs]):
            raise error
        return MANY(self, archs, seed)

    monkeypatch.setattr(SpaceScorer, "many", many)
    return sizes
