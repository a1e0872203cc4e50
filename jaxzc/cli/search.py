"""`jaxzc search`: look for the best architecture of a space within a budget."""

import argparse
import contextlib
import shlex
import sys
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np

from jaxzc import embedded
from jaxzc.cli.arguments import Subcommands
from jaxzc.cli.arguments.groups import add_device_arguments, add_network_arguments
from jaxzc.cli.arguments.numbers import number_or_all, positive, seed
from jaxzc.cli.arguments.requests import keep_compiled, options, request_fields
from jaxzc.cli.terminal import note
from jaxzc.search import ALGORITHMS, Algorithm, Search, State
from jaxzc.search.curves import curves
from jaxzc.search.job.folder import CODE
from jaxzc.search.job.request import SearchRequest
from jaxzc.search.job.run import OnState, SearchResult, run_search
from jaxzc.types import JaxzcError, WithTask
from jaxzc.types.names import split_names

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

DIR holds evaluated.parquet (the log), front.parquet, winner.txt, winner.py (its Flax code, which needs no jaxzc), three plots, and
state.npz with search.json to go on from.

examples:
  jaxzc search nasbench201 --fitness naswot --set channels=4 --set cells=1 --evaluations 100 --out found
  jaxzc search nasbench201 --fitness zico,naswot --data npz:cifar10.npz --budget "flops<=100e6,params<=1e6" --out found
  jaxzc search nasbench201 --table nasbench201.csv --metric c10_test --algorithm nsga2 --costs flops,params --out found
  jaxzc search nasbench201 --fitness naswot --costs my_costs:latency,params --budget "latency<=3.5" --out found
  jaxzc search nasbench201 --fitness naswot --costs latency --latency-table latencies.csv:raspi4 --budget "latency<=20" --out found

my_costs.py, in the working directory: def latency(archs): return [table[arch] for arch in archs]

Where random architectures miss the budget, a descent by mutation leads to it, and the search begins with what it finds there.
"""

DATA = "digits; normal with --table"


def add(commands: Subcommands) -> None:
    command = commands.add_parser(
        "search", help=HELP, description=HELP, epilog=EPILOG, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add_network_arguments(command, batches=SearchRequest.batches)
    add_device_arguments(command)
    command.set_defaults(data=DATA)
    what = command.add_mutually_exclusive_group(required=True)
    what.add_argument(
        "--fitness", metavar="A,B,...", help="proxies, with settings in brackets, several ranked together; or an aggregate such as trio"
    )
    what.add_argument("--table", metavar="FILE", help=f"CSV(.gz) or Parquet with a column 'arch', or '{embedded.NAME}'")
    command.add_argument("--metric", metavar="A,B,...", help="columns of the table, higher is better")
    command.add_argument(
        "--budget",
        metavar="LIMITS",
        help='for example "flops<=100e6,params<=1e6,layers<=60" (and what else the space counts); nothing else is scored',
    )
    command.add_argument("--algorithm", choices=list(ALGORITHMS), default=SearchRequest.algorithm, help="(default: %(default)s)")
    command.add_argument(
        "--evaluations", type=positive, default=SearchRequest.evaluations, metavar="N", help="networks to score (default: %(default)s)"
    )
    for name, text in (
        ("population", "networks to breed from"),
        ("tournament", "networks among which the parent is the best"),
        ("initial", "random networks to begin with"),
        ("genes", "mutations per child"),
        ("generation", "networks asked for at a time"),
    ):
        command.add_argument(f"--{name}", type=positive, metavar="N", help=f"{text} (default: see --algorithm)")
    command.add_argument(
        "--costs",
        "--cost",
        default=",".join(map(str, SearchRequest.costs)),
        metavar="A,B",
        help="for front and nsga2: params, flops, layers; latency (ms) and peak_memory (bytes) of a compiled forward pass of one example "
        "on this machine; or module:function, of architecture strings [n] -> numbers [n]. Their names can stand in --budget "
        "(default: %(default)s)",
    )
    command.add_argument(
        "--latency-table", metavar="FILE:COLUMN", help="the cost latency from a column of FILE, which has a column 'arch', instead"
    )
    command.add_argument(
        "--duplicates",
        choices=("canonical", "exact"),
        default=SearchRequest.duplicates,
        help="never score twice what is isomorphic, or only what has the same genes (default: %(default)s)",
    )
    command.add_argument("--start", metavar="FILE", help="architectures to begin with (as --archs of `jaxzc score`)")
    command.add_argument(
        "--seed", type=seed, default=SearchRequest.seed, metavar="S", help="of search, data and weights (default: %(default)s)"
    )
    command.add_argument(
        "--processes",
        type=number_or_all,
        default=SearchRequest.processes,
        metavar="N",
        help="processes that score a generation side by side, each with processors of its own, or 'all' for one on each: with free widths "
        "a fifth to a third less time on two; asks for a --generation of a few networks for each (default: %(default)s)",
    )
    command.add_argument("--out", required=True, metavar="DIR", help="directory of the search: new, or to be resumed")
    command.add_argument("--tensorboard", metavar="DIR", help="write the scores as TensorBoard events (pip install 'jaxzc[tensorboard]')")
    command.add_argument("--overwrite", action="store_true", help="forget the search in DIR")
    command.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> None:
    if not arguments.table and arguments.metric:
        raise JaxzcError("--metric names columns of a table: add --table FILE, or leave --metric out")
    if arguments.table and not split_names(arguments.metric or ""):
        raise JaxzcError(f"--table {arguments.table} has many columns: name those that are the fitness with --metric")
    keep_compiled(arguments)
    request = _request(arguments)
    with contextlib.ExitStack() as stack:
        told: list[OnState] = [stack.enter_context(_Bar(request.evaluations, quiet=arguments.quiet)).show]
        if arguments.tensorboard is not None:
            told.append(stack.enter_context(curves(arguments.tensorboard)))

        def on_state(search: Search, state: State) -> None:
            for tell in told:
                tell(search, state)

        progress = (lambda text: None) if arguments.quiet else note
        result = run_search(request, note=note, progress=progress, on_state=on_state)
    print(_summary(arguments, request, result))


def _request(arguments: argparse.Namespace) -> SearchRequest:
    """What was typed."""
    typed = request_fields(
        arguments,
        SearchRequest,
        data=None if arguments.data == DATA else arguments.data,
        metric=arguments.metric or (),
        budget=() if arguments.budget is None else arguments.budget,
        algorithm=_algorithm(arguments),
        costs=split_names(arguments.costs),
    )
    return SearchRequest(**typed)


def _algorithm(arguments: argparse.Namespace) -> Algorithm:
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


class _Bar:
    """A progress bar of evaluations, which is drawn from the first state on."""

    def __init__(self, evaluations: int, *, quiet: bool):
        self.evaluations, self.quiet = evaluations, quiet
        self.bar: Any = None

    def __enter__(self) -> "_Bar":
        return self

    def __exit__(self, *error: object) -> None:
        if self.bar is not None:
            self.bar.close()

    def show(self, search: Search, state: State) -> None:
        if self.bar is None:
            from tqdm.auto import tqdm

            interval = 0.1 if sys.stderr.isatty() else 30
            look = {"unit": "evaluation", "mininterval": interval, "disable": self.quiet}
            self.bar = tqdm(total=self.evaluations, initial=state.evaluated, **look)
            return
        self.bar.set_postfix_str(_best(search, state), refresh=False)
        self.bar.update(state.evaluated - self.bar.n)


def _best(search: Search, state: State) -> str:
    """The scores of the best network so far: a sum of ranks, which changes with every evaluation, would say nothing."""
    if not np.isfinite(state.fitness).any():
        return "no finite score yet"
    row = int(np.nanargmax(state.fitness))
    scores = zip(search.problem.scores, state.scores[row], strict=True)
    return f"best: {', '.join(f'{name} {value:.4g}' for name, value in scores)}"


def _summary(arguments: argparse.Namespace, request: SearchRequest, result: SearchResult) -> str:
    space, string, counts = result.space, result.arch, result.space.counts(result.genes[None])
    scores = ", ".join(f"{name} {value:.6g}" for name, value in result.scores.items())
    invalid = int(np.count_nonzero(np.isnan(result.state.fitness)))
    overhead = result.seconds - result.scoring
    share = f" ({100 * overhead / result.seconds:.2g} % of the time)" if result.seconds else ""
    images = "DATA" if request.source == "normal" else request.source  # noise teaches nothing
    command = " ".join([f"{arguments.space} '{string}' --data {images}", *(f"--set {shlex.quote(pair)}" for pair in arguments.set)])
    return "\n".join(
        [
            f"{arguments.out}: {result.state.evaluated} evaluations{f', {invalid} without a finite score' if invalid else ''}; "
            f"this run scored for {result.scoring:.1f} s and searched for {overhead:.2g} s{share}",
            f"winner: {string}",
            f"  {scores}; {int(counts.params[0]):,} parameters, {int(counts.flops[0]):,} FLOPs (multiply-accumulates), "
            f"{int(counts.layers[0])} layers; found as number {result.winner + 1}",
            f"front: {len(result.search.front(result.state))} networks in {Path(arguments.out) / 'front.parquet'}",
            *([] if isinstance(space, WithTask) else ["train it:", f"  jaxzc train {command}"]),
            *as_python(arguments.space, space, options(arguments.set), string, Path(arguments.out)),
        ]
    )


def as_python(name: str, space: Any, settings: Mapping[str, Any], string: str, out: Path) -> list[str]:
    """Lines to be pasted, which make the network and call it; none for a space that gives no modules. name, settings: of the space, as
    the command line gave them."""
    if not hasattr(space, "module"):
        return []
    code, images = out / CODE, space.inputs.dtype == "float32"
    inputs = repr(space.inputs.shape) if images else f"jaxzc.InputSpec({space.inputs.shape!r}, {space.inputs.dtype!r})"
    made = "".join(f", {setting}={value!r}" for setting, value in settings.items())
    zeros = f"(2, {', '.join(map(str, space.inputs.shape))})" + ("" if images else f", {space.inputs.dtype!r}")
    return [
        *([f"as code that needs no jaxzc: {code}; with weights and programs: jaxzc export"] if code.is_file() else []),
        "as a Flax NNX module, in Python (model.train() and model.eval() switch its normalisation):",
        "import jax.numpy as jnp, jaxzc",
        f"space = jaxzc.space({name!r}, classes={space.classes}, inputs={inputs}{made})",
        f"model = space.module(space.parse({string!r}))",
        f"logits = model(jnp.zeros({zeros}))",
    ]
