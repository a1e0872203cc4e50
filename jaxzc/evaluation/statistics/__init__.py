"""The statistics that an evaluation has, by name."""

from collections.abc import Callable, Iterable, Mapping

import numpy as np

from jaxzc.evaluation.statistics import correlations, retrieval
from jaxzc.types import JaxzcError
from jaxzc.types.names import hint

STATISTICS = {
    "spearman": "Spearman's rho",
    "kendall": "Kendall's tau-b",
    "weighted_kendall": "Kendall's tau, pairs at the top weighing more (1/rank, additive)",
    "pearson": "Pearson's r of the values",
    "spearman_given_params": "Spearman's rho with params held fixed (partial correlation of ranks)",
    "spearman_given_flops": "Spearman's rho with flops held fixed (partial correlation of ranks)",
    "precision_10": "share of the true top 10 % in the proxy's top 10 %",
    "top64_in_top5": "share of the proxy's top 64 in the true top 5 % (of the most that could be there)",
    "regret_1": "best truth of all less the proxy's first choice; lower is better",
    "regret_10": "best truth of all less the best among the proxy's top 10; lower is better",
    "regret_64": "best truth of all less the best among the proxy's top 64; lower is better",
    "ndcg": "nDCG of the whole list, gain = truth above the worst, discount 1/log2(1 + rank)",
}
"""Name -> what it is. All but the regrets are higher for a better proxy."""

CONTROLS = {"spearman_given_params": "params", "spearman_given_flops": "flops"}
"""Partial correlation -> the column that is held fixed."""

REGRETS = {"regret_1": 1, "regret_10": 10, "regret_64": 64}
"""Regret -> how many networks one would train."""

SIMPLE: Mapping[str, Callable[[np.ndarray, np.ndarray], float]] = {
    "spearman": correlations.spearman,
    "kendall": correlations.kendall,
    "weighted_kendall": correlations.weighted_kendall,
    "pearson": correlations.pearson,
    "precision_10": retrieval.precision,
    "top64_in_top5": retrieval.top_retrieval,
    "ndcg": retrieval.ndcg,
}


def value(name: str, score: np.ndarray, truth: np.ndarray, controls: Mapping[str, np.ndarray]) -> float:
    """The statistic of a score `[n]` of which higher is better; controls: `params` and `flops`, `[n]`, NaN where unknown."""
    if name in CONTROLS:
        return correlations.partial_spearman(score, truth, controls[CONTROLS[name]])
    if name in REGRETS:
        return retrieval.regret(score, truth, REGRETS[name])
    return SIMPLE[name](score, truth)


def check_statistics(names: Iterable[str]) -> list[str]:
    """The names, each once and in the table's order; raises `JaxzcError` for one that does not exist."""
    wanted = list(names)
    for name in wanted:
        if name not in STATISTICS:
            raise JaxzcError(f"unknown statistic {name!r}: {hint(name, STATISTICS)}choose some of {', '.join(STATISTICS)}")
    return [name for name in STATISTICS if name in wanted]
