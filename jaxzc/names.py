"""What is said of a name that does not exist: the nearest that does, and all of them."""

import difflib
from collections.abc import Iterable, Sequence

from jaxzc.types import JaxzcError


def unknown(kind: str, name: str, known: Iterable[str]) -> JaxzcError:
    """The error for a name that does not exist. kind: what it names, such as `proxy`."""
    known = list(known)
    near = nearest(name, known)
    hint = f"did you mean {near!r}? Known" if near else "known"
    return JaxzcError(f"unknown {kind} {name!r}: {hint}: {', '.join(known) or 'none'}")


def hint(name: str, known: Iterable[str]) -> str:
    """For a sentence that lists the known names itself: `did you mean 'zico'? If not, `, or nothing where no name is like it."""
    near = nearest(name, known)
    return f"did you mean {near!r}? If not, " if near else ""


def nearest(name: str, known: Iterable[str]) -> str | None:
    """The known name that is most like it, None where none is; capitals do not count."""
    lowered = {other.lower(): other for other in known}
    near = difflib.get_close_matches(name.lower(), lowered, 1)
    return lowered[near[0]] if near else None


def some_of(names: Sequence[str], most: int = 3) -> str:
    """The first names, and how many others there are: `a, b, c and 4 others`."""
    rest = len(names) - most
    return ", ".join(names[:most]) + (f" and {rest} other{'s' if rest > 1 else ''}" if rest > 0 else "")
