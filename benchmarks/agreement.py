"""How far our ranks agree with scores that others published, network by network.

    python benchmarks/agreement.py scores.parquet theirs.csv.gz --pairs synflow,naswot=nwot --table nb201.csv.gz --by ops --metric c10_test

Spearman's correlation of ours with theirs, and of each with the accuracy. `--pairs`: our column, or ours=theirs. `--table` has `arch`,
the metric, and the column `--by` that names the same network in their file. `--only dataset=cifar10` chooses lines of theirs, of which a
network's first counts; numbers of -1e8 and below, and all that is not finite, are left out.
"""

import argparse
import csv
import gzip
from pathlib import Path

import numpy as np

import jaxzc


def lines(path: str) -> list[dict[str, str]]:
    with gzip.open(path, "rt", newline="") if Path(path).suffix == ".gz" else open(path, newline="") as file:
        return list(csv.DictReader(file))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("scores")
    parser.add_argument("theirs")
    parser.add_argument("--pairs", required=True)
    parser.add_argument("--table", required=True)
    parser.add_argument("--by", default="arch")
    parser.add_argument("--metric", required=True)
    parser.add_argument("--only", metavar="COLUMN=VALUE")
    arguments = parser.parse_args()
    scores = jaxzc.tables.read_scores(arguments.scores).columns
    own = {arch: row for row, arch in enumerate(scores["arch"])}
    truth = {line[arguments.by]: (line["arch"], float(line[arguments.metric])) for line in lines(arguments.table)}
    column, _, value = (arguments.only or "=").partition("=")
    theirs_of: dict[str, tuple[float, dict[str, str]]] = {}
    for line in lines(arguments.theirs):
        arch, accuracy = truth[line[arguments.by]]
        if arch in own and (not column or line[column] == value):
            theirs_of.setdefault(arch, (accuracy, line))
    for pair in arguments.pairs.split(","):
        ours, _, theirs = pair.partition("=")
        rows = [(scores[ours][own[arch]], float(line[theirs or ours] or "nan"), accuracy) for arch, (accuracy, line) in theirs_of.items()]
        table = np.array([row for row in rows if np.isfinite(row).all() and row[1] > -1e8])
        both, mine, other = (jaxzc.evaluation.spearman(table[:, a], table[:, b]) for a, b in ((0, 1), (0, 2), (1, 2)))
        print(f"{pair:24} {len(table):6,} networks: agreement {both:.3f}; with {arguments.metric}: ours {mine:.3f}, theirs {other:.3f}")


if __name__ == "__main__":
    main()
