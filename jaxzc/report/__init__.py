"""The report: an evaluation as one self-contained web page, and as figures and tables for a paper.

>>> from jaxzc import report
>>> report.write(evaluation, "report")   # report/index.html, report/figures/intervals.pdf, report/tables/leaderboard.tex, ...

>>> axes = report.plot_intervals(evaluation, width=report.ONE_COLUMN)
>>> axes.set_title("NAS-Bench-201")
>>> report.save(axes, "intervals.pdf")
"""

from jaxzc.report.across.critical import plot_critical_difference
from jaxzc.report.across.files import check_leaderboard, write_leaderboard
from jaxzc.report.across.tables import latex_board, markdown_board
from jaxzc.report.across.text import markdown_page
from jaxzc.report.figures import plot_comparisons, plot_intervals, plot_similarity, plot_size
from jaxzc.report.files import PAGE, check, write, write_report
from jaxzc.report.look import ONE_COLUMN, SERIES, TWO_COLUMNS, axes, check_format, save, style
from jaxzc.report.scatter import plot_cost, plot_network_places, plot_networks
from jaxzc.report.sweet import plot_sweet_interval, sweet_sentence
from jaxzc.report.tables import latex_table, markdown_table

__all__ = [
    "ONE_COLUMN",
    "PAGE",
    "SERIES",
    "TWO_COLUMNS",
    "axes",
    "check",
    "check_format",
    "check_leaderboard",
    "latex_board",
    "latex_table",
    "markdown_board",
    "markdown_page",
    "markdown_table",
    "plot_comparisons",
    "plot_cost",
    "plot_critical_difference",
    "plot_intervals",
    "plot_network_places",
    "plot_networks",
    "plot_similarity",
    "plot_size",
    "plot_sweet_interval",
    "save",
    "style",
    "sweet_sentence",
    "write",
    "write_leaderboard",
    "write_report",
]
