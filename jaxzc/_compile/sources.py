"""What acts equally, told by its name and its sources, so that a compiled program can be found again by the next process.

A function or an object of a class that stands at the top of a module is told by its name and by a digest of the sources it comes from: of
its package or, where that is a single file, of the file; and of everything of the same kind that these import, because a helper beside the
file may change what the function does. Of installed packages that are only imported, the version has to do. What is made while a program
runs (lambdas, functions inside functions), what is typed in (`__main__`, notebooks) and arrays have no sources: these cannot be told.
Beware: a function that reads a file or the environment acts by more than its sources, and so does a module whose globals are changed.
"""

import ast
import hashlib
import inspect
import sys
import sysconfig
from collections.abc import Iterator
from functools import cache, partial
from importlib.metadata import PackageNotFoundError, packages_distributions, version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

OWN = ("jaxzc", "jaxzc_spaces")
"""Packages whose every source file is part of every program's key (`jaxzc._compile.cache.machine`)."""
VERSIONED = ("jax", "jaxlib", "flax", "numpy", "optax")
"""Packages whose version is part of every program's key."""


def tell(value: Any) -> str | None:
    """`value` in words that are equal only for what acts equally; None where there are none."""
    if value is None or isinstance(value, bool | int | float | str):
        return repr(value)
    if isinstance(value, partial):
        return tell(("partial", value.func, value.args, dict(value.keywords)))
    if isinstance(value, dict):
        value = list(value.items())
    if isinstance(value, tuple | list):
        inner = [tell(part) for part in value]
        return None if None in inner else f"[{','.join(map(str, inner))}]"
    about = value if inspect.isfunction(value) else type(value)
    name = _name(about)
    if name is None or inspect.isfunction(value):
        return name
    fields = getattr(value, "__dataclass_fields__", None)
    inner = None if fields is None else tell([getattr(value, field) for field in fields])
    return inner and f"{name}{inner}"


def _name(about: Any) -> str | None:
    """Of a function or class, where it stands and the digest of its sources; None where it does not stand there."""
    module, names = about.__module__, about.__qualname__
    if module == "__main__" or module not in sys.modules or "<" in names:
        return None
    standing: Any = sys.modules[module]
    for name in names.split("."):
        standing = getattr(standing, name, None)
    # A decorator may have put something around it that holds it.
    held = vars(standing).values() if hasattr(standing, "__dict__") else standing if isinstance(standing, tuple) else ()
    if standing is not about and not any(part is about for part in held):
        return None
    package = module.partition(".")[0]
    if package in OWN or package in VERSIONED:
        return f"{module}.{names}"
    sources = digest(package)
    return sources and f"{module}.{names}@{sources}"


@cache
def digest(package: str) -> str | None:
    """Of the sources of a package or a module of one file, and of what these import; None where there are none."""
    files = _files(package)
    if not files:
        return None
    total, told, seen = hashlib.sha256(), [], {package}
    todo = [(package, files)]
    while todo:
        name, files = todo.pop()
        for path in files:
            total.update(f"{name} {path.name}\0".encode() + path.read_bytes() + b"\0")
            for other in sorted(set(_imports(path)) - seen):
                seen.add(other)
                if other in sys.stdlib_module_names or other in OWN or other in VERSIONED:
                    continue
                theirs = _files(other)
                known = _version(other) if not theirs or _installed(theirs[0]) else None
                if known is not None:
                    told.append(f"{other} {known}")
                elif theirs:
                    todo.append((other, theirs))
                elif _exists(other):
                    return None
                else:  # imported where it is there; once it is, the function may act otherwise
                    told.append(f"{other} missing")
    total.update("\n".join(sorted(told)).encode())
    return total.hexdigest()[:16]


def _files(package: str) -> list[Path]:
    """The source files of a package, in order; of a module of one file that file; none where they cannot be seen."""
    try:
        spec = find_spec(package)
    except (ImportError, ValueError):
        return []
    if spec is None or spec.origin is None or not spec.origin.endswith(".py"):
        return []
    origin = Path(spec.origin)
    return sorted(origin.parent.rglob("*.py")) if spec.submodule_search_locations else [origin]


def _exists(package: str) -> bool:
    try:
        return find_spec(package) is not None
    except (ImportError, ValueError):
        return package in sys.modules


def _imports(path: Path) -> Iterator[str]:
    """The packages that a source file imports anywhere, by their first word."""
    try:
        tree = ast.parse(path.read_bytes())
    except SyntaxError:  # a template, or of another version of Python: nobody imports it
        return
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (name.name.partition(".")[0] for name in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module.partition(".")[0]


def _installed(path: Path) -> bool:
    """Whether an installer put the file there, and not its author."""
    return any(path.is_relative_to(sysconfig.get_path(kind)) for kind in ("purelib", "platlib"))


def _version(package: str) -> str | None:
    """Of the installed distribution that the package comes from; None where there is none."""
    try:
        return ", ".join(f"{name} {version(name)}" for name in sorted(set(_distributions()[package])))
    except (KeyError, PackageNotFoundError):
        return None


@cache
def _distributions() -> Any:
    return packages_distributions()
