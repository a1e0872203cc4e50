"""What the user asks for: names, settings, functions."""

import functools
from typing import Any

import numpy as np
import pytest

from jaxzc.catalogue import spaces
from jaxzc.catalogue.selection import check_setting, parse_proxy, select
from jaxzc.proxies import FOR_TRANSFORMERS, FOUNDING, PROXIES, RECURRENT, naswot, snip, sweet_ntk, zico
from jaxzc.types import InputSpec, JaxzcError
from jaxzc.types.names import split_names, unknown


def mine(loss_grads: Any) -> Any:
    return loss_grads


ALL = [name for name in PROXIES if name not in (*FOR_TRANSFORMERS, *RECURRENT)]


def test_all_is_every_proxy_in_order_but_for_those_of_some_networks() -> None:
    assert select("all") == {name: PROXIES[name] for name in ALL}
    assert list(select(" all ")) == ALL
    assert set(select("transformers")) == {*FOUNDING, *FOR_TRANSFORMERS, "az_expressivity"} - {"naswot"}
    assert list(select("all,recurrent")) == [*ALL, *RECURRENT]


def test_founding_is_a_part_of_all() -> None:
    assert list(select("founding")) == list(FOUNDING) == list(PROXIES)[:24]
    assert list(select("founding, zen")) == [*FOUNDING, "zen"]
    with pytest.raises(JaxzcError, match="proxy 'grad_norm' is named twice"):
        select("founding,all")


def test_names() -> None:
    assert select("snip, naswot") == {"snip": snip, "naswot": naswot}
    assert select(["naswot", " snip"]) == {"naswot": naswot, "snip": snip}
    assert select("snip,") == {"snip": snip}


def test_all_beside_variants() -> None:
    chosen = select("all,zico(std_of='abs')")
    assert list(chosen) == [*ALL, "zico(std_of='abs')"]
    assert list(select(["all", mine])) == [*ALL, "mine"]


@pytest.mark.parametrize(
    ("text", "function", "settings"),
    [
        ("zico(std_of='abs')", zico, {"std_of": "abs"}),
        ('zico( std_of = "abs" )', zico, {"std_of": "abs"}),
        ("sweet_ntk(interval=(1e-4,5e-4))", sweet_ntk, {"interval": (1e-4, 5e-4)}),
        ("sweet_ntk(interval=[0, 1])", sweet_ntk, {"interval": [0, 1]}),
        ("naswot(once=True)", naswot, {"once": True}),
        ("snip()", snip, {}),
    ],
)
def test_settings(text: str, function: Any, settings: dict[str, Any]) -> None:
    proxy = parse_proxy(text)
    assert isinstance(proxy, functools.partial)
    assert (proxy.func, proxy.args, proxy.keywords) == (function, (), settings)
    assert list(select(text)) == [text.strip()]


def test_commas_in_brackets_do_not_split() -> None:
    assert split_names("a(x=(1,2),y='b'), c ,,d([1,2])") == ["a(x=(1,2),y='b')", "c", "d([1,2])"]
    assert list(select("sweet_ntk(interval=(1e-4,5e-4)),snip")) == ["sweet_ntk(interval=(1e-4,5e-4))", "snip"]


def test_functions_and_mappings() -> None:
    assert select([mine, "snip"]) == {"mine": mine, "snip": snip}
    abs_zico = functools.partial(zico, std_of="abs")
    assert select([abs_zico]) == {"zico": abs_zico}
    chosen = select({"a": "zico(std_of='abs')", "b": mine})
    assert list(chosen) == ["a", "b"]
    assert chosen["b"] is mine


@pytest.mark.mistyped
@pytest.mark.parametrize(
    ("proxies", "message"),
    [
        ("zicoo", "unknown proxy 'zicoo': did you mean 'zico'\\? Known: grad_norm, "),
        ("arch", "unknown proxy 'arch': known: grad_norm"),
        ("zico)", "unknown proxy 'zico\\)': did you mean 'zico'"),
        ("zico(std='abs')", "unknown setting of zico 'std': did you mean 'std_of'\\? Known: std_of"),
        ("params(x=1)", "unknown setting of params 'x': known: none"),
        ("zico(", "cannot be read .*never closed.*expected name\\(setting=value\\), for example zico\\(std_of='signed'\\)"),
        ("params(", "cannot be read .*params has no settings, so write params"),
        ("zico('abs')", "cannot be read \\(settings are keywords\\)"),
        ("zico(std_of='abs')()", "cannot be read \\(settings are keywords\\)"),
        ("zico(**{'std_of': 'abs'})", "cannot be read \\(settings are keywords\\)"),
        ("zico(std_of=abs)", "cannot be read \\(abs is no value; text stands in quotes\\)"),
        ("zico(std_of=1)", "proxy zico: std_of=1: expected text, such as the default std_of='signed'"),
        ("naswot(once=3)", "expected True or False"),
        ("flops(linear_bias=1.5)", "expected a whole number"),
        ("flops(linear_bias=True)", "expected a whole number"),
        ("sweet_ntk(interval=5)", "expected numbers in brackets, such as the default interval="),
        ("sweet_ntk(interval=(1,2,3))", "expected numbers in brackets"),
        ("sweet_ntk(interval=('a','b'))", "expected numbers in brackets"),
        ("jacob_cov(eps='x')", "expected a number"),
        ("", "no proxy was named"),
        (" , ", "no proxy was named"),
        ([], "no proxy was named"),
        ({}, "no proxy was named"),
        ("snip,snip", "proxy 'snip' is named twice"),
        (["all", "snip"], "proxy 'snip' is named twice"),
        ([lambda x: x, lambda x: x], "'<lambda>' is named twice"),
        ([3], "proxy '3' is a int: expected a name or a function"),
        ({"a": None}, "proxy 'a' is a NoneType"),
        (3, "proxies is a int: expected 'founding', 'all', names"),
        ([("mine", 3)], "proxy 'mine' is a int: expected a name or a function"),
        ([("snip", snip), "snip"], "proxy 'snip' is named twice"),
    ],
)
def test_refusals(proxies: Any, message: str) -> None:
    with pytest.raises(JaxzcError, match=message):
        select(proxies)


def test_numbers_of_numpy_are_numbers() -> None:
    check_setting("x", "a", np.int64(3), 1)
    check_setting("x", "a", np.float32(3), 1.0)
    check_setting("x", "a", 3, 1.0)
    check_setting("x", "a", object(), None)
    with pytest.raises(JaxzcError, match=r"x: a=3\.0: expected a whole number"):
        check_setting("x", "a", 3.0, 1)


def test_unknown_without_anything_known() -> None:
    assert str(unknown("thing", "a", [])) == "unknown thing 'a': known: none"


# Spaces by name.


def test_options_of_a_space() -> None:
    make = spaces.maker("nasbench201")
    assert spaces.options(make) == {"channels": 16, "cells": 5}
    made = spaces.space("nasbench201", classes=3, inputs=(8, 8, 1), channels=np.int64(4))
    assert (made.classes, made.inputs.shape) == (3, (8, 8, 1))


def test_a_space_without_arguments_is_of_its_own_size() -> None:
    plain = spaces.space("nasbench201")
    assert (plain.classes, plain.inputs, plain) == (10, InputSpec((32, 32, 3)), spaces.maker("nasbench201")())
    assert spaces.space("transnas101_micro").inputs.shape == (256, 256, 3)
    assert spaces.space("nasbench201", inputs=InputSpec((8, 8, 1))) == spaces.space("nasbench201", inputs=(8, 8, 1))
    with pytest.raises(JaxzcError, match="inputs follows from the data and cannot be set"):
        spaces.check_options("nasbench201", {"inputs": (8, 8, 1)})
    with pytest.raises(JaxzcError, match=r"inputs of dtype int32: expected images of floating-point numbers"):
        spaces.space("nasbench201", inputs=InputSpec((8, 8, 1), "int32"))


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("nasbench202", {}, "unknown space 'nasbench202': did you mean 'nasbench201'"),
        ("nasbench201", {"cels": 1}, "unknown option of nasbench201 'cels': did you mean 'cells'"),
        ("nasbench201", {"cells": "1"}, "space 'nasbench201': cells='1': expected a whole number, such as the default cells=5"),
        ("nasbench201", {"cells": 0}, "cells=0: expected a positive integer"),
    ],
)
def test_space_refusals(name: str, options: dict[str, Any], message: str) -> None:
    with pytest.raises(JaxzcError, match=message):
        spaces.space(name, classes=10, inputs=(8, 8, 1), **options)


class FakePoint:
    """An entry point of another package."""

    def __init__(self, name: str, made: Any):
        self.name, self.value, self.made = name, f"somewhere:{name}", made

    def load(self) -> Any:
        if isinstance(self.made, Exception):
            raise self.made
        return self.made


@pytest.mark.mistyped
def test_spaces_of_other_packages(monkeypatch: pytest.MonkeyPatch) -> None:
    points = [FakePoint("broken", ImportError("no module named x")), FakePoint("free", lambda *, classes, inputs, **options: options)]
    monkeypatch.setattr(spaces, "entry_points", lambda group: points)
    with pytest.raises(JaxzcError, match=r"space 'broken' cannot be imported from somewhere:broken \(no module named x\)"):
        spaces.space("broken", classes=2, inputs=(4, 4, 1))
    assert spaces.space("free", classes=2, inputs=(4, 4, 1), anything="goes") == {"anything": "goes"}
    monkeypatch.setattr(spaces, "entry_points", lambda group: [])
    with pytest.raises(JaxzcError, match="no search space is installed"):
        spaces.space("free", classes=2, inputs=(4, 4, 1))
