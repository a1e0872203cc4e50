"""Published networks, by name: 119 of PyTorchCV's list, of 10 families.

>>> space = Published()
>>> model = space.module(space.parse("resnet18"))      # a Flax NNX module of fresh weights
>>> space.counts(space.parse("mobilenetv2_w1")[None]).params

An architecture is one gene, the number of the network's line in `jaxzc_spaces.published.table.NETWORKS`. Each is a program of its own,
compiled in pieces.
"""

import difflib
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache, partial

import numpy as np

from jaxzc.spacekit.vectors import check_vector, check_vectors
from jaxzc.types import Counts, Genes, InputSpec, JaxzcError
from jaxzc.types.names import unknown
from jaxzc_spaces.core.discrete import DiscreteNetwork, OneNetworkEach, discrete_network
from jaxzc_spaces.core.layers import NetworkModule
from jaxzc_spaces.core.module import WithModule
from jaxzc_spaces.core.sizes import check_images, check_positive
from jaxzc_spaces.published.mobile import mobilenetv2
from jaxzc_spaces.published.parts import Sizes, measure
from jaxzc_spaces.published.table import NETWORKS

NAMES = tuple(NETWORKS)
TITLES = {entry.title: name for name, entry in NETWORKS.items()}
SMALLEST = 32
"""The least height and width of images: what five halvings leave a pixel of."""


@dataclass(frozen=True)
class Published(OneNetworkEach, WithModule):
    """The networks of `NETWORKS`.

    inputs: images (H, W, channels) of at least 32 x 32 pixels; the networks' own are (224, 224, 3), for `efficientnet_b1` (240, 240, 3). On
        smaller images the networks are the same but for VGG's first linear layer.
    """

    classes: int = 1000
    inputs: InputSpec = InputSpec((224, 224, 3))

    name = "published"
    choices = (len(NAMES),)

    def __post_init__(self) -> None:
        super().__post_init__()
        check_positive(self, "classes")
        check_images(self)
        if min(self.inputs.shape[:2]) < SMALLEST:
            raise JaxzcError(f"published: images of shape {self.inputs.shape}: expected a height and width of at least {SMALLEST}")

    def parse(self, text: str) -> np.ndarray:
        """The gene int32 `[1]` of a name, or of a title of PyTorchCV's list: `resnet18_wd4` or `ResNet-18 x0.25`."""
        word = str(text).strip()
        name = TITLES.get(word, word)
        if name not in NETWORKS:
            if near := difflib.get_close_matches(name.lower(), NETWORKS, 8):
                like = f"of {len(NETWORKS)} names those most like it are {', '.join(near)}"
                raise JaxzcError(f"unknown published network {name!r}: did you mean {near[0]!r}? If not, {like}")
            raise unknown("published network", name, NETWORKS)
        return np.array([NAMES.index(name)], np.int32)

    def to_string(self, arch: Genes) -> str:
        return NAMES[int(check_vector(self.choices, arch)[0])]

    def counts(self, archs: np.ndarray) -> Counts:
        """Exact, of the network for these images: found by tracing shapes, .1 to 1.5 seconds for each network, once."""
        sizes = self._sizes(archs)
        return Counts(params=sizes["params"], flops=sizes["macs"], layers=sizes["layers"])

    @property
    def own_counts(self) -> dict[str, Callable[[np.ndarray], np.ndarray]]:
        """`pytorchcv_flops`: operations as PyTorchCV counts them; its list states half of them (see `published.parts`)."""
        return {"pytorchcv_flops": lambda archs: self._sizes(archs)["operations"]}

    def doubts(self, archs: np.ndarray) -> dict[str, str]:
        """synflow's gradients of the networks with ReLU6, which keeps them from all layers but the classifier."""
        if not any(NETWORKS[self.to_string(row)].make is mobilenetv2 for row in archs):
            return {}
        return {
            "synflow_grads": "the networks mobilenetv2_* and mobilenetv2b_* cut activations off at 6, and without normalisation positive "
            "weights drive all of them beyond, so that no layer but the classifier gets a gradient: leave them out, or take "
            "synflow_bn, which keeps normalisation"
        }

    def network(self, arch: Genes) -> DiscreteNetwork:
        """The network of a gene `[1]`. Cells are residual, dense or fire units, or the layers of VGG."""
        return _network(self, self.to_string(arch))

    def _sizes(self, archs: np.ndarray) -> dict[str, np.ndarray]:
        """For each field of `Sizes`, int64 `[n]`."""
        rows = check_vectors(self.choices, np.atleast_2d(archs))
        sizes = [_sizes(self, self.to_string(row)) for row in rows]
        return {name: np.array([getattr(one, name) for one in sizes], np.int64) for name in Sizes._fields}


def maker(space: Published, name: str) -> Callable[[], NetworkModule]:
    """What builds the module of this name."""
    entry = NETWORKS[name]
    return partial(entry.make, space.classes, space.inputs.shape, **entry.settings)


@lru_cache(maxsize=1024)
def _sizes(space: Published, name: str) -> Sizes:
    return measure(maker(space, name), space.inputs.shape)


@lru_cache(maxsize=16)
def _network(space: Published, name: str) -> DiscreteNetwork:
    return discrete_network(maker(space, name), space.inputs.shape)
