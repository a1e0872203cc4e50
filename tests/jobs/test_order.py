"""In which order a job scores architectures."""

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from jaxzc.jobs.attempts import Attempts
from jaxzc.jobs.work import Unit
from jaxzc.scoring.results import Scores


class Scorer:
    """Scores by the second gene; the first names the program."""

    space = SimpleNamespace(program_keys=lambda archs: archs[:, :1])

    def __init__(self, width: int):
        self.width = width

    def with_batches(self, batches: Any) -> "Scorer":
        return self

    def many(self, archs: np.ndarray, seed: int) -> list[Scores]:
        return [Scores({"layers": float(arch[1])}) for arch in archs]


@pytest.mark.mistyped
@pytest.mark.parametrize(
    ("programs", "width", "expected"),
    [
        ([1, 0, 1, 0], 1, [0, 1, 2, 3]),  # few programs: as asked, so that what is there early is a fair sample
        ([1, 0, 1, 0], 2, [1, 3, 0, 2]),  # several in a call: by programs
        ([5, 4, 3, 2], 1, [0, 1, 2, 3]),  # one program each: as asked
        ([*range(40, 0, -1), 40], 1, [*range(39, -1, -1), 40]),  # more than are held, and some used again: by programs
    ],
)
def test_programs_are_mixed_where_they_can_be_held(programs: list[int], width: int, expected: list[int]) -> None:
    units = [Unit(np.array([program, number]), f"{program}-{number}", 0) for number, program in enumerate(programs)]
    scorer: Any = Scorer(width)
    rows = Attempts(scorer, {0: ()}, {"layers": "layers"}).rows(units)
    assert [int(row.scores["layers"]) for row in rows] == expected
