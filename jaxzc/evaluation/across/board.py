"""The leaderboard over several benchmarks, as plain data: the terminal, tables and figures read this and compute nothing."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from jaxzc.evaluation.across.results import Friedman, Judgement, Standing
from jaxzc.evaluation.across.text import format_board


@dataclass(frozen=True)
class Leaderboard:
    """Proxies on benchmarks; printed, it is a table.

    judgements: one for each benchmark. standings: first the proxies that every benchmark has, by mean rank, then the others by mean
        Spearman's rho. friedman: the test of the former.
    title, introduction, notes: Markdown of the description. settings: all that is needed to repeat it (JSON).
    """

    judgements: list[Judgement]
    standings: list[Standing]
    friedman: Friedman
    title: str
    introduction: str
    notes: str
    settings: Mapping[str, Any]

    def __str__(self) -> str:
        return format_board(self.standings, self.judgements, self.friedman)

    @property
    def blocks(self) -> list[str]:
        """Names of the blocks, each once."""
        return list(dict.fromkeys(judgement.block for judgement in self.judgements))
