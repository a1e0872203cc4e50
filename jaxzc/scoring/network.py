"""`jaxzc.score`: one network in one line. Its last programs are used again while model, shapes and proxies stay the same."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import jax

from jaxzc.catalogue.selection import ProxySpec
from jaxzc.scoring.batches import Batches
from jaxzc.scoring.identity import identity, told
from jaxzc.scoring.program import Recent, compiled
from jaxzc.scoring.results import Scores, Unavailable
from jaxzc.scoring.scorer import Scorer, examined, finished, signature
from jaxzc.tasks import Loss, Task
from jaxzc.types import Norm

MOST = 8
"""Programs that are held for the next call; those used longest ago go first."""

_RECENT = Recent(MOST)


def score(
    model: Any,
    params: Any,
    batches: Batches,
    proxies: ProxySpec = "founding",
    *,
    loss: Loss | None = None,
    task: Task | str | None = None,
    norm: Norm = "batch",
    seed: int = 0,
    cells: Callable[[str], int] | None = None,
    model_kwargs: Mapping[str, Any] | None = None,
    unavailable: Unavailable = "nan",
    ingredients: Iterable[Callable[..., Any]] = (),
) -> Scores:
    """Scores one network, unchanged: a Flax Linen module, a Flax NNX module (`params=None`), or `apply_fn(params, inputs)`.

    >>> jaxzc.score(model, variables, (images, labels), proxies=["snip", "naswot"])

    params, batches, seed: see `jaxzc.Scorer.score`; the other arguments: see `jaxzc.Scorer`.

    Returns proxy -> score, a dict; NaN and infinities stay as they are. A proxy that cannot be computed is NaN, and `.reasons` says why.
    Raises `JaxzcError` for input that cannot be used.

    A program is compiled for the first call, and used again by calls for the same model, proxies and options with arrays of the same shapes
    (other seeds, other parameters), the last 8 programs long. The model is traced each time, so that changed code or constants are
    noticed; `jaxzc.Scorer` saves that as well.
    """
    scorer = Scorer(
        model,
        proxies,
        loss=loss,
        task=task,
        norm=norm,
        cells=cells,
        model_kwargs=model_kwargs,
        unavailable=unavailable,
        ingredients=ingredients,
    )
    recipe = scorer.recipe
    bound, checked = examined(recipe, params, batches)
    shapes = signature(bound, checked)
    same = None if shapes is None else (shapes, told(recipe), identity(recipe, bound, checked))
    program = _RECENT.get(same, lambda: compiled(recipe, bound, checked, jax.random.key(seed)))
    return finished(recipe, program, bound, checked, seed, stacklevel=2)
