"""`jaxzc spaces`: the search spaces and their options."""

import argparse
from typing import Any

from jaxzc.catalogue import spaces

HELP = "list the search spaces and their options"


def add(commands: Any) -> None:
    commands.add_parser("spaces", help=HELP, description=HELP).set_defaults(run=run)


def run(arguments: argparse.Namespace) -> None:
    for name in sorted(spaces.spaces()):
        make = spaces.maker(name)
        summary = (make.__doc__ or "").strip().partition("\n")[0]
        options = ", ".join(f"{key}={value!r}" for key, value in spaces.options(make).items()) or "none"
        print(f"{name:15} {summary}")
        print(f"{'':15} options (--set): {options}; from {spaces.spaces()[name].value}")
