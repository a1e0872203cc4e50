"""How many compiled pieces a process holds, what goes first, and the memory that a plan needs."""

import gc
import sys
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxzc
from jaxzc._compile import memory, pieces
from jaxzc._compile.cutting import cut
from jaxzc._compile.jaxpr import flatten
from jaxzc._compile.pieces import Pieced
from jaxzc.scoring.space import SpaceScorer
from jaxzc.types import Array
from tests.support.chain_of_layers import IMAGES, close, kernels, saliencies

pytestmark = pytest.mark.usefixtures("none_at_hand")


def test_no_more_pieces_are_held_than_there_is_room_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """But those of the function being put together; fewer where memory is short."""
    ws = kernels(3, 8, 8, 5)
    of_last = len({piece.key for piece in cut(flatten(jax.make_jaxpr(saliencies)(ws, IMAGES)))})
    for limit, short in (("MOST", False), ("LEAST", True)):
        pieces.HELD.clear()
        monkeypatch.setattr(memory, "short", lambda share, short=short: short)
        Pieced(saliencies)(kernels(3, 7, 9, 6), IMAGES)
        before = len(pieces.HELD)
        monkeypatch.setattr(memory, limit, 3)
        call = Pieced(saliencies)
        first = call(ws, IMAGES)
        assert len(pieces.HELD) == of_last
        assert before > 3
        close(call(ws, IMAGES), first)
        monkeypatch.undo()


def test_pieces_go_where_the_process_runs_out_of_mappings(monkeypatch: pytest.MonkeyPatch) -> None:
    """All but those of the function being put together; and of a scorer's functions all but that one."""
    space = jaxzc.space("nasbench_macro", classes=3, inputs=(8, 8, 3), channels=2, head=8)
    scorer = SpaceScorer(space, (np.ones((4, 8, 8, 3), np.float32), np.arange(4) % 3), "naswot", pieces=True)
    archs = space.sample(np.random.default_rng(0), 3)
    rows = [scorer.one(arch) for arch in archs]
    held = len(pieces.HELD)
    assert len(scorer.dispatcher.programs) == 3
    monkeypatch.setattr(memory, "crowded", lambda share: True)
    assert [scorer.one(arch) for arch in archs[2:]] == rows[2:], "what is at hand stays"
    scorer.dispatcher.programs.drop()
    assert scorer.one(archs[0]) == rows[0]
    assert len(scorer.dispatcher.programs) == 1
    assert len(pieces.HELD) < held


@pytest.mark.skipif(sys.platform != "linux", reason="read from /proc")
def test_pieces_that_go_give_their_mappings_back() -> None:
    def taken() -> int:
        gc.collect()
        return len(Path("/proc/self/maps").read_text().splitlines())

    before = taken()
    Pieced(saliencies)(kernels(3, 7, 9, 6), IMAGES)
    with_pieces = taken()
    assert with_pieces - before >= 3 * len(pieces.HELD)
    pieces.HELD.clear()
    assert taken() - before < (with_pieces - before) / 4


def test_a_loop_may_push_out_what_the_function_needs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its own pieces are compiled while those at hand for the rest wait."""
    monkeypatch.setattr(memory, "MOST", 3)
    ws = kernels(3, 8, 5)

    def both(xs: Array) -> Any:
        return saliencies(ws, xs), jax.lax.map(lambda x: saliencies(ws, x[None]), xs)

    Pieced(lambda xs: saliencies(ws, xs))(IMAGES)
    close(Pieced(both)(IMAGES), jax.jit(both)(IMAGES))


def test_memory_is_planned() -> None:
    def wide(x: Array) -> Array:
        return (jnp.broadcast_to(x, (1000, 1000)) @ jnp.ones((1000, 1000))).sum()

    call = Pieced(wide)
    assert call.memory == 0
    call(jnp.ones(1000))
    assert 8e6 <= call.memory < 40e6


def test_a_value_that_several_outputs_are() -> None:
    close(Pieced(lambda x: (x, x + 1, x))(jnp.ones(2)), (np.ones(2), 2 * np.ones(2), np.ones(2)))
