"""What accuracy does a search end in when it never trains? Many runs of a search whose fitness is a column of a score table.

    python benchmarks/search_fitness.py scores.parquet --table accuracies.csv.gz --metric c10_test --fitness trio --fitness zico

Prints, per fitness and algorithm: mean and standard deviation over the runs of the accuracy of the network that the search chooses; beside
it the choice from the whole table, the best accuracy in it, and a random search of as many evaluations by the same fitness. A space whose
isomorphic cells were scored once may be given that table: members share the scores of their class (by canonical form and counts).
"""

import argparse

import numpy as np

from jaxzc import catalogue
from jaxzc.aggregates import AGGREGATES
from jaxzc.search import AgingEvolution, Problem, RandomSearch, Search, SteadyState, run
from jaxzc.selection import split_names
from jaxzc.tables import read_scores, read_truth

ALGORITHMS = {"random": RandomSearch(), "aging": AgingEvolution(population=64), "steady": SteadyState(population=64)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("scores")
    parser.add_argument("--table", required=True)
    parser.add_argument("--metric", action="append", required=True)
    parser.add_argument("--fitness", action="append", required=True, help="columns, several ranked together, or a log-rank aggregate")
    parser.add_argument("--space", default="nasbench201")
    parser.add_argument("--evaluations", type=int, default=500)
    parser.add_argument("--runs", type=int, default=20)
    given = parser.parse_args()
    space = catalogue.space(given.space, classes=10, image_shape=(32, 32, 3))
    table = read_scores(given.scores).columns
    archs = space.enumerate()
    strings = [space.to_string(arch) for arch in archs]
    row = _rows(space, archs, table["arch"].tolist())
    columns = {metric: read_truth(given.table, metric) for metric in given.metric}
    truths = {metric: np.array([column[text] for text in strings]) for metric, column in columns.items()}
    place = {arch.tobytes(): number for number, arch in enumerate(np.asarray(archs, np.int32))}
    higher = catalogue.directions()
    print(f"{np.count_nonzero(row >= 0):,} of {len(archs):,} architectures have scores; {given.evaluations} evaluations, {given.runs} runs")
    for fitness in given.fitness:
        names = AGGREGATES[fitness].proxies if fitness in AGGREGATES else tuple(split_names(fitness))
        scores = np.stack([np.where(row >= 0, table[name][row], np.nan) for name in names], axis=1)
        problem = Problem(space, names, tuple(higher.get(name.partition("(")[0], True) for name in names))

        def look_up(asked: np.ndarray, scores: np.ndarray = scores) -> np.ndarray:
            return scores[[place[arch.tobytes()] for arch in np.asarray(asked, np.int32)]]

        whole = problem.fitness(scores)
        for metric, truth in truths.items():
            chosen, best = truth[np.nanargmax(whole)], truth.max()
            print(f"\n{fitness}, {metric}: best of the table by fitness {chosen:.2f}, best there is {best:.2f}")
            for name, algorithm in ALGORITHMS.items():
                found = []
                for seed in range(given.runs):
                    search = Search(problem, algorithm)
                    *_, state = run(search, search.init(seed=seed), look_up, given.evaluations)
                    found.append(truth[place[np.asarray(state.archs[search.best(state)], np.int32).tobytes()]])
                print(f"  {name:8s} {np.mean(found):.2f} +- {np.std(found, ddof=1):.2f}  [{min(found):.2f}, {max(found):.2f}]", flush=True)


def _rows(space, archs: np.ndarray, scored: list[str]) -> np.ndarray:
    """For each architecture the row of the table that scores it, or a member of its class; -1 where none does."""

    def classes(archs: np.ndarray) -> list[tuple]:
        counts = space.counts(archs)
        return list(zip(map(bytes, np.ascontiguousarray(space.canonical(archs))), *(c.tolist() for c in counts), strict=True))

    known = {key: number for number, key in enumerate(classes(np.stack([space.parse(text) for text in scored])))}
    return np.array([known.get(key, -1) for key in classes(archs)])


if __name__ == "__main__":
    main()
