"""Compiled programs written ahead: a scorer finds them, and each host has its own."""

from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxzc
from jaxzc._compile.devices import mesh
from jaxzc.catalogue import spaces
from jaxzc.planning.compiling import compiled, lowered_beside
from jaxzc.planning.targets import Target, _hosts
from jaxzc.planning.writing import SETTINGS, cache, write
from jaxzc.types import Batch, JaxzcError

SPACE = spaces.space("nasbench201", classes=3, inputs=(8, 8, 1), channels=2, cells=1)
HERE = Target("cpu", None, mesh(1), None)
BATCH = Batch(SPACE.inputs.batch(4), jax.ShapeDtypeStruct((4,), jnp.int32))


class Device:
    def __init__(self, number: int, process_index: int):
        self.id, self.process_index = number, process_index


def programs(folder: Path) -> set[str]:
    """The entries of JAX's cache for the two programs of a job."""
    return {path.name for path in folder.iterdir() if path.name.startswith(("jit_run-", "jit_draw-"))}


def test_a_scorer_reads_the_programs_that_were_written_ahead(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    batch = Batch(rng.standard_normal((4, 8, 8, 1)).astype(np.float32), rng.integers(0, 3, 4))
    scorer = jaxzc.SpaceScorer(SPACE, batch, "l2_norm", chunk=2, lanes=2)
    before = [getattr(jax.config, name) for name in SETTINGS]
    with cache(tmp_path):
        planned = compiled(scorer.recipe, (), (BATCH,), 2, HERE)
    assert write(scorer.recipe, (), (BATCH,), (planned,), HERE, tmp_path) == 2
    ahead = programs(tmp_path)
    assert len(ahead) == 2
    with cache(tmp_path):
        scorer.many(SPACE.sample(rng, 2))
    assert programs(tmp_path) == ahead, "the scorer compiled a program that is not the one planned"
    assert [getattr(jax.config, name) for name in SETTINGS] == before


def test_every_host_has_its_own_devices() -> None:
    devices: Any = [Device(number, number // 2 % 2) for number in (5, 4, 3, 2, 1, 0)]
    assert [[device.id for device in mesh.devices.flat] for mesh in _hosts(devices)] == [[0, 1, 4, 5], [2, 3]]
    recipe = jaxzc.SpaceScorer(SPACE, Batch(jnp.zeros((4, 8, 8, 1)), jnp.zeros(4, jnp.int32)), "l2_norm").recipe
    two = Target("cpu", None, mesh(1), None, others=(mesh(1),))
    names = [str(lowered.as_text()).partition("@")[2].split()[0] for lowered in lowered_beside(recipe, (), (BATCH,), 2, two)]
    assert names == ["jit_draw", "jit_draw", "jit_run"]


def test_refusals(tmp_path: Path) -> None:
    with pytest.raises(JaxzcError, match="for TPUs only; for cuda leave it out"):
        jaxzc.plan("nasbench201", "l2_norm", platform="cuda", write=tmp_path)


@pytest.mark.slow
def test_two_hosts_of_a_tpu_slice(tmp_path: Path) -> None:
    pytest.importorskip("libtpu")
    small = {"inputs": (8, 8, 1), "classes": 3, "batch_size": 4, "options": {"channels": 2, "cells": 1}}
    plan = jaxzc.plan("nasbench201", "l2_norm", topology="v5e:2x4", chunks=(2,), write=tmp_path, **small)
    hosts = 1 + len(plan.target.others)
    assert plan.written == len(programs(tmp_path)) == 2 * hosts
