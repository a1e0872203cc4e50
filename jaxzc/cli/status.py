"""`jaxzc status`: how far a job is, who is at work on it, and what failed."""

import argparse
import json
import sys
import time
from typing import Any

from jaxzc import jobs
from jaxzc.cli.arguments import Subcommands
from jaxzc.cli.arguments.numbers import positive
from jaxzc.jobs import Store, leases_of
from jaxzc.jobs.recorder import HEARTBEATS
from jaxzc.types import JaxzcError

HELP = "say how far a scoring job is, who is at work on it, and what failed"
EPILOG = """example:
  jaxzc status night
  jaxzc status night --watch        again and again, until nobody is at work on it any more
  jaxzc status night --failures
"""


STATES = {
    "scoring": "at work",
    "finished": "finished",
    "stopped": "stopped; the same command goes on",
    "failed": "failed; the same command goes on",
    "ended": "ended without a word; the same command goes on",
}
"""What a heartbeat says, in plain words."""


def add(commands: Subcommands) -> None:
    command = commands.add_parser(
        "status", help=HELP, description=HELP, epilog=EPILOG, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    command.add_argument("job", metavar="DIR", help="directory (or URL) that `jaxzc score --out DIR` wrote to")
    command.add_argument("--failures", action="store_true", help="list every architecture that failed, with its error")
    command.add_argument(
        "--watch",
        nargs="?",
        type=positive,
        const=10,
        metavar="SECONDS",
        help="say it again every so often (default: 10), until nobody is at work on the job; Ctrl-C ends it",
    )
    command.add_argument("--json", action="store_true", help="one JSON object, for programs")
    command.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> None:
    facts = _facts(arguments.job)
    if arguments.watch and arguments.json:
        raise JaxzcError("--watch is for readers and --json for programs: give one of the two")
    print(json.dumps(facts, indent=1) if arguments.json else in_words(facts, arguments.failures))
    while arguments.watch and any(beat["held"] for beat in facts["stripes"]):
        time.sleep(arguments.watch)
        facts = _facts(arguments.job)
        if sys.stdout.isatty():
            print("\033[H\033[J", end="")  # on a cleared screen; in a file, one after the other
        print(in_words(facts, arguments.failures), flush=True)


def _facts(job: str) -> dict[str, Any]:
    """What is known of a job, as `--json` prints it."""
    store = jobs.store(job)
    merged = jobs.merge(store)
    rows, labels = len(merged.columns["arch"]), merged.labels
    return {
        "job": job,
        "settings": merged.settings,
        "rows": rows,
        "proxies": labels,
        "scores": rows * len(labels),
        "missing": merged.missing,
        "failed": [{"arch": arch, "seed": seed, "error": error} for arch, seed, error in merged.failed],
        "bad_parts": [{"part": name, "reason": reason} for name, reason in merged.troubles],
        "set_aside": [name for name in store.names("parts") if name.endswith(".corrupt")],
        "stripes": _stripes(store),
        "seconds": round(merged.seconds, 3),
        "rows_scored": merged.scored,
        "passes": merged.passes,
    }


def _stripes(store: Store) -> list[dict[str, Any]]:
    """The heartbeats of all stripes; one that says `scoring` while nobody holds the stripe ended without a word."""
    held, beats = leases_of(store), []
    for name in store.names(HEARTBEATS):
        try:
            beat = json.loads(store.read(f"{HEARTBEATS}/{name}"))
        except (FileNotFoundError, ValueError):
            continue
        if isinstance(beat, dict):
            beats.append(beat | {"held": beat.get("stripe") in held})
    return beats


def in_words(facts: dict[str, Any], failures: bool) -> str:
    """The facts for a reader: how far it is, who is at work, what it costs, what went wrong."""
    existing = facts["scores"] - facts["missing"]
    share = 100 * existing / facts["scores"] if facts["scores"] else 100.0
    size = f"{facts['rows']:,} rows, {len(facts['proxies'])} proxies"
    lines = [f"{facts['job']}: {existing:,} of {facts['scores']:,} scores are there ({share:.1f} %): {size}"]
    for beat in facts["stripes"]:
        lines.append(_stripe(beat))
    if facts["rows_scored"]:
        lines.append(f"  {facts['seconds'] / facts['rows_scored']:.3g} s a row{_shares(facts['passes'])}")
    if facts["bad_parts"]:
        lines += [f"  bad part {bad['part']}: {bad['reason']}; the next run sets it aside" for bad in facts["bad_parts"]]
    if facts["set_aside"]:
        lines.append(f"  {len(facts['set_aside'])} bad parts were set aside (parts/*.corrupt) and scored again")
    if facts["failed"]:
        lines.append(f"  {len(facts['failed'])} rows failed{'' if failures else '; --failures lists them'}")
        lines += [f"    {f['arch']} seed {f['seed']}: {f['error']}" for f in facts["failed"] if failures]
    return "\n".join(lines)


def _shares(passes: dict[str, float], most: int = 5) -> str:
    """The dearest proxies and their shares of the arithmetic, each counted by itself."""
    total = sum(passes.values())
    dearest = sorted(((value, label) for label, value in passes.items() if value), reverse=True)[:most]
    shares = ", ".join(f"{label} {100 * value / total:.0f} %" for value, label in dearest)
    return f"; by arithmetic, shared passes counted for each: {shares}" if shares else ""


def _stripe(beat: dict[str, Any]) -> str:
    done, total = beat.get("there_before", 0) + beat.get("done", 0), beat.get("total", 0)
    state = str(beat.get("state"))
    if state == "scoring" and not beat["held"]:
        state = "ended"
    speed = ""
    if state == "scoring" and beat.get("rows_per_second"):
        speed = f", {beat['rows_per_second']:.3g} rows a second, {duration(beat['seconds_left'])} left"
    failed = f", {beat['failed']} failed" if beat.get("failed") else ""
    who = f"process {beat.get('pid')} on {beat.get('host')}, last heard of at {beat.get('time')}"
    return f"  stripe {beat.get('stripe')}: {done:,} of {total:,} rows{speed}{failed}; {STATES.get(state, state)} ({who})"


def duration(seconds: float) -> str:
    """Two units at most: `3 h 20 min`."""
    minutes = round(seconds / 60)
    if minutes >= 60 * 48:
        return f"{minutes // 1440} d {minutes % 1440 // 60} h"
    if minutes >= 60:
        return f"{minutes // 60} h {minutes % 60} min"
    return f"{minutes} min" if minutes else f"{seconds:.0f} s"
