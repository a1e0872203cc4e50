"""The root ingredients: what is known of a network before anything is computed for its proxies."""

from typing import NamedTuple

from jaxzc.tasks import Task
from jaxzc.types import Array, Batch, Network, Norm, Params


class Roots(NamedTuple):
    """What whoever scores a network provides. Proxies and ingredients ask for it by these names.

    task: what the network is for. norm: how normalisation acts in passes that the authors run in train mode. key: random key of noise,
    probes and redrawn weights.
    """

    network: Network
    params: Params
    batches: tuple[Batch, ...]
    task: Task
    norm: Norm
    key: Array
