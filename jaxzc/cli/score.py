"""`jaxzc score`: architectures x seeds x proxies -> a Parquet table, by way of a job that survives interruptions."""

import argparse
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from jaxzc import jobs
from jaxzc._compile.memory import gigabytes
from jaxzc._durable.keeper import Stopped
from jaxzc._durable.store import is_remote
from jaxzc.cli import hosts, processes
from jaxzc.cli.arguments import Subcommands
from jaxzc.cli.arguments.architectures import architectures
from jaxzc.cli.arguments.groups import add_arch_arguments, add_device_arguments, add_network_arguments
from jaxzc.cli.arguments.numbers import positive, seeds
from jaxzc.cli.arguments.outputs import check_file
from jaxzc.cli.arguments.requests import command_line, keep_compiled, request_fields
from jaxzc.cli.terminal import compiling, note, progress
from jaxzc.jobs import Merged, Outcome, Store, Stripe, Work, manifest, parts
from jaxzc.jobs.about import metadata
from jaxzc.jobs.request import ScoreRequest, check_folder, make_folder, work_of
from jaxzc.tables import check_name, kind_of, write_scores
from jaxzc.types import JaxzcError, Space

NO_JOB = (".tsv", ".txt", ".json", ".jsonl", ".xlsx", ".npz", ".npy", ".h5", ".hdf5", ".feather", ".arrow", ".pkl", ".html", ".gz", ".zip")
"""Whoever names OUT so means a file, and would be surprised by a directory of that name."""

SAMPLE = ScoreRequest.sample
"""Architectures that are drawn where none are named."""

HELP = "score architectures of a search space with zero-cost proxies"
EPILOG = """The first architecture compiles one program for all of them: seconds for naswot or l2_norm, a minute for the founding set.
`jaxzc proxies` lists the proxies; --set channels=4 --set cells=1 makes a small network for a first try.

Whatever ends it, the same command goes on where it stopped. --out FILE.parquet (or .csv) gives one table. --out DIR (or a URL, gs://bucket/job)
keeps the job: further proxies, seeds and architectures are added to it,
several machines score stripes of it, `jaxzc status DIR` says how far it
is, and `jaxzc merge DIR` makes the table.

examples:
  jaxzc score nasbench201 --sample 20 --proxies naswot --set channels=4 --set cells=1 --out first.parquet
  jaxzc score nasbench201 --sample 100 --out scores.parquet
  jaxzc score nasbench201 --all --proxies sweet_ntk,zico --data npz:cifar10.npz --out scores.parquet
  jaxzc score nasbench201 --archs mine.txt --proxies "zico(std_of='abs'),sweet_ntk(interval=(1e-4,5e-4))" --out scores.parquet
  jaxzc score nasbench201 --archs embedded --seed 0,1,2 --out scores.parquet
  jaxzc score nasbench201 --all --isomorphs once --processes all --out night
  jaxzc score nasbench201 --all --isomorphs once --devices 8 --stripe 0/4 --out night

mine.txt holds one architecture a line, for example |nor_conv_3x3~0|+|none~0|skip_connect~1|+|avg_pool_3x3~0|none~1|nor_conv_1x1~2|
"""


def add(commands: Subcommands) -> None:
    command = commands.add_parser("score", help=HELP, description=HELP, epilog=EPILOG, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_network_arguments(command, batches=ScoreRequest.batches)
    command.add_argument(
        "--seed",
        dest="seeds",
        type=seeds,
        default=ScoreRequest.seeds,
        metavar="S[,S...]",
        help="seed of data and weights, and of --sample; several give one row for each architecture and seed, "
        "of the sample that the first one draws (default: 0)",
    )
    add_arch_arguments(command, "default: 100")
    command.add_argument(
        "--proxies",
        default=ScoreRequest.proxies,
        metavar="A,B,...",
        help="names, with settings in brackets, or my_module:function for one of your own; params and flops are always added; "
        "founding: those of the four founding papers, the default; all: every one that does not ask for a transformer; transformers: those "
        "that transformers are scored with",
    )
    command.add_argument(
        "--isomorphs",
        choices=("each", "once"),
        default=ScoreRequest.isomorphs,
        help="score each architecture, or one of those that are the same network, whose scores all of them get (default: %(default)s)",
    )
    add_device_arguments(command)
    processes.add_arguments(command)
    hosts.add_arguments(command)
    command.add_argument(
        "--out", required=True, metavar="OUT", help="FILE.parquet or FILE.csv to write: arch, seed, one column per proxy; or DIR, a job"
    )
    command.add_argument("--overwrite", action="store_true", help="replace FILE if it exists, or forget the job in DIR")
    command.add_argument("--retry-failures", action="store_true", help="score architectures again whose failure the job has recorded")
    command.add_argument(
        "--every",
        type=positive,
        default=int(ScoreRequest.every),
        metavar="SECONDS",
        help="how often finished rows are written (default: %(default)s)",
    )
    command.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> None:
    arguments.out = arguments.out.removeprefix("file://")
    one_file, stripe = is_file(arguments.out), hosts.stripe(arguments.stripe)
    check_out(arguments, stripe)
    request = ScoreRequest(**request_fields(arguments, ScoreRequest, archs=None, sample=arguments.sample or SAMPLE))
    said = compiling(request.chosen)
    processes.check(arguments.processes, distributed=arguments.distributed)
    stripe = hosts.begin(stripe, distributed=arguments.distributed)
    keep_compiled(arguments)

    def choose(space: Space) -> tuple[np.ndarray, str]:
        archs = architectures(arguments, space, sample=SAMPLE, seed=request.seeds[0])
        return archs, _which(arguments, len(archs))

    work = work_of(request, choose, stripe=stripe, about={"command": command_line(arguments)})
    store = jobs.store(f"{arguments.out}.job" if one_file else arguments.out)
    _begin(store, work, arguments)
    try:
        by = processes.score(store, work, arguments.processes, arguments.argv, quiet=arguments.quiet)
        work = replace(work, retry=work.retry and by is None)
        outcome = jobs.run(store, work, note=note, watched=lambda rows, total: progress(rows, total, arguments.quiet, said))
        if not one_file:
            if outcome.done:
                _check_some(store, outcome.existing + outcome.done, outcome.failed, outcome.errors)
            elif not (merged := jobs.merge(store, [work.request])).missing:  # what is there may be failures of an earlier run
                _check_some(store, len(merged.columns["arch"]), len(merged.failed), [(arch, error) for arch, _, error in merged.failed])
            print(_job_summary(arguments, outcome, stripe, by))
            return
        merged = jobs.merge(store, [work.request])
        if merged.missing:
            raise JaxzcError(f"{merged.missing} scores have gone from {store.where} since they were written: run the same command again")
        _check_some(store, len(merged.columns["arch"]), len(merged.failed), [(arch, error) for arch, _, error in merged.failed])
        facts = (
            metadata(merged) | {"command": command_line(arguments)} | ({"seconds_first": round(outcome.first, 3)} if outcome.done else {})
        )
        write_scores(arguments.out, merged.columns, facts, overwrite=arguments.overwrite)
        print(_summary(arguments, merged, outcome, by))
        store.remove_all()
    except KeyboardInterrupt as error:
        if isinstance(error, Stopped) or not parts.names(store):
            raise
        raise Stopped(f"what was scored is kept in {store.where}: the same command goes on", 130) from error
    finally:
        if one_file and not parts.names(store) and not jobs.leases_of(store):
            store.remove_all()


def is_file(out: str) -> bool:
    """Whether --out names a table, and not a job."""
    return not is_remote(out) and (kind_of(Path(out)) != "text" or not Path(out).name)


def check_out(arguments: argparse.Namespace, stripe: Stripe) -> None:
    """Refusals before an hour of work rather than after."""
    out = Path(arguments.out)
    if out.suffix.lower() in NO_JOB and not out.is_dir():
        check_name(out)
    several = stripe.count > 1 or arguments.distributed
    if is_file(arguments.out):
        if several:
            raise JaxzcError(f"--out {out} is one table, which stripes cannot share: name a directory, for example {out.with_suffix('')}")
        check_file(out, arguments.overwrite)
    elif several and arguments.overwrite:
        raise JaxzcError("--overwrite would take away what other stripes have scored: delete the job first, or choose another --out")
    elif not is_remote(arguments.out):
        check_folder(out)


def _begin(store: Store, work: Work, arguments: argparse.Namespace) -> None:
    """Makes the directory, and forgets an earlier job where that was asked for."""
    earlier = manifest.read_settings(store)
    if earlier is not None and arguments.overwrite:
        same = {k: v for k, v in earlier.items() if k != "format"} == dict(work.facts)
        held = ", ".join(sorted(jobs.leases_of(store)))
        if held:
            raise JaxzcError(f"{store.where} is being scored (stripe {held}): stop that first, or choose another --out")
        if not (is_file(arguments.out) and same):  # what an interrupted run of this command has left is gone on with
            store.remove_all()
    if not is_remote(store.where):
        make_folder(Path(store.where))


def _check_some(store: Store, rows: int, failed: int, errors: Sequence[tuple[str, str]]) -> None:
    """Raises `JaxzcError` where there are rows and all of them failed: nothing was scored."""
    if rows and failed == rows:
        arch, error = errors[0]
        raise JaxzcError(
            f"all {rows} rows failed, the first {arch}: {error}; that is recorded in {store.where}, and the same command with "
            "--retry-failures scores them again"
        )


def _which(arguments: argparse.Namespace, count: int) -> str:
    """How the architectures were chosen, for the record."""
    if arguments.all:
        return f"all {count}"
    if arguments.archs is None:
        return f"{count} random ones"
    return f"{count} random ones of {arguments.archs}" if arguments.sample else f"all {count} of {arguments.archs}"


def _times(outcome: Outcome, by: str | None) -> str:
    """What a row took, of time and memory, and what was there before; or what several processes say of it."""
    if by is not None and not outcome.done:
        return by
    rate = f", then {(outcome.seconds - outcome.first) / (outcome.done - 1):.2g} s per row" if outcome.done > 1 else ""
    memory = f", in {gigabytes(outcome.memory)} of planned memory" if outcome.memory else ""
    first = f"compilation and first row {outcome.first:.1f} s{rate}{memory}" if outcome.done else "nothing was left to score"
    return f"{first}; {outcome.existing} rows were there before" if outcome.existing else first


def _summary(arguments: argparse.Namespace, merged: Merged, outcome: Outcome, by: str | None) -> str:
    n, seeds = len(merged.columns["arch"]), len(arguments.seeds)
    times = f" x {seeds} seeds" if seeds > 1 else ""
    lines = [f"{arguments.out}: {n // seeds} architectures{times}, {len(merged.labels)} scores each ({_times(outcome, by)})"]
    for label in merged.labels:
        missing = int(np.count_nonzero(~np.isfinite(merged.columns[label])))
        if missing:
            lines.append(f"  {label}: {missing} of {n} are NaN or infinite, kept as they are")
        lines += [f"    {rows} of them: {reason}" for reason, rows in merged.reasons.get(label, {}).items()]
    if merged.failed:
        lines.append(_failures(len(merged.failed), merged.failed[0][0], merged.failed[0][2]))
    return "\n".join(lines)


def _job_summary(arguments: argparse.Namespace, outcome: Outcome, stripe: Stripe, by: str | None) -> str:
    which = f" of stripe {stripe.index}/{stripe.count}" if stripe.count > 1 else ""
    lines = [f"{arguments.out}: all {outcome.total} rows{which} are there ({_times(outcome, by)})"]
    if outcome.failed:
        lines.append(_failures(outcome.failed, *outcome.errors[0]))
    return "\n".join([*lines, f"  as a table: jaxzc merge {arguments.out} --out scores.parquet"])


def _failures(count: int, arch: str, error: str) -> str:
    return f"  {count} failed and are recorded with their errors (--retry-failures scores them again), the first {arch}: {error}"
