"""Every space at a size that compiles in seconds."""

from typing import Any

import numpy as np

from jaxzc.catalogue import spaces
from jaxzc.spacekit import key_of
from jaxzc.tasks import ctc_per_frame, multilabel
from jaxzc.types import Batch, InputSpec, Space, WithTask

SMALL: dict[str, dict[str, Any]] = {
    "nasbench201": {"channels": 2, "cells": 1, "inputs": (8, 8, 3)},
    "nasbench101": {"channels": 5, "modules": 1, "inputs": (8, 8, 3)},
    "nats_sss": {"unit": 1, "inputs": (8, 8, 3)},
    "transnas101_micro": {"channels": 2, "inputs": (33, 33, 3)},
    "transnas101_macro": {"channels": 2, "inputs": (65, 65, 3)},
    "nasbench_macro": {"channels": 2, "head": 8, "inputs": (16, 16, 3)},
    "darts": {"channels": 2, "cells": 3, "inputs": (8, 8, 3)},
    **{f"nds_{name}": {"width": 2, "depth": 3, "inputs": (8, 8, 3)} for name in ("darts", "enas", "pnas", "nasnet", "amoeba")},
    "mobilenetv2_zen": {"head": 16, "inputs": (64, 64, 3)},
    "resnet_zen": {"inputs": (16, 16, 3)},
    "mnasnet": {"stem": 4, "widths": (4, 4, 4, 8, 8, 8, 8), "head": 16},
    "nasbench_nlp": {"emsize": 6, "nhid": 8, "layers": 2, "inputs": InputSpec((8,), "int32")},
    "nasbench_asr": {"filters": (4, 4, 6, 6), "cells": (1, 2, 1, 1), "groups": 2, "units": 3, "inputs": (12, 5)},
    "flexibert": {"hidden": (8, 12), "widths": (6, 10), "positions": 9, "embedding": 8, "inputs": InputSpec((7,), "int32")},
    "autoformer": {"widths": (8, 12), "depths": (1, 2), "heads": (1, 2), "ratios": (1.0, 2.0), "patch": 8},
    "pit": {"bases": (2, 4, 6), "depths": ("111", "211"), "heads": ("124", "222"), "ratios": (1, 2, 3, 4), "patch": 8, "stride": 4},
}
"""Options that make a space's networks tiny; a space that is not named here is scored at its default size. (Where the last map is 1 x 1, a
batch of one image is normalised to zero, and with it what some proxies see of TransNAS's networks, whose images are larger therefore.)"""

LARGEST = 5_000_000
"""Parameters. Networks with more, which take minutes, are not drawn."""


def small(name: str) -> Space:
    return spaces.space(name, classes=3, **{"inputs": (32, 32, 3), **SMALL.get(name, {})})


def drawn(space: Space, n: int, rng: np.random.Generator, largest: int = LARGEST) -> np.ndarray:
    """Architectures that are not too large, `[n, genes]`; recipes with a rectifier, which not all have, that share one program."""
    if space.name == "nasbench_nlp":
        archs = space.sample(rng, 40)
        return archs[["leaky" in space.to_string(arch) and key_of(space, arch) == (0,) for arch in archs]][:n]
    archs = space.sample(rng, n)
    while (heavy := space.counts(archs).params > largest).any():
        archs[heavy] = space.sample(rng, int(heavy.sum()))
    return archs


def smallest(space: Space, rng: np.random.Generator) -> np.ndarray:
    """The genes of the one with the fewest parameters of 40 that are drawn."""
    archs = space.sample(rng, 40)
    return archs[space.counts(archs).params.argmin()]


def two_batches(space: Space, rng: np.random.Generator, examples: int = 6) -> list[Batch]:
    """Of images and classes, of tokens, which are their own targets or have 0 or 1 each, or of frames and symbols, the last one padding."""
    shape = (examples, *space.inputs.shape)
    if isinstance(space, WithTask) and space.task == ctc_per_frame.name:
        labels = [rng.integers(1, space.classes, (examples, 2)) * [1, k] for k in (0, 1)]
        return [Batch(rng.standard_normal(shape).astype(np.float32), each) for each in labels]
    if isinstance(space, WithTask) and space.task == multilabel.name:
        return [Batch(rng.integers(0, space.classes, shape), rng.integers(0, 2, shape)) for _ in range(2)]
    if isinstance(space, WithTask):
        return [Batch(rng.integers(0, space.classes, shape)) for _ in range(2)]
    return [Batch(rng.standard_normal(shape).astype(np.float32), rng.integers(0, 3, examples)) for _ in range(2)]
