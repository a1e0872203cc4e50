"""jaxzc: zero-cost (training-free) proxies for neural architecture search, in JAX.

>>> import jaxzc
>>> jaxzc.score(model, variables, (images, labels), proxies=["snip", "naswot"])     # your own network
>>> space = jaxzc.space("nasbench201", classes=10, image_shape=(32, 32, 3))
>>> jaxzc.score_space(space, archs, [(images, labels), (more_images, more_labels)])   # a whole space, one compiled program
"""

from jaxzc.catalogue.spaces import space, spaces
from jaxzc.proxies import PROXIES
from jaxzc.scoring.network import evaluate_proxies, score
from jaxzc.scoring.space import SpaceScorer, score_space
from jaxzc.scoring.sweet_interval import sweet_interval
from jaxzc.tasks import Task, cross_entropy
from jaxzc.types import Batch, Counts, JaxzcError, Network, Space

__all__ = [
    "PROXIES",
    "Batch",
    "Counts",
    "JaxzcError",
    "Network",
    "Space",
    "SpaceScorer",
    "Task",
    "cross_entropy",
    "evaluate_proxies",
    "score",
    "score_space",
    "space",
    "spaces",
    "sweet_interval",
]
