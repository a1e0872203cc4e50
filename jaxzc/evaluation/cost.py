"""What one score costs: as the table's metadata record it, or else from the facts of the library's proxies."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from jaxzc.catalogue.costs import passes_of

KINDS = ("passes", "seconds", "flops")


def cost(label: str, metadata: Mapping[str, Any]) -> dict[str, float]:
    """What is known of the cost of the proxy `label` (a name, perhaps with settings) in a score table with these metadata.

    passes: see `jaxzc.catalogue.costs`. seconds, flops: of one network. They are read from the metadata's `costs` (label -> kind -> number)
    and `proxy_seconds`. Passes that are not recorded are computed from `batch_size` and `batches`.
    """
    recorded = (metadata.get("costs") or {}).get(label) or {}
    costs = {"passes": passes_of(label, metadata), **{kind: float(recorded[kind]) for kind in KINDS if recorded.get(kind) is not None}}
    seconds = metadata.get("proxy_seconds")
    if isinstance(seconds, Mapping) and label in seconds:
        costs["seconds"] = float(seconds[label])
    return {kind: number for kind, number in costs.items() if not np.isnan(number)}
