"""`jaxzc search`: look for the best architecture of a space within a budget."""

import argparse
import contextlib
import sys
import time
from dataclasses import fields
from importlib.metadata import version
from pathlib import Path
from typing import Any

import jax
import numpy as np

from jaxzc import tables
from jaxzc._durable.keeper import Stopped
from jaxzc.aggregates import AGGREGATES
from jaxzc.catalogue.selection import select, split_names
from jaxzc.cli import common, named_costs
from jaxzc.facts import proxy_facts
from jaxzc.scoring.space import SpaceScorer
from jaxzc.search import ALGORITHMS, Problem, Search, State, folder, parse_budget
from jaxzc.search import run as run_search
from jaxzc.search.scores import Scores, proxy_scores, table_scores
from jaxzc.types import JaxzcError, Space

HELP = "search a space for the best architecture within a budget"
EPILOG = """Fitness: one proxy; or several, by the sum of the logarithms of their ranks among all networks seen so far; or columns of a
table (--table, --metric), to study a search without scoring. Proxies whose card says "lower is better" are turned.
Interrupt it with Ctrl-C or SIGTERM when you like: the same command goes on where it was, with the result that it would have had. A finished
search goes on when you raise --evaluations.

--algorithm     settings (their defaults)
  random        --generation (64)
  evolution     --population (64), --tournament (10), --genes (1), --generation (1): regularised (aging) evolution
  steady-state  --population (512), --initial (64), --genes (1), --generation (1): (mu + lambda), as in Zen-NAS, ZiCo and AZ-NAS
  local         --generation (64): the best neighbour, again and again
  nsga2         --population (64), --genes (1), --generation (as the population): fitness against --costs

DIR holds evaluated.parquet (the log), front.parquet, winner.txt, three plots, and state.npz with search.json to go on from.

examples:
  jaxzc search nasbench201 --fitness naswot --set channels=4 --set cells=1 --evaluations 100 --out found
  jaxzc search nasbench201 --fitness zico,naswot --data npz:cifar10.npz --budget "flops<=100e6,params<=1e6" --out found
  jaxzc search nasbench201 --table nasbench201.csv --metric c10_test --algorithm nsga2 --costs flops,params --out found
  jaxzc search nasbench201 --fitness naswot --costs my_costs:latency,params --budget "latency<=3.5" --out found

my_costs.py, in the working directory: def latency(archs): return [table[arch] for arch in archs]

Where random architectures miss the budget, a descent by mutation leads to it, and the search begins with what it finds there.
"""

DATA = "digits; normal with --table"

CHUNK = 8
"""Architectures scored between two looks at the clock and at Ctrl-C."""


def add(commands: Any) -> None:
    command = commands.add_parser(
        "search", help=HELP, description=HELP, epilog=EPILOG, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    common.add_network_arguments(command, batches=2)
    common.add_device_arguments(command)
    command.set_defaults(data=DATA)
    what = command.add_mutually_exclusive_group(required=True)
    what.add_argument(
        "--fitness", metavar="A,B,...", help="proxies, with settings in brackets, several ranked together; or an aggregate such as trio"
    )
    what.add_argument("--table", metavar="FILE", help=f"CSV(.gz) or Parquet with a column 'arch', or '{common.EMBEDDED}'")
    command.add_argument("--metric", metavar="A,B,...", help="columns of the table, higher is better")
    command.add_argument(
        "--budget",
        metavar="LIMITS",
        help='for example "flops<=100e6,params<=1e6,layers<=60" (and what docs/spaces.md says else); nothing else is scored',
    )
    command.add_argument("--algorithm", choices=list(ALGORITHMS), default="evolution", help="(default: %(default)s)")
    command.add_argument("--evaluations", type=common.positive, default=500, metavar="N", help="networks to score (default: %(default)s)")
    for name, text in (
        ("population", "networks to breed from"),
        ("tournament", "networks among which the parent is the best"),
        ("initial", "random networks to begin with"),
        ("genes", "mutations per child"),
        ("generation", "networks asked for at a time"),
    ):
        command.add_argument(f"--{name}", type=common.positive, metavar="N", help=f"{text} (default: see --algorithm)")
    command.add_argument(
        "--costs",
        "--cost",
        default="flops",
        metavar="A,B",
        help="for front and nsga2: params, flops, layers, or module:function, of architecture strings [n] -> numbers [n], whose name can "
        "stand in --budget (default: %(default)s)",
    )
    command.add_argument(
        "--duplicates",
        choices=("canonical", "exact"),
        default="canonical",
        help="never score twice what is isomorphic, or only what has the same genes (default: %(default)s)",
    )
    command.add_argument("--start", metavar="FILE", help="architectures to begin with (as --archs of `jaxzc score`)")
    command.add_argument("--seed", type=common.seed, default=0, metavar="S", help="of search, images and weights (default: %(default)s)")
    command.add_argument("--out", required=True, metavar="DIR", help="directory of the search: new, or to be resumed")
    command.add_argument("--overwrite", action="store_true", help="forget the search in DIR")
    command.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> None:
    directory = Path(arguments.out)
    if arguments.data == DATA:  # tables know no images: 32x32x3 is the size of most benchmarks
        arguments.data = "normal" if arguments.table not in (None, common.EMBEDDED) else "digits"
    if not directory.absolute().parent.is_dir():
        raise JaxzcError(f"there is no directory {directory.absolute().parent} for {directory.name}: create it first")
    constraints = parse_budget(arguments.budget) if arguments.budget is not None else ()
    algorithm = _algorithm(arguments)
    names, higher, columns = _names(arguments)
    space, (drawn,) = common.prepare(arguments, [arguments.seed])
    wanted_costs = split_names(arguments.costs)
    problem = Problem(space, names, higher, constraints, named_costs.costs(wanted_costs, space), arguments.duplicates)
    search = Search(problem, algorithm)
    start = tables.read_archs(common.table(arguments.start), space).archs if arguments.start is not None else None
    settings = {
        "space": repr(space),
        "fitness": list(names),
        "budget": problem.describe(),
        "algorithm": repr(algorithm),
        "costs": wanted_costs,
        "duplicates": arguments.duplicates,
        "start": None if start is None else [space.to_string(arch) for arch in start],
        "seed": arguments.seed,
        **(_table_facts(arguments, columns) if arguments.table else _network_facts(arguments, drawn.digest)),
    }
    begun = search.init(arguments.seed, start)
    with folder.opened(directory, settings, begun, overwrite=arguments.overwrite, note=common.note) as state:
        if state.evaluated:
            common.note(f"{directory}: going on after {state.evaluated} evaluations")
        score = table_scores(space, columns) if arguments.table else _scores(arguments, space, drawn)
        clock = _Clock(score)
        state = _search(arguments, search, state, clock, directory)
        winner = folder.write_results(directory, search, state, settings)
        _draw(directory, search, state)
    print(_summary(arguments, search, state, winner, clock))


def _algorithm(arguments: argparse.Namespace) -> Any:
    make = ALGORITHMS[arguments.algorithm]
    known = {field.name for field in fields(make)}
    chosen = {}
    for option in ("population", "tournament", "initial", "genes", "generation"):
        name, value = "batch" if option == "generation" else option, getattr(arguments, option)
        if value is not None and name not in known:
            raise JaxzcError(f"--{option} means nothing to --algorithm {arguments.algorithm}: leave it out, or choose another algorithm")
        if value is not None:
            chosen[name] = value
    return make(**chosen)


def _names(arguments: argparse.Namespace) -> tuple[tuple[str, ...], tuple[bool, ...], dict[str, dict[str, float]]]:
    """Names of the scores, whether higher is better, and the table's columns."""
    if not arguments.table:
        if arguments.metric:
            raise JaxzcError("--metric names columns of a table: add --table FILE, or leave --metric out")
        chosen = select(fitness(arguments))
        common.check_sizes(chosen, arguments)
        directions = {label: proxy_facts(proxy).higher_is_better for label, proxy in chosen.items()}
        for label, higher in directions.items():
            if higher is None:
                raise JaxzcError(
                    f"--fitness {label}: whether a higher or a lower score is better is not stated: write "
                    "@jaxzc.proxy(direction='higher'), or 'lower', above the function"
                )
        return tuple(chosen), tuple(map(bool, directions.values())), {}
    names = tuple(split_names(arguments.metric or ""))
    if not names:
        raise JaxzcError(f"--table {arguments.table} has many columns: name those that are the fitness with --metric")
    columns = {name: tables.read_truth(common.table(arguments.table), name) for name in names}
    return names, (True,) * len(names), columns


def fitness(arguments: argparse.Namespace) -> str:
    """The proxies of --fitness; an aggregate stands for those that it combines, where it combines them as a search does."""
    aggregate = AGGREGATES.get(arguments.fitness.strip())
    if aggregate is None:
        return arguments.fitness
    if not aggregate.is_log_rank:
        raise JaxzcError(
            f"--fitness {arguments.fitness}: a search ranks several scores by log_rank, which this aggregate does not; name one of "
            f"{', '.join(name for name, a in AGGREGATES.items() if a.is_log_rank)}, or proxies"
        )
    return ",".join(aggregate.proxies)


def _table_facts(arguments: argparse.Namespace, columns: dict[str, dict[str, float]]) -> dict[str, Any]:
    return {"table": str(arguments.table), "rows": {name: len(values) for name, values in columns.items()}}


def _network_facts(arguments: argparse.Namespace, digest: str) -> dict[str, Any]:
    names = ("batch_size", "batches", "weights", "init", "norm")
    versions = {name: version(name) for name in ("jaxzc", "jax", "flax")}
    return {"data": arguments.data, "data_digest": digest, **{n: getattr(arguments, n) for n in names}, "versions": versions}


def _scores(arguments: argparse.Namespace, space: Space, drawn: Any) -> Scores:
    names = ("weights", "init", "norm", "chunk")
    options = {name: getattr(arguments, name) for name in names}
    scorer = SpaceScorer(space, drawn.batches, fitness(arguments), devices=arguments.devices or jax.local_device_count(), **options)
    return proxy_scores(scorer, arguments.seed)


class _Clock:
    """Scores, and remembers how long that took."""

    def __init__(self, score: Scores):
        self.score, self.scoring, self.total = score, 0.0, 0.0

    def __call__(self, archs: np.ndarray) -> np.ndarray:
        started = time.perf_counter()
        try:
            return self.score(archs)
        finally:
            self.scoring += time.perf_counter() - started


def _search(arguments: argparse.Namespace, search: Search, state: State, clock: _Clock, directory: Path) -> State:
    from tqdm.auto import tqdm

    started, before = time.perf_counter(), state.evaluated
    note = (lambda text: None) if arguments.quiet else common.note
    states = folder.kept(run_search(search, state, clock, arguments.evaluations, CHUNK, note), directory)
    interval = 0.1 if sys.stderr.isatty() else 30
    bar = tqdm(total=arguments.evaluations, initial=before, unit="evaluation", mininterval=interval, disable=arguments.quiet)
    try:
        with bar, contextlib.closing(states):
            for state in states:
                bar.set_postfix_str(_best(search, state), refresh=False)
                bar.update(state.evaluated - bar.n)
    except KeyboardInterrupt as error:
        kept = f"{state.evaluated} evaluations are kept in {directory}: the same command goes on"
        raise Stopped(kept, getattr(error, "code", 130)) from error
    clock.total = time.perf_counter() - started
    if state.evaluated < arguments.evaluations:
        common.note(f"{search.problem.space.name} has no other architecture within {search.problem.describe()}: the search ends early")
    return state


def _best(search: Search, state: State) -> str:
    """The scores of the best network so far: a sum of ranks, which changes with every evaluation, would say nothing."""
    if not np.isfinite(state.fitness).any():
        return "no finite score yet"
    row = int(np.nanargmax(state.fitness))
    scores = zip(search.problem.scores, state.scores[row], strict=True)
    return f"best: {', '.join(f'{name} {value:.4g}' for name, value in scores)}"


def _draw(directory: Path, search: Search, state: State) -> None:
    from jaxzc import report  # half a second of import that only the end needs
    from jaxzc.search import plots

    pictures = {"best_so_far": plots.plot_best_so_far(search, state)[0], "lineage": plots.plot_lineage(search, state)}
    for k, name in enumerate(search.problem.cost_names):
        pictures[f"fitness_against_{name}"] = plots.plot_fitness_against_cost(search, state, k)
    for name, axes in pictures.items():
        for kind in ("png", "pdf"):
            report.save(axes, directory / f"{name}.{kind}")


def _summary(arguments: argparse.Namespace, search: Search, state: State, winner: int, clock: _Clock) -> str:
    space, arch = search.problem.space, state.archs[winner]
    string, counts = space.to_string(arch), space.counts(arch[None])
    scores = ", ".join(f"{name} {value:.6g}" for name, value in zip(search.problem.scores, state.scores[winner], strict=True))
    invalid = int(np.count_nonzero(np.isnan(state.fitness)))
    overhead = clock.total - clock.scoring
    share = f" ({100 * overhead / clock.total:.2g} % of the time)" if clock.total else ""
    images = "DATA" if arguments.data == "normal" else arguments.data  # noise teaches nothing
    options = " ".join(f"--set {pair}" for pair in arguments.set)
    made = f"jaxzc.space({arguments.space!r}, classes={space.classes}, inputs={space.inputs.shape}"
    made += "".join(f", {pair}" for pair in arguments.set) + ")"
    return "\n".join(
        [
            f"{arguments.out}: {state.evaluated} evaluations{f', {invalid} without a finite score' if invalid else ''}; "
            f"this run scored for {clock.scoring:.1f} s and searched for {overhead:.2g} s{share}",
            f"winner: {string}",
            f"  {scores}; {int(counts.params[0]):,} parameters, {int(counts.flops[0]):,} FLOPs (multiply-accumulates), "
            f"{int(counts.layers[0])} layers; found as number {winner + 1}",
            f"front: {len(search.front(state))} networks in {Path(arguments.out) / 'front.parquet'}",
            "train it:",
            f"  jaxzc train {arguments.space} '{string}' --data {images} {options}".rstrip(),
            *_as_python(space, made, string),
        ]
    )


def _as_python(space: Any, made: str, string: str) -> list[str]:
    """Lines to be pasted, which make the network and call it; none for a space that gives no modules."""
    if not hasattr(space, "module"):
        return []
    return [
        "as a Flax NNX module, in Python (model.train() and model.eval() switch its normalisation):",
        "import jax.numpy as jnp, jaxzc",
        f"space = {made}",
        f"model = space.module(space.parse({string!r}))",
        f"logits = model(jnp.zeros((2, {', '.join(map(str, space.inputs.shape))})))",
    ]
