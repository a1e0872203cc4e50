"""What one score costs: as the table's metadata record it, or else from the facts of the library's proxies."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from jaxzc.catalogue.costs import passes_of

KINDS = ("passes", "seconds", "flops")


def cost(label: str, metadata: Mapping[str, Any]) -> dict[str, float]:
    """Cost of a proxy `label` (a name, perhaps with settings) in a score table with these metadata, as far as it is known.

    passes: see `jaxzc.catalogue.costs`. seconds: of one network. flops: of one network. They are read from `costs` (label -> kind ->
    number) and `proxy_seconds`; passes that are not recorded there are worked out from `batch_size` and `batches`.
    """
    recorded = (metadata.get("costs") or {}).get(label) or {}
    costs = {"passes": passes_of(label, metadata), **{kind: float(recorded[kind]) for kind in KINDS if recorded.get(kind) is not None}}
    seconds = metadata.get("proxy_seconds")
    if isinstance(seconds, Mapping) and label in seconds:
        costs["seconds"] = float(seconds[label])
    return {kind: number for kind, number in costs.items() if not np.isnan(number)}
