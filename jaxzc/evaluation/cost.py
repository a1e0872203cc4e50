"""What one score costs, in passes over a batch, from the words of a proxy's card."""

import re
from collections.abc import Mapping
from typing import Any

from jaxzc.catalogue import cards
from jaxzc.proxies import PROXIES

TERM = re.compile(r"(\d*)[FB]\b(?! examples)")
"""`2F`: two forward passes; `B`: a backward pass, unless it is the number of examples."""


def cost(label: str, metadata: Mapping[str, Any]) -> dict[str, float]:
    """Cost of a proxy `label` (a name, perhaps with settings) in a score table with these metadata, as far as it is known.

    passes: forward and backward passes over one batch, each counted as one; a pass of a single image (synflow) is 1/batch_size. seconds: of
    one network, where the metadata hold `proxy_seconds`.
    """
    found = {}
    name = label.partition("(")[0]
    if name in PROXIES:
        passes = _passes(cards.card(PROXIES[name]).cost, metadata.get("batch_size"), metadata.get("batches"))
        if passes is not None:
            found["passes"] = passes
    seconds = metadata.get("proxy_seconds")
    if isinstance(seconds, Mapping) and label in seconds:
        found["seconds"] = float(seconds[label])
    return found


def _passes(words: str, batch_size: Any, batches: Any) -> float | None:
    total = 0.0
    for part in words.split(", ") if words != "none" else []:
        passes = sum(int(number or 1) for number in TERM.findall(part))
        if part.endswith(" per further batch"):
            if not batches:
                return None
            passes *= batches  # the first batch is one of them, shared with other proxies or not
        elif part.endswith(" of one"):
            if not batch_size:
                return None
            passes /= batch_size
        elif of_images := re.search(r" of (\d+) images$", part):
            if not batch_size:
                return None
            passes *= int(of_images[1]) / batch_size
        # "B examples x (F + B of one)" is one pass over the batch, example by example.
        total += passes
    return total
