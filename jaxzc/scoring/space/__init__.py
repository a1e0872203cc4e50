"""Scores of a search space's architectures, with few compiled programs, on one device or several."""

from jaxzc.scoring.space.scorer import SpaceScorer, score_space

__all__ = ["SpaceScorer", "score_space"]
