"""Aggregates by name: which proxies, combined how, and where that comes from; and the form in which users write their own."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from jaxzc.aggregates.ranks import RULES, log_rank, max_normalised_sum, rank_sum
from jaxzc.aggregates.vote import PROXIES as VOTERS
from jaxzc.aggregates.vote import vote_ranking
from jaxzc.types import JaxzcError
from jaxzc.types.names import direction_of, split_names, unknown


class Aggregate(NamedTuple):
    """proxies: whose scores are combined. combine: scores `[n, proxies]`, higher is better -> float64 `[n]`. about: the rule in words and
    its source."""

    proxies: tuple[str, ...]
    combine: Callable[[np.ndarray], np.ndarray]
    about: str

    def __call__(self, table: Mapping[str, Any], higher_is_better: Mapping[str, bool] | None = None) -> np.ndarray:
        """Float64 `[n]` of a table proxy -> scores `[n]`. higher_is_better: proxy -> its direction; a proxy of which lower is better is
        turned first. Raises `JaxzcError` where the table lacks a proxy."""
        absent = [name for name in self.proxies if name not in table]
        if absent:
            raise JaxzcError(f"the table lacks {', '.join(absent)} (it has {', '.join(table) or 'nothing'}): score them first")
        signs = [-1.0 if direction_of(name, higher_is_better or {}) is False else 1.0 for name in self.proxies]
        return self.combine(np.stack([np.asarray(table[name], np.float64) for name in self.proxies], axis=1) * signs)

    @property
    def is_log_rank(self) -> bool:
        """Whether it is the log-rank sum, which a search can follow among the networks seen so far."""
        return getattr(self.combine, "func", self.combine) is log_rank


def _vote(scores: np.ndarray) -> np.ndarray:
    return vote_ranking({str(k): column for k, column in enumerate(scores.T)}, [str(k) for k in range(scores.shape[1])])


last = partial(log_rank, missing="last")

AGGREGATES = {
    "vote": Aggregate(VOTERS, _vote, "how many others a network beats by majority (Abdelfattah et al., ICLR 2021, section 3.3)"),
    "trio": Aggregate(
        ("sweet_ntk", "jacob_cov", "snr_snip"),
        last,
        "log-rank of the sweet gradient's NTK trace (Sweetimator), the Jacobian's covariance (NASWOT v1, Zero-Cost Proxies) and the "
        "compressibility SNR of snip (T-CET): jaxzc's own, see docs/aggregates.md",
    ),
    "duo": Aggregate(
        ("sweet_ntk", "swap"),
        last,
        "log-rank of the sweet gradient's NTK trace (Sweetimator) and the number of activation patterns (SWAP): jaxzc's own, defined where "
        "trio's Jacobian is not, see docs/aggregates.md",
    ),
    "az_nas": Aggregate(
        ("az_expressivity", "az_progressivity", "az_trainability", "flops"), last, "log-rank (AZ-NAS, Lee & Ham, CVPR 2024, equation 12)"
    ),
    "te_nas": Aggregate(
        ("ntk_condition", "linear_regions"),
        partial(rank_sum, missing="last"),
        "sum of ranks within the table (TE-NAS, Chen et al., ICLR 2021; its pruning ranks relative changes: `relative_rank_sum`)",
    ),
    "vkdnw_agg": Aggregate(
        ("vkdnw_single", "jacob_cov", "az_expressivity", "az_trainability", "flops"),
        last,
        "log-rank (VKDNW, Tybl & Neumann, CVPR 2025); which proxies join vkdnw_single is from memory of the paper, not read again",
    ),
    "freerea": Aggregate(
        ("naswot", "logsynflow"),
        partial(max_normalised_sum, missing="last"),
        "max-normalised sum (FreeREA, Cavagnero et al., WACV 2023) without its count of skip connections, which is not a proxy",
    ),
}
"""Name -> aggregate."""


def parse_aggregate(text: str) -> tuple[str, Aggregate]:
    """The label and the aggregate of `trio`, `log_rank(zico,naswot)` or `mine=rank_sum(zico,naswot)`.

    Raises `JaxzcError`: a name or rule that does not exist, no proxies.
    """
    label, equals, rule = text.partition("=") if "=" in text.partition("(")[0] else ("", "", text)
    label, rule = label.strip(), rule.strip()
    name, bracket, inner = rule.partition("(")
    if not bracket:
        if name not in AGGREGATES:
            raise unknown("aggregate", name, [*AGGREGATES, *(f"{known}(A,B,...)" for known in RULES)])
        return label or name, AGGREGATES[name]
    if name not in RULES:
        raise unknown("rule to combine scores", name, RULES)
    proxies = tuple(split_names(inner.removesuffix(")")))
    if not proxies or not rule.endswith(")") or (equals and not label):
        raise JaxzcError(f"aggregate {text!r} cannot be read: expected RULE(A,B,...) or LABEL=RULE(A,B,...), such as log_rank(zico,naswot)")
    return label or rule, Aggregate(proxies, RULES[name], f"{name} of {', '.join(proxies)}")
