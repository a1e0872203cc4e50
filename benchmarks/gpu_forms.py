"""Which form of a space's program a GPU wants: architectures side by side or in turn, several chunks, spaces and sets of proxies.

    python benchmarks/gpu_forms.py                     # writes gpu_forms.jsonl, row by row, within four minutes
    python benchmarks/gpu_forms.py --toy --seconds 600 # tries the script on a CPU
    python benchmarks/gpu_forms.py --only 0 2 --profile DIR

Every variant is a process of its own. All compile at once, for compilation takes most of the time and several processors; then they are
timed one after another, each alone on the card. What is not ready when the time is over is left out, and said. `jax.profiler`'s traces of
one call go into --profile.
"""

import argparse
import fcntl
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from accelerator import SETS

HERE = Path(__file__).resolve().parent
VARIANTS = [
    {"space": "nasbench201:NasBench201", "set": "grad_norm", "chunk": 16, "lanes": "side by side"},
    {"space": "nasbench201:NasBench201", "set": "grad_norm", "chunk": 64, "lanes": "side by side"},
    {"space": "nasbench201:NasBench201", "set": "grad_norm", "chunk": 16, "lanes": "in turn"},
    {"space": "nasbench201:NasBench201", "set": "fifteen", "chunk": 16, "lanes": "side by side"},
    {"space": "nasbench101:NasBench101", "set": "grad_norm", "chunk": 4, "lanes": "side by side"},
    {"space": "nasbench101:NasBench101", "set": "grad_norm", "chunk": 4, "lanes": "in turn"},
    {"space": "darts:Darts", "set": "grad_norm", "chunk": 4, "lanes": "side by side"},
    {"space": "darts:Darts", "set": "grad_norm", "chunk": 4, "lanes": "in turn"},
]
TIMED = 2.0
"""Seconds for which a program is run, at least."""


def main(argv: Sequence[str] | None = None) -> list[dict[str, Any]]:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--toy", action="store_true", help="small networks and images")
    parser.add_argument("--only", type=int, nargs="+", default=list(range(len(VARIANTS))), help="numbers of variants, from 0")
    parser.add_argument("--seconds", type=float, default=240.0)
    parser.add_argument("--profile", type=Path)
    parser.add_argument("--out", type=Path, default=Path("gpu_forms.jsonl"))
    arguments = parser.parse_args(argv)
    end, rows = time.monotonic() + arguments.seconds, []
    with tempfile.TemporaryDirectory() as folder:
        variables = os.environ | {"XLA_PYTHON_CLIENT_PREALLOCATE": "false", "PYTHONPATH": os.pathsep.join(paths())}
        processes = []
        for number in arguments.only:
            asked = VARIANTS[number] | {"toy": arguments.toy, "folder": folder, "all": len(arguments.only), "seconds": arguments.seconds}
            asked["profile"] = arguments.profile and str(arguments.profile / str(number))
            command = [sys.executable, __file__, json.dumps(asked)]
            processes.append((number, subprocess.Popen(command, env=variables, stdout=subprocess.PIPE, text=True)))
        for number, process in processes:
            with process:
                try:
                    said = process.communicate(timeout=max(end - time.monotonic(), 0.1))[0]
                except subprocess.TimeoutExpired:
                    process.kill()
                    said = ""
            answers = [line for line in said.splitlines() if line.startswith("{")]
            why = {"left out": "the time was over" if time.monotonic() >= end else f"the process ended with {process.returncode}"}
            rows.append(VARIANTS[number] | (json.loads(answers[-1]) if answers else why))
            print(json.dumps(rows[-1]), flush=True)
            arguments.out.write_text("".join(json.dumps(row) + "\n" for row in rows))
            Path(folder, f"{number}.ready").touch()  # nobody waits for one that ended
    return rows


def paths() -> list[str]:
    return [str(HERE.parent), str(HERE.parent / "spaces"), str(HERE), *filter(None, [os.environ.get("PYTHONPATH")])]


def measure(asked: dict[str, Any]) -> dict[str, Any]:
    """One variant: seconds of its first call, milliseconds for an architecture once all have compiled, and each network's grad_norm."""
    import importlib

    import jax
    import numpy as np
    from accelerator_peer import setting

    import jaxzc
    from jaxzc._compile import devices

    devices.in_turn = lambda platform: asked["lanes"] == "in turn"
    size = {"batch": 8, "image": 8, "channels": 4, "cells": 1} if asked["toy"] else {"batch": 64, "image": 32, "channels": 16, "cells": 5}
    space, archs, batches = setting(size | {"networks": 6})
    module, name = asked["space"].split(":")
    if name != "NasBench201":
        small = {"channels": 4, "cells": 1} if asked["toy"] and name == "Darts" else {}
        space = getattr(importlib.import_module(f"jaxzc_spaces.{module}"), name)(classes=10, inputs=space.inputs, **small)
        archs = space.sample(np.random.default_rng(0), 200)
        _, group = np.unique(space.program_keys(archs), axis=0, return_inverse=True)
        archs = archs[group == np.argmax(np.bincount(group))][:6]  # of the commonest program: one is compiled
    chunk = asked["chunk"]
    scorer = jaxzc.SpaceScorer(space, batches, SETS[asked["set"]], chunk=chunk, lanes=chunk)
    call = np.resize(archs, (chunk, archs.shape[1]))
    begun = time.monotonic()
    scores = [float(score["grad_norm"]) for score in scorer.many(call)[: len(archs)]]
    first = time.monotonic() - begun
    folder = Path(asked["folder"])
    Path(folder, f"{os.getpid()}.ready").touch()
    while len(list(folder.glob("*.ready"))) < asked["all"] and time.monotonic() - begun < 0.6 * asked["seconds"]:
        time.sleep(0.2)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        scorer.many(call)
        calls, started = 0, time.monotonic()
        while (seconds := time.monotonic() - started) < TIMED:
            scorer.many(call)
            calls += 1
        if asked["profile"]:
            with jax.profiler.trace(asked["profile"]):
                scorer.many(call)
    peak = (jax.devices()[0].memory_stats() or {}).get("peak_bytes_in_use", 0)
    device = jax.devices()[0].device_kind
    spent = {"first_s": round(first, 1), "ms": 1e3 * seconds / (calls * chunk), "peak_bytes": peak}
    return {"device": device, **spent, "scores": scores}


if __name__ == "__main__":
    if len(sys.argv) == 2 and sys.argv[1].startswith("{"):
        print(json.dumps(measure(json.loads(sys.argv[1]))), flush=True)
    else:
        main()
