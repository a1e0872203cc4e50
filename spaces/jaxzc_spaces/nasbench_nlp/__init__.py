"""NAS-Bench-NLP (Klyuchnikov et al.): recurrent cells given as recipes, for language models."""

from jaxzc_spaces.nasbench_nlp.space import NasBenchNlp

__all__ = ["NasBenchNlp"]
