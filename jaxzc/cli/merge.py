"""`jaxzc merge`: a job's parts as one Parquet table."""

import argparse
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from jaxzc import jobs
from jaxzc.catalogue import cards
from jaxzc.cli.arguments import Subcommands
from jaxzc.cli.arguments.outputs import check_table
from jaxzc.cli.terminal import note
from jaxzc.jobs import Merged
from jaxzc.tables import write_scores
from jaxzc.types import JaxzcError

HELP = "make one table of the scores that a job has so far"
EPILOG = """Rows stand in the order in which they were asked for; scores that are not there yet are missing (null).
The job is left as it is, and may be running.

example:
  jaxzc merge night --out scores.parquet
"""


def add(commands: Subcommands) -> None:
    command = commands.add_parser("merge", help=HELP, description=HELP, epilog=EPILOG, formatter_class=argparse.RawDescriptionHelpFormatter)
    command.add_argument("job", metavar="DIR", help="directory (or URL) that `jaxzc score --out DIR` wrote to")
    command.add_argument("--out", required=True, metavar="FILE", help="Parquet or CSV file to write")
    command.add_argument("--overwrite", action="store_true", help="replace FILE if it exists")
    command.add_argument("--complete", action="store_true", help="write nothing unless every score is there")
    command.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> None:
    out = Path(arguments.out)
    check_table(out, arguments.overwrite)
    merged = jobs.merge(jobs.store(arguments.job))
    for name, reason in merged.troubles:
        note(f"{arguments.job}/parts/{name} is left out: {reason}")
    if arguments.complete and merged.missing:
        raise JaxzcError(f"{merged.missing} scores of {arguments.job} are still missing: let its commands finish, or leave out --complete")
    write_scores(out, merged.columns, metadata(merged), overwrite=arguments.overwrite)
    n = len(merged.columns["arch"])
    missing = f"; {merged.missing} scores are not there yet" if merged.missing else ""
    failed = f"; {len(merged.failed)} rows failed (column error)" if merged.failed else ""
    print(f"{out}: {n} rows, {len(merged.labels)} scores each{missing}{failed}")


def metadata(merged: Merged) -> dict[str, Any]:
    """What a table of scores says about how it was made."""
    last = merged.requests[-1].about
    digests = {seed: digest for request in merged.requests for seed, digest in request.seeds.items()}
    notes = {s: note for request in merged.requests for s, note in zip(request.seeds, request.about.get("data_notes", ()), strict=False)}
    counted = np.ma.compressed(merged.columns.get("flops", ()))
    flops = float(np.mean(counted)) if len(counted) else np.nan
    settings = {name: value for name, value in merged.settings.items() if name != "format"}
    commands = list(dict.fromkeys(request.about.get("command") for request in merged.requests))
    return {
        "command": commands[-1],
        **({"commands": commands} if len(commands) > 1 else {}),
        "proxies": merged.labels,
        cards.RECORDED: merged.directions,
        "archs": last.get("archs"),
        "seeds": list(digests),
        "data": last.get("data"),
        "data_notes": [notes.get(seed, "") for seed in digests],
        "data_digests": list(digests.values()),
        **settings,
        "costs": _costs(merged.passes, settings.get("batch_size"), flops),
        "seconds": round(merged.seconds, 3),
        **({"failures": len(merged.failed)} if merged.failed else {}),
    }


def _costs(passes: Mapping[str, float], batch_size: Any, forward_flops: float) -> dict[str, dict[str, float]]:
    """Proxy -> forward passes over one batch that it is worth, and FLOPs for one architecture, whose forward pass of one image takes
    `forward_flops` on the average."""
    known = isinstance(batch_size, int) and np.isfinite(forward_flops)
    return {
        label: {"passes": number, **({"flops": number * batch_size * forward_flops} if known else {})} for label, number in passes.items()
    }
