"""How a model is called, and what is read of it: the options that `as_network`, `Scorer` and `score` share."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from jaxzc.types import JaxzcError


@dataclass(frozen=True)
class NetworkOptions:
    """cells: gives, for the name of a layer, the number of the cell it sits in (for interval proxies).
    model_kwargs: keywords of the model's call; flags such as `train` that are not among them are set to evaluation.
    method: of a module, what is called instead of `__call__`, by name or as a function.
    output: takes the outputs out of what the model returns.

    Raises `JaxzcError` for values of other types.
    """

    cells: Callable[[str], int] | None = None
    model_kwargs: Mapping[str, Any] | None = None
    method: str | Callable[..., Any] | None = None
    output: Callable[[Any], Any] | None = None

    def __post_init__(self) -> None:
        if self.model_kwargs is not None and not isinstance(self.model_kwargs, Mapping):
            raise JaxzcError(f"model_kwargs={self.model_kwargs!r:.60}: expected a dictionary of keywords, such as dict(train=False)")
        for option, value in (("cells", self.cells), ("output", self.output)):
            if value is not None and not callable(value):
                raise JaxzcError(f"{option}={value!r:.60}: expected a function, or None")

    def call_of(self, cls: type) -> Callable[..., Any]:
        """The function of a module's class that is called with the module and its inputs."""
        return getattr(cls, self.method) if isinstance(self.method, str) else self.method or cls.__call__

    def outputs_of(self, result: Any) -> Any:
        """The outputs in what the model's call returned."""
        return result if self.output is None else self.output(result)
