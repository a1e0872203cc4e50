"""The text of definitions as a network that stands alone has them: what the pass is for is taken out, comments and layout stay.

A network hands what it computes to a parameter `p`, its `Pass`, which gives it back. So `p.layer(kernel, y)` is `y`; `(x,) = p.rescale(y)`
is `x = y`; what only the pass is told (`p.cell = 3`, `p.operating(5)`) goes; and `p` is no argument any more. Names of other modules of
ours (`ops.conv1x1`) lose the module, because all stand in one file. The network's `logits` becomes its `__call__`, and `@repeated` goes.
"""

import ast
import inspect
from collections.abc import Iterator
from functools import cached_property
from types import ModuleType

from jaxzc.types import JaxzcError

Edit = tuple[int, int, str]
"""Bytes from, bytes to, and what takes their place."""
PASS = "p"
GIVES_BACK = {"layer": 1, "activating": 1, "normalising": 1, "attending": 1, "map": 1, "bias": 0, "embedding": 1}
"""Method of a pass -> which of its arguments is what it gives."""
BASE = "NetworkModule"
REPEATED = "repeated"
PART = (ast.Name, ast.Call, ast.Attribute, ast.Subscript, ast.Constant)
"""Expressions that need no brackets in the place of a call."""


class Text:
    """A module's text, and what it binds."""

    def __init__(self, module: ModuleType):
        self.module = module
        try:
            self.bytes = inspect.getsource(module).encode()
        except (OSError, TypeError) as error:
            raise JaxzcError(
                f"{module.__name__} has no source text ({error}), so that networks written in it cannot be written as code that stands "
                "alone: define them in a file"
            ) from error
        self.tree = ast.parse(self.bytes)
        lengths = [len(line) for line in self.bytes.splitlines(keepends=True)]
        self.starts = [sum(lengths[:k]) for k in range(len(lengths) + 1)]

    @cached_property
    def bindings(self) -> dict[str, ast.stmt]:
        """Name -> the statement of the module that binds it."""
        return {name: statement for statement in self.tree.body for name in _bound(statement)}

    def docstring_behind(self, statement: ast.stmt) -> ast.stmt | None:
        """The string that says what an assignment is."""
        position = self.tree.body.index(statement)
        following = self.tree.body[position + 1 : position + 2]
        return next((s for s in following if isinstance(s, ast.Expr) and isinstance(s.value, ast.Constant)), None)

    def span(self, node: ast.AST) -> tuple[int, int]:
        first: ast.AST = node
        if isinstance(node, ast.FunctionDef | ast.ClassDef) and node.decorator_list:
            first = node.decorator_list[0]
        start = self.starts[first.lineno - 1] + first.col_offset - (first is not node)  # type: ignore[attr-defined]
        return start, self.starts[node.end_lineno - 1] + node.end_col_offset  # type: ignore[attr-defined]

    def rendered(self, node: ast.AST) -> str:
        """The text of a node without its pass."""
        start, end = self.span(node)
        parts, position = [], start
        for first, last, text in sorted(self._edits(node)):
            parts += [self.bytes[position:first].decode(), text]
            position = last
        return "".join([*parts, self.bytes[position:end].decode()])

    def _edits(self, node: ast.AST) -> Iterator[Edit]:
        own = self._edit(node)
        if own is not None:
            yield from own
            return
        for child in ast.iter_child_nodes(node):
            yield from self._edits(child)

    def _edit(self, node: ast.AST) -> list[Edit] | None:
        """What replaces a node, and parts of it; None where only its parts may change."""
        if _only_told(node) or self._keeps(node):
            start, end = self.starts[node.lineno - 1], self.starts[node.end_lineno]  # type: ignore[attr-defined]
            return [(start, end, "")]
        if isinstance(node, ast.FunctionDef) and [each for each in node.decorator_list if ast.unparse(each) == REPEATED]:
            others = [each for each in ast.iter_child_nodes(node) if each not in node.decorator_list]
            return [(self.span(node)[0], self.starts[node.lineno - 1] + node.col_offset, ""), *self._all(others)]
        if isinstance(node, ast.Assign) and (call := _of_pass(node.value)) and call[0] == "rescale":
            targets = node.targets[0]
            names = targets.elts if isinstance(targets, ast.Tuple) else [targets]
            left, right = (", ".join(map(self.rendered, nodes)) for nodes in (names, call[1]))
            return [(*self.span(node), f"{left} = {right}")]
        if isinstance(node, ast.IfExp) and (text := self.rendered(node.body)) == self.rendered(node.orelse):
            return [(*self.span(node), text)]
        if isinstance(node, ast.Return) and node.value and (call := _of_pass(node.value)) and call[0] in GIVES_BACK:
            return [(*self.span(node), f"return {self.rendered(call[1][GIVES_BACK[call[0]]])}")]
        if (call := _of_pass(node)) and call[0] in GIVES_BACK:
            argument = call[1][GIVES_BACK[call[0]]]
            text = self.rendered(argument)
            return [(*self.span(node), text if isinstance(argument, PART) else f"({text})")]
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "ReLU":
            return [(*self.span(node), "ReLU()")]
        if isinstance(node, ast.Call) and (places := [k for k, each in enumerate(node.args) if _is_pass(each)]):
            others = [each for each in ast.iter_child_nodes(node) if not _is_pass(each)]
            more = len(node.args) + len(node.keywords) > 1
            return [self._without(node.args[places[0]], first=places[0] == 0, more=more), *self._all(others)]
        if isinstance(node, ast.arguments) and (places := [k for k, each in enumerate(node.args) if each.arg == PASS]):
            others = [each for each in ast.iter_child_nodes(node) if each is not node.args[places[0]]]
            return [self._without(node.args[places[0]], first=places[0] == 0, more=len(node.args) > 1), *self._all(others)]
        if isinstance(node, ast.ClassDef) and (base := next((b for b in node.bases if isinstance(b, ast.Name) and b.id == BASE), None)):
            renamed = [(*self._name(each), "__call__") for each in node.body if isinstance(each, ast.FunctionDef) and each.name == "logits"]
            return [(*self.span(base), "nnx.Module"), *renamed, *self._all(node.body)]
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and self.submodule(node.value.id):
            return [(*self.span(node), node.attr)]
        return None

    def _keeps(self, node: ast.AST) -> bool:
        """Whether an assignment, without the pass, gives a name the value that it has."""
        if not isinstance(node, ast.Assign) or not isinstance(node.targets[0], ast.Name):
            return False
        return self.rendered(node.value) == node.targets[0].id

    def submodule(self, name: str) -> str | None:
        """The name of the module of ours that this name is here, if it is one."""
        value = getattr(self.module, name, None)
        return value.__name__ if isinstance(value, ModuleType) and is_own(value.__name__, self.module.__name__) else None

    def _all(self, nodes: list[ast.AST] | list[ast.stmt]) -> list[Edit]:
        return [edit for node in nodes for edit in self._edits(node)]

    def _name(self, function: ast.FunctionDef) -> tuple[int, int]:
        start = self.bytes.index(function.name.encode(), self.starts[function.lineno - 1])
        return start, start + len(function.name)

    def _without(self, argument: ast.AST, *, first: bool, more: bool) -> Edit:
        """Takes out an argument, with the comma before it, or behind it where it is the first."""
        start, end = self.span(argument)
        if not first:
            start = self.bytes.rindex(b",", 0, start)
        elif more:
            end = self.bytes.index(b",", end) + 1
            end += len(self.bytes[end:]) - len(self.bytes[end:].lstrip())
        return start, end, ""


def is_own(module: str, of: str) -> bool:
    """Whether definitions of a module are written into the file, where those of the module `of` are: it is ours, or of the same package."""
    return module.partition(".")[0] in ("jaxzc", "jaxzc_spaces", of.partition(".")[0])


def _is_pass(node: ast.AST) -> bool:
    return isinstance(node, ast.Name) and node.id == PASS


def _of_pass(node: ast.AST) -> tuple[str, list[ast.expr]] | None:
    """Method and arguments of a call of a pass's method."""
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and _is_pass(node.func.value):
        return node.func.attr, node.args
    return None


def _only_told(node: ast.AST) -> bool:
    """Whether a statement only tells the pass something."""
    if isinstance(node, ast.Expr):
        return _of_pass(node.value) is not None
    targets = node.targets if isinstance(node, ast.Assign) else [node.target] if isinstance(node, ast.AugAssign) else []
    return any(isinstance(target, ast.Attribute) and _is_pass(target.value) for target in targets)


def _bound(statement: ast.stmt) -> list[str]:
    if isinstance(statement, ast.FunctionDef | ast.ClassDef):
        return [statement.name]
    if isinstance(statement, ast.Import | ast.ImportFrom):
        return [alias.asname or alias.name.partition(".")[0] for alias in statement.names]
    targets = statement.targets if isinstance(statement, ast.Assign) else [statement.target] if isinstance(statement, ast.AnnAssign) else []
    return [node.id for target in targets for node in ast.walk(target) if isinstance(node, ast.Name)]
