"""Where a job keeps its files: a local directory, or one of an object store (`gs://`, `s3://`, `memory://` ...) through fsspec.

Both give the same few promises: a file appears complete or not at all, and a name is a path with `/` inside the job's directory.
"""

import contextlib
import os
import shutil
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Protocol

from jaxzc._durable.files import refusing, replacing
from jaxzc.types import JaxzcError


class Store(Protocol):
    """The files of one job."""

    where: str

    def exists(self, name: str) -> bool: ...
    def names(self, folder: str) -> list[str]:
        """Names of the files directly in `folder`, sorted, hidden ones left out; empty where there is no such folder."""
        ...

    def read(self, name: str) -> bytes:
        """Raises `FileNotFoundError` where there is no such file."""
        ...

    def write(self, name: str, content: bytes) -> None:
        """Replaces the file, if there is one; it appears complete or not at all."""
        ...

    def create(self, name: str, content: bytes) -> bool:
        """Writes a file that is not there yet; False where it is. Of two that try at one time one succeeds (on object stores: at most
        one keeps its content, so read it again)."""
        ...

    def move(self, name: str, to: str) -> None: ...
    def remove(self, name: str) -> None:
        """No error where it is gone already."""
        ...

    def remove_all(self) -> None: ...


def store(where: str | os.PathLike[str]) -> Store:
    """The store of that path or URL; nothing is made or looked up."""
    return RemoteStore(str(where)) if is_remote(where) else LocalStore(Path(str(where).removeprefix("file://")))


def is_remote(where: str | os.PathLike[str]) -> bool:
    return "://" in str(where) and not str(where).startswith("file://")


class LocalStore:
    """A directory of this machine, or one that it has mounted."""

    def __init__(self, root: Path):
        self.root, self.where = root, str(root)

    def exists(self, name: str) -> bool:
        return (self.root / name).is_file()

    def names(self, folder: str) -> list[str]:
        try:
            with os.scandir(self.root / folder) as entries:
                return sorted(entry.name for entry in entries if entry.is_file() and not entry.name.startswith("."))
        except (FileNotFoundError, NotADirectoryError):
            return []
        except OSError as error:
            raise JaxzcError(f"{self.root / folder} cannot be listed ({error.strerror}): see its permissions") from error

    def read(self, name: str) -> bytes:
        try:
            return (self.root / name).read_bytes()
        except FileNotFoundError:
            raise
        except NotADirectoryError as error:
            raise FileNotFoundError(*error.args) from error
        except OSError as error:
            raise JaxzcError(f"{self.root / name} cannot be read ({error.strerror}): see its permissions") from error

    def write(self, name: str, content: bytes) -> None:
        path = self.root / name
        self._folder(path)
        with replacing(path) as file:
            file.write(content)

    def create(self, name: str, content: bytes) -> bool:
        path = self.root / name
        self._folder(path)
        # A link to a complete file: whoever sees the name sees all of the content.
        with _beside(path, content) as temporary:
            try:
                os.link(temporary, path)
            except FileExistsError:
                return False
            except OSError:  # a file system without links; then content follows the name by a moment
                return self._create_by_name(path, content)
        return True

    def _create_by_name(self, path: Path, content: bytes) -> bool:
        with refusing(path):
            try:
                file = open(path, "xb")  # noqa: SIM115 (closed by the next with)
            except FileExistsError:
                return False
            try:
                with file:
                    file.write(content)
                    file.flush()
                    os.fsync(file.fileno())
            except BaseException:
                path.unlink(missing_ok=True)  # else half of it would stand there for good
                raise
        return True

    def move(self, name: str, to: str) -> None:
        with contextlib.suppress(FileNotFoundError), refusing(self.root / to):
            os.replace(self.root / name, self.root / to)

    def remove(self, name: str) -> None:
        with contextlib.suppress(FileNotFoundError), refusing(self.root / name):
            (self.root / name).unlink()

    def remove_all(self) -> None:
        shutil.rmtree(self.root, ignore_errors=True)

    def _folder(self, path: Path) -> None:
        # Of a job only its own folders are made: where the job's directory is gone, somebody has taken it away.
        try:
            path.parent.mkdir(exist_ok=True)
        except OSError as error:
            raise JaxzcError(
                f"the directory {path.parent} cannot be made ({error.strerror}): see that {self.root} can be written to"
            ) from error


@contextlib.contextmanager
def _beside(path: Path, content: bytes) -> Iterator[Path]:
    """A complete file in the same directory, gone after the block."""
    # Not named by process number: threads share one, and so may two machines that mount the directory.
    temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex}.new")
    with replacing(temporary) as file:
        file.write(content)
    try:
        yield temporary
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink()


class RemoteStore:
    """A directory of an object store. An object is put whole, so that it appears complete or not at all."""

    def __init__(self, where: str):
        import fsspec  # half a second of import that only these need

        self.where = where.rstrip("/")
        try:
            self.files, self.root = fsspec.core.url_to_fs(self.where, use_listings_cache=False)
        except (ImportError, ValueError) as error:
            raise JaxzcError(
                f"{where} cannot be opened ({error}): install the fsspec package of this kind of store, or name a directory"
            ) from error

    def exists(self, name: str) -> bool:
        return self._asked(self.files.isfile, f"{self.root}/{name}")

    def names(self, folder: str) -> list[str]:
        try:
            entries = self._asked(self.files.ls, f"{self.root}/{folder}", detail=False)
        except FileNotFoundError:
            return []
        return sorted(name for path in entries if not (name := path.rstrip("/").rpartition("/")[2]).startswith("."))

    def read(self, name: str) -> bytes:
        return self._asked(self.files.cat_file, f"{self.root}/{name}")

    def write(self, name: str, content: bytes) -> None:
        path = f"{self.root}/{name}"
        self._asked(self.files.makedirs, path.rpartition("/")[0], exist_ok=True)  # object stores have no directories, others do
        self._asked(self.files.pipe_file, path, content)

    def create(self, name: str, content: bytes) -> bool:
        if self.exists(name):
            return False
        self.write(name, content)
        return True

    def move(self, name: str, to: str) -> None:
        with contextlib.suppress(FileNotFoundError):
            self._asked(self.files.mv, f"{self.root}/{name}", f"{self.root}/{to}")

    def remove(self, name: str) -> None:
        with contextlib.suppress(FileNotFoundError):
            self._asked(self.files.rm_file, f"{self.root}/{name}")

    def remove_all(self) -> None:
        with contextlib.suppress(FileNotFoundError):
            self._asked(self.files.rm, self.root, recursive=True)

    def _asked(self, call: Any, path: str, *arguments: Any, **options: Any) -> Any:
        try:
            return call(path, *arguments, **options)
        except FileNotFoundError:
            raise
        except Exception as error:  # every kind of store has errors of its own
            raise JaxzcError(
                f"{path} cannot be reached in {self.where} ({type(error).__name__}: {error}): see credentials and network"
            ) from error
