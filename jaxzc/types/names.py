"""Names in text: several at once, the name of a label, and what is said of one that does not exist."""

import difflib
from collections.abc import Iterable, Mapping, Sequence

from jaxzc.types.arrays import JaxzcError


def unknown(kind: str, name: str, known: Iterable[str]) -> JaxzcError:
    """The error for an unknown name. kind: what is named, such as `proxy`. known: the names that exist."""
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


def split_names(text: str) -> list[str]:
    """Splits text such as `zico(std_of='abs'),snip` at its commas, except inside brackets."""
    names, depth = [""], 0
    for character in text:
        depth += (character in "([{") - (character in ")]}")
        if character == "," and depth == 0:
            names.append("")
        else:
            names[-1] += character
    return [n.strip() for n in names if n.strip()]


def direction_of(label: str, directions: Mapping[str, bool]) -> bool | None:
    """Whether a higher score is better for the proxy with this label; None if unknown. The label may have settings in brackets."""
    return directions.get(label, directions.get(label.partition("(")[0]))
