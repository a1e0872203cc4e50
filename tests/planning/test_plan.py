"""What a plan says of programs: closed formulas on made-up ones, and real ones for platforms that this machine does not have."""

from typing import Any

import jax.numpy as jnp
import numpy as np
import pytest

import jaxzc
from jaxzc.catalogue import spaces
from jaxzc.catalogue.selection import select
from jaxzc.planning import Plan
from jaxzc.planning.chips import CHIPS, PRODUCTS_FOR_FLOAT32, chip
from jaxzc.planning.compiling import Planned, _needed, compiled, lowerable
from jaxzc.planning.request import passes_flops
from jaxzc.planning.targets import Target, target
from jaxzc.planning.text import text
from jaxzc.scoring.space.recipe import SpaceRecipe
from jaxzc.types import Batch, InputSpec, JaxzcError
from tests.support.commands import refused, run

SMALL = {"inputs": (8, 8, 1), "classes": 3, "batch_size": 4, "options": {"channels": 2, "cells": 1}}
V5E = Target("tpu", "v5e:2x2", None, chip("v5e"))


def program(chunk: int, temporaries: int, **facts: Any) -> Planned:
    return Planned(chunk, 1.0, 2.0, 3.0, arguments=10**6, results=0, temporaries=temporaries, code=0, **facts)


def planned(*programs: Planned, flops: float = 1e9, where: Target = V5E) -> Plan:
    return Plan("space", where, 3, 64, programs, {}, 200, 1, flops)


def test_an_architectures_memory_is_the_slope_and_the_chunk_fills_what_is_left() -> None:
    plan = planned(program(1, 500 * 10**6 - 10**6), program(16, 2000 * 10**6 - 10**6))
    said = text(plan)
    assert "--chunk 140 is the largest that fits into 90% of a device's 16.00 GB" in said
    assert "some 3.28e+04 architectures/s" in said
    assert "an estimate" in said
    assert plan.per_architecture == 100e6
    # .9 of 16 GB: one architecture takes .5 of them, and every further one .1.
    assert plan.fits == 1 + 139
    assert planned(program(4, 4 * 10**9 - 10**6)).per_architecture == 1e9
    assert planned(program(1, 20 * 10**9)).fits == 0
    refusal = Planned(32, 1.0, 2.0, error="Used 31.0G of 15.75G hbm", needed=31 * 2**30)
    assert planned(program(16, 10**9), refusal).per_architecture == pytest.approx((31 * 2**30 - 10**9 - 10**6) / 16)
    assert (planned(Planned(16, 1.0)).per_architecture, planned(Planned(16, 1.0)).fits) == (None, None)


def test_the_rate_is_that_of_the_arithmetic_or_of_the_memory() -> None:
    fast = planned(program(16, 0, accessed=16e6), flops=1e12)
    assert fast.rate == pytest.approx(197e12 / PRODUCTS_FOR_FLOAT32 / 1e12)
    slow = planned(program(1, 0, accessed=16e9), program(16, 0, accessed=16e9), flops=1e9)
    assert slow.rate == pytest.approx(819e9 / 16e9)  # a TPU's architectures run in turn, and the compiler counts one
    side_by_side = planned(program(16, 0, accessed=16e9), flops=1e9, where=Target("cuda", "h100", None, chip("h100")))
    assert side_by_side.rate == pytest.approx(chip("h100").bandwidth / 1e9)
    assert planned(program(1, 0), flops=0.0).rate is None


def test_the_compilers_refusal_says_what_is_needed() -> None:
    assert _needed("RESOURCE_EXHAUSTED: Ran out of memory in memory space hbm. Used 31.50G of 15.75G hbm.") == int(31.5 * 2**30)
    assert _needed("INTERNAL: something else") is None


def test_chips() -> None:
    assert chip("v5e:4x4") is CHIPS["v5e"]
    assert chip("tpu7x:2x2x1").memory == 96e9
    assert all(c.bfloat16 >= c.float32 > 0 and c.bandwidth > 0 for c in CHIPS.values())
    with pytest.raises(JaxzcError, match="v5e"):
        chip("v5f:2x2")


@pytest.mark.parametrize(
    ("arguments", "match"),
    [
        ({"platform": "rocket"}, "expected one of tpu, cuda, cpu"),
        ({"platform": "cpu", "topology": "v5e:2x2"}, "leave it out"),
        ({"platform": "cuda", "topology": "h1000"}, "h100"),
        ({"platform": "cuda", "chunks": (0,)}, "at least 1"),
        ({"platform": "cuda", "chunks": ()}, "at least 1"),
    ],
)
def test_refusals(arguments: dict[str, Any], match: str) -> None:
    with pytest.raises(JaxzcError, match=match):
        jaxzc.plan("nasbench201", "l2_norm", **(SMALL | arguments))


def test_a_request_is_given_whole() -> None:
    with pytest.raises(JaxzcError, match="and more"):
        jaxzc.plan(jaxzc.PlanRequest("nasbench201", "l2_norm"), chunks=(1,))


def test_for_a_gpu_that_is_not_there() -> None:
    plan = jaxzc.plan("nasbench201", "l2_norm,params", platform="cuda", chunks=(2,), **SMALL)
    assert [program.compile_s for program in plan.programs] == [None]
    assert (plan.reasons, plan.keys, plan.fits, plan.proxies, plan.flops, plan.rate) == ({}, 1, None, 2, 0, None)
    assert "lowered, not compiled" in text(plan)
    assert "pip install 'jaxzc[cuda]'" in text(plan)
    old = text(jaxzc.plan("nasbench201", "params", platform="cuda", topology="v100", chunks=(2,), **SMALL))
    assert "CUDA 13 has t4, a100, l4, h100, h200" in old


def test_arithmetic_is_that_of_the_shared_passes() -> None:
    space = spaces.space("nasbench201", classes=3, inputs=(8, 8, 1), channels=2, cells=1)
    archs = space.sample(np.random.default_rng(0), 3)
    forward = 2 * 4 * np.mean(space.counts(archs).flops)
    for names, passes in (("naswot", 1), ("l2_norm", 0), ("grad_norm", 3), ("grad_norm,snip", 3)):
        assert passes_flops(space, select(names).values(), archs, batch_size=4, batches=2) == pytest.approx(passes * forward)


def test_for_this_cpu_the_plan_is_that_of_the_scorers_program() -> None:
    plan = jaxzc.plan("nasbench201", "l2_norm", platform="cpu", **SMALL)
    (planned,) = plan.programs
    rng = np.random.default_rng(0)
    batch = Batch(rng.standard_normal((4, 8, 8, 1)).astype(np.float32), rng.integers(0, 3, 4))
    space = spaces.space("nasbench201", classes=3, inputs=(8, 8, 1), channels=2, cells=1)
    scorer = jaxzc.SpaceScorer(space, batch, "l2_norm")
    scorer.one(space.sample(rng, 1)[0])
    executables: Any = scorer.programs(space.sample(rng, 1)[0]).score
    (executable,) = executables.executables.values()
    assert planned.temporaries == executable.memory_analysis().temp_size_in_bytes
    assert plan.rate is None


def test_a_proxy_that_does_not_lower_is_left_out_with_its_reason() -> None:
    @jaxzc.proxy()
    def general(weights: Any) -> Any:
        return sum(jnp.linalg.eigvals(w.reshape(-1, w.shape[-1])[: w.shape[-1], :4][:4]).real.sum() for w in weights if w.shape[-1] >= 4)

    space = spaces.space("nasbench201", classes=4, inputs=(8, 8, 1), channels=4, cells=1)
    recipe = SpaceRecipe(space, jaxzc.SpaceScorer(space, _batch(), {"general": general, "l2_norm": "l2_norm"}).proxies)
    usable, reasons = lowerable(recipe, (), (_batch(),), V5E)
    assert list(reasons) == ["general"]
    assert "eig" in reasons["general"]
    assert list(usable.proxies) == ["l2_norm"]


def _batch() -> Batch:
    return Batch(jnp.zeros((4, 8, 8, 1)), jnp.zeros(4, jnp.int32))


def test_command() -> None:
    small = ("--set", "channels=2", "--set", "cells=1", "--inputs", "8x8x1", "--classes", 3, "--batch-size", 4)
    result = run("plan", "nasbench201", "--proxies", "l2_norm", "--platform", "cuda", "--chunk", 2, *small)
    assert result.code == 0
    assert "every proxy lowers" in result.out
    assert "chunk 2" in result.out
    refused(run("plan", "nasbench201", "--inputs", "8x0"), "is no shape such as 32x32x3")
    refused(run("plan", "nasbench201", "--platform", "cuda", "--topology", "h101"), "h100")


# How every space of images looks smallest; the shapes of its programs are what the compiler has to take.
SPACES: dict[str, dict[str, Any]] = {name: {} for name in spaces.spaces() if name not in ("flexibert", "nasbench_nlp", "nasbench_asr")}
SPACES["nasbench201"] = {"channels": 4, "cells": 1}


@pytest.mark.slow
@pytest.mark.parametrize("topology", ["v5e:2x2", "v6e:2x2"])
@pytest.mark.parametrize("name", SPACES)
def test_the_founding_proxies_of_every_space_compile_for_tpus(name: str, topology: str) -> None:
    pytest.importorskip("libtpu")
    where = target("tpu", topology)
    space = spaces.space(name, classes=10, inputs=InputSpec((32, 32, 3)), **SPACES[name])
    recipe = SpaceRecipe(space, select("transformers" if name in ("autoformer", "pit") else "founding"))
    arch = space.sample(np.random.default_rng(0), 1)
    key = tuple(int(number) for number in space.program_keys(arch)[0])
    batch = Batch(jnp.zeros((8, 32, 32, 3)), jnp.zeros(8, jnp.int32))
    usable, reasons = lowerable(recipe, key, (batch, batch), where)
    assert not reasons
    program = compiled(usable, key, (batch, batch), 1, where)
    assert program.error is None
    assert program.memory is not None
    assert 0 < program.memory < where.chip.memory  # type: ignore[union-attr]
