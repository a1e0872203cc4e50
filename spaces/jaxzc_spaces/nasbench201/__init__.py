"""NAS-Bench-201 (Dong & Yang, ICLR 2020)."""

from jaxzc_spaces.nasbench201.space import NasBench201

__all__ = ["NasBench201"]
