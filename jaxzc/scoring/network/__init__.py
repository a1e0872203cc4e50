"""Scores of one network of the user's own: `score` in one line, `Scorer` for many parameters, batches and seeds."""

from jaxzc.scoring.network.score import score

__all__ = ["score"]
