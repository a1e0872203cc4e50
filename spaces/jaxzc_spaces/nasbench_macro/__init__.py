"""NAS-Bench-Macro."""

from jaxzc_spaces.nasbench_macro.space import NasBenchMacro

__all__ = ["NasBenchMacro"]
