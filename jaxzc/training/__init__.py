"""Training one architecture: what a search ends in."""

from jaxzc.training.fit import Epoch, Settings, Trainer, TrainState
from jaxzc.training.images import Images, split
from jaxzc.training.request import Trained, TrainRequest, train

__all__ = ["Epoch", "Images", "Settings", "TrainRequest", "TrainState", "Trained", "Trainer", "split", "train"]
