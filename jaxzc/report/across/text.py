"""The leaderboard as one Markdown page: what the description says, the board, the test, and a table for every benchmark."""

from collections.abc import Sequence

from jaxzc.evaluation.across.board import Leaderboard
from jaxzc.evaluation.across.results import Judgement
from jaxzc.evaluation.across.text import benchmark_sentence, verdict
from jaxzc.report.across.tables import markdown_board
from jaxzc.report.tables import markdown, markdown_table

EXPLANATION = (
    "Mean rank: of Spearman's ρ among the proxies that every benchmark has, 1 the best, mean over blocks of benchmarks (benchmarks that "
    "share their scores are one block). ρ − params: how far the mean of Spearman's ρ lies above that of the number of parameters. No "
    "means where a benchmark lacks the proxy. Ranges are {level} % bootstrap intervals over networks. Sizes are in italics."
)


def explanation(board: Leaderboard) -> str:
    """What the columns of the board are."""
    return EXPLANATION.format(level=f"{100 * board.settings['level']:g}")


def markdown_page(board: Leaderboard, commands: Sequence[str] = ()) -> str:
    """The page as Markdown; equal arguments give equal text. commands: what the reader types to repeat it, shown at the end."""
    said = f"{markdown(verdict(board.friedman, len(board.judgements)))}."
    parts = [
        f"# {board.title}",
        board.introduction.strip(),
        "## All benchmarks",
        markdown_board(board),
        f"{explanation(board)} The best proxy of a column is bold.",
        said,
    ]
    for judgement in board.judgements:
        parts += [f"## {markdown(judgement.name)}", *_benchmark(judgement)]
    parts.append(board.notes.strip())
    if commands:
        parts += ["## Made by", "```\n" + "\n".join(commands) + "\n```"]
    return "\n\n".join(part.strip("\n") for part in parts if part) + "\n"


def _benchmark(judgement: Judgement) -> list[str]:
    said = f"{markdown(benchmark_sentence(judgement).removeprefix(f'{judgement.name}: '))}."
    note = judgement.benchmark.note.strip()
    command = judgement.benchmark.command.strip()
    table = markdown_table(judgement.evaluation)
    return [*([note] if note else []), said, table, *([f"```\n{command}\n```"] if command else [])]
