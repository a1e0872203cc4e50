"""`jaxzc sweet-interval`: find the sweet gradient interval of a space without training."""

import argparse
from pathlib import Path

from jaxzc.cli.arguments import Subcommands
from jaxzc.cli.arguments.architectures import architectures
from jaxzc.cli.arguments.groups import add_arch_arguments, add_network_arguments
from jaxzc.cli.arguments.numbers import seed
from jaxzc.cli.arguments.outputs import check_file
from jaxzc.cli.arguments.requests import keep_compiled, request_fields
from jaxzc.cli.terminal import progress
from jaxzc.scoring.space.setting import Setting
from jaxzc.scoring.space.sweet_interval import EDGES, sweet_interval

HELP = "find the interval for the sweet-gradient proxies (sweetimator, sweet_snip, ...) without training"
EPILOG = """The sweet-gradient proxies count only weights whose gradient lies in an interval, which belongs to a space, its network's
size, the data and the initialiser: find it with the options that you will give to `jaxzc score`.

example:
  jaxzc sweet-interval nasbench201 --set channels=4 --set cells=1 --sample 20 --plot sweet.pdf
"""


def add(commands: Subcommands) -> None:
    command = commands.add_parser(
        "sweet-interval", help=HELP, description=HELP, epilog=EPILOG, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add_network_arguments(command, batches=1)
    command.add_argument("--seed", type=seed, default=0, metavar="S", help="seed of images, weights and --sample (default: %(default)s)")
    add_arch_arguments(command, "default: 100, the authors' number")
    command.add_argument("--plot", metavar="FILE", help="draw the trend of every candidate into FILE.pdf, .svg or .png")
    command.add_argument("--overwrite", action="store_true", help="replace FILE")
    command.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> None:
    from jaxzc import report

    if arguments.plot is not None:
        check_file(Path(arguments.plot), arguments.overwrite)
        report.check_format(arguments.plot)
    keep_compiled(arguments)
    setting = Setting(**request_fields(arguments, Setting))
    space, (drawn,) = setting.prepared(arguments.space, [arguments.seed])
    archs = architectures(arguments, space, sample=100, seed=arguments.seed)
    result = sweet_interval(
        space,
        archs,
        drawn.batches,
        seed=arguments.seed,
        progress=lambda archs: progress(archs, len(archs), arguments.quiet),
        **setting.scorer_options,
    )
    print(f"{'interval':>18}  trend over depth, mean of {len(archs)} networks")
    for low, high, trend in zip(EDGES, EDGES[1:], result.trend, strict=False):
        mark = "  <- sweet" if (low, high) == result.interval else ""
        print(f"[{low:7.0e}, {high:7.0e})  {trend:+.4f}{mark}")
    print(f"\n{report.sweet_sentence(result, len(archs), space.name)}")
    if arguments.plot is not None:
        report.save(report.plot_sweet_interval(result), arguments.plot)
        print(f"{arguments.plot}: the trends drawn")
    low, high = result.interval
    print(f'use it as: --proxies "sweet_ntk(interval=({low:g},{high:g}))"')
