"""Training one architecture, which is what a search ends in, and taking it away.

>>> trained = jaxzc.train(space, genes, epochs=10)
>>> jaxzc.training.export(trained.module, "winner", space.inputs)   # weights, a program that runs without jaxzc, the lines that load them
"""

from jaxzc.training.export import export, lines_of
from jaxzc.training.fit import Epoch, Settings, Trainer, TrainState
from jaxzc.training.images import Images, split
from jaxzc.training.request import Trained, TrainRequest, train

__all__ = ["Epoch", "Images", "Settings", "TrainRequest", "TrainState", "Trained", "Trainer", "export", "lines_of", "split", "train"]
