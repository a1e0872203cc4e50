"""What a command tells its user while it works, on standard error."""

import sys
import time
from collections.abc import Iterable, Iterator
from typing import Any


def progress(items: Iterable[Any], total: int, quiet: bool) -> Iterator[Any]:
    """The items, with a progress bar on standard error: architectures per second and time left. The first one, which compiles, is left out
    of the speed."""
    from tqdm.auto import tqdm

    # Into a file, a bar that is rewritten ten times a second is thousands of lines.
    interval = 0.1 if sys.stderr.isatty() else 30
    with tqdm(total=total, unit="arch", desc="compiling", smoothing=0, mininterval=interval, disable=quiet) as bar:
        for number, item in enumerate(items):
            yield item
            bar.update()
            if number == 0 and not quiet:
                bar.initial, bar.start_t, bar.last_print_t = 1, (now := time.time()), now
                bar.set_description("running")


def note(text: str) -> None:
    """A remark to the user, on standard error: standard output holds results only."""
    print(f"jaxzc: {text}", file=sys.stderr)
