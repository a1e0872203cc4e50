"""Tasks: what a network's outputs are compared with, and by which loss."""

from jaxzc.tasks.task import Task, classification, cross_entropy

__all__ = ["Task", "classification", "cross_entropy"]
