"""What accuracy does a search end in when it never trains? Many runs of a search whose fitness is a column of score tables.

    python benchmarks/search_fitness.py scores.parquet --table accuracies.csv.gz --metric c10_test --fitness trio --fitness zico
    python benchmarks/search_fitness.py some.parquet more.parquet ... --data npz:cifar10_sample.npz --keep missing.parquet

Prints, per fitness and algorithm: mean and standard deviation over the runs of the accuracy of the network that the search chooses; beside
it the choice from the whole table, the best accuracy in it, and a random search of as many evaluations by the same fitness. A space whose
isomorphic cells were scored once may be given that table: members share the scores of their class (by canonical form and counts). Where
the first table holds more rows than evaluations (random architectures, each scored), "rows" is the best by fitness of as many of its rows,
drawn at random: a random search that needs no further scores.

With --data, what the tables lack is scored when a search asks for it, with all columns that the tables share, and kept in --keep.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np

import jaxzc
from jaxzc.catalogue import cards
from jaxzc.search import AgingEvolution, Problem, RandomSearch, Search, SteadyState, run
from jaxzc.types.names import split_names

ALGORITHMS = {"random": RandomSearch(), "aging": AgingEvolution(population=64), "steady": SteadyState(population=64)}


class Scores:
    """Scores by isomorphism class; what is not there is scored where there is a scorer, and NaN otherwise."""

    def __init__(self, space, tables: Sequence[dict[str, np.ndarray]], columns: Sequence[str], scorer: jaxzc.SpaceScorer | None):
        self.space, self.columns, self.scorer = space, columns, scorer
        self.rows: dict[tuple, dict[str, float]] = {}
        self.added: list[dict] = []
        for table in tables:
            values = zip(*(table[name] for name in columns), strict=True)
            for key, row in zip(self.classes(np.stack([space.parse(t) for t in table["arch"]])), values, strict=True):
                self.rows.setdefault(key, dict(zip(columns, row, strict=True)))

    def classes(self, archs: np.ndarray) -> list[tuple]:
        counts = self.space.counts(archs)
        canonical = np.ascontiguousarray(self.space.canonical(archs))
        return list(zip(map(bytes, canonical), *(c.tolist() for c in counts), strict=True))

    def known(self, archs: np.ndarray, names: Sequence[str]) -> np.ndarray:
        """`[n, names]`, NaN where there is no row."""
        return np.array([[self.rows[key][name] if key in self.rows else np.nan for name in names] for key in self.classes(archs)])

    def asked(self, archs: np.ndarray, names: Sequence[str]) -> np.ndarray:
        """`[n, names]`; what is not there is scored first."""
        for key, arch in zip(self.classes(archs), archs, strict=True) if self.scorer else ():
            if key not in self.rows:
                self.rows[key] = self.scorer.one(arch)
                self.added.append({"arch": self.space.to_string(arch), **self.rows[key]})
        return self.known(archs, names)

    def keep(self, path: str | None) -> None:
        if path and self.added:
            table = {name: [row[name] for row in self.added] for name in self.added[0]}
            jaxzc.tables.write_scores(path, table, {"made by": "benchmarks/search_fitness.py"}, overwrite=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("scores", nargs="+")
    parser.add_argument("--table", required=True)
    parser.add_argument("--metric", action="append", required=True)
    parser.add_argument("--fitness", action="append", required=True, help="columns, several ranked together, or a log-rank aggregate")
    parser.add_argument("--algorithm", action="append", choices=ALGORITHMS, help="default: all")
    parser.add_argument("--space", default="nasbench201")
    parser.add_argument("--evaluations", type=int, default=500)
    parser.add_argument("--runs", type=int, default=20)
    parser.add_argument("--data", help="images to score what the tables lack with, as of `jaxzc score`: two batches of 64, seed 0")
    parser.add_argument("--keep", metavar="FILE", help="table of what was scored here; read first where it is there")
    arguments = parser.parse_args()
    space = jaxzc.space(arguments.space, classes=10, inputs=(32, 32, 3))
    paths = [*arguments.scores, *([arguments.keep] if arguments.keep and Path(arguments.keep).exists() else [])]
    tables = [jaxzc.tables.read_scores(path).columns for path in paths]
    columns = [name for name in tables[0] if name not in ("arch", "seed") and all(name in table for table in tables)]
    images = jaxzc.data.load(arguments.data, batch_size=64, batches=2, seed=0).batches if arguments.data else None
    scores = Scores(space, tables, columns, jaxzc.SpaceScorer(space, images, columns) if images else None)
    if arguments.keep and len(paths) > len(arguments.scores):
        scores.added = [dict(zip(tables[-1], row, strict=True)) for row in zip(*tables[-1].values(), strict=True)]
    archs = np.asarray(space.enumerate())
    strings = [space.to_string(arch) for arch in archs]
    truths = {metric: jaxzc.tables.read_truth(arguments.table, metric) for metric in arguments.metric}
    higher = cards.directions()
    known = np.count_nonzero(~np.isnan(scores.known(archs, columns[:1])))
    print(f"{known:,} of {len(archs):,} architectures have scores; {arguments.evaluations} evaluations, {arguments.runs} runs", flush=True)
    for fitness in arguments.fitness:
        names = jaxzc.aggregates.AGGREGATES[fitness].proxies if fitness in jaxzc.aggregates.AGGREGATES else tuple(split_names(fitness))
        problem = Problem(space, names, tuple(higher.get(name.partition("(")[0], True) for name in names))
        for name in arguments.algorithm or ALGORITHMS:
            search, chosen = Search(problem, ALGORITHMS[name]), []
            for seed in range(arguments.runs):
                *_, state = run(
                    search, search.init(seed=seed), lambda archs, names=names: scores.asked(np.asarray(archs), names), arguments.evaluations
                )
                chosen.append(space.to_string(state.archs[search.best(state)]))
                scores.keep(arguments.keep)
            for metric, truth in truths.items():
                print(f"{fitness}, {metric}, {name:8s} {_summary([truth[text] for text in chosen])}", flush=True)
        if len(tables[0]["arch"]) > arguments.evaluations and all(name in tables[0] for name in names):
            sample = np.stack([tables[0][name] for name in names], axis=1)
            for metric, truth in truths.items():
                print(f"{fitness}, {metric}, rows     {_of_rows(problem, sample, tables[0]['arch'], truth, arguments)}", flush=True)
        whole = problem.fitness(scores.known(archs, names))
        for metric, truth in truths.items():
            best = strings[np.nanargmax(whole)]
            rows = f"{np.count_nonzero(~np.isnan(whole)):,} scored architectures"
            print(
                f"{fitness}, {metric}, best by fitness of {rows}: {truth[best]:.2f}; best there is: {np.nanmax(list(truth.values())):.2f}",
                flush=True,
            )


def _of_rows(problem: Problem, scores: np.ndarray, archs: Sequence[str], truth: dict[str, float], arguments: argparse.Namespace) -> str:
    accuracies = []
    for seed in range(arguments.runs):
        rows = np.random.default_rng(seed).choice(len(archs), arguments.evaluations, replace=False)
        accuracies.append(truth[archs[rows[np.nanargmax(problem.fitness(scores[rows]))]]])
    return _summary(accuracies)


def _summary(accuracies: Sequence[float]) -> str:
    return f"{np.mean(accuracies):.2f} +- {np.std(accuracies, ddof=1):.2f}  [{min(accuracies):.2f}, {max(accuracies):.2f}]"


if __name__ == "__main__":
    main()
