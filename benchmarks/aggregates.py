"""Which combination of proxies ranks best? Tries every one on the architectures that it is given, and says how many it tried.

    python benchmarks/aggregates.py scores.parquet --table accuracies.csv.gz --metric test_accuracy --rows 500

The choice that it prints is fitted to these architectures: judge it on others, with `jaxzc evaluate --aggregate`. Nothing is weighted; a
combination is a set of proxies and a rule, by Kendall's tau-b. NaN ranks last, as in the aggregates that ship with jaxzc.
"""

import argparse
from itertools import combinations

import numpy as np
from scipy import stats

import jaxzc
from jaxzc.catalogue import cards
from jaxzc.types.names import split_names

CANDIDATES = "sweet_ntk,sweetimator,sweet_snip,sweet_gradsign,naswot,synflow,zico,jacob_cov,snr_snip,lnwot,tcet_snip,layers,flops,params"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("scores", help="Parquet file of `jaxzc score`, one seed")
    parser.add_argument("--table", required=True)
    parser.add_argument("--metric", required=True)
    parser.add_argument("--rows", type=int, help="only the first N rows of the scores (default: all)")
    parser.add_argument("--candidates", default=CANDIDATES, help="proxies to combine (default: %(default)s)")
    parser.add_argument("--largest", type=int, default=5, help="proxies in a combination at most (default: %(default)s)")
    parser.add_argument("--show", type=int, default=10, help="of each size (default: %(default)s)")
    arguments = parser.parse_args()
    columns, truth = jaxzc.tables.read_scores(arguments.scores).columns, jaxzc.tables.read_truth(arguments.table, arguments.metric)
    archs = columns["arch"].tolist()[: arguments.rows]
    known = np.array([np.isfinite(truth.get(a, np.nan)) for a in archs])
    accuracy = np.array([truth.get(a, np.nan) for a in archs])[known]
    higher = cards.directions()
    ranks = {}
    for name in split_names(arguments.candidates):
        score = columns[name][: arguments.rows][known] * (-1 if higher.get(name.partition("(")[0]) is False else 1)
        ranks[name] = stats.rankdata(np.where(np.isnan(score), -np.inf, score)) / len(score)
    tried = []
    for size in range(1, arguments.largest + 1):
        for names in combinations(ranks, size):
            chosen = np.stack([ranks[name] for name in names])
            rules = {"log_rank": np.log(chosen).sum(0), "rank_sum": chosen.sum(0)} if size > 1 else {"alone": chosen[0]}
            tried += [(float(stats.kendalltau(score, accuracy)[0]), size, f"{rule}({','.join(names)})") for rule, score in rules.items()]
    print(f"{len(accuracy)} architectures, {len(tried):,} combinations tried, Kendall against {arguments.metric}")
    for size in range(1, arguments.largest + 1):
        best = sorted((t for t in tried if t[1] == size), reverse=True)[: arguments.show]
        print("\n" + "\n".join(f"{tau:.4f}  {text}" for tau, _, text in best))


if __name__ == "__main__":
    main()
