"""A pytest plugin that compares what is passed, assigned and returned with the package's annotations while tests run: `nox -s annotated`.

An array may be NumPy's where JAX's is said, because JAX takes both. A test may pass wrong types, to see them refused: what such a call
passes on within the package is the test's matter, too; a test that leads to them otherwise, by a setting or a stand-in, is marked
`mistyped`. Everything else is a fault of the package or of its annotation, and the test in which it is found fails.
"""

import sys
import warnings
from collections.abc import Iterator
from pathlib import Path
from types import FrameType
from typing import Any

import jax
import numpy as np
import pytest
from typeguard import TypeCheckError, TypeHintWarning, checker_lookup_functions, config, install_import_hook

TESTS = Path(__file__).parents[1]
PACKAGE = TESTS.parent / "jaxzc"

found: dict[str, None] = {}
"""What is wrong, of the test that runs."""
refused: list[FrameType] = []
"""Calls of the package in which a test passed what it should not."""


def told(error: TypeCheckError, memo: Any) -> None:
    """Called by typeguard where a value is not what the annotation says."""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None and "typeguard" in Path(frame.f_code.co_filename).parts:
        frame = frame.f_back
    assert frame is not None
    calls = list(_outwards(frame))
    if any(call in refused for call in calls):
        return
    ours = [call for call in calls[1:] if _lies_in(call, PACKAGE) or _lies_in(call, TESTS)]
    if str(error).startswith(("argument", "attribute")) and ours and _lies_in(ours[0], TESTS):
        refused.append(frame)
        return
    where = Path(frame.f_code.co_filename)
    name = where.relative_to(PACKAGE.parent) if where.is_relative_to(PACKAGE) else where
    found[f"{name}, {frame.f_code.co_qualname}: {error}"] = None


def _outwards(frame: FrameType | None) -> Iterator[FrameType]:
    while frame is not None:
        yield frame
        frame = frame.f_back


def _lies_in(frame: FrameType, folder: Path) -> bool:
    return Path(frame.f_code.co_filename).is_relative_to(folder)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_setup(item: pytest.Item) -> Iterator[None]:
    yield
    _judge(item)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Iterator[None]:
    yield
    _judge(item)


def _judge(item: pytest.Item) -> None:
    wrong = "\n".join(found)
    found.clear()
    refused.clear()
    assert not wrong or item.get_closest_marker("mistyped"), wrong


def _arrays(origin: Any, arguments: Any, extras: Any) -> Any:
    return _is_array if origin is jax.Array else None


def _is_array(value: Any, *of: Any) -> None:
    if not isinstance(value, jax.Array | np.ndarray | np.generic):
        raise TypeCheckError("is no array")


checker_lookup_functions.append(_arrays)
config.typecheck_fail_callback = told
warnings.filterwarnings("ignore", category=TypeHintWarning)  # names that only type checkers import
install_import_hook("jaxzc")
