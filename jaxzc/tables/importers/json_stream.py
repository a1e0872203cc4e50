"""One JSON file read element by element, so that a file of gigabytes needs the memory of its largest element."""

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Any

from jaxzc.types import JaxzcError

CHUNK = 1 << 16
LARGEST = 1 << 27
"""Characters of one element, beyond which the file is taken for damaged rather than read to its end."""

_BLANK = re.compile(r"[ \t\n\r]*")
_DECODER = json.JSONDecoder()  # takes NaN and Infinity, which the benchmarks' files hold (diverged trainings) and strict parsers refuse


class JsonStream:
    """A cursor in a JSON file: walk objects with `keys()` and arrays with `items()`, and in their loop take each element with `value()` or
    walk into it.

    Raises `JaxzcError` (on opening or in any method): missing or unreadable file, text that is not JSON or ends too early.
    progress: called with the number of characters of each part that was read.
    """

    def __init__(self, path: Path, progress: Callable[[int], Any] | None = None) -> None:
        self._path, self._progress = path, progress
        self._text, self._at = "", 0
        try:
            self._file = open(path, encoding="utf-8")  # noqa: SIM115 (closed by __exit__)
        except OSError as error:
            raise JaxzcError(f"{path} cannot be opened ({error.strerror}): check the path") from error

    def __enter__(self) -> "JsonStream":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._file.close()

    def peek(self) -> str:
        """The next character that is not blank; it is not taken."""
        while True:
            self._at = _BLANK.match(self._text, self._at).end()  # type: ignore[union-attr]  (matches the empty string)
            if self._at < len(self._text):
                return self._text[self._at]
            if not self._read():
                raise self.wrong("it ends too early")

    def value(self) -> Any:
        """Takes the next element whole."""
        self.peek()
        while True:
            try:
                value, end = _DECODER.raw_decode(self._text, self._at)
            except (ValueError, RecursionError) as error:  # either damaged, or not all of it is here
                if len(self._text) - self._at > LARGEST or not self._read():
                    raise self.wrong(getattr(error, "msg", str(error))) from error
                continue
            length = end - self._at
            if isinstance(value, int | float) and len(self._text) - end < 4 and self._read():
                continue  # "1e-" may go on where the buffer ends
            self._at += length
            return value

    def keys(self) -> Iterator[str]:
        """Walks the object that comes next."""
        for _ in self._elements("{", "}", "an object"):
            key = self.value()
            if not isinstance(key, str):
                raise self.wrong(f"{key!r} stands where a name should")
            self._take(":", "a colon")
            yield key

    def items(self) -> Iterator[None]:
        """Walks the array that comes next."""
        return self._elements("[", "]", "an array")

    def finish(self) -> None:
        """Checks that nothing follows."""
        if not self._read_to_end():
            raise self.wrong("something follows its end")

    def wrong(self, what: str) -> JaxzcError:
        return JaxzcError(f"{self._path} is not the JSON file it should be ({what}): download it again, or check which file it is")

    def _elements(self, opening: str, closing: str, name: str) -> Iterator[None]:
        self._take(opening, name)
        if self.peek() == closing:
            self._at += 1
            return
        while True:
            yield None
            if self.peek() == closing:
                self._at += 1
                return
            self._take(",", f"a comma or the end of {name}")

    def _take(self, wanted: str, name: str) -> None:
        token = self.peek()
        if token != wanted:
            raise self.wrong(f"{token!r} stands where {name} should")
        self._at += 1

    def _read(self) -> bool:
        # As much again as is waiting, so that a long element is tried a few times only.
        try:
            more = self._file.read(max(CHUNK, len(self._text) - self._at))
        except (OSError, UnicodeDecodeError) as error:
            raise self.wrong(str(error)) from error
        self._text, self._at = self._text[self._at :] + more, 0
        if self._progress is not None:
            self._progress(len(more))
        return bool(more)

    def _read_to_end(self) -> bool:
        while _BLANK.fullmatch(self._text, self._at):
            self._at = len(self._text)
            if not self._read():
                return True
        return False
