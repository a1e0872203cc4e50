"""The command line: `jaxzc demo`, `score`, `merge`, `status`, `evaluate`, `leaderboard`, `search`, `train`, `export`, `proxies` ..."""

import argparse
import os
import re
import sys
from collections.abc import Sequence
from importlib import import_module
from importlib.metadata import version
from typing import NoReturn

import jax
from absl import logging

from jaxzc.cli.terminal import warnings_as_notes
from jaxzc.types import JaxzcError
from jaxzc.types.names import nearest

DESCRIPTION = """Zero-cost (training-free) proxies for neural architecture search: score untrained networks, see what predicts accuracy.

A first run (one to three minutes, on images that are bundled with scikit-learn and networks that are small):
  jaxzc demo

What there is: `jaxzc proxies`, `jaxzc spaces`. Input that cannot be used ends with exit code 2 and one sentence.
"""


COMMANDS = {
    name: f"jaxzc.cli.{'import_' if name == 'import' else name.replace('-', '_')}"
    for name in (
        "demo",
        "score",
        "merge",
        "status",
        "evaluate",
        "leaderboard",
        "search",
        "train",
        "export",
        "econas",
        "experiment",
        "sweet-interval",
        "plan",
        "import",
        "train-benchmark",
        "proxies",
        "spaces",
    )
}
"""Command -> its module, in the order in which `jaxzc --help` lists them."""


class Parser(argparse.ArgumentParser):
    """Says what is wrong in one sentence; argparse prints the whole usage before it."""

    def error(self, message: str) -> NoReturn:
        message = " ".join(message.split())
        self.exit(2, f"{self.prog}: error: {message}{self._meant(message)} (`{self.prog} --help` shows what there is)\n")

    def _meant(self, message: str) -> str:
        """The nearest choice or option, where argparse complains of an unknown one."""
        choice = re.search(r"invalid choice: '(.*?)' \(choose from (.*)\)", message)
        option = re.search(r"unrecognized arguments: (--[\w-]+)", message)
        near = None
        if choice:
            near = nearest(choice[1], [name.strip(" '") for name in choice[2].split(",")])
        elif option:
            near = nearest(option[1], _options(self))
        return f": did you mean {near}?" if near else ""


def _options(parser: argparse.ArgumentParser) -> list[str]:
    """The options of a parser and of its commands."""
    options: list[str] = []
    for action in parser._actions:
        options += action.option_strings
        if isinstance(action, argparse._SubParsersAction):
            options += [option for command in action.choices.values() for option in _options(command)]
    return options


def parser(command: str | None = None) -> argparse.ArgumentParser:
    """The parser of one command, whose module alone is imported, or of all, where it is none of them."""
    top = Parser(prog="jaxzc", description=DESCRIPTION, formatter_class=argparse.RawDescriptionHelpFormatter)
    top.add_argument("--version", action="version", version=f"%(prog)s {version('jaxzc')}")
    commands = top.add_subparsers(dest="command", metavar="COMMAND", title="commands (`jaxzc COMMAND --help` explains one)")
    for module in [COMMANDS[command]] if command in COMMANDS else COMMANDS.values():
        import_module(module).add(commands)
    return top


def main(argv: Sequence[str] | None = None) -> int:
    """Runs one command; 0 on success, 2 with one sentence on standard error where the input cannot be used, 130 when interrupted (143 when
    told to terminate), 141 when nobody reads the output any more."""
    argv = sys.argv[1:] if argv is None else list(argv)
    if any("\0" in argument for argument in argv):
        return _refuse("an argument holds the character NUL, which no name may: leave it out")
    top = parser(argv[0] if argv else None)
    arguments = top.parse_args(argv)
    arguments.argv = argv
    if arguments.command is None:
        top.print_help(sys.stderr)
        return 2
    logging.set_verbosity(logging.ERROR)  # tensorflow-datasets and orbax talk about themselves
    try:
        with warnings_as_notes():
            arguments.run(arguments)
        sys.stdout.flush()
    except JaxzcError as error:
        return _refuse(str(error))
    except (MemoryError, jax.errors.JaxRuntimeError) as error:
        if not isinstance(error, MemoryError) and "RESOURCE_EXHAUSTED" not in str(error):
            raise
        return _refuse(f"out of memory ({str(error)[:200]}): lower --batch-size, or make the network smaller with --set")
    except KeyboardInterrupt as error:
        print(f"jaxzc: interrupted; {error or 'no half-written file is left'}", file=sys.stderr)
        return getattr(error, "code", 130)
    except BrokenPipeError:
        # Python flushes once more when it exits, and would complain then.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141
    return 0


def _refuse(message: str) -> int:
    print(f"jaxzc: error: {' '.join(message.split())}", file=sys.stderr)
    return 2
