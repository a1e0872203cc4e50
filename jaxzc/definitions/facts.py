"""What is known of a proxy or an ingredient before it runs, kept as data on the function: `@proxy(...)`, `@ingredient(...)`.

A decorated function stays an ordinary function; its facts are its attribute `facts`, and outlive `python -OO`, which takes docstrings away.

>>> @jaxzc.ingredient()  # no pass of its own; jaxzc.ingredient(jaxzc.Passes(forward=1)) is one that runs the network
... def largest(loss_grads, *, power=1.0):
...     return [jnp.abs(g).max(1) ** power for g in loss_grads]
>>> @jaxzc.proxy(direction="higher", labels=True, ingredients=[largest])
... def max_gradient(largest):
...     return sum(g.sum() for g in largest)
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, Literal, TypeVar, get_args

from typing_extensions import TypeAliasType

from jaxzc.types import JaxzcError, Norm, PyTree, Score

Proxy = TypeAliasType("Proxy", Callable[..., Score])
"""A pure function of ingredients and settings, or `functools.partial` of one."""
Ingredient = TypeAliasType("Ingredient", Callable[..., PyTree])
"""A pure function of ingredients and settings that gives one ingredient, or several by name."""
Direction = Literal["higher", "lower"]
Function = TypeVar("Function", bound=Callable[..., Any])

FACTS = "facts"
"""The attribute of a decorated function."""

FORWARD, BACKWARD = 1, 2
"""Forward passes that a pass is worth in arithmetic: a backward pass multiplies once for the gradient of the inputs, and once for that of
the weights."""


@dataclass(frozen=True)
class Sizes:
    """What the cost of a proxy depends on: examples in a batch, number of batches, outputs for each example (classes), and positions of an
    example (height x width of an image). NaN where it is not known: so is what depends on it, then."""

    batch_size: float
    batches: float = 1
    outputs: float = 10
    pixels: float = 32 * 32


@dataclass(frozen=True)
class Passes:
    """What an ingredient costs in passes over the network; `Passes()` costs none.

    forward, backward: how many of each. backward_per_output: further backward passes, for each output of an example.
    examples: how many examples pass together; None: a batch. pixels: positions of an example; None: as the batch has them.
    each: these passes take place once, for each example of the first batch, or for each batch after the first.
    """

    forward: float = 0
    backward: float = 0
    backward_per_output: float = 0
    examples: int | None = None
    pixels: int | None = None
    each: Literal["once", "example", "further batch"] = "once"

    def forward_passes(self, sizes: Sizes) -> float:
        """Forward passes over one batch that are worth as much arithmetic; a backward pass is worth two."""
        backward = self.backward + (self.backward_per_output * sizes.outputs if self.backward_per_output else 0)
        share = 1.0 if self.examples is None else self.examples / sizes.batch_size
        scale = 1.0 if self.pixels is None else self.pixels / sizes.pixels
        times = {"once": 1, "example": sizes.batch_size, "further batch": sizes.batches - 1}[self.each]
        return (FORWARD * self.forward + BACKWARD * backward) * share * scale * times

    def __str__(self) -> str:
        """`F + 2B of 16 examples`: F a forward, B a backward pass; empty where there is none."""
        counts = ((self.forward, "F"), (self.backward, "B"), (self.backward_per_output, "B for each output"))
        terms = " + ".join(f"{'' if count == 1 else f'{count:g}'}{kind}" for count, kind in counts if count)
        if not terms:
            return ""
        if self.examples is not None:
            size = f" of {self.pixels} pixels" if self.pixels else ""
            terms += f" of {self.examples:,} example{'' if self.examples == 1 else 's'}{size}"
        return terms if self.each == "once" else f"{terms}, for each {self.each}"


Cost = Passes | Callable[..., Passes]
"""The passes of an ingredient, or a function of settings that gives them: its argument names are settings of the ingredient, or of those
that it is made from."""


OverLayers = Literal["terms", "kernels"]
"""What a score is over layers. `terms`: a sum of one term for each layer, which further weights of zero, with a gradient of zero, do not
change. `kernels`: a function of the sum of the layers' Hamming kernels. Such a proxy is scored layer by layer (`jaxzc.ladder`)."""


@dataclass(frozen=True)
class ProxyFacts:
    """direction: whether a higher or a lower score is better; None: not known. labels: whether the proxy reads the targets; None: not
    known. version: raised when the same settings come to give another value. init: the initialiser that the authors mean, None where any
    will do. redrawn: the initialiser with which the proxy draws weights anew, whatever the network's are. norm: the modes of normalisation
    in which its passes run, none where it makes no pass. over_layers: see `OverLayers`, None where it is neither; or a function of settings
    that gives it. ingredients: functions that make ingredients of the proxy's own."""

    direction: Direction | None = None
    labels: bool | None = None
    version: int = 1
    init: str | None = None
    redrawn: str | None = None
    norm: tuple[Norm, ...] = ()
    over_layers: OverLayers | Callable[..., OverLayers | None] | None = None
    ingredients: tuple[Ingredient, ...] = ()

    @property
    def higher_is_better(self) -> bool | None:
        return None if self.direction is None else self.direction == "higher"


@dataclass(frozen=True)
class IngredientFacts:
    """costs: name of each ingredient that the function makes -> its cost. single: the function returns the value of its one ingredient;
    else a dict name -> value."""

    costs: Mapping[str, Cost] = field(default_factory=dict)
    single: bool = True


def proxy(
    *,
    direction: Direction | None = None,
    labels: bool | None = None,
    version: int = 1,
    init: str | None = None,
    redrawn: str | None = None,
    norm: Norm | tuple[Norm, ...] = (),
    over_layers: OverLayers | Callable[..., OverLayers | None] | None = None,
    ingredients: Iterable[Ingredient] = (),
) -> Callable[[Function], Function]:
    """Decorator that states a proxy's facts, see `ProxyFacts`; raises `JaxzcError` for values that mean nothing.

    A proxy is a pure function: the names of its positional arguments are ingredients, its keyword-only arguments are settings. A setting
    with the name of a setting of an ingredient is handed on to it.
    """
    modes = (norm,) if isinstance(norm, str) else tuple(norm)
    if direction not in (None, *get_args(Direction)):
        raise JaxzcError(f"direction={direction!r}: expected 'higher' or 'lower', or None where it is not known")
    if isinstance(version, bool) or not isinstance(version, int) or version < 1:
        raise JaxzcError(f"version={version!r}: expected a whole number of at least 1")
    if not set(modes) <= set(get_args(Norm)):
        raise JaxzcError(f"norm={norm!r}: expected one or several of {', '.join(map(repr, get_args(Norm)))}")
    if not callable(over_layers) and over_layers not in (None, *get_args(OverLayers)):
        raise JaxzcError(f"over_layers={over_layers!r}: expected 'terms' or 'kernels', a function of settings that gives one, or None")
    facts = ProxyFacts(direction, labels, version, init, redrawn, modes, over_layers, tuple(ingredients))

    def with_facts(function: Function) -> Function:
        setattr(function, FACTS, facts)
        return function

    return with_facts


def ingredient(cost: Cost = Passes(), /, **costs: Cost) -> Callable[[Function], Function]:
    """Decorator: the function makes the ingredient of its own name, at this cost; or, with keywords, several: it returns a dict that has
    (at least the wanted ones of) these names, and may ask which are wanted by a keyword-only argument `wanted`, a frozenset of names.

    Its positional arguments are ingredients that it is made from, its other keyword-only arguments, with their defaults, settings.
    """

    def with_facts(function: Function) -> Function:
        single = {str(getattr(function, "__name__", "")): cost}
        setattr(function, FACTS, IngredientFacts(costs or single, single=not costs))
        return function

    return with_facts


def with_settings(proxy: Proxy, **settings: object) -> Proxy:
    """The proxy with other settings. They may belong to the proxy or to its ingredients; in a list of names, write `swap(repeats=32)`.

    `functools.partial` does it too, but type checkers know a function's own keywords only."""
    return partial(proxy, **settings)


@dataclass(frozen=True)
class WithIngredients:
    """A proxy, settings applied or not, with ingredients that it brings along besides those of its facts."""

    proxy: Proxy
    ingredients: tuple[Ingredient, ...]

    def __call__(self, *values: PyTree, **settings: object) -> Score:
        return self.proxy(*values, **settings)


def parts(proxy: Proxy) -> tuple[Proxy, tuple[PyTree, ...], dict[str, Any]]:
    """The function that a proxy was written as, and the arguments and settings applied to it since."""
    proxy = proxy.proxy if isinstance(proxy, WithIngredients) else proxy
    return (proxy.func, proxy.args, dict(proxy.keywords)) if isinstance(proxy, partial) else (proxy, (), {})


def proxy_facts(proxy: Proxy) -> ProxyFacts:
    """The facts on the proxy's decorator, whether settings were applied to the proxy or not. Without the decorator nothing is known."""
    facts = getattr(parts(proxy)[0], FACTS, None)
    facts = facts if isinstance(facts, ProxyFacts) else ProxyFacts()
    handed = proxy.ingredients if isinstance(proxy, WithIngredients) else ()
    return replace(facts, ingredients=(*facts.ingredients, *handed)) if handed else facts


def ingredient_facts(function: Ingredient) -> IngredientFacts:
    """The facts of a function that makes ingredients; raises `JaxzcError` where it is not decorated as one."""
    facts = getattr(function, FACTS, None)
    if not isinstance(facts, IngredientFacts):
        name = getattr(function, "__name__", repr(function))
        raise JaxzcError(f"{name} is not known as an ingredient: write @jaxzc.ingredient(...) above its definition")
    return facts
