"""Wall and processor seconds of `jaxzc score` from the start of the process to its end with one network's scores: with an empty cache of
compiled programs (cold), and again with what the first run left there (warm, the median of three).

    python benchmarks/startup.py                       # a proxy, nine, and all 24 of the founding papers
    python benchmarks/startup.py snip zico+naswot
"""

import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time

NINE = "grad_norm+snip+grasp+fisher+jacob_cov+plain+synflow+synflow_bn+l2_norm"
FOUNDING = (
    f"{NINE}+zico+sweetimator+sweet_snip+sweet_ntk+sweet_zico+sweet_gradsign+tcet_snip+tcet_synflow+snr_snip+snr_synflow"
    "+lnwot+naswot+params+flops+layers"
)


def main() -> None:
    # pip leaves byte code beside what it installs; without this, Python would compile every module in every run, which takes 3 seconds.
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    with tempfile.TemporaryDirectory() as folder:
        score("snip", folder)
    imports = [seconds([sys.executable, "-c", f"import {module}"], {}) for module in ("numpy", "jax", "jaxzc")]
    print("import numpy, jax, jaxzc: " + ", ".join(f"{wall:.1f} s" for wall, _ in imports))
    for proxies in sys.argv[1:] or ["snip", NINE, FOUNDING]:
        with tempfile.TemporaryDirectory() as folder:
            cold = score(proxies, folder)
            warm = [score(proxies, folder) for _ in range(3)]
        wall, processor = (statistics.median(run[k] for run in warm) for k in (0, 1))
        count = proxies.count("+") + 1
        print(f"{count} proxies: cold {cold[0]:.1f} s (processor {cold[1]:.1f}), warm {wall:.1f} s (processor {processor:.1f})", flush=True)


def score(proxies: str, folder: str) -> tuple[float, float]:
    command = [sys.executable, "-m", "jaxzc", "score", "nasbench201", "--sample", "1", "--proxies", proxies.replace("+", ",")]
    return seconds([*command, "--quiet", "--overwrite", "--out", f"{folder}/scores.parquet"], {"XDG_CACHE_HOME": folder})


def seconds(command: list[str], environment: dict[str, str]) -> tuple[float, float]:
    """Wall and processor seconds of the command."""
    begun, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, env=os.environ | environment)
    wall, after = time.perf_counter() - begun, resource.getrusage(resource.RUSAGE_CHILDREN)
    return wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


if __name__ == "__main__":
    main()
