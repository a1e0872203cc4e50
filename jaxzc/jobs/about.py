"""What a table of a job's scores says about how it was made."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from jaxzc.catalogue import cards
from jaxzc.jobs.merging import Merged


def metadata(merged: Merged) -> dict[str, Any]:
    """What a table of scores says about how it was made."""
    last = merged.requests[-1].about
    digests = {seed: digest for request in merged.requests for seed, digest in request.seeds.items()}
    notes = {s: note for request in merged.requests for s, note in zip(request.seeds, request.about.get("data_notes", ()), strict=False)}
    counted = np.ma.compressed(merged.columns.get("flops", ()))
    flops = float(np.mean(counted)) if len(counted) else np.nan
    settings = {name: value for name, value in merged.settings.items() if name != "format"}
    commands = list(dict.fromkeys(request.about.get("command") for request in merged.requests))
    return {
        "command": commands[-1],
        **({"commands": commands} if len(commands) > 1 else {}),
        "proxies": merged.labels,
        cards.RECORDED: merged.directions,
        "archs": last.get("archs"),
        "seeds": list(digests),
        "data": last.get("data"),
        "data_notes": [notes.get(seed, "") for seed in digests],
        "data_digests": list(digests.values()),
        **settings,
        **({"doubts": merged.doubts} if merged.doubts else {}),
        **({"unavailable": merged.reasons} if merged.reasons else {}),
        "costs": _costs(merged.passes, settings.get("batch_size"), flops),
        "seconds": round(merged.seconds, 3),
        **({"failures": len(merged.failed)} if merged.failed else {}),
    }


def _costs(passes: Mapping[str, float], batch_size: Any, forward_flops: float) -> dict[str, dict[str, float]]:
    """Proxy -> forward passes over one batch that it is worth, and FLOPs for one architecture, whose forward pass of one image takes
    `forward_flops` on the average."""
    known = isinstance(batch_size, int) and np.isfinite(forward_flops)
    return {
        label: {"passes": number, **({"flops": number * batch_size * forward_flops} if known else {})} for label, number in passes.items()
    }
