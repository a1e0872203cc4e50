"""The leaderboard as a table for a paper or a README: LaTeX with booktabs, or Markdown."""

import math
from collections.abc import Callable, Sequence

from jaxzc.evaluation import BASELINES
from jaxzc.evaluation.results import Estimate, Evaluation, Row
from jaxzc.report import columns
from jaxzc.report.columns import KNOWN, Column, number
from jaxzc.types import JaxzcError

DEFAULT = tuple(column.name for column in KNOWN if column.essential)

SPECIAL = {
    "\\": r"\textbackslash{}",
    **{letter: f"\\{letter}" for letter in "&%$#_{}"},
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
}
ENTITIES = {"<": "&lt;", ">": "&gt;", "&": "&amp;"}
LETTERS = {"ρ": r"$\rho$", "τ": r"$\tau$", columns.MINUS: "$-$", columns.DASH: "--", "∞": r"$\infty$"}


def latex_table(evaluation: Evaluation, statistics: Sequence[str] | None = None, *, intervals: bool = True, rows: int | None = None) -> str:
    """A `tabular` with the rules of booktabs (`\\usepackage{booktabs}`), the best proxy on top and each column's best bold; sizes italic.

    statistics: names of `jaxzc.evaluation.STATISTICS`; None: those that the report's page shows at once, as far as they were computed.
    intervals: the bootstrap interval of Spearman's rho beside it. rows: the best so many proxies; None: all. Raises `JaxzcError` for a
    statistic that the evaluation lacks.
    """
    shown, listed = _shown(evaluation, statistics), evaluation.rows[:rows]
    best = {column.name: _best(column, listed) for column in shown}
    heads = ["proxy", *(column.label for column in shown)]
    lines = [" & ".join(map(tex, heads)) + r" \\", r"\midrule"]
    for row in listed:
        name = rf"\textit{{{tex(row.proxy)}}}" if row.proxy in BASELINES else tex(row.proxy)
        cells = [_cell(row, column, intervals, tex) for column in shown]
        bold = [row.statistics[column.name].value == best[column.name] for column in shown]
        lines.append(" & ".join([name, *(rf"\textbf{{{c}}}" if b else c for c, b in zip(cells, bold, strict=True))]) + r" \\")
    body = "\n".join([r"\toprule", *lines, r"\bottomrule"])
    return f"% {_comment(evaluation)}\n\\begin{{tabular}}{{l{'r' * len(shown)}}}\n{body}\n\\end{{tabular}}\n"


def markdown_table(
    evaluation: Evaluation, statistics: Sequence[str] | None = None, *, intervals: bool = True, rows: int | None = None
) -> str:
    """The same as `latex_table` in Markdown: as GitHub, Sphinx and notebooks read it."""
    shown, listed = _shown(evaluation, statistics), evaluation.rows[:rows]
    best = {column.name: _best(column, listed) for column in shown}
    lines = ["| " + " | ".join(["proxy", *(column.label for column in shown)]) + " |"]
    lines.append("|:--|" + "--:|" * len(shown))
    for row in listed:
        name = f"*{markdown(row.proxy)}*" if row.proxy in BASELINES else markdown(row.proxy)
        cells = [_cell(row, column, intervals, str) for column in shown]
        bold = [row.statistics[column.name].value == best[column.name] for column in shown]
        lines.append("| " + " | ".join([name, *(f"**{c}**" if b else c for c, b in zip(cells, bold, strict=True))]) + " |")
    return "\n".join(lines) + "\n"


def _shown(evaluation: Evaluation, statistics: Sequence[str] | None) -> list[Column]:
    known = {column.name: column for column in columns.columns_of(evaluation.rows)}
    for name in statistics or ():
        if name not in known:
            raise JaxzcError(f"the evaluation has no statistic {name!r}: choose of {', '.join(known)}, or evaluate with it")
    return [known[name] for name in (statistics or DEFAULT) if name in known]


def _best(column: Column, rows: Sequence[Row]) -> float:
    """The best value among the proxies, NaN where none is defined; the sizes do not compete."""
    values = [row.statistics[column.name].value for row in rows if row.proxy not in BASELINES]
    finite = [value for value in values if math.isfinite(value)]
    return (min(finite) if column.lower else max(finite)) if finite else math.nan


def _cell(row: Row, column: Column, intervals: bool, write: Callable[[str], str]) -> str:
    estimate = row.statistics.get(column.name, Estimate(math.nan))
    text = number(estimate.value, column.digits)
    around = columns.interval(estimate, column.digits) if intervals and column.name == "spearman" else ""
    return write(f"{text} ({around})" if around else text)


def tex(text: str) -> str:
    """Text that LaTeX prints as it is."""
    return "".join(LETTERS.get(letter) or SPECIAL.get(letter, letter) for letter in text)


def markdown(text: str) -> str:
    """Text that Markdown does not read as its own signs, nor as HTML."""
    return "".join(ENTITIES.get(letter) or (f"\\{letter}" if letter in r"\`*_{}[]#|" else letter) for letter in text)


def _comment(evaluation: Evaluation) -> str:
    networks = f"{len(evaluation.archs):,} networks"
    return " ".join(f"jaxzc evaluate: {evaluation.metric} of {networks}".split())
