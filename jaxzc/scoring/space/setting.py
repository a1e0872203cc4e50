"""How untrained networks of a space are scored: what a scoring and a search are asked for alike."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import jax

from jaxzc.catalogue import spaces
from jaxzc.catalogue.costs import forward_passes
from jaxzc.catalogue.selection import ProxySpec
from jaxzc.data import Data, load
from jaxzc.definitions.facts import Proxy, Sizes, proxy_facts
from jaxzc.ingredients import RESOLVER
from jaxzc.scoring.batches import Batches
from jaxzc.scoring.results import Unavailable
from jaxzc.scoring.space import SpaceScorer
from jaxzc.types import InputSpec, JaxzcError, Norm, Space

COMPARED = {"batch_grads": "batches", "input_grads": "batch_size", "relu_kernels": "batch_size", "layer_kernels": "batch_size"}
"""Ingredient -> the field that must be 2 at least, because the proxies that read it compare batches, or examples of a batch."""


@dataclass(frozen=True, kw_only=True)
class Setting:
    """data: a source of images, tokens or frames (`jaxzc.data.load`; default: digits), of which `batches` batches of `batch_size` are
    drawn. weights, init, norm, devices, chunk: as in `SpaceScorer`; devices None: all of this process. options: of a space that is given
    by name."""

    data: str | None = None
    batch_size: int = 64
    batches: int = 2
    weights: str = "redrawn"
    init: str = "torch"
    norm: Norm = "batch"
    devices: int | None = 1
    chunk: int | None = None
    options: Mapping[str, Any] = field(default_factory=dict)

    @property
    def source(self) -> str:
        """Where the data come from."""
        return "digits" if self.data is None else self.data

    @property
    def facts(self) -> dict[str, Any]:
        """What scores depend on besides space, data and seed, for the records of jobs and searches."""
        return {name: getattr(self, name) for name in ("batch_size", "batches", "weights", "init", "norm")}

    def record(self, proxies: Mapping[str, Proxy], draws: Sequence[Data]) -> dict[str, Any]:
        """What a table of scores says of its data, and of the proxies' costs and directions."""
        inputs = draws[0].batches[0].inputs
        sizes = Sizes(self.batch_size, self.batches, outputs=draws[0].classes, pixels=math.prod(inputs.shape[1:-1]))
        directions = {label: proxy_facts(proxy).direction for label, proxy in proxies.items()}
        return {
            "data": draws[0].name,
            "data_notes": [drawn.notes for drawn in draws],
            "passes": {label: forward_passes(proxy, sizes=sizes) for label, proxy in proxies.items()},
            "directions": {label: direction for label, direction in directions.items() if direction is not None},
        }

    @property
    def scorer_options(self) -> dict[str, Any]:
        """Options of a `SpaceScorer`."""
        options = {name: getattr(self, name) for name in ("weights", "init", "norm", "chunk")}
        return options | {"devices": self.devices or jax.local_device_count()}

    def prepared(self, space: str | Space, seeds: Sequence[int]) -> tuple[Space, list[Data]]:
        """The space made for the data, and the data of every seed. Raises `JaxzcError` for an unknown space or option, and for data
        that cannot be loaded or are not of a space that is made already."""
        wanted: dict[str, Any] = {}
        if isinstance(space, str):
            spaces.check_options(space, self.options)
        else:
            wanted = {"shape": space.inputs.shape, "classes": space.classes}
        draws = [load(self.source, batch_size=self.batch_size, batches=self.batches, seed=seed, **wanted) for seed in seeds]
        one = draws[0].batches[0].inputs[0]
        inputs = InputSpec(one.shape, one.dtype.name)
        return spaces.fitted(space, self.options, classes=draws[0].classes, inputs=inputs), draws

    def scorer(self, space: Space, batches: Batches, proxies: ProxySpec, unavailable: Unavailable = "error") -> SpaceScorer:
        """Scores architectures of the space under this setting. unavailable: see `SpaceScorer`."""
        return SpaceScorer(space, batches, proxies, unavailable=unavailable, **self.scorer_options)

    def check_sizes(self, proxies: Mapping[str, Proxy]) -> None:
        """Raises `JaxzcError` where a proxy compares batches or examples and there is one only: at once, not after compiling."""
        users = RESOLVER.wanted(proxies)
        for name, number, what in (("batches", self.batches, "batches"), ("batch_size", self.batch_size, "examples in a batch")):
            labels = dict.fromkeys(label for each, field in COMPARED.items() if field == name for label in users.get(each, ()))
            if number < 2 and labels:
                raise JaxzcError(
                    f"{name} is {number}, too few for {', '.join(labels)}, which need at least 2 {what}: make it 2, or choose other proxies"
                )
