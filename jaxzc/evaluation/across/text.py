"""A leaderboard as plain text for a terminal of 100 characters, and as CSV."""

import csv
import io
import math
from collections.abc import Sequence

from jaxzc.evaluation.across.results import Friedman, Judgement, Standing
from jaxzc.evaluation.text import aligned
from jaxzc.types.names import some_of

SIZES = ("params", "flops", "layers")
"""Size baselines of which a leaderboard says the place: parameters, operations, depth."""

HEADER = ("proxy", "rank", "[low, high]", "first", "rho", "[low, high]", "over params", "on", "coverage", "")


def format_board(standings: Sequence[Standing], judgements: Sequence[Judgement], friedman: Friedman) -> str:
    """One line per proxy: mean rank over the blocks with its interval, how often it is first, mean of Spearman's rho, difference from that
    of params, on how many benchmarks, smallest coverage. Then what the test says, and one line per benchmark."""
    lines = [HEADER, *(_cells(row, len(judgements)) for row in standings)]
    empty = {column for column in range(1, len(HEADER) - 1) if {line[column] for line in lines[1:]} <= {"-", ""}}
    shown = [tuple(cell for column, cell in enumerate(line) if column not in empty) for line in lines]
    sentences = "\n".join(map(benchmark_sentence, judgements))
    return "\n\n".join(["\n".join(aligned(shown)), verdict(friedman, len(judgements)), sentences])


def verdict(test: Friedman, benchmarks: int) -> str:
    """What Friedman's test and the critical difference say of so many benchmarks, in one or two sentences."""
    counted = f"{test.proxies} proxies that all have, {test.blocks} block{'' if test.blocks == 1 else 's'} of {benchmarks} benchmarks"
    if math.isnan(test.chi2):
        return f"{counted}: too few for Friedman's test, which needs 3 proxies and 2 blocks that tell them apart"
    return (
        f"{counted}: Friedman chi2 {test.chi2:.2f}, p {probability(test.p)}; Iman-Davenport F {test.f:.2f}, p {probability(test.p_f)}. "
        f"Mean ranks differ at {test.alpha:g} where they differ by more than {test.critical_difference:.2f} (Nemenyi){_powerless(test)}"
    )


def _powerless(test: Friedman) -> str:
    most = test.proxies - 1
    return f", which no two can: {test.blocks} blocks are too few" if test.critical_difference >= most else ""


def probability(value: float) -> str:
    """`0.034`, and `< 0.0001` below that."""
    return "< 0.0001" if value < 1e-4 else f"{value:.4f}"


def benchmark_sentence(judgement: Judgement) -> str:
    """A benchmark: its networks, the best, the place of sizes, the noise ceiling, aggregates that are not defined here, and scores that say
    little of its networks (`jaxzc.types.WithDoubts`), as the score table has it."""
    best, places = judgement.ranked[0] if judgement.ranked else None, places_of_sizes(judgement)
    said = [f"{judgement.name}: {len(judgement.evaluation.archs):,} networks, {len(judgement.ranked)} proxies"]
    if best is not None:
        said.append(f"best {best.proxy} {best.statistics['spearman'].value:.3f}")
    if places:
        said.append(places)
    said += [
        f"noise ceiling {name.replace('_', ' ')} {value:.3f}" for name, value in judgement.evaluation.ceiling.items() if value == value
    ]
    said += [f"no {label} ({some_of(lacking)} not scored)" for label, lacking in judgement.absent.items()]
    doubtful: dict[str, list[str]] = {}
    for proxy, why in judgement.evaluation.settings.get("scores_metadata", {}).get("doubts", {}).items():
        doubtful.setdefault(why, []).append(proxy)
    said += [f"in doubt, {', '.join(proxies)}: {why}" for why, proxies in doubtful.items()]
    return "; ".join(said)


def places_of_sizes(judgement: Judgement) -> str:
    """`params 14th, flops 14th, layers 17th of 28`; empty where none is known."""
    places = [(name, judgement.place(name)) for name in SIZES]
    known = [f"{name} {ordinal(place)}" for name, place in places if place is not None]
    return f"{', '.join(known)} of {len(judgement.ranked)}" if known else ""


def ordinal(number: int) -> str:
    """`1st`, `2nd`, `11th`."""
    ending = "th" if number % 100 in (11, 12, 13) else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number}{ending}"


def csv_text(standings: Sequence[Standing], judgements: Sequence[Judgement]) -> str:
    """One line for each proxy and benchmark: every statistic with its interval, the place, coverage, the benchmark's block and networks;
    and the proxy's standing over all benchmarks. An empty cell where undefined."""
    lines, text = csv_lines(standings, judgements), io.StringIO(newline="")
    writer = csv.DictWriter(text, list(dict.fromkeys(key for line in lines for key in line)), lineterminator="\n")
    writer.writeheader()
    writer.writerows(lines)
    return text.getvalue()


def csv_lines(standings: Sequence[Standing], judgements: Sequence[Judgement]) -> list[dict[str, object]]:
    """The lines of `csv_text`, heading -> value."""
    lines = []
    for standing in standings:
        over_all: dict[str, object] = {}
        for name in ("rank", "spearman", "over_params"):
            over_all |= dict(zip((f"mean_{name}", f"mean_{name}_low", f"mean_{name}_high"), getattr(standing, name), strict=True))
        over_all |= {"first": standing.first, "benchmarks": standing.benchmarks}
        for judgement in judgements:
            if (row := judgement.row(standing.proxy)) is None:
                continue
            line: dict[str, object] = {"proxy": row.proxy, "benchmark": judgement.name, "block": judgement.block}
            line |= {
                "metric": judgement.evaluation.metric,
                "networks": len(judgement.evaluation.archs),
                "place": judgement.place(row.proxy),
            }
            line |= {"finite": row.finite, "total": row.total, "seeds": row.seeds}
            for name, estimate in row.statistics.items():
                line |= dict(zip((name, f"{name}_low", f"{name}_high"), estimate, strict=True))
            lines.append({key: "" if value is None or value != value else value for key, value in (line | over_all).items()})
    return lines


def _cells(row: Standing, benchmarks: int) -> Sequence[str]:
    return (
        row.proxy,
        _number(row.rank.value, 2),
        _interval(row.rank.low, row.rank.high, 2),
        "-" if math.isnan(row.first) else f"{100 * row.first:.0f} %",
        _number(row.spearman.value, 3),
        _interval(row.spearman.low, row.spearman.high, 3),
        "-" if math.isnan(row.over_params.value) or row.proxy == "params" else f"{row.over_params.value:+.3f}",
        f"{row.benchmarks}/{benchmarks}",
        f"{math.floor(1000 * row.coverage) / 10:.1f} %",
        "",
    )


def _number(value: float, digits: int) -> str:
    return "-" if math.isnan(value) else f"{value:.{digits}f}"


def _interval(low: float, high: float, digits: int) -> str:
    return "-" if math.isnan(low) else f"[{low:.{digits}f}, {high:.{digits}f}]"
