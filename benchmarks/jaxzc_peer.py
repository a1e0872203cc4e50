"""Our scorer as a process of its own, for `versus_torch.py`: the first line of standard input has the settings, each further one a network;
each line of standard output the seconds it took.
"""

import json
import sys
import time

import numpy as np

import jaxzc


def main() -> None:
    settings = json.loads(sys.stdin.readline())
    size = {name: settings[name] for name in ("channels", "cells")}
    space = jaxzc.space("nasbench201", classes=10, inputs=(32, 32, 3), **size)
    rng = np.random.default_rng(0)
    shape = (settings["batch"], 32, 32, 3)
    batches = [(rng.standard_normal(shape).astype(np.float32), rng.integers(0, 10, shape[0]).astype(np.int32)) for _ in range(2)]
    scorer = jaxzc.SpaceScorer(space, batches, settings["proxies"])
    for line in sys.stdin:
        genes, started = np.asarray(json.loads(line)["genes"]), time.perf_counter()
        scorer.one(genes)
        print(json.dumps({"seconds": time.perf_counter() - started}), flush=True)


if __name__ == "__main__":
    main()
