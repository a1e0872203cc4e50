"""Checkpoints of training in a directory, by orbax: a resumed run is bit for bit the uninterrupted one."""

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jax
import numpy as np
import orbax.checkpoint as ocp

from jaxzc.training.fit import Epoch, TrainState
from jaxzc.types import JaxzcError


class Checkpoints:
    """The last two checkpoints and the history of a run."""

    def __init__(self, manager: Any):
        self.manager = manager

    def save(self, state: TrainState, history: list[Epoch]) -> None:
        epochs = ocp.args.JsonSave({"epochs": [list(epoch) for epoch in history]})
        saved = ocp.args.Composite(state=ocp.args.StandardSave(_as_tree(state)), history=epochs)
        self.manager.save(int(state.epoch), args=saved)
        self.manager.wait_until_finished()

    def restore(self, like: TrainState) -> tuple[TrainState, list[Epoch]] | None:
        """The newest state, in the form of `like`, and its history; None where there is none."""
        step = self.manager.latest_step()
        if step is None:
            return None
        wanted = ocp.args.Composite(state=ocp.args.StandardRestore(_as_tree(like)), history=ocp.args.JsonRestore())
        try:
            content = self.manager.restore(step, args=wanted)
        except (ValueError, OSError, KeyError) as error:
            raise JaxzcError(f"the checkpoint {self.manager.directory} cannot be read ({error}): choose another directory") from error
        state = jax.tree.unflatten(jax.tree.structure(like), jax.tree.leaves(content["state"]))
        return state, [Epoch(*each) for each in content["history"]["epochs"]]


@contextlib.contextmanager
def checkpoints(directory: Path) -> Iterator[Checkpoints]:
    """The checkpoints in a directory, which is made."""
    options = ocp.CheckpointManagerOptions(max_to_keep=2, create=True, enable_async_checkpointing=False)
    with ocp.CheckpointManager(directory.absolute(), options=options) as manager:
        yield Checkpoints(manager)


def _as_tree(state: TrainState) -> list[Any]:
    """A list of leaves, so that no library needs to know our types."""
    return [np.asarray(leaf) for leaf in jax.tree.leaves(state)]
