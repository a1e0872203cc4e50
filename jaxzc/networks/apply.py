"""Bare functions `apply_fn(params, x)` as networks."""

import inspect
from collections.abc import Callable, Mapping
from typing import Any

from jaxzc.networks.adapter import ProgramNetwork, make_network
from jaxzc.types import Array, JaxzcError, Norm


def apply_network(
    apply_fn: Callable[..., Any],
    params: Any,
    images: Any,
    *,
    cells: Callable[[str], int] | None = None,
    model_kwargs: Mapping[str, Any] | None = None,
) -> tuple[ProgramNetwork, Any]:
    """The network of `apply_fn(params, images, **model_kwargs) -> logits`, and `params` as they are (every floating-point leaf trains).

    Where `apply_fn` has a keyword `norm`, it is told the mode. Otherwise it runs as it is; a function that normalises cannot know
    how to do so with `norm="init"` or `"none"`, and these raise `JaxzcError`.
    """
    kwargs = dict(model_kwargs or {})
    told = takes_norm(apply_fn) and "norm" not in kwargs

    def fn(params: Any, images: Array, norm: Norm) -> Any:
        if told:
            return apply_fn(params, images, norm=norm, **kwargs)
        # the batch mode is traced first, so the network is there when another mode is
        if norm != "batch" and network.normalises:
            raise JaxzcError(
                f"apply_fn normalises (rsqrt in its program) but takes no `norm` keyword, which norm={norm!r} needs: "
                "accept norm='batch'|'init'|'none' or leave those proxies out"
            )
        return apply_fn(params, images, **kwargs)

    network = make_network(fn, params, images, cells)
    return network, params


def takes_norm(apply_fn: Callable[..., Any]) -> bool:
    """Whether `norm` can be given to the function by name."""
    try:
        parameter = inspect.signature(apply_fn).parameters.get("norm")
    except (TypeError, ValueError):  # some callables have no signature
        return False
    return parameter is not None and parameter.kind in (parameter.KEYWORD_ONLY, parameter.POSITIONAL_OR_KEYWORD)
