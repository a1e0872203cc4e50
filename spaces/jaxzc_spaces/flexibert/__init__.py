"""The FlexiBERT space of training-free-nas (Serianni & Kalita): BERT-like networks with several kinds of operators."""

from jaxzc_spaces.flexibert.space import FlexiBert

__all__ = ["FlexiBert"]
