"""What is told by its sources: equal words for what acts equally, other words as soon as a source changes, none for what has no source."""

import importlib
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import jax
import numpy as np
import pytest

from jaxzc._compile import sources
from jaxzc._compile.sources import tell
from jaxzc.proxies import PROXIES
from jaxzc.types import InputSpec

PROXY = """
from dataclasses import dataclass
from functools import wraps
import beside_it

def proxy(loss_grads):
    return beside_it.total(loss_grads)

@dataclass(frozen=True)
class Space:
    channels: int = 8

@dataclass(frozen=True)
class Marked:
    function: object

def plain(x):
    return x

marked = Marked(plain)
plain = marked

def made():
    def inner(x):
        return x
    return inner

nested, unnamed = made(), lambda x: x
"""
HELPER = "def total(grads):\n    return sum(g.sum() for g in grads)\n"


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A user's module of one file, which imports another file beside it."""
    (tmp_path / "my_proxies_of_one_file.py").write_text(PROXY)
    (tmp_path / "beside_it.py").write_text(HELPER)
    monkeypatch.syspath_prepend(str(tmp_path))
    sources.digest.cache_clear()
    yield importlib.import_module("my_proxies_of_one_file")
    sources.digest.cache_clear()
    for name in ("my_proxies_of_one_file", "beside_it"):
        sys.modules.pop(name, None)


def test_functions_and_objects_of_a_users_module_are_told(module: Any) -> None:
    told = [tell(module.proxy), tell(partial(module.proxy, 3)), tell(module.Space()), tell(module.Space(4)), tell(module.marked)]
    assert None not in told
    assert len(set(told)) == len(told)
    assert tell({"a": [module.Space(8)]}) == tell({"a": [module.Space()]})


@pytest.mark.parametrize("name", ["my_proxies_of_one_file.py", "beside_it.py"])
def test_another_source_is_another_word(module: Any, tmp_path: Path, name: str) -> None:
    """Of the file itself, and of what it imports."""
    before = tell(module.proxy)
    (tmp_path / name).write_text((tmp_path / name).read_text() + "\n# another line\n")
    assert tell(module.proxy) == before, "read once in a process, as the module was"
    sources.digest.cache_clear()
    assert tell(module.proxy) not in (None, before)


def test_what_has_no_source_is_not_told(module: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    class Local:
        pass

    for value in (module.nested, module.unnamed, Local(), np.zeros(2), np.dtype("float32"), jax.numpy.zeros(2), object(), jax.nn.relu):
        assert tell(value) is None
        assert tell([1, {"a": value}]) is None
    monkeypatch.setattr(module, "proxy", lambda loss_grads: 0)
    original = sys.modules["beside_it"].total
    assert tell(original) is not None
    monkeypatch.setattr(sys.modules["beside_it"], "total", len)
    assert tell(original) is None, "another function stands there by now"
    typed = type("Typed", (), {"__module__": "__main__"})
    assert tell(typed()) is None


def test_an_import_that_is_not_there_is_part_of_the_word(module: Any, tmp_path: Path) -> None:
    source = "try:\n    import surely_not_installed\nexcept ImportError:\n    pass\n" + HELPER
    (tmp_path / "beside_it.py").write_text(source)
    sources.digest.cache_clear()
    before = tell(module.proxy)
    (tmp_path / "surely_not_installed.py").write_text("")
    importlib.invalidate_caches()
    sources.digest.cache_clear()
    assert tell(module.proxy) not in (None, before)


def test_ours_are_told_by_name() -> None:
    assert "jaxzc" in str(tell(PROXIES["snip"]))
    assert "32" in str(tell(InputSpec((32, 32, 3))))
    assert tell(InputSpec((32, 32, 3))) != tell(InputSpec((32, 32, 3), "int32"))
