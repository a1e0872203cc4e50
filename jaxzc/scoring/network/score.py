"""`jaxzc.score`: scores one network in one line, and reuses its last programs while model, shapes and proxies stay the same."""

from typing import Any

from jaxzc.catalogue.selection import ProxySpec
from jaxzc.scoring.batches import Batches
from jaxzc.scoring.keys import seeded
from jaxzc.scoring.network.identity import chosen_by_user, identity
from jaxzc.scoring.network.program import RecentPrograms, compiled
from jaxzc.scoring.network.scorer import Scorer, examined, finished, signature
from jaxzc.scoring.options import options_of
from jaxzc.scoring.results import Scores
from jaxzc.types import Params

MOST = 8
"""Programs that are cached for further calls. The least recently used is dropped first."""

_RECENT = RecentPrograms(MOST)


@options_of(Scorer)
def score(model: Any, params: Params, batches: Batches, proxies: ProxySpec = "founding", *, seed: int = 0, **options: Any) -> Scores:
    """Scores one network, unchanged: a Flax Linen module, a Flax NNX module (`params=None`), or `apply_fn(params, inputs)`.

    >>> jaxzc.score(model, variables, (images, labels), proxies=["snip", "naswot"])
    >>> jaxzc.score(model, params, (tokens, labels), "snip", output=lambda out: out.logits, deterministic=True)

    params, batches, seed: see `jaxzc.Scorer.score`; the other arguments are those of `jaxzc.Scorer`.

    Returns a dictionary from proxy to score. NaN and infinities are not replaced. A proxy that cannot be computed is NaN, and `.reasons`
    says why. Raises `JaxzcError` for input that cannot be used.

    The first call compiles a program. Further calls for the same model, proxies and options with arrays of the same shapes (other seeds,
    other parameters) reuse it; the last 8 programs are cached. Each call traces the model, so that changed code or constants are noticed.
    `jaxzc.Scorer` saves that as well.
    """
    recipe, key = Scorer(model, proxies, **options).recipe, seeded(seed)
    bound, checked = examined(recipe, params, batches)
    shapes = signature(bound, checked)
    same = None if shapes is None else (shapes, chosen_by_user(recipe), identity(recipe, bound, checked))
    program = _RECENT.get(same, lambda: compiled(recipe, bound, checked, key))
    return finished(recipe, program, bound, checked, seed, stacklevel=2)
