"""What a command tells its user while it works, on standard error."""

import contextlib
import sys
import time
import warnings
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from jaxzc.catalogue import costs
from jaxzc.definitions.facts import Proxy


def compiling(chosen: Mapping[str, Proxy]) -> str:
    """What is said while the first network is compiled: how long that may take.

    One program with n proxies took 5 + 2 n seconds on two quiet processors (benchmarks/README.md, "Start": 7 for one, 54 for 24).
    """
    run_it = sum(costs.forward_passes(proxy, sizes=costs.ANY) > 0 for proxy in chosen.values())
    return f"compiling, once (about {5 + 2 * run_it} s; a few if it was compiled before)"


def progress(
    items: Iterable[Any],
    total: int,
    quiet: bool,
    compiling: str = "compiling, once",
    *,
    running: str = "running",
    unit: str = "arch",
    leave: bool = True,
) -> Iterator[Any]:
    """The items, with a progress bar on standard error: how many a second, and the time left. The first one, which compiles, is left out
    of the speed: `compiling` stands there until it is done, and no bar at 0 %. running: what stands before the bar. leave: whether the bar
    stays when all is done."""
    from tqdm.auto import tqdm

    # Into a file, a bar that is rewritten ten times a second is thousands of lines.
    interval = 0.1 if sys.stderr.isatty() else 30
    look: dict[str, Any] = {"smoothing": 0, "mininterval": interval, "disable": quiet, "leave": leave}
    with tqdm(total=total, unit=unit, desc=compiling, bar_format="{desc}", **look) as bar:
        for number, item in enumerate(items):
            yield item
            bar.update()
            if number == 0 and not quiet:
                bar.initial, bar.start_t, bar.last_print_t = 1, (now := time.time()), now
                bar.bar_format = None
                bar.set_description(running)


def note(text: str) -> None:
    """A remark to the user, on standard error: standard output holds results only."""
    print(f"jaxzc: {text}", file=sys.stderr)


@contextlib.contextmanager
def warnings_as_notes() -> Iterator[None]:
    """Inside the context warnings of jaxzc's own kinds (`jaxzc.DoubtWarning` ...) are notes; a command's user has no line of Python to look
    up."""
    before = warnings.showwarning

    def tell(message: Warning | str, category: type[Warning], *place: Any) -> None:
        if category.__module__.partition(".")[0] == "jaxzc":
            note(str(message))
        else:
            before(message, category, *place)

    warnings.showwarning = tell
    try:
        yield
    finally:
        warnings.showwarning = before
