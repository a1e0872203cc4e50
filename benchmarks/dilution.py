"""What one ingredient that says nothing does to an aggregate.

    python benchmarks/dilution.py table benchmarks/nasbench201_founding.parquet --table nb201.csv.gz --metric c10_test --aggregate trio
    python benchmarks/dilution.py simulate 0.632 -0.053 0.492

`table`: Spearman's rho of each ingredient alone, of the aggregate, of the aggregate without it, and with its scores dealt out at random
(mean over --draws deals). `simulate`: an aggregate by --rule of proxies that have these correlations with the accuracy (Gaussian copula of
300 networks), for several correlations between those that say something; the others are independent of these. Mean and 95 % range.
"""

import argparse
from collections.abc import Sequence

import numpy as np

from jaxzc import embedded
from jaxzc.aggregates import RULES, parse_aggregate
from jaxzc.catalogue import cards
from jaxzc.evaluation import spearman
from jaxzc.tables import read_scores, read_truth

LITTLE = 0.1
"""Correlations below this count as saying nothing."""


def of_table(scores: str, table: str, metric: str, aggregate: str, draws: int) -> None:
    _, chosen = parse_aggregate(aggregate)
    read, truths = read_scores(scores), read_truth(embedded.table_named(table), metric)
    truth = np.array([truths.get(arch, np.nan) for arch in read.columns["arch"]])
    signs = cards.directions(read.metadata)
    columns = {name: np.asarray(read.columns[name], np.float64) * (1 if signs.get(name, True) else -1) for name in chosen.proxies}
    whole = np.stack(list(columns.values()), axis=1)
    print(f"{aggregate} {spearman(chosen.combine(whole), truth):.3f}")
    rng = np.random.default_rng(0)
    for k, name in enumerate(columns):
        without = spearman(chosen.combine(np.delete(whole, k, axis=1)), truth)
        dealt = []
        for _ in range(draws):
            mixed = whole.copy()
            mixed[:, k] = rng.permutation(mixed[:, k])
            dealt.append(spearman(chosen.combine(mixed), truth))
        others = ", ".join(f"{other} {spearman(columns[name], column):.3f}" for other, column in columns.items() if other != name)
        print(f"{name}: alone {spearman(columns[name], truth):.3f}, without it {without:.3f}, dealt {np.mean(dealt):.3f}; with {others}")


def simulated(rhos: Sequence[float], between: float, rule: str, draws: int, networks: int = 300) -> np.ndarray:
    """Spearman's rho of the aggregate, `[draws]`. rhos: Spearman's of each proxy with the accuracy; between: of the speaking ones with each
    other."""
    pearson = 2 * np.sin(np.pi / 6 * np.array(rhos))  # a Gaussian copula's Pearson for a Spearman
    speaks = np.abs(pearson) >= LITTLE
    matrix = np.eye(len(rhos) + 1)
    matrix[0, 1:] = matrix[1:, 0] = pearson
    pairs = np.outer(speaks, speaks) & ~np.eye(len(rhos), dtype=bool)
    matrix[1:, 1:][pairs] = 2 * np.sin(np.pi / 6 * between)
    factor = np.linalg.cholesky(matrix)
    rng = np.random.default_rng(0)
    samples = (rng.standard_normal((networks, len(matrix))) @ factor.T for _ in range(draws))
    return np.array([spearman(RULES[rule](sample[:, 1:]), sample[:, 0]) for sample in samples])


def of_correlations(rhos: Sequence[float], rule: str, draws: int) -> None:
    speaking = [rho for rho in rhos if abs(rho) >= LITTLE]
    for between in (0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8):
        try:
            whole, part = simulated(rhos, between, rule, draws), simulated(speaking, between, rule, draws)
        except np.linalg.LinAlgError:
            print(f"{between:.1f} between them: no such correlations exist")
            continue
        low, high = np.quantile(whole, [0.025, 0.975])
        print(f"{between:.1f} between them: all {whole.mean():.3f} [{low:.3f}, {high:.3f}], only those that speak {part.mean():.3f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    table = commands.add_parser("table")
    table.add_argument("scores")
    table.add_argument("--table", required=True)
    table.add_argument("--metric", required=True)
    table.add_argument("--aggregate", default="trio")
    simulate = commands.add_parser("simulate")
    simulate.add_argument("rhos", nargs="+", type=float)
    simulate.add_argument("--rule", default="log_rank", choices=("log_rank", "rank_sum", "median_rank"))
    for command in (table, simulate):
        command.add_argument("--draws", type=int, default=200)
    arguments = parser.parse_args()
    if arguments.command == "table":
        of_table(arguments.scores, arguments.table, arguments.metric, arguments.aggregate, arguments.draws)
    else:
        of_correlations(arguments.rhos, arguments.rule, arguments.draws)


if __name__ == "__main__":
    main()
