"""What goes on beside the scoring: renewing the lease, the heartbeat, parts when they are due, and an end in time when told to stop.

It runs in a thread of its own, because compiling a program may hold the main one for minutes. A signal is seen at once all the same: Python
writes its number into a pipe, whatever the main thread does.
"""

import contextlib
import os
import select
import signal
import threading
from types import FrameType, TracebackType
from typing import Any, Protocol

from jaxzc._durable import lease as leases
from jaxzc._durable.lease import Lease
from jaxzc.types import JaxzcError

GRACE = 10.0
"""Seconds that the main thread has to leave what it does when told to stop; pre-empted machines give 30 in all."""


class Stopped(KeyboardInterrupt):
    """A signal asked for the end; what was scored is kept. code: the exit status."""

    def __init__(self, message: str, code: int):
        super().__init__(message)
        self.code = code


class Recorder(Protocol):
    """What the keeper writes beside the scoring. every: seconds between two writes of finished rows."""

    every: float

    def flush(self) -> None:
        """Writes the rows that are finished and not written yet."""
        ...

    def flush_if_due(self) -> None:
        """The same where `every` seconds have passed since the last time."""
        ...

    def heartbeat(self, state: str) -> None:
        """Notes that the process is alive, and what it does: `scoring`, `finished`, `stopped` or `failed`"""
        ...


class Keeper:
    """A block in which the stripe is held. `recorder` is set once it is known what there is to do."""

    def __init__(self, lease: Lease):
        self.lease = lease
        self.recorder: Recorder | None = None
        self._error: Exception | None = None
        self._left = threading.Event()
        self._signal = 0

    def check(self) -> None:
        """Raises what went wrong in the thread: the lease is lost, or a part cannot be written. Raises `Stopped` where a signal came while
        Python ran a callback of the garbage collector, which swallows what its handler raises."""
        if self._error is not None:
            raise self._error
        if self._signal:
            raise Stopped(self.message(), 128 + self._signal)

    def message(self) -> str:
        return f"what was scored is kept in {self.lease.store.where}: the same command goes on"

    def __enter__(self) -> "Keeper":
        self._reader, self._writer = os.pipe()
        os.set_blocking(self._writer, False)
        self._handlers: dict[int, Any] = {}
        if threading.current_thread() is threading.main_thread():
            self._wakeup = signal.set_wakeup_fd(self._writer, warn_on_full_buffer=False)
            self._handlers = {number: signal.signal(number, self._stop) for number in (signal.SIGTERM, signal.SIGINT)}
        self._thread = threading.Thread(target=self._run, name="jaxzc-keeper", daemon=True)
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._left.set()
        os.write(self._writer, b"\0")
        self._thread.join()
        state = "finished" if kind is None else "stopped" if issubclass(kind, KeyboardInterrupt) else "failed"
        try:
            self._close(state)
        except JaxzcError:
            if kind is None or issubclass(kind, KeyboardInterrupt):
                raise
        finally:
            if self._handlers:
                signal.set_wakeup_fd(self._wakeup)
                for number, handler in self._handlers.items():
                    signal.signal(number, handler)
            os.close(self._reader)
            os.close(self._writer)
        if kind is None and self._error is not None:
            raise self._error

    def _close(self, state: str) -> None:
        """Writes what there is, unless that has failed before, and gives the lease back in any case: a process that lives on would be
        taken for one that is at work."""
        try:
            if self.recorder is not None and self._error is None:
                self.recorder.flush()
                self.recorder.heartbeat(state)
        finally:
            self.lease.release()

    def _stop(self, number: int, frame: FrameType | None) -> None:
        """Told again while it ends, it goes on ending."""
        if not self._signal and not self._left.is_set():
            self._signal = number
            raise Stopped(self.message(), 128 + number)

    def _run(self) -> None:
        while not self._left.is_set():
            due = leases.BEAT if self.recorder is None else min(leases.BEAT, self.recorder.every)
            ready, _, _ = select.select([self._reader], [], [], due)
            numbers = [n for n in os.read(self._reader, 64) if n in self._handlers] if ready else []
            if self._left.is_set():
                return
            if numbers:
                self._leave(numbers[0])
            elif not ready:
                self._beat()

    def _beat(self) -> None:
        if not self.lease.taken:
            return
        try:
            self.lease.renew()
            if self.recorder is not None:
                self.recorder.flush_if_due()
                self.recorder.heartbeat("scoring")
        except Exception as error:
            self._error = self._error or error

    def _leave(self, number: int) -> None:
        """Writes what there is at once, and ends the process where the main thread is stuck."""
        with contextlib.suppress(JaxzcError):  # the main thread says so, if it comes to it
            if self.recorder is not None and self._error is None:
                self.recorder.flush()
        if not self._left.wait(GRACE):
            with contextlib.suppress(JaxzcError):
                self._close("stopped")
            os.write(2, f"jaxzc: interrupted; {self.message()}\n".encode())
            os._exit(128 + number)
