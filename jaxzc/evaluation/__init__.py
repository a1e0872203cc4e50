"""How well scores order trained networks: correlations, retrieval of the best, what is left when size is held fixed, with intervals.

`evaluate` judges a score table, `compare` two proxies of it, `across` several benchmarks; the statistics themselves are functions of two
arrays.
"""

from jaxzc.evaluation.across import Benchmark, Description, Leaderboard, read_description
from jaxzc.evaluation.alignment import BASELINES, KEYS
from jaxzc.evaluation.ceiling import noise_ceiling, read_ceiling
from jaxzc.evaluation.compare import Comparison, compare
from jaxzc.evaluation.leaderboard import evaluate
from jaxzc.evaluation.results import Estimate, Evaluation, Row
from jaxzc.evaluation.statistics import STATISTICS
from jaxzc.evaluation.statistics.correlations import kendall, partial_spearman, pearson, spearman, weighted_kendall
from jaxzc.evaluation.statistics.retrieval import ndcg, precision, regret, top_retrieval

__all__ = [
    "BASELINES",
    "KEYS",
    "STATISTICS",
    "Benchmark",
    "Comparison",
    "Description",
    "Estimate",
    "Evaluation",
    "Leaderboard",
    "Row",
    "compare",
    "evaluate",
    "kendall",
    "ndcg",
    "noise_ceiling",
    "partial_spearman",
    "pearson",
    "precision",
    "read_ceiling",
    "read_description",
    "regret",
    "spearman",
    "top_retrieval",
    "weighted_kendall",
]
