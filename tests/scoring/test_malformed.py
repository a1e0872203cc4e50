"""What `jaxzc.score` cannot use, each part of a right call replaced by wrong ones: one sentence, before anything is compiled."""

import itertools
import math
import warnings
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


class Plain:
    """Neither a function nor a Flax module."""


MODELS: list[Any] = [None, 3, "resnet", Plain(), PARAMS, X, [model], lambda: X, lambda params: X]
PARAMETERS: list[Any] = [None, {}, 3, "kernel", [], {"kernel": "text"}, {"kernel": None}, {"weights": X}, {"kernel": np.ones((5, 3))}]
BATCHES: list[Any] = [None, 3, "digits", (), (X,), X, [], [()], [(X, Y), (X[:2], Y[:2])], (X[:0], Y[:0]), (X, Y[:3]), ("text", Y),
                      ([["a"]], Y), {"images": X}, (X, Y, Y), (np.array([None] * 4), Y), [(X, Y), None], (X, "cats"),
                      (X.astype(object), Y)]  # fmt: skip
PROXIES: list[Any] = ["", ",", "zcio", "zico(", "l2_norm(1)", "l2_norm(x=1)", [], [3], {}, 3, None, ["l2_norm", "l2_norm"], {"a": 3},
                      [None], "l2_norm,,l2_norm", [lambda nothing_of_the_kind: 0.0], {"a": "zcio"}, [["l2_norm"]], b"l2_norm"]  # fmt: skip
OPTIONS: list[dict[str, Any]] = [{"norm": "btach"}, {"norm": None}, {"norm": 3}, {"seed": "x"}, {"seed": None}, {"seed": 1.5},
                                 {"seed": True}, {"seed": 2**70}, {"task": "pose"}, {"unavailable": "zero"}, {"loss": 3}, {"task": 3},
                                 {"model_kwargs": 3}, {"cells": 3}, {"ingredients": 3}]  # fmt: skip

CALLS: dict[str, list[tuple[Any, tuple[Any, ...], dict[str, Any]]]] = {
    "model": [(wrong, (wrong, PARAMS, (X, Y), "l2_norm"), {}) for wrong in MODELS],
    "params": [(wrong, (model, wrong, (X, Y), "l2_norm"), {}) for wrong in PARAMETERS],
    "batch": [(wrong, (model, PARAMS, wrong, names), {}) for wrong, names in itertools.product(BATCHES, ("l2_norm", "grad_norm"))],
    "proxies": [(wrong, (model, PARAMS, (X, Y), wrong), {}) for wrong in PROXIES],
    "options": [(wrong, (model, PARAMS, (X, Y), "l2_norm"), wrong) for wrong in OPTIONS],
}


def test_the_call_that_all_are_made_of_is_right():
    assert jaxzc.score(model, PARAMS, (X, Y), "l2_norm", seed=-1)["l2_norm"] == pytest.approx(np.sqrt(18), rel=1e-6)
    jitted = jax.jit(model)(PARAMS, jnp.asarray(X))
    assert jitted.shape == (4, 3)


@pytest.mark.parametrize("part", CALLS)
def test_malformed_calls_are_refused_in_one_sentence(part):
    """Or scored rightly, where what is wrong does not matter, with a reason for what has no score."""
    wrong = []
    for what, positional, options in CALLS[part]:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", jaxzc.UnavailableWarning)
                scores = jaxzc.score(*positional, **options)
        except JaxzcError as error:
            if "\n" in str(error) or not str(error):
                wrong.append((what, f"more than a sentence: {error}"))
        except BaseException as error:
            wrong.append((what, f"{type(error).__name__}: {str(error)[:120]}"))
        else:
            right = all(name in scores.reasons if math.isnan(score) else score == pytest.approx(18**0.5) for name, score in scores.items())
            if not right:
                wrong.append((what, f"scored: {scores}"))
    assert not wrong, "\n".join(f"{what!r:.80}: {said}" for what, said in wrong)
