"""`jaxzc.score`: scores one network in one line, and reuses its last programs while model, shapes and proxies stay the same."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from jaxzc.catalogue.selection import ProxySpec
from jaxzc.networks.keywords import call_keywords
from jaxzc.scoring.batches import Batches
from jaxzc.scoring.keys import seeded
from jaxzc.scoring.network.identity import chosen_by_user, identity
from jaxzc.scoring.network.program import RecentPrograms, compiled
from jaxzc.scoring.network.scorer import Scorer, examined, finished, signature
from jaxzc.scoring.results import Scores, Unavailable
from jaxzc.tasks import Loss, Task
from jaxzc.types import Norm, Params

MOST = 8
"""Programs that are cached for further calls. The least recently used is dropped first."""

_RECENT = RecentPrograms(MOST)


def score(
    model: Any,
    params: Params,
    batches: Batches,
    proxies: ProxySpec = "founding",
    *,
    loss: Loss | None = None,
    task: Task | str | None = None,
    norm: Norm = "batch",
    seed: int = 0,
    cells: Callable[[str], int] | None = None,
    model_kwargs: Mapping[str, Any] | None = None,
    method: Any = None,
    output: Callable[[Any], Any] | None = None,
    unavailable: Unavailable = "nan",
    ingredients: Iterable[Callable[..., Any]] = (),
    pieces: bool | None = None,
    **call: Any,
) -> Scores:
    """Scores one network, unchanged: a Flax Linen module, a Flax NNX module (`params=None`), or `apply_fn(params, inputs)`.

    >>> jaxzc.score(model, variables, (images, labels), proxies=["snip", "naswot"])
    >>> jaxzc.score(model, params, (tokens, labels), "snip", output=lambda out: out.logits, deterministic=True)

    params, batches, seed: see `jaxzc.Scorer.score`; the other arguments: see `jaxzc.Scorer`.

    Returns a dictionary from proxy to score. NaN and infinities are not replaced. A proxy that cannot be computed is NaN, and `.reasons`
    says why. Raises `JaxzcError` for input that cannot be used.

    The first call compiles a program. Further calls for the same model, proxies and options with arrays of the same shapes (other seeds,
    other parameters) reuse it; the last 8 programs are cached. Each call traces the model, so that changed code or constants are noticed.
    `jaxzc.Scorer` saves that as well.
    """
    keywords = call_keywords("score", model, model_kwargs, call, method)
    scorer = Scorer(
        model,
        proxies,
        loss=loss,
        task=task,
        norm=norm,
        cells=cells,
        model_kwargs=keywords,
        method=method,
        output=output,
        unavailable=unavailable,
        ingredients=ingredients,
        pieces=pieces,
    )
    recipe, key = scorer.recipe, seeded(seed)
    bound, checked = examined(recipe, params, batches)
    shapes = signature(bound, checked)
    same = None if shapes is None else (shapes, chosen_by_user(recipe), identity(recipe, bound, checked))
    program = _RECENT.get(same, lambda: compiled(recipe, bound, checked, key))
    return finished(recipe, program, bound, checked, seed, stacklevel=2)
