"""Processes of this machine that work for this one, each with processors of its own.

Threads take longer: where a network is many short calls, Python's lock and the hand-over to XLA's threads cost a fifth to a third of the
time (benchmarks/README.md, "Free widths"). The standard library's pools of processes give no worker processors of its own, and
leave workers behind when this process is killed; these end when their pipe does.
"""

import pickle
import signal
import traceback
from collections.abc import Callable, Iterable
from contextlib import suppress
from multiprocessing import get_context
from multiprocessing.connection import Connection, wait
from typing import Any

from jaxzc._parallel.processors import placed, shares
from jaxzc.types import JaxzcError

PATIENCE = 10.0
"""Seconds in which a process is expected to end."""


class Crew:
    """Starts the processes. Each calls `make()` once, and what that returns with every item that it is given.

    processes: how many, None: one on each processor. make, prepare: functions that can be pickled, with what they need, for example a
    `functools.partial` of a function of a module. prepare: called before `make` is read, whose arrays may depend on it. A context, which
    ends the processes.
    Raises `JaxzcError` for more processes than processors, and where `make` cannot be pickled.
    """

    def __init__(self, processes: int | None, make: Callable[[], Callable[[Any], Any]], prepare: Callable[[], None]):
        spawn = get_context("spawn")  # a fork of a process with XLA's threads in it may never wake
        try:
            told = pickle.dumps(prepare), pickle.dumps(make)
        except (pickle.PicklingError, AttributeError, TypeError) as error:
            raise JaxzcError(
                f"what several processes are to compute cannot be sent to them ({error}): define it at the top of a module, or ask for one "
                "process"
            ) from error
        self.processes: list[Any] = []
        self.pipes: list[Connection] = []
        try:
            for cores in shares(processes):
                ours, theirs = spawn.Pipe()
                self.pipes.append(ours)
                self.processes.append(spawn.Process(target=_work, args=(theirs, told), daemon=True))
                with placed(cores):
                    self.processes[-1].start()
                theirs.close()
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> "Crew":
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def map(self, items: Iterable[Any]) -> list[Any]:
        """What the processes compute of the items, in their order; whoever is free takes the next.

        Raises what a process raised, when the others have done theirs; and `JaxzcError` where one of them is gone."""
        waiting, busy, results, failures = enumerate(items), dict[Connection, int](), dict[int, Any](), list[Exception]()
        idle = list(self.pipes)
        while True:
            while idle and not failures and (item := next(waiting, None)) is not None:
                pipe = idle.pop()
                self._talk(pipe, pipe.send, item[1])
                busy[pipe] = item[0]
            if not busy:
                break
            for pipe in wait(list(busy)):
                assert isinstance(pipe, Connection)
                result = self._talk(pipe, pipe.recv)
                if isinstance(result, Exception):
                    failures.append(result)
                results[busy.pop(pipe)] = result
                idle.append(pipe)
        if failures:
            raise failures[0]
        return [results[number] for number in range(len(results))]

    def close(self) -> None:
        """Ends the processes: when they have done what they do, or at once where that lasts."""
        for pipe in self.pipes:
            pipe.close()
        for process in self.processes:
            if process.pid is None:  # not started
                continue
            process.join(PATIENCE)
            if process.exitcode is None:
                process.kill()
                process.join()
        self.pipes, self.processes = [], []

    def _talk(self, pipe: Connection, how: Callable[..., Any], *told: Any) -> Any:
        try:
            return how(*told)
        except (EOFError, OSError) as error:
            process, count = self.processes[self.pipes.index(pipe)], len(self.processes)
            process.join(PATIENCE)
            code = process.exitcode
            self.close()  # what the others still send belongs to nobody
            ending = "ended" if code is None else f"was ended by signal {-code}" if code < 0 else f"ended with exit code {code}"
            raise JaxzcError(
                f"one of {count} processes {ending} (its messages stand above; memory may have run out, or a script that "
                "starts processes lacks `if __name__ == '__main__':`): ask for fewer, or for one"
            ) from error


def _work(pipe: Connection, told: tuple[bytes, bytes]) -> None:
    """A process of the crew, until its pipe ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches all; the first process decides
    failed: Exception | None = None
    call: Callable[[Any], Any] | None = None
    try:
        _read(told[0])()
        call = _read(told[1])()
    except Exception as error:
        failed = _told(error)
    with suppress(EOFError, OSError):
        while True:
            item = pipe.recv()
            if call is None:
                pipe.send(failed)
                continue
            try:
                result = call(item)
            except Exception as error:
                result = _told(error)
            pipe.send(result)


def _read(pickled: bytes) -> Any:
    try:
        return pickle.loads(pickled)
    except (AttributeError, ImportError) as error:  # of a notebook, for example
        raise JaxzcError(
            f"what several processes are to compute is not found by them ({error}): define it in a module that they can import, or ask for "
            "one process"
        ) from error


def _told(error: Exception) -> Exception:
    """An error that can be sent, with the lines in which it arose."""
    try:
        pickle.loads(pickle.dumps(error))
    except Exception:
        error = RuntimeError(f"{type(error).__name__}: {error}")
    if not isinstance(error, JaxzcError):
        error.add_note(traceback.format_exc())
    return error
