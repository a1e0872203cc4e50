"""Several scores of a population combined into one."""

from jaxzc.aggregates.named import AGGREGATES, Aggregate, parse_aggregate
from jaxzc.aggregates.ranks import RULES, log_rank, max_normalised_sum, median_rank, rank_sum, relative_rank_sum
from jaxzc.aggregates.streaming import Seen
from jaxzc.aggregates.vote import PairAccuracy, pairwise_accuracy, vote, vote_ranking

__all__ = [
    "AGGREGATES",
    "RULES",
    "Aggregate",
    "PairAccuracy",
    "Seen",
    "log_rank",
    "max_normalised_sum",
    "median_rank",
    "pairwise_accuracy",
    "parse_aggregate",
    "rank_sum",
    "relative_rank_sum",
    "vote",
    "vote_ranking",
]
