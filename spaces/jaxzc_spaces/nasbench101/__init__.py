"""NAS-Bench-101 (Ying et al., ICML 2019)."""

from jaxzc_spaces.nasbench101.space import NasBench101

__all__ = ["NasBench101"]
