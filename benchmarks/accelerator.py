"""What a GPU (or TPU) does with jaxzc, in one command and eight minutes, without a network.

    python benchmarks/accelerator.py                          # writes accelerator.json and accelerator.md, row by row
    python benchmarks/accelerator.py --toy                    # the same on a CPU at toy size, in two minutes

It needs JAX, Flax and Optax, and works from a checkout without installation. With PyTorch (in this Python, or --torch-python), eager
PyTorch on the same device is measured as well, the way the peers compute proxies (`torch_peer.py`), with TF32 off and on. Measured are:
FLOP/s of a matrix product and bytes/s of a copy; for each set of proxies and each chunk of architectures, compilation, architectures/s,
FLOP/s and peak memory; and how far the scores are from those of the CPU, which a process beside computes. All networks are
NAS-Bench-201's, from the lightest to the heaviest of a random sample, on noise. jaxzc's products are in float32 (`highest`), unless a row
says `default`: JAX's own choice, which is TF32 on NVIDIA's GPUs and bfloat16 on TPUs.

Each step is a process of its own. When --seconds are over it is ended, and what is left out is said; --sets and --chunks measure that in a
further run. Results are written as they come.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import IO, Any

from accelerator_table import Results

HERE = Path(__file__).resolve().parent
ZERO_COST_NAS = "grad_norm,snip,grasp,fisher,jacob_cov,plain,synflow,synflow_bn,l2_norm"
FIFTEEN = f"{ZERO_COST_NAS},zico,sweetimator,sweet_snip,sweet_ntk,sweet_zico,sweet_gradsign"
SETS = {"grad_norm": "grad_norm", "fifteen": FIFTEEN, "founding": "founding", "grasp": "grasp"}
"""Name of a set -> its proxies, what matters most first. `fifteen` is what PyTorch's side computes, as in `versus_torch.py`."""
TOY = {"channels": 4, "cells": 1, "image": 8, "batch": 8, "networks": 2, "chunks": [2, 1], "seconds": 115.0}


def options() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--toy", action="store_true", help=f"other defaults: {TOY}")
    parser.add_argument("--sets", nargs="+", choices=list(SETS), default=list(SETS))
    parser.add_argument("--chunks", nargs="+", type=int, default=[16, 64, 4, 1], help="architectures at a time, in this order")
    parser.add_argument("--networks", type=int, default=6)
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--channels", type=int, default=16)
    parser.add_argument("--cells", type=int, default=5)
    parser.add_argument("--image", type=int, default=32)
    parser.add_argument("--seconds", type=float, default=465.0, help="after which everything ends")
    parser.add_argument("--torch-python", default=sys.executable, help="a Python that has PyTorch; '' leaves PyTorch out")
    parser.add_argument("--out", type=Path, default=Path("accelerator"), help="name of the results, without .json and .md")
    return parser


def main(argv: Sequence[str] | None = None) -> Results:
    parser = options()
    if parser.parse_known_args(argv)[0].toy:
        parser.set_defaults(**TOY)
    arguments = parser.parse_args(argv)
    with tempfile.TemporaryDirectory() as folder:
        return Run(arguments, Path(folder)).all()


class Run:
    """All steps of one run. folder: a directory for what the process beside writes."""

    def __init__(self, arguments: argparse.Namespace, folder: Path):
        self.arguments, self.beside = arguments, folder / "reference"
        self.deadline = time.monotonic() + arguments.seconds
        self.size = {name: getattr(arguments, name) for name in ("networks", "batch", "channels", "cells", "image")}
        self.results = Results(arguments.out, {**self.size, "seconds": arguments.seconds})

    def all(self) -> Results:
        sets, chunks = self.arguments.sets, self.arguments.chunks
        proxies = "founding" if "founding" in sets else ",".join(dict.fromkeys(",".join(SETS[name] for name in sets).split(",")))
        # The CPU's scores are computed beside everything else, on half of the processors and with little priority.
        with self.beside.open("w") as file:
            asked = self.size | {"what": "reference", "precision": None, "proxies": proxies}
            cpu = start([sys.executable, "accelerator_peer.py"], [asked], file, {"JAX_PLATFORMS": "cpu"})
        try:
            self.step("peaks", "accelerator_peer.py", [self.size | {"what": "peak", "precision": None}], self.results.peak)
            # What is asked for most comes first, for the time may not allow all of it.
            self.rates(sets[:1], chunks[:1], "highest")
            self.pytorch()
            self.rates(sets[1:], chunks[:1], "highest")
            self.rates(sets, chunks[1:2], "highest")
            self.rates(sets, chunks[:1], "default")
            self.rates(sets, chunks[2:], "highest")
            try:
                cpu.wait(max(self.deadline - time.monotonic(), 0.1))
            except subprocess.TimeoutExpired:
                self.results.left_out("the CPU's scores of all networks", "the time was over")
        finally:
            cpu.kill()
            cpu.wait()
        self.write()
        print(self.results.table())
        return self.results

    def rates(self, sets: Sequence[str], chunks: Sequence[int], precision: str) -> None:
        for name in sets if chunks else ():
            asked = self.size | {"what": "set", "proxies": SETS[name], "chunks": chunks, "precision": precision}
            take = self.results.rate(name, precision)
            self.step(f"{name}, {precision}, chunks {chunks}", "accelerator_peer.py", [asked], take)

    def pytorch(self) -> None:
        device = {"gpu": "cuda", "cpu": "cpu"}.get(self.results.about.get("platform", ""))
        if not self.arguments.torch_python or device is None:
            self.results.left_out("PyTorch", "it was not asked for" if device else "it has no such device")
            return
        for tf32 in (False, True) if device == "cuda" else (False,):
            asked = self.size | {"threads": os.cpu_count(), "tf32": tf32, "device": device}
            genes: list[Any] = self.results.about["archs"]
            warm = [{"genes": genes[-1], "proxy": "grad_norm"}]
            questions = [{"genes": arch, "proxy": proxy} for arch in genes for proxy in FIFTEEN.split(",")]
            take = self.results.pytorch(tf32, SETS)
            self.step(
                f"PyTorch, TF32 {'on' if tf32 else 'off'}", "torch_peer.py", [asked, *warm, *questions], take, self.arguments.torch_python
            )

    def step(self, what: str, script: str, asked: Sequence[Any], take: Callable[[Any], None], python: str = sys.executable) -> None:
        """Runs a process until it ends, or until the deadline, and hands its results on as they come."""
        left = self.deadline - time.monotonic()
        if left < 1:
            self.results.left_out(what, "the time was over")
            return
        started = time.monotonic()
        with start([python, script], asked, subprocess.PIPE, {}) as process:
            timer = threading.Timer(left, process.kill)
            timer.start()
            assert process.stdout is not None
            for line in process.stdout:
                if line.startswith("{"):
                    take(json.loads(line))
                    self.write()
            code = process.wait()
            timer.cancel()
        if code:
            late = time.monotonic() >= self.deadline
            self.results.left_out(f"{what}, some or all", "the time was over" if late else f"the process ended with {code}, see its error")
        self.results.steps[what] = round(time.monotonic() - started, 1)
        self.write()

    def write(self) -> None:
        *whole, _ = self.beside.read_text().split("\n")
        self.results.reference = [json.loads(line) for line in whole if line.startswith("{")]
        self.results.write()


def start(command: Sequence[str], asked: Sequence[Any], out: int | IO[str], more: dict[str, str]) -> Any:
    """A process of a script beside this one, told `asked` line by line. It finds jaxzc in this checkout."""
    paths = [str(HERE.parent), str(HERE.parent / "spaces"), os.environ.get("PYTHONPATH", "")]
    variables = os.environ | more | {"PYTHONPATH": os.pathsep.join(filter(None, paths))}
    with tempfile.TemporaryFile("w+") as questions:
        questions.write("".join(json.dumps(line) + "\n" for line in asked))
        questions.seek(0)
        script = [command[0], str(HERE / command[1])]
        return subprocess.Popen(script, stdin=questions, stdout=out, env=variables, text=True)


if __name__ == "__main__":
    main()
