"""The size search space of NATS-Bench (Dong et al., TPAMI 2021)."""

from jaxzc_spaces.nats_sss.space import NatsSizeSpace

__all__ = ["NatsSizeSpace"]
