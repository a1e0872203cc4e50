"""Proxies judged on several benchmarks: mean ranks, a test of whether they differ, and what is known of each benchmark.

>>> board = jaxzc.leaderboard("benchmarks/leaderboard.toml", tables="data")
>>> print(board)
>>> jaxzc.report.write_leaderboard(board, "board")

**Blocks.** CIFAR-10 and CIFAR-100 accuracies of the same networks, judged by the same scores, are not two witnesses. Benchmarks that share
a score file make one block: their correlations are averaged first, every block counts once in a mean, and the test counts blocks.

**Ranks.** In each block the proxies that every benchmark has are ranked by Spearman's rho, 1 the best, equal ones sharing the mean of their
ranks. Friedman's test asks whether mean ranks differ by more than chance, Nemenyi's critical difference by how much two must differ
(Demsar, Statistical Comparisons of Classifiers over Multiple Data Sets, JMLR 2006). Both take the benchmarks for a sample of all that there
could be. The bootstrap takes the benchmarks as they are, and draws their networks anew.
"""

from jaxzc.evaluation.across.board import Leaderboard
from jaxzc.evaluation.across.description import Benchmark, Description, read_description
from jaxzc.evaluation.across.results import Friedman, Judgement, Standing

__all__ = ["Benchmark", "Description", "Friedman", "Judgement", "Leaderboard", "Standing", "read_description"]
