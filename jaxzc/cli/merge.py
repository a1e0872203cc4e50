"""`jaxzc merge`: a job's parts as one Parquet table."""

import argparse
from pathlib import Path

from jaxzc import jobs
from jaxzc.cli.arguments import Subcommands
from jaxzc.cli.arguments.outputs import check_table
from jaxzc.cli.terminal import note
from jaxzc.jobs.about import metadata
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
    for label, reasons in merged.reasons.items():
        for reason, rows in reasons.items():
            print(f"  {label} could not be computed in {rows} rows: {reason}")
