"""Files that appear complete or not at all, and what is asked of their directories beforehand."""

import contextlib
import errno
import os
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from jaxzc.types import JaxzcError


def check_parent(out: Path) -> None:
    """Raises `JaxzcError` where there is no directory for `out`, or it may not be written to."""
    parent = out.absolute().parent
    if not os.path.isdir(parent):
        raise JaxzcError(f"there is no directory {parent} for {out.name}: create it first")
    if not os.access(parent, os.W_OK):
        raise JaxzcError(f"the directory {parent} is not writable: choose one you may write to")


@contextlib.contextmanager
def refusing(path: Path) -> Iterator[None]:
    """Turns a refusal of the operating system into a `JaxzcError` that names `path` and what to do; a missing file stays what it is."""
    try:
        yield
    except FileNotFoundError:
        raise
    except OSError as error:
        full = error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
        hint = "make room there, then run the same command again" if full else "choose a directory you may write to"
        raise JaxzcError(f"{path} cannot be written ({error.strerror or error}): {hint}") from error


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[IO[bytes]]:
    """A file to write into, which takes the place of `path` when the block ends without an error, and is gone after one.

    Raises `JaxzcError` where the operating system refuses.
    """
    # In the same directory, because only a rename within one file system is atomic.
    temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex}.tmp")
    try:
        with refusing(path):
            try:
                with open(temporary, "xb") as file:
                    yield file
                    file.flush()
                    os.fsync(file.fileno())
                os.replace(temporary, path)
            except FileNotFoundError as error:
                raise JaxzcError(f"{path} cannot be written (its directory has gone): make it again, or choose another") from error
    finally:
        with contextlib.suppress(OSError):  # it was renamed, or never made
            temporary.unlink()
