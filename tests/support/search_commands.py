"""`jaxzc search` on the small cells of NAS-Bench-201, in this process."""

from typing import Any

from tests.support.commands import Result
from tests.support.commands import run as command

TABLE = ("--table", "embedded", "--metric", "test_accuracy", "--duplicates", "exact")


def search(*arguments: Any) -> Result:
    """One command line in this process."""
    fixed = ["nasbench201", "--set", "channels=4", "--set", "cells=1", "--batch-size", "4", "--no-cache", "--quiet"]
    return command("search", *fixed, *arguments)
