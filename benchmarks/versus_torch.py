"""Our scorer against eager PyTorch on the same machine, interleaved network by network; prints ratios, never a bare time alone.

    python benchmarks/versus_torch.py                                  # needs torch: pip install '.[bench]'
    python benchmarks/versus_torch.py --torch-python OTHER/bin/python  # torch in another environment
    python benchmarks/versus_torch.py --sets grad_norm grasp --networks 10

A set is a list of proxies joined by "+"; the peer computes them one after another with passes of their own, we compute them in one program.
Ratios are ours / PyTorch's, of wall seconds and of processor seconds (which a busy machine disturbs less): below 1 we are faster.

Side by side: as many processes as processors, one on each, all at the same networks; seconds are divided by their number, which is what one
network of many takes (`jaxzc score --processes all`). Compared with PyTorch on all processors, and with PyTorch side by side.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from timing import best

import jaxzc
from jaxzc.cli import processes

ZERO_COST_NAS = "grad_norm+snip+grasp+fisher+jacob_cov+plain+synflow+synflow_bn+l2_norm"
SWEET = "sweetimator+sweet_snip+sweet_ntk+sweet_zico+sweet_gradsign"
SETS = ["grad_norm", "grasp", "jacob_cov", "sweet_gradsign", f"{ZERO_COST_NAS}+zico+{SWEET}"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sets", nargs="+", default=SETS, metavar="A+B")
    parser.add_argument("--networks", type=int, default=10, help="the lightest, the heaviest, and random ones between")
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--channels", type=int, default=16)
    parser.add_argument("--cells", type=int, default=5)
    parser.add_argument("--threads", type=int, default=None, help="of PyTorch (default: all cores)")
    parser.add_argument("--torch-python", default=sys.executable)
    arguments = parser.parse_args()
    settings = vars(arguments) | {
        "threads": arguments.threads or os.cpu_count(),
        "device": "cuda" if jax.default_backend() == "gpu" else "cpu",
    }
    cores = processes.shares(1)[0]
    peer = start("torch_peer.py", cores, settings, arguments.torch_python)
    each = [] if settings["device"] == "cuda" else [[core] for core in cores]
    side_by_side = [start("torch_peer.py", core, settings | {"threads": 1}, arguments.torch_python) for core in each]
    space = jaxzc.space("nasbench201", classes=10, inputs=(32, 32, 3), channels=arguments.channels, cells=arguments.cells)
    archs = networks(space, arguments.networks)
    rng = np.random.default_rng(0)
    shape = (arguments.batch, 32, 32, 3)
    batches = [(rng.standard_normal(shape).astype(np.float32), rng.integers(0, 10, shape[0]).astype(np.int32)) for _ in range(2)]
    print(f"{len(archs)} networks, batch {arguments.batch}, {settings['device']}; this machine: {peaks()}", flush=True)
    for name in arguments.sets:
        ours = [start("jaxzc_peer.py", core, settings | {"proxies": name.split("+")}) for core in each]
        compare(name, space, archs, batches, peer, ours, side_by_side)
        for process in ours:
            process.stdin.close()
            process.wait()


def start(script: str, cores: Any, settings: Any, python: str = sys.executable) -> Any:
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    process = processes.start([python, str(Path(__file__).with_name(script))], cores, **pipes)
    ask(process, settings, answer=False)
    return process


def together(peers: Any, questions: Any) -> np.ndarray:
    """Seconds for each question, asked of all at once, one after another, divided by the number of those who answer."""
    for peer in peers:
        peer.stdin.write("".join(json.dumps(question) + "\n" for question in questions))
        peer.stdin.flush()
    seconds = [[json.loads(peer.stdout.readline())["seconds"] for _ in questions] for peer in peers]
    return np.mean(seconds, axis=0) / len(peers)


def networks(space: Any, count: int) -> np.ndarray:
    """By FLOPs: the lightest and the heaviest of a random sample, and its quantiles between."""
    sample = space.sample(np.random.default_rng(0), 500)
    flops = np.asarray(space.counts(sample).flops)
    return sample[np.argsort(flops, kind="stable")][np.linspace(0, len(sample) - 1, count).round().astype(int)]


def ask(peer: Any, question: Any, answer: bool = True) -> Any:
    peer.stdin.write(json.dumps(question) + "\n")
    peer.stdin.flush()
    return json.loads(peer.stdout.readline()) if answer else None


def compare(name: str, space: Any, archs: np.ndarray, batches: Any, peer: Any, ours: Any, side_by_side: Any) -> None:
    proxies = name.split("+")
    scorer = jaxzc.SpaceScorer(space, batches, proxies)
    started, cpu = time.perf_counter(), time.process_time()
    scorer.one(archs[0])
    compile_wall, compile_cpu = time.perf_counter() - started, time.process_time() - cpu
    if ours:
        together(ours, [{"genes": archs[0].tolist()}])
    rows, peer_peak = [], 0
    for arch in archs:
        genes = arch.tolist()
        started, cpu = time.perf_counter(), time.process_time()
        scorer.one(arch)
        row = (time.perf_counter() - started, time.process_time() - cpu)
        answers = [ask(peer, {"genes": genes, "proxy": proxy}) for proxy in proxies]
        peer_peak = max(a["peak_bytes"] for a in answers)
        rows.append((*row, sum(a["seconds"] for a in answers), sum(a["cpu"] for a in answers)))
    wall, cpu_s, torch_wall, torch_cpu = np.array(rows).T
    print(f"\n{name if len(proxies) < 4 else f'{len(proxies)} proxies: {name}'}")
    tell("wall", wall, torch_wall)
    tell("processor", cpu_s, torch_cpu)
    best = wall
    if ours:
        best = together(ours, [{"genes": arch.tolist()} for arch in archs])
        torch_each = together(side_by_side, [{"genes": arch.tolist(), "proxy": proxy} for arch in archs for proxy in proxies])
        torch_each = torch_each.reshape(len(archs), -1).sum(1)
        tell(f"{len(ours)} side by side, PyTorch on all", best, torch_wall)
        tell("both side by side", best, torch_each)
    print(f"  compilation and first network: {compile_wall:.1f} s ({compile_cpu:.1f} processor seconds)")
    every = space.enumerate()
    distinct = len(np.unique(space.same_network(every), axis=0))
    ratio = (compile_wall + distinct * best.mean()) / (len(every) * torch_wall.mean())
    print(f"  the whole space, compilation included, {distinct:,} networks against PyTorch's every string: {ratio:.3f}")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    print(f"  peak memory so far: ours {peak / 1e9:.1f} GB, PyTorch {peer_peak / 1e9:.1f} GB")
    if name == "grad_norm":
        flops = 3 * 2 * len(batches[0][1]) * np.asarray(space.counts(archs).flops)
        print(f"  achieved: median {np.median(flops / wall) / 1e9:.0f} GFLOP/s, heaviest {flops[-1] / wall[-1] / 1e9:.0f} GFLOP/s")
    sys.stdout.flush()


def tell(what: str, ours: np.ndarray, theirs: np.ndarray) -> None:
    ratio = ours / theirs
    spread = f"median {np.median(ratio):.2f} [{ratio.min():.2f}, {ratio.max():.2f}], of means {ours.mean() / theirs.mean():.2f}"
    print(f"  {what}, ours / PyTorch: {spread}; seconds a network {ours.mean():.2f} / {theirs.mean():.2f}")


def peaks() -> str:
    """FLOP/s of a large matrix product and of a convolution, the best of several."""
    a = jnp.ones((4096, 4096))
    x, w = jnp.ones((64, 32, 32, 64)), jnp.ones((3, 3, 64, 64))
    product = best(jax.jit(jnp.dot), a, a)
    convolution = best(
        jax.jit(lambda x, w: jax.lax.conv_general_dilated(x, w, (1, 1), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC"))), x, w
    )
    return (
        f"matrix product {2 * 4096**3 / product / 1e9:.0f} GFLOP/s, 3x3 convolution of 64 channels "
        f"{2 * 64 * 32 * 32 * 9 * 64 * 64 / convolution / 1e9:.0f} GFLOP/s"
    )


if __name__ == "__main__":
    main()
