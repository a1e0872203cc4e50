"""`jaxzc sweet-interval`: find the sweet gradient interval of a space without training."""

import argparse
from typing import Any

from jaxzc.cli import common
from jaxzc.intervals import EDGES, sweet_interval

HELP = "find the interval for the sweet-gradient proxies (sweetimator, sweet_snip, ...) without training"


def add(commands: Any) -> None:
    command = commands.add_parser("sweet-interval", help=HELP, description=HELP)
    common.add_network_arguments(command, batches=1)
    common.add_arch_arguments(command, "default: 100, the authors' number")
    command.add_argument("--quiet", action="store_true", help="no progress bar")
    command.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> None:
    space, drawn = common.prepare(arguments)
    archs = common.architectures(arguments, space, sample=100)
    found = sweet_interval(
        space,
        archs,
        drawn.batches,
        seed=arguments.seed,
        progress=lambda archs: common.progress(archs, len(archs), arguments.quiet),
        weights=arguments.weights,
        init=arguments.init,
        norm=arguments.norm,
    )
    print(f"{'interval':>18}  trend over depth, mean of {len(archs)} networks")
    for low, high, trend in zip(EDGES, EDGES[1:], found.trend, strict=False):
        mark = "  <- sweet" if (low, high) == found.interval else ""
        print(f"[{low:7.0e}, {high:7.0e})  {trend:+.4f}{mark}")
    low, high = found.interval
    print(f"use it as: --proxies \"sweet_ntk(interval=({low:g},{high:g}))\"")
