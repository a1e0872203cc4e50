"""Files that appear complete or not at all."""

import contextlib
import errno
import os
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from jaxzc.types import JaxzcError


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
