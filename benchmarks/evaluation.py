"""Seconds and peak memory of a whole evaluation with bootstrap intervals, on random scores of which some tie and some are NaN.

python benchmarks/evaluation.py --architectures 15625 --proxies 20 --resamples 2000
"""

import argparse
import os
import platform
import resource
import time

import numpy as np

import jaxzc


def scores(n: int, proxies: int) -> tuple[jaxzc.tables.ScoreTable, dict[str, float]]:
    """A table of `n` architectures whose accuracies have two decimals, as in NAS-Bench-201."""
    rng = np.random.default_rng(0)
    accuracy = np.round(90 + 2 * rng.normal(size=n), 2)
    columns = {f"proxy{k}": accuracy + rng.normal(scale=1 + k / 4, size=n) for k in range(proxies)}
    columns["proxy0"][: n // 100] = np.nan
    size = np.round(accuracy + rng.normal(scale=3, size=n), 1)
    archs = np.array([f"arch{k}" for k in range(n)], object)
    table = jaxzc.tables.ScoreTable({"arch": archs, **columns, "params": size, "flops": size})
    return table, dict(zip(archs, accuracy.tolist(), strict=True))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--architectures", type=int, default=15625, metavar="N")
    parser.add_argument("--proxies", type=int, default=20, metavar="N", help="besides params and flops")
    parser.add_argument("--resamples", type=int, default=2000, metavar="N")
    parser.add_argument("--statistics", default=",".join(jaxzc.evaluation.STATISTICS), metavar="A,B,...", help="default: all")
    arguments = parser.parse_args()
    table, truth = scores(arguments.architectures, arguments.proxies)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    started, used = time.perf_counter(), time.process_time()
    jaxzc.evaluation.evaluate(table, truth, statistics=arguments.statistics.split(","), resamples=arguments.resamples)
    wall, cpu = time.perf_counter() - started, time.process_time() - used
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    load = os.getloadavg()[0]
    print(
        f"{arguments.architectures:,} architectures x {arguments.proxies} proxies (+ params, flops) x {arguments.resamples:,} resamples, "
        f"{len(arguments.statistics.split(','))} statistics: {wall:.1f} s, {cpu:.1f} s of processor time, peak memory {peak / 1024:.0f} MB "
        f"({before / 1024:.0f} MB before); {os.cpu_count()} processors, load {load:.1f}, {platform.machine()}, numpy {np.__version__}"
    )


if __name__ == "__main__":
    main()
