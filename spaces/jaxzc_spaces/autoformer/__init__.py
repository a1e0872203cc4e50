"""The search spaces of AutoFormer (Chen et al.), as in Cream and as in Auto-Prox."""

from jaxzc_spaces.autoformer.space import AutoFormer

__all__ = ["AutoFormer"]
