"""Writes the file of one network: the definitions that its module needs, from the modules they stand in, and a call with its settings.

What is called is a `functools.partial` of a class or function and of plain values (numbers, strings, tuples, named tuples), which is how a
space says what a network is made of (`core.blueprint.blueprint`).
"""

import ast
import builtins
import inspect
import json
import sys
from collections.abc import Callable
from functools import cache, partial
from textwrap import indent
from typing import Any

from jaxzc.types import JaxzcError
from jaxzc_spaces.core.alone import plain
from jaxzc_spaces.core.alone.rendering import PASS, Text, is_own

WIDTH = 120
"""Of lines with settings."""
LOAD = '''def load(path: str | Path) -> {root}:
    """The network with the weights in a file, in `eval()`: `model.train()` goes on with training it."""
    model = make()
    weights = serialization.msgpack_restore(Path(path).read_bytes())
    nnx.update(model, nnx.restore_int_paths(weights))
    model.eval()
    return model'''
LOAD_IMPORTS = {"from pathlib import Path", "from flax import nnx", "from flax import serialization"}


def write(build: Callable[[], Any], heading: str) -> str:
    """Python code with functions `make() -> module`, `load(path) -> module` and `draw(module, key)`.

    build: the partial. heading: what the file says first, in plain words. Raises `JaxzcError` where the network cannot be written.
    """
    if not isinstance(build, partial):
        raise JaxzcError(
            f"the network is built by {build!r}, which does not say of what: give its space a functools.partial of a module's class "
            "and its settings, and it can be written as code that stands alone"
        )
    file = _File()
    file.needs(plain.__name__, "Array")
    make: Any = build.func
    name = file.needs(make.__module__, make.__qualname__)
    # The metaclass of NNX modules would hide the names.
    signature, first = (inspect.signature(make.__init__), (None,)) if inspect.isclass(make) else (inspect.signature(make), ())
    bound = list(signature.bind(*first, *build.args, **build.keywords).arguments.items())[len(first) :]
    settings = [f"{setting}={file.literal(value, WIDTH - len(setting))}" for setting, value in bound]
    root = name if inspect.isclass(make) else "nnx.Module"
    docstring = "The network. Its kernels are zeros until `load` or `draw` sets them."
    body = indent(f"return {_call(name, settings, WIDTH - len('return '))}", "    ")
    file.adds("make", f'def make() -> {root}:\n    """{docstring}"""\n{body}')
    file.adds("load", LOAD.format(root=root))
    file.imports |= LOAD_IMPORTS
    file.needs(plain.__name__, "draw")
    source = inspect.getdoc(sys.modules[make.__module__]) or ""
    return file.text("\n\n".join([heading, source]).strip())


class _File:
    """imports: statements. parts: name -> text of its definition, in the order in which they can be run."""

    def __init__(self) -> None:
        self.imports: set[str] = set()
        self.parts: dict[str, str] = {}
        self.begun: set[tuple[str, str]] = set()

    def adds(self, name: str, text: str) -> None:
        if self.parts.setdefault(name, text) != text:
            raise JaxzcError(f"two definitions of the network are named {name}: give one of them another name, for they must share a file")

    def needs(self, module: str, name: str) -> str:
        """Sees to it that the name of the module is defined in the file, and all that its definition needs; returns the name there."""
        if name in plain.PLAIN.get(module, ()):
            module = plain.__name__
        if (module, name) in self.begun:
            return name
        text = _text(module)
        statement = text.bindings.get(name)
        self.begun.add((module, name))
        if isinstance(statement, ast.Assign):  # which may define several names at once
            self.begun |= {(module, other) for other, binds in text.bindings.items() if binds is statement}
        if statement is None:
            raise JaxzcError(f"{module} has no definition of {name}: a network that stands alone takes its parts from a module's top level")
        if isinstance(statement, ast.Import | ast.ImportFrom):
            self._imports(statement, module, name)
            return name
        rendered = text.rendered(statement)
        for part in _names(ast.parse(rendered)):
            self._needs_of(text, part, name)
        if isinstance(statement, ast.Assign | ast.AnnAssign) and (said := text.docstring_behind(statement)):
            rendered += "\n" + text.rendered(said)
        self.adds(name, rendered)
        return name

    def _needs_of(self, text: Text, part: str, name: str) -> None:
        """What a name in a definition is: of the module, of another one whose name was left out, or Python's own."""
        if part in text.bindings:
            self.needs(text.module.__name__, part)
            return
        others = [home for bound in text.bindings if (home := text.submodule(bound)) and part in _text(home).bindings]
        if others:
            self.needs(others[0], part)
        elif part == PASS:
            raise JaxzcError(f"{text.module.__name__}.{name} asks its pass for more than layers do, so that it cannot stand alone")
        elif not hasattr(builtins, part):
            raise JaxzcError(f"{text.module.__name__}.{name} uses {part}, which its module does not define: it cannot stand alone")

    def _imports(self, statement: ast.Import | ast.ImportFrom, module: str, name: str) -> None:
        (alias,) = [each for each in statement.names if (each.asname or each.name.partition(".")[0]) == name]
        home = statement.module or "" if isinstance(statement, ast.ImportFrom) else alias.name
        if isinstance(statement, ast.ImportFrom) and is_own(home, module) and alias.asname in (None, alias.name):
            self.needs(home, alias.name)
        elif home.partition(".")[0] in ("jax", "flax", *sys.stdlib_module_names):
            start = f"from {home} " if isinstance(statement, ast.ImportFrom) else ""
            self.imports.add(f"{start}import {alias.name}" + (f" as {alias.asname}" if alias.asname else ""))
        else:
            raise JaxzcError(f"{module} uses {ast.unparse(statement)}: a network that stands alone has JAX, Flax and Python only")

    def literal(self, value: Any, room: int = WIDTH) -> str:
        """A value as Python writes it, over several lines where it has not room enough in one."""
        if isinstance(value, tuple) and hasattr(value, "_fields"):
            name = self.needs(type(value).__module__, type(value).__qualname__)
            fields = value._asdict().items()  # pyright: ignore[reportAttributeAccessIssue]
            return _call(name, [f"{field}={self.literal(each, room - 4 - len(field))}" for field, each in fields], room)
        if isinstance(value, list | tuple):
            parts = [self.literal(each, room - 4) for each in value]
            left, right = "[]" if isinstance(value, list) else "()"
            single = isinstance(value, tuple) and len(parts) == 1
            return (
                _lines(left, [*parts, ""] if single else parts, right, room).replace(", )", ",)")
                if single
                else _lines(left, parts, right, room)
            )
        if isinstance(value, str):
            return json.dumps(value)
        if value is None or isinstance(value, bool | int | float):
            return repr(value)
        raise JaxzcError(f"a setting of the network is {value!r}: expected numbers, strings and tuples of them, which a file can hold")

    def text(self, heading: str) -> str:
        """The file."""
        imports = sorted(_merged(self.imports), key=lambda line: (line.startswith("from"), line))
        groups = [[line for line in imports if (_top(line) in ("jax", "flax")) == third] for third in (False, True)]
        head = "\n\n".join("\n".join(group) for group in groups if group)
        body, before = "", False
        for part in self.parts.values():
            long = part.startswith(("def ", "class ", "@"))
            body += ("\n\n\n" if long or before else "\n" if body else "\n\n") + part
            before = long
        return f'"""{heading}\n"""\n\n{head}{body}\n'


@cache
def _text(module: str) -> Text:
    __import__(module)
    return Text(sys.modules[module])


def _merged(imports: set[str]) -> list[str]:
    """The statements, one for each module that names are imported from."""
    names: dict[str, list[str]] = {}
    for line in sorted(imports):
        home, _, name = line.partition(" import ")
        names.setdefault(home, []).extend([name] if name else [])
    return [f"{home} import {', '.join(of)}" if of else home for home, of in names.items()]


def _top(line: str) -> str:
    return line.split()[1].partition(".")[0]


def _call(name: str, arguments: list[str], room: int = WIDTH) -> str:
    return name + _lines("(", arguments, ")", room - len(name))


def _lines(left: str, parts: list[str], right: str, room: int) -> str:
    line = f"{left}{', '.join(parts)}{right}"
    if len(line) <= room and "\n" not in line:
        return line
    inside = "".join(f"{part},\n".replace("\n", "\n    ") for part in parts if part)
    return f"{left}\n    {inside.rstrip()}\n{right}"


def _names(tree: ast.AST) -> list[str]:
    """Names that a definition reads and does not bind itself."""
    if isinstance(tree, ast.Module):
        return [name for statement in tree.body for name in _names(statement)]
    if isinstance(tree, ast.ClassDef):
        return [name for child in ast.iter_child_nodes(tree) for name in _names(child)]
    nodes = list(ast.walk(tree))
    bound = {node.arg for node in nodes if isinstance(node, ast.arg)}
    bound |= {node.id for node in nodes if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)}
    bound |= {node.name for node in nodes if isinstance(node, ast.FunctionDef) and node is not tree}
    loads = [node.id for node in nodes if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load)]
    return [name for name in dict.fromkeys(loads) if name not in bound]
