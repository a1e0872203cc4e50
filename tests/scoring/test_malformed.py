"""Proxies that `jaxzc.score` cannot use: one sentence, before anything is compiled."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxzc
from jaxzc.types import JaxzcError

X = np.random.default_rng(0).normal(size=(4, 6)).astype(np.float32)
Y = np.arange(4) % 3
PARAMS = {"kernel": np.ones((6, 3), np.float32)}


def model(params, x):
    return x @ params["kernel"]


PROXIES: list[Any] = ["", ",", "zcio", "zico(", "l2_norm(1)", "l2_norm(x=1)", [], [3], {}, 3, ["l2_norm", "l2_norm"], {"a": 3}, [None],
                      None, "l2_norm,,l2_norm", [lambda nothing_of_the_kind: 0.0], {"a": "zcio"}, [["l2_norm"]], b"l2_norm"]  # fmt: skip


def test_the_call_that_all_are_made_of_is_right():
    assert jaxzc.score(model, PARAMS, (X, Y), "l2_norm")["l2_norm"] == pytest.approx(np.sqrt(18), rel=1e-6)
    jitted = jax.jit(model)(PARAMS, jnp.asarray(X))
    assert jitted.shape == (4, 3)


def test_malformed_proxies_are_refused_in_one_sentence():
    wrong = []
    for proxies in PROXIES:
        try:
            scores = jaxzc.score(model, PARAMS, (X, Y), proxies)
        except JaxzcError as error:
            if "\n" in str(error) or not str(error):
                wrong.append((proxies, f"more than a sentence: {error}"))
        except BaseException as error:
            wrong.append((proxies, f"{type(error).__name__}: {str(error)[:120]}"))
        else:
            wrong.append((proxies, f"scored: {scores}"))
    assert not wrong, "\n".join(f"{proxies!r:.80}: {said}" for proxies, said in wrong)
