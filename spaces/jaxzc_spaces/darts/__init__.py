"""The search space of DARTS (Liu et al., ICLR 2019)."""

from jaxzc_spaces.darts.space import Darts

__all__ = ["Darts"]
