"""How untrained networks of a space are scored: what a scoring and a search are asked for alike."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import jax

from jaxzc.catalogue import spaces
from jaxzc.catalogue.selection import ProxySpec
from jaxzc.data import Data, load
from jaxzc.facts import Proxy
from jaxzc.ingredients import RESOLVER
from jaxzc.scoring.batches import Batches
from jaxzc.scoring.space import SpaceScorer
from jaxzc.types import JaxzcError, Norm, Space

COMPARED = {"batch_grads": "batches", "input_grads": "batch_size", "relu_kernels": "batch_size", "layer_kernels": "batch_size"}
"""Ingredient -> the field that must be 2 at least, because the proxies that read it compare batches, or images of a batch."""

WHAT = {"batches": "batches", "batch_size": "images in a batch"}


@dataclass(frozen=True, kw_only=True)
class Setting:
    """data: a source of images (`jaxzc.data.load`; default: digits), of which `batches` batches of `batch_size` are drawn. weights, init,
    norm, devices, chunk: as in `SpaceScorer`; devices None: all of this process. options: of a space that is given by name."""

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
        """Where the images come from."""
        return self.data or "digits"

    def prepared(self, space: str | Space, seeds: Sequence[int]) -> tuple[Space, list[Data]]:
        """The space made for the images, and the images of every seed. Raises `JaxzcError` for an unknown space or option, and for images
        that cannot be loaded or are not of a space that is made already."""
        wanted: dict[str, Any] = {}
        if isinstance(space, str):
            spaces.check_options(space, self.options)
        else:
            wanted = {"shape": space.inputs.shape, "classes": space.classes}
        draws = [load(self.source, batch_size=self.batch_size, batches=self.batches, seed=seed, **wanted) for seed in seeds]
        inputs = draws[0].batches[0].inputs.shape[1:]
        return spaces.fitted(space, self.options, classes=draws[0].classes, inputs=inputs), draws

    def scorer(self, space: Space, batches: Batches, proxies: ProxySpec) -> SpaceScorer:
        """Scores architectures of the space under this setting."""
        options = {name: getattr(self, name) for name in ("weights", "init", "norm", "chunk")}
        return SpaceScorer(space, batches, proxies, devices=self.devices or jax.local_device_count(), **options)

    def check_sizes(self, proxies: Mapping[str, Proxy]) -> None:
        """Raises `JaxzcError` where `too_few` finds something."""
        if lack := too_few(proxies, batches=self.batches, batch_size=self.batch_size):
            raise JaxzcError(f"{lack.field} is {lack.number}, too few for {lack}: make it 2, or choose other proxies")


class Lack(NamedTuple):
    """A field whose number is too small for the proxies of these labels."""

    field: str
    number: int
    labels: tuple[str, ...]

    def __str__(self) -> str:
        return f"{', '.join(self.labels)}, which need at least 2 {WHAT[self.field]}"


def too_few(proxies: Mapping[str, Proxy], *, batches: int, batch_size: int) -> Lack | None:
    """Where a proxy compares batches or images and there is one only: to be known at once, not after compiling."""
    users = RESOLVER.wanted(proxies)
    for name, number in (("batches", batches), ("batch_size", batch_size)):
        labels = [label for ingredient, needed in COMPARED.items() if needed == name for label in users.get(ingredient, ())]
        if number < 2 and labels:
            return Lack(name, number, tuple(dict.fromkeys(labels)))
    return None
