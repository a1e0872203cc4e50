"""jaxzc: zero-cost (training-free) proxies for neural architecture search, in JAX.

>>> import jaxzc
>>> jaxzc.score(model, variables, (images, labels), proxies=["snip", "naswot"])     # your own network
>>> space = jaxzc.space("nasbench201")
>>> jaxzc.score_space(space, archs, [(images, labels), (more_images, more_labels)])   # a whole space, one compiled program

Names are imported when they are first used (PEP 562): `import jaxzc` alone takes no time, and `jaxzc.report` works after it.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from jaxzc import (
        aggregates,
        data,
        evaluation,
        experiments,
        ingredients,
        networks,
        proxies,
        report,
        search,
        spacekit,
        tables,
        tasks,
        training,
    )
    from jaxzc.catalogue.spaces import space, spaces
    from jaxzc.definitions.facts import Passes, ingredient, proxy, with_settings
    from jaxzc.evaluation.across.request import LeaderboardRequest, leaderboard
    from jaxzc.evaluation.request import EvaluateRequest, evaluate
    from jaxzc.jobs.request import ScoreRequest, run_scoring
    from jaxzc.networks import as_network
    from jaxzc.planning import Plan, PlanRequest, plan
    from jaxzc.proxies import PROXIES
    from jaxzc.report.across.files import write_leaderboard
    from jaxzc.report.files import write_report
    from jaxzc.scoring.compute import compute_scores
    from jaxzc.scoring.network import score
    from jaxzc.scoring.network.doubts import DoubtWarning
    from jaxzc.scoring.network.scorer import Scorer
    from jaxzc.scoring.results import Scores, UnavailableWarning
    from jaxzc.scoring.space import SpaceScorer, score_space
    from jaxzc.scoring.space.sweet_interval import sweet_interval
    from jaxzc.search.job.request import SearchRequest
    from jaxzc.search.job.run import run_search
    from jaxzc.tasks import Task, cross_entropy
    from jaxzc.training.architecture import run_export
    from jaxzc.training.request import TrainRequest, train
    from jaxzc.types import Batch, Counts, InputSpec, JaxzcError, Network, Space

    __version__: str

_HOMES = {
    "jaxzc.catalogue.spaces": ("space", "spaces"),
    "jaxzc.evaluation.across.request": ("LeaderboardRequest", "leaderboard"),
    "jaxzc.evaluation.request": ("EvaluateRequest", "evaluate"),
    "jaxzc.definitions.facts": ("Passes", "ingredient", "proxy", "with_settings"),
    "jaxzc.jobs.request": ("ScoreRequest", "run_scoring"),
    "jaxzc.networks": ("as_network",),
    "jaxzc.planning": ("Plan", "PlanRequest", "plan"),
    "jaxzc.proxies": ("PROXIES",),
    "jaxzc.report.across.files": ("write_leaderboard",),
    "jaxzc.report.files": ("write_report",),
    "jaxzc.scoring.compute": ("compute_scores",),
    "jaxzc.scoring.network": ("score",),
    "jaxzc.scoring.network.doubts": ("DoubtWarning",),
    "jaxzc.scoring.results": ("Scores", "UnavailableWarning"),
    "jaxzc.scoring.network.scorer": ("Scorer",),
    "jaxzc.scoring.space": ("SpaceScorer", "score_space"),
    "jaxzc.scoring.space.sweet_interval": ("sweet_interval",),
    "jaxzc.search.job.run": ("run_search",),
    "jaxzc.search.job.request": ("SearchRequest",),
    "jaxzc.tasks": ("Task", "cross_entropy"),
    "jaxzc.training.architecture": ("run_export",),
    "jaxzc.training.request": ("TrainRequest", "train"),
    "jaxzc.types": ("Batch", "Counts", "InputSpec", "JaxzcError", "Network", "Space"),
}
"""Where the public names are defined."""

_HOME = {name: home for home, names in _HOMES.items() for name in names}

__all__ = [
    "PROXIES",
    "Batch",
    "Counts",
    "DoubtWarning",
    "EvaluateRequest",
    "InputSpec",
    "JaxzcError",
    "LeaderboardRequest",
    "Network",
    "Passes",
    "Plan",
    "PlanRequest",
    "ScoreRequest",
    "Scorer",
    "Scores",
    "SearchRequest",
    "Space",
    "SpaceScorer",
    "Task",
    "TrainRequest",
    "UnavailableWarning",
    "aggregates",
    "as_network",
    "compute_scores",
    "cross_entropy",
    "data",
    "evaluate",
    "evaluation",
    "experiments",
    "ingredient",
    "ingredients",
    "leaderboard",
    "networks",
    "plan",
    "proxies",
    "proxy",
    "report",
    "run_export",
    "run_scoring",
    "run_search",
    "score",
    "score_space",
    "search",
    "space",
    "spacekit",
    "spaces",
    "sweet_interval",
    "tables",
    "tasks",
    "train",
    "training",
    "with_settings",
    "write_leaderboard",
    "write_report",
]


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from importlib.metadata import version

        value = version("jaxzc")
    elif name in _HOME:
        value = getattr(import_module(_HOME[name]), name)
    elif name in __all__:
        return import_module(f"jaxzc.{name}")  # which sets the attribute itself
    else:
        raise AttributeError(f"module 'jaxzc' has no attribute {name!r}: its names are {', '.join(__all__)}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
