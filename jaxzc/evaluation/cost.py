"""What one score costs: as the table's metadata record it, or else from the facts of the library's proxies."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from jaxzc.catalogue.costs import forward_passes
from jaxzc.catalogue.selection import parse_proxy
from jaxzc.facts import Sizes
from jaxzc.proxies import PROXIES
from jaxzc.types import JaxzcError

KINDS = ("passes", "seconds", "flops")


def cost(label: str, metadata: Mapping[str, Any]) -> dict[str, float]:
    """Cost of a proxy `label` (a name, perhaps with settings) in a score table with these metadata, as far as it is known.

    passes: see `jaxzc.catalogue.costs`. seconds: of one network. flops: of one network. They are read from `costs` (label -> kind ->
    number) and `proxy_seconds`; passes that are not recorded there are worked out from `batch_size` and `batches`.
    """
    recorded = (metadata.get("costs") or {}).get(label) or {}
    costs = {"passes": _passes(label, metadata), **{kind: float(recorded[kind]) for kind in KINDS if recorded.get(kind) is not None}}
    seconds = metadata.get("proxy_seconds")
    if isinstance(seconds, Mapping) and label in seconds:
        costs["seconds"] = float(seconds[label])
    return {kind: number for kind, number in costs.items() if not np.isnan(number)}


def _passes(label: str, metadata: Mapping[str, Any]) -> float:
    """NaN where the metadata do not say what the passes depend on, and for a proxy that is not the library's."""
    if label.partition("(")[0] not in PROXIES:
        return np.nan
    sizes = [number if isinstance(number := metadata.get(name), int) else np.nan for name in ("batch_size", "batches")]
    try:
        return forward_passes(parse_proxy(label), sizes=Sizes(*sizes, outputs=np.nan, pixels=np.nan))
    except JaxzcError:  # a label of the user's own: the passes of a proxy with settings that do not exist are not known
        return np.nan
