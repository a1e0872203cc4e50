"""Bootstrap over architectures: every statistic on resamples of the networks, and the intervals that follow."""

from jaxzc.evaluation.bootstrap.resampling import bootstrap, interval

__all__ = ["bootstrap", "interval"]
