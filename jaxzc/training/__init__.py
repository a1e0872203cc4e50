"""Training one architecture, which is what a search ends in, and taking it away.

>>> trained = jaxzc.train(space, genes, epochs=10)
>>> jaxzc.training.export(trained.module, "winner", space.inputs)   # weights, a program that runs without jaxzc, the lines that load them
>>> jaxzc.run_export(space, genes, out="winner")                    # the same, and its code, of an architecture that is not trained
"""

from jaxzc.training.architecture import run_export
from jaxzc.training.export import code_of, export, lines_of
from jaxzc.training.fit import Epoch, Settings, Trainer, TrainState
from jaxzc.training.images import Images, split
from jaxzc.training.request import Trained, TrainRequest, train

__all__ = [
    "Epoch",
    "Images",
    "Settings",
    "TrainRequest",
    "TrainState",
    "Trained",
    "Trainer",
    "code_of",
    "export",
    "lines_of",
    "run_export",
    "split",
    "train",
]
