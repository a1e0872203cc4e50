"""The PiT search space of TF-TAS and Auto-Prox."""

from jaxzc_spaces.pit.space import Pit

__all__ = ["Pit"]
