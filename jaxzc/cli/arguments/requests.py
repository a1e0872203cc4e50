"""From what was typed to what the library is asked for: the space's options, a request's fields, the space and its images."""

import argparse
import ast
import os
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

import jax

from jaxzc import data
from jaxzc.catalogue import spaces
from jaxzc.facts import Proxy
from jaxzc.scoring.space.setting import too_few
from jaxzc.types import JaxzcError, Space


def command_line(arguments: argparse.Namespace) -> str:
    """What was typed, so that tables and reports can say how they were made."""
    return shlex.join(["jaxzc", *arguments.argv])


def request_fields(arguments: argparse.Namespace, request: type[Any], **parsed: Any) -> dict[str, Any]:
    """What was typed, for the fields of a request that have an option of the same name; the space's options; and what was parsed."""
    named = {each.name: getattr(arguments, each.name) for each in fields(request) if hasattr(arguments, each.name)}
    return named | {"options": options(arguments.set)} | parsed


def options(pairs: Sequence[str]) -> dict[str, Any]:
    """Option -> value of `--set OPTION=VALUE` pairs, VALUE as Python writes it, or true, or false.

    Raises `JaxzcError` for what is no pair, and for an option given twice.
    """
    chosen: dict[str, Any] = {}
    for pair in pairs:
        name, equals, value = (part.strip() for part in pair.partition("="))
        if not equals or not name:
            raise JaxzcError(f"--set {pair}: expected OPTION=VALUE, for example channels=8")
        if name in chosen:
            raise JaxzcError(f"--set {name} is given twice: keep one of them")
        try:
            chosen[name] = ast.literal_eval({"true": "True", "false": "False"}.get(value, value))
        except (ValueError, SyntaxError):
            chosen[name] = value
    return chosen


def space_options(arguments: argparse.Namespace, **own: Any) -> dict[str, Any]:
    """The options of the space: those of `--set`, and those given, which have an argument of their own. Raises `JaxzcError` where the space
    has no such option."""
    chosen = options(arguments.set)
    for name in own:
        if name in chosen:
            raise JaxzcError(f"--set {name} is given beside --{name}: keep --{name}")
    chosen |= own
    spaces.check_options(arguments.space, chosen)
    return chosen


def check_sizes(chosen: Mapping[str, Proxy], arguments: argparse.Namespace) -> None:
    """Raises `JaxzcError` where a proxy compares batches or images and there is one only; at once, not after compiling."""
    if lack := too_few(chosen, batches=arguments.batches, batch_size=arguments.batch_size):
        option = f"--{lack.field.replace('_', '-')}"
        raise JaxzcError(f"{option} {lack.number} is too few for {lack}: give {option} 2, or choose other --proxies")


def prepare(arguments: argparse.Namespace, seeds: Sequence[int]) -> tuple[Space, list[data.Data]]:
    """Loads the images of every seed and makes the space fit them; turns the compilation cache on."""
    chosen = space_options(arguments)
    keep_compiled(arguments)
    draws = [data.load(arguments.data, batch_size=arguments.batch_size, batches=arguments.batches, seed=seed) for seed in seeds]
    inputs = draws[0].batches[0].inputs.shape[1:]
    return spaces.space(arguments.space, classes=draws[0].classes, inputs=inputs, **chosen), draws


def keep_compiled(arguments: argparse.Namespace) -> None:
    """Turns the compilation cache on, unless --no-cache was given or the user has one of his own."""
    if not arguments.no_cache and not jax.config.jax_compilation_cache_dir:  # pyright: ignore[reportAttributeAccessIssue]
        jax.config.update("jax_compilation_cache_dir", str(Path(os.environ.get("XDG_CACHE_HOME", "~/.cache")).expanduser() / "jaxzc"))
