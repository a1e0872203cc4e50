"""Tasks: what a network's outputs are compared with, and by which loss."""

from jaxzc.tasks.choice import as_task, kind_of, named_task
from jaxzc.tasks.losses import Loss, cross_entropy
from jaxzc.tasks.task import TASKS, Task, classification, ctc, ctc_per_frame, multilabel, next_token, regression

__all__ = [
    "TASKS",
    "Loss",
    "Task",
    "as_task",
    "classification",
    "cross_entropy",
    "ctc",
    "ctc_per_frame",
    "kind_of",
    "multilabel",
    "named_task",
    "next_token",
    "regression",
]
