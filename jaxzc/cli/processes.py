"""Processes of this machine side by side on one scoring job, each with processors of its own.

A network does not keep several processors busy: most of its operations are short, and XLA runs some of them in one thread. Several networks
do, one on each.
"""

import argparse
import contextlib
import json
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from typing import Any

from tqdm.auto import tqdm

from jaxzc._compile.platforms import here
from jaxzc._durable.keeper import GRACE, Stopped
from jaxzc._durable.store import Store
from jaxzc._parallel.processors import placed, shares
from jaxzc.cli.arguments.numbers import number_or_all
from jaxzc.jobs import Stripe, Work, manifest
from jaxzc.jobs.recorder import HEARTBEATS
from jaxzc.types import JaxzcError

REFUSED = 2
"""Exit code of a command that says why in one sentence."""
PAUSE = 0.2
"""Seconds between two looks at the processes."""


def add_arguments(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--processes",
        type=number_or_all,
        default=1,
        metavar="N",
        help="processes side by side, each with processors of its own and a stripe of the rows, or 'all' for one on each processor: on two "
        "15 proxies take half the time (default: %(default)s)",
    )


def check(count: int | None, *, distributed: bool) -> None:
    """Raises `JaxzcError` where so many processes (None: one for each processor) cannot share what the command asks for."""
    if len(shares(count)) == 1:
        return
    if distributed:
        raise JaxzcError(
            "--processes is for one machine without jax.distributed: leave out --distributed, and give each machine a --stripe"
        )
    if here() != "cpu":
        raise JaxzcError(f"--processes shares out processors, and this is a {here()}: use --devices N")


def score(store: Store, work: Work, count: int | None, argv: Sequence[str], *, quiet: bool) -> str | None:
    """Scores the stripe in `count` processes (None: one for each processor), and says how many and how long; what they leave, nothing as a
    rule, is the caller's. None where there is one process only. argv: what this command was typed as, which each of them repeats.

    Raises `JaxzcError` when one of them fails (the others finish first), and `Stopped` when this process is told to stop: then all do.
    """
    own = shares(count)
    if len(own) == 1:
        return None
    began = time.monotonic()
    manifest.begin(store, work.facts, work.request)
    stripes = [Stripe(work.stripe.index + work.stripe.count * index, work.stripe.count * len(own)) for index in range(len(own))]
    with _stoppable():
        running: list[subprocess.Popen[Any]] = []
        try:
            for stripe, cores in zip(stripes, own, strict=True):
                with placed(cores):
                    running.append(subprocess.Popen(_command(argv, store, stripe), stdout=subprocess.DEVNULL))
            _watch(running, store, stripes, len(work.units[work.stripe.index :: work.stripe.count]), quiet)
        except BaseException as error:
            _stop(running)
            if not isinstance(error, KeyboardInterrupt):
                raise
            message = f"what was scored is kept in {store.where}: the same command goes on"
            raise Stopped(message, getattr(error, "code", 130)) from error
    for stripe, process in zip(stripes, running, strict=True):
        # A process whose rows all failed ends with an error, too; here they are judged together with those of the others.
        judged = process.returncode == REFUSED and _beat(store, stripe).get("state") == "finished"
        if process.returncode and not judged:
            how = f"was ended by signal {-process.returncode}" if process.returncode < 0 else f"failed with exit code {process.returncode}"
            raise JaxzcError(f"the process of stripe {stripe} {how}; what was scored is kept in {store.where}: the same command goes on")
    failed = sum(beat.get("failed", 0) for beat in (_beat(store, stripe) for stripe in stripes))
    ending = f", {failed} rows failed (`jaxzc status {store.where} --failures`)" if failed else ""
    return f"{len(own)} processes, {time.monotonic() - began:.0f} s with compilation{ending}"


def _command(argv: Sequence[str], store: Store, stripe: Stripe) -> list[str]:
    """This command for one stripe: of options that are given twice the last one counts, and --overwrite has been seen to."""
    repeated = [text for text in argv if not (text.startswith("--ov") and "--overwrite".startswith(text))]
    own = ["--processes", "1", "--stripe", f"{stripe.index}/{stripe.count}", "--out", store.where, "--quiet"]
    return [sys.executable, "-m", "jaxzc", *repeated, *own]


def _watch(running: Sequence["subprocess.Popen[Any]"], store: Store, stripes: Sequence[Stripe], total: int, quiet: bool) -> None:
    """Waits for all of them, with a bar of what their heartbeats tell."""
    pids, interval, due = [process.pid for process in running], 1 if sys.stderr.isatty() else 30, 0.0
    with tqdm(total=total, unit="arch", desc=f"{len(running)} processes", smoothing=0, disable=quiet) as bar:
        compiling = True

        def look() -> None:
            nonlocal compiling
            if quiet:
                return
            beats = [beat for beat in (_beat(store, stripe) for stripe in stripes) if beat.get("pid") in pids]
            before, done = (sum(beat.get(name, 0) for beat in beats) for name in ("there_before", "done"))
            bar.n = before + done
            if compiling:  # what was there before, and the first rows, say nothing of the speed
                bar.initial, bar.start_t, compiling = bar.n, time.time(), not done
            bar.refresh()

        while any(process.poll() is None for process in running):
            time.sleep(PAUSE)
            if time.monotonic() >= due:
                look()
                due = time.monotonic() + interval
        look()


def _beat(store: Store, stripe: Stripe) -> dict[str, Any]:
    try:
        beat = json.loads(store.read(f"{HEARTBEATS}/{stripe}.json"))
    except (FileNotFoundError, ValueError):
        return {}
    return beat if isinstance(beat, dict) else {}


def _stop(running: Sequence["subprocess.Popen[Any]"]) -> None:
    """They write what they have first; those that do not end in time are killed."""
    for process in running:
        with contextlib.suppress(ProcessLookupError):
            process.terminate()
    until = time.monotonic() + GRACE + 5
    for process in running:
        try:
            process.wait(max(0.0, until - time.monotonic()))
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


@contextlib.contextmanager
def _stoppable() -> Iterator[None]:
    """Meanwhile SIGTERM and SIGINT raise `Stopped`, as the keeper of a job has it: also where a shell has started this in the background,
    and had SIGINT ignored."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def stop(number: int, frame: Any) -> None:
        raise Stopped("", 128 + number)

    before = {number: signal.signal(number, stop) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
