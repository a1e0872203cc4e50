"""From what was typed to what the library is asked for: the space's options, and a request's fields."""

import argparse
import ast
import os
import shlex
from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

import jax

from jaxzc.catalogue import spaces
from jaxzc.types import JaxzcError


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
    """The options of the space: those of `--set`, and `own`, which come from arguments of their own. Raises `JaxzcError` where the space
    has no such option, or one is given twice."""
    chosen = options(arguments.set)
    for name in own:
        if name in chosen:
            raise JaxzcError(f"--set {name} is given beside --{name}: keep --{name}")
    chosen |= own
    spaces.check_options(arguments.space, chosen)
    return chosen


def keep_compiled(arguments: argparse.Namespace) -> None:
    """Turns the compilation cache on, unless --no-cache was given or the user has one of his own."""
    if not arguments.no_cache and not jax.config.jax_compilation_cache_dir:  # pyright: ignore[reportAttributeAccessIssue]
        jax.config.update("jax_compilation_cache_dir", str(Path(os.environ.get("XDG_CACHE_HOME", "~/.cache")).expanduser() / "jaxzc"))
