"""Training one architecture: what a search ends in."""

from jaxzc.training.fit import Settings, Trainer, TrainState
from jaxzc.training.images import Images, split

__all__ = ["Images", "Settings", "TrainState", "Trainer", "split"]
