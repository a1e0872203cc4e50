"""Proxies with noise, probes and weights drawn anew: with what the golden directory stores of these, against its scores.

See test_golden.py. All of them are slow: every change tries these proxies against own_scores.json, without this noise."""

from functools import cache
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxzc.catalogue.selection import select
from jaxzc.scoring.compute import compute_scores, traced_proxies
from jaxzc.scoring.results import to_float
from tests.support.golden import Golden, batches, given
from tests.support.golden_scores import (
    DRAWN,
    RTOL32,
    RTOL64,
    SAVED,
    explain,
    layer_value,
    networks_of,
    stored_values,
)

pytestmark = pytest.mark.slow


class Drawn(NamedTuple):
    """Scores with the stored noise: by name of scores.json, of the networks that were scored; and MeCo's terms of each network."""

    networks: list[Golden]
    stored: dict[str, Any]
    ours: dict[str, np.ndarray]
    meco: list[list[np.ndarray]]


def _score_drawn(dtype: Any, tables: Any) -> Drawn:
    networks, stored, inputs = networks_of(None)
    chosen = {**select(list(SAVED.values())), "meco_minima": lambda meco_minima: meco_minima}
    programs: dict[Any, Any] = {}
    rows: list[list[dict[str, float]]] = [[] for _ in tables]
    minima = []
    for golden in networks:
        if golden.space not in programs:

            def program(p: Any, arch: Any, b: Any, drawn: Any, space: Any = golden.space) -> Any:
                return compute_scores(traced_proxies(chosen), space.program().network(arch), p, b, fixed=drawn)

            programs[golden.space] = jax.jit(program)
        arguments = golden.params(dtype), jnp.asarray(golden.arch, jnp.int32), batches(inputs, dtype)
        for into, table in zip(rows, tables, strict=True):
            made = jax.device_get(programs[golden.space](*arguments, given(golden, inputs, dtype, redrawn=table is DRAWN)))
            minima.append(made.pop("meco_minima"))
            into.append({label: to_float(value) for label, value in made.items()})
    ours = {
        name: np.array([row[label] for row in of_table])
        for of_table, table in zip(rows, tables, strict=True)
        for name, label in ({**table, **{n: p for n, p in SAVED.items() if "cond" in n or "regions" in n}}).items()
    }
    return Drawn(networks, stored, ours, minima[:: len(tables)])


@cache
def drawn64() -> Drawn:
    with jax.enable_x64(True):
        return _score_drawn(jnp.float64, (SAVED, DRAWN))


@cache
def drawn32() -> Drawn:
    return _score_drawn(jnp.float32, (DRAWN,))


def _with_their_nan(name: str, ours: np.ndarray) -> np.ndarray:
    """TE-NAS writes 100000 where the kernel is zero; we leave NaN."""
    return np.where(np.isnan(ours), 100000, ours) if name.startswith("ntk_cond") else ours


@pytest.mark.parametrize("name", [*SAVED, *DRAWN])
def test_float64_with_the_stored_noise(name: str) -> None:
    scores = drawn64()
    theirs, entry = stored_values(scores, name, "values_f64")
    ours = _with_their_nan(name, scores.ours[name])
    rtol = max(RTOL64, float(entry.get("rtol_float64", 0)))
    np.testing.assert_allclose(ours, theirs, rtol=rtol, atol=1e-12, err_msg=explain(scores, ours, theirs))


@pytest.mark.parametrize("name", [*DRAWN, "ntk_cond", "ntk_cond_eval_mode", "linear_regions"])
def test_float32_with_the_stored_noise(name: str) -> None:
    scores = drawn32()
    theirs, entry = stored_values(scores, name, "values")
    ours = _with_their_nan(name, scores.ours[name])
    rtol = max(1e-4, next((v for k, v in RTOL32.items() if name.startswith(k)), 0), float(entry.get("rtol_float32", 0)))
    # A unit within rounding of zero changes a count by a pattern or two; entropies of adjacent maps nearly agree.
    steps = 3 if name.startswith(("swap", "linear_regions")) else 1e-5
    np.testing.assert_allclose(ours, theirs, rtol=rtol, atol=steps, err_msg=explain(scores, ours, theirs))


def test_meco_of_every_convolution() -> None:
    for golden, ours in zip(drawn64().networks, drawn64().meco, strict=True):
        path = golden.path.parents[1] / "layerwise" / golden.path.name
        if not path.exists():
            pytest.skip("this golden directory has no layerwise values")
        stored = np.load(path)
        convolutions = [str(m).endswith((".op.1", "stem.0", "downsample.1")) for m in stored["meco_modules"]]
        theirs = stored["code32/meco"][np.array(convolutions)]
        of_group = dict(zip((group.name for group in golden.space.program().groups), ours, strict=True))
        names = [str(n) for n in golden.arrays["layers"] if not str(n).startswith("head")]
        mine = [layer_value(golden, of_group, name) for name in names]
        # Pooling edges have a module op.1 of no kind; every convolution has one.
        assert len(mine) == len(theirs), golden.path.name
        np.testing.assert_allclose(mine, theirs, rtol=1e-3, atol=1e-5, err_msg=golden.path.name)
