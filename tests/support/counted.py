"""A compiled function that counts how often it is compiled."""

from collections.abc import Callable
from typing import Any

import jax


class Counted:
    """`function`, compiled once for each combination of argument shapes, which `compilations` counts: JAX traces it as often."""

    def __init__(self, function: Callable[..., Any]):
        self.compilations = 0

        def counting(*arguments: Any) -> Any:
            self.compilations += 1
            return function(*arguments)

        self.jitted = jax.jit(counting)

    def __call__(self, *arguments: Any) -> Any:
        return self.jitted(*arguments)
