"""What a command says while it works."""

import io
import sys
from itertools import count

import pytest

from jaxzc.cli import terminal, train
from jaxzc.proxies import PROXIES


def test_it_says_how_long_compiling_takes() -> None:
    assert terminal.compiling({name: PROXIES[name] for name in ("snip", "params")}).startswith("compiling, once (about 7 s;")
    assert "(about 9 s;" in terminal.compiling({name: PROXIES[name] for name in ("snip", "naswot", "l2_norm")})


def test_a_quiet_command_shows_no_bar(capsys: pytest.CaptureFixture[str]) -> None:
    assert list(terminal.progress(range(5), 5, quiet=True)) == list(range(5))
    assert capsys.readouterr().err == ""


def test_no_bar_stands_at_zero(monkeypatch: pytest.MonkeyPatch) -> None:
    said = io.StringIO()
    monkeypatch.setattr(sys, "stderr", said)
    rows = terminal.progress(iter("ab"), 2, False, "compiling, once (about 7 s)")
    assert next(rows) == "a"
    assert "compiling, once (about 7 s)" in said.getvalue()
    assert "%" not in said.getvalue()
    assert list(rows) == ["b"]
    assert "running: 100%" in said.getvalue()
    assert "2/2" in said.getvalue()


def test_only_the_first_epoch_of_a_run_compiles(monkeypatch: pytest.MonkeyPatch) -> None:
    said = io.StringIO()
    monkeypatch.setattr(sys, "stderr", said)
    begun = count()
    for epoch in (3, 4):  # a run that goes on
        assert list(train._bar(epoch, range(2), epochs=4, quiet=False, begun=begun)) == [0, 1]
    text = said.getvalue()
    assert "epoch 3/4: compiling, once" in text
    assert "epoch 4/4: compiling" not in text
    assert "epoch 4/4" in text
