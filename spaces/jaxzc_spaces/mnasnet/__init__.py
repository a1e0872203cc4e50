"""The MnasNet-like space of Accel-NASBench (Ahmad et al.)."""

from jaxzc_spaces.mnasnet.space import MnasNet

__all__ = ["MnasNet"]
