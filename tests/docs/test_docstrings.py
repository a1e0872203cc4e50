"""The examples in docstrings: each calls what exists, with arguments that it takes; those that need no compiler run as well."""

import ast
import doctest
import importlib
import inspect
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxzc
from jaxzc.spacekit import program_of

ROOT = Path(__file__).parents[2]


class Example(NamedTuple):
    """module: where the docstring stands. name: of what it explains; empty for the module's own. code: what is behind `>>>`."""

    module: str
    name: str
    code: str


def examples() -> Iterator[Example]:
    parser = doctest.DocTestParser()
    for root in (ROOT, ROOT / "spaces"):
        for path in sorted((root / ("jaxzc" if root == ROOT else "jaxzc_spaces")).rglob("*.py")):
            text = path.read_text(encoding="utf-8")
            if ">>>" not in text:
                continue
            module = ".".join(path.relative_to(root).with_suffix("").parts).removesuffix(".__init__")
            for node in ast.walk(ast.parse(text)):
                if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef):
                    code = "".join(example.source for example in parser.get_examples(ast.get_docstring(node) or ""))
                    if code:
                        yield Example(module, getattr(node, "name", ""), code)


EXAMPLES = list(examples())


def calls(example: Example) -> Iterator[tuple[ast.Call, Any]]:
    """The calls of an example whose function is known by name, and that function."""
    names = {**vars(importlib.import_module(example.module)), "jaxzc": jaxzc}
    tree = ast.parse(example.code)
    for node in ast.walk(tree):
        if isinstance(node, ast.Import | ast.ImportFrom):
            exec(ast.unparse(node), names)
    made = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and re.fullmatch(r"[\w.]+", ast.unparse(node.func)):
            first, *rest = ast.unparse(node.func).split(".")
            if first in names.keys() - made and not any(isinstance(each, ast.Starred) for each in node.args):
                value = names[first]
                for word in rest:
                    value = getattr(value, word)  # which says what does not exist
                yield node, value


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: f"{example.module}:{example.name}")
def test_examples_call_what_exists(example: Example) -> None:
    for node, function in calls(example):
        keywords = {keyword.arg: None for keyword in node.keywords if keyword.arg}
        inspect.signature(function).bind(*[None] * len(node.args), **keywords)


def test_the_public_names_have_examples() -> None:
    """A docstring without one is no mistake; but the functions of the README have one each."""
    assert {"evaluate", "plan", "run_export", "run_scoring", "run_search", "score", "space", "train"} <= {each.name for each in EXAMPLES}


def ran(example: Example, **given: Any) -> dict[str, Any]:
    """What the example defines. given: what it takes for granted."""
    names = {**vars(importlib.import_module(example.module)), "jaxzc": jaxzc, "jnp": jnp, "np": np, **given}
    exec(compile(example.code, example.module, "exec"), names)
    return names


def of(module: str, name: str = "") -> Example:
    return next(each for each in EXAMPLES if (each.module, each.name) == (module, name))


def test_examples_of_ranks_layers_spaces_and_facts() -> None:
    scores = np.arange(6.0).reshape(3, 2)
    assert len(ran(of("jaxzc.aggregates.streaming"), scores=scores)["seen"]) == 3
    ran(of("jaxzc.numerics.layers", "sum_over_layers"), weights=[jnp.ones((2, 3))], loss_grads=[jnp.ones((2, 3))])
    ran(of("jaxzc.catalogue.spaces", "space"))
    assert len(ran(of("jaxzc.embedded"))["jaxzc"].tables.read_truth(jaxzc.embedded.table_path(), "test_accuracy")) == 500
    assert ran(of("jaxzc.definitions.facts"))["max_gradient"]([jnp.array([1.0, 2.0])]) == 3


@pytest.mark.parametrize("module", ["jaxzc.search", "jaxzc.search.stepping"])
def test_examples_of_searches(module: str, capsys: pytest.CaptureFixture[str]) -> None:
    names = {"parse_budget": jaxzc.search.parse_budget, "AgingEvolution": jaxzc.search.AgingEvolution}
    space = jaxzc.space("nasbench201")

    def fitness(archs: np.ndarray) -> np.ndarray:
        return np.asarray(space.counts(archs).params, float)[:, None]

    found = ran(of(module), space=space, my_fitness=fitness, **names)
    assert found["state"].evaluated == 500


def test_examples_of_figures(here: Path) -> None:
    ran(of("jaxzc.report.look"), epochs=[1, 2], accuracy=[50, 60])
    assert (here / "training.pdf").stat().st_size > 1000


@pytest.mark.parametrize(
    "example",
    [each for each in EXAMPLES if each.module.endswith(".space") or ".transnas101.m" in each.module],
    ids=lambda each: each.module,
)
def test_examples_of_spaces(example: Example) -> None:
    """Traced, not computed: they are of the benchmarks' own sizes."""
    space = ran(Example(example.module, "", example.code.splitlines()[0]))["space"]
    images = jax.ShapeDtypeStruct((2, *space.inputs.shape), jnp.float32)

    def run(images: jax.Array) -> None:
        ran(example, images=images, jax=jax, program_of=program_of)

    jax.eval_shape(run, images)
