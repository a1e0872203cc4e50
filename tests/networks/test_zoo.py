"""A battery of networks in the manner of the public zoos: what `jaxzc.score` gives is what plain JAX gives in float64."""

import re
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import numpy as np
import pytest

import jaxzc
from tests.networks.zoo import attention, byhand, convolutional, others, sequences
from tests.networks.zoo.case import Case

FAMILIES = (convolutional.CASES, attention.CASES, sequences.CASES, others.CASES)
CASES: dict[str, Callable[[], Case]] = {name: case for family in FAMILIES for name, case in family.items()}
PROXIES = ["params", "flops", "snip", "grad_norm", "l2_norm", "synflow", "jacob_cov", "naswot"]
FAST = ("mlp", "mlp_nnx", "gnn", "experts", "scanned_stack", "gru", "cnn", "mlp_mixer")
"""Of every family and way in; the others are slow."""

NOT_BY_HAND: dict[str, set[str]] = {name: {"jacob_cov"} for name in ("vae", "encoder_decoder", "two_towers", "table")}
"""Scores that the few lines of `byhand` do not cover."""


PAGE = Path(__file__).parents[2] / "docs" / "your_network.md"
ROWS = {row.split("`")[1]: row.split("|")[3:5] for row in PAGE.read_text().splitlines() if row.startswith("| `")}
"""Of the page's table: network -> the argument that it needs, and what has no score."""


def test_page_lists_every_network_and_counts_them() -> None:
    assert list(ROWS) == list(CASES)
    unchanged, coded = (sum(not row[place].strip() for row in ROWS.values()) for place in (0, 1))
    said = re.search(
        r"All (\d+) are scored: (\d+) unchanged in one line,\s(\d+) with one argument .* for the (\d+) that have no ReLU", PAGE.read_text()
    )
    assert said is not None
    assert [int(number) for number in said.groups()] == [len(ROWS), unchanged, len(ROWS) - unchanged, len(ROWS) - coded]


@pytest.mark.parametrize("name", [pytest.param(name, marks=[] if name in FAST else [pytest.mark.slow]) for name in CASES])
def test_scores_of_the_zoo(name: str) -> None:
    case = CASES[name]()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", jaxzc.UnavailableWarning)
        scores = jaxzc.score(case.model, case.params, (case.inputs, case.targets), PROXIES, **case.options)
    jax.config.update("jax_enable_x64", True)
    right: dict[str, Any] = byhand.snip_and_norms(case)
    others = {"synflow": byhand.synflow, "jacob_cov": byhand.jacob_cov, "naswot": byhand.naswot}
    right |= {proxy: f(case) for proxy, f in others.items() if proxy not in case.missing and proxy not in NOT_BY_HAND.get(name, ())}
    right |= {} if case.macs is None else {"flops": case.macs}
    for proxy, value in right.items():
        np.testing.assert_allclose(scores[proxy], value, rtol=1e-3 if proxy == "jacob_cov" else 2e-4, err_msg=proxy)
    assert set(scores.reasons) == set(case.missing)
    arguments, unavailable = (re.findall(pattern, cell) for pattern, cell in zip((r"`(\w+)=", r"`(\w+)`"), ROWS[name], strict=True))
    assert (set(arguments), set(unavailable)) == (set(case.options), set(case.missing))
    for proxy, words in case.missing.items():
        assert np.isnan(scores[proxy])
        assert words in scores.reasons[proxy]
