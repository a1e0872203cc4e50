"""Lines for docs/correlations.csv from what `jaxzc evaluate --csv` wrote.

    jaxzc evaluate scores.parquet --table embedded --metric test_accuracy --csv leaderboard.csv
    python benchmarks/correlations.py leaderboard.csv --benchmark "NAS-Bench-201, CIFAR-10" --metric test_accuracy docs/correlations.csv
    jaxzc proxies --markdown --correlations docs/correlations.csv > proxies.md

Lines of the same proxies, benchmark and metric are replaced; proxies with settings, and those of one's own, are left out.
"""

import argparse
import csv
from pathlib import Path

import jaxzc
from jaxzc.catalogue.reference import COLUMNS, read_correlations


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("leaderboard", type=Path)
    parser.add_argument("table", type=Path, help="CSV file to add to; made where it does not exist")
    parser.add_argument("--benchmark", required=True, help="space and data, such as 'NAS-Bench-201, CIFAR-10'")
    parser.add_argument("--metric", required=True)
    arguments = parser.parse_args()
    lines = read_correlations(arguments.table) if arguments.table.exists() else []
    new = {}
    with open(arguments.leaderboard, newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            if row["proxy"] in jaxzc.PROXIES and row["spearman"]:
                values = [f"{float(row[name]):.4f}" for name in ("spearman", "spearman_low", "spearman_high")]
                facts = (row["proxy"], arguments.benchmark, arguments.metric, *values, row["finite"], f"{float(row['kendall']):.4f}")
                new[facts[:3]] = dict(zip(COLUMNS, facts, strict=True))
    others = [line for line in lines if tuple(line[name] for name in COLUMNS[:3]) not in new]
    order = list(jaxzc.PROXIES)
    both = sorted([*others, *new.values()], key=lambda line: (line["benchmark"], line["metric"], order.index(line["proxy"])))
    with open(arguments.table, "w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(COLUMNS), lineterminator="\n")
        writer.writeheader()
        writer.writerows(both)


if __name__ == "__main__":
    main()
