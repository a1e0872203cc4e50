"""Our scorer against eager PyTorch on the same machine, interleaved network by network; prints ratios, never a bare time alone.

    python benchmarks/versus_torch.py                                  # needs torch: pip install '.[bench]'
    python benchmarks/versus_torch.py --torch-python OTHER/bin/python  # torch in another environment
    python benchmarks/versus_torch.py --sets grad_norm grasp --networks 10

A set is a list of proxies joined by "+"; the peer computes them one after another with passes of their own, we compute them in one program.
Ratios are ours / PyTorch's, of wall seconds and of processor seconds (which a busy machine disturbs less): below 1 we are faster.
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

import jaxzc

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
    peer = subprocess.Popen(
        [arguments.torch_python, str(Path(__file__).with_name("torch_peer.py"))], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    ask(peer, settings, answer=False)
    space = jaxzc.space("nasbench201", classes=10, image_shape=(32, 32, 3), channels=arguments.channels, cells=arguments.cells)
    archs = networks(space, arguments.networks)
    rng = np.random.default_rng(0)
    shape = (arguments.batch, 32, 32, 3)
    batches = [(rng.standard_normal(shape).astype(np.float32), rng.integers(0, 10, shape[0]).astype(np.int32)) for _ in range(2)]
    print(f"{len(archs)} networks, batch {arguments.batch}, {settings['device']}; this machine: {peaks()}")
    for name in arguments.sets:
        compare(name, space, archs, batches, peer)


def networks(space: Any, count: int) -> np.ndarray:
    """By FLOPs: the lightest and the heaviest of a random sample, and its quantiles between."""
    sample = space.sample(np.random.default_rng(0), 500)
    flops = np.asarray(space.counts(sample).flops)
    return sample[np.argsort(flops, kind="stable")][np.linspace(0, len(sample) - 1, count).round().astype(int)]


def ask(peer: Any, question: Any, answer: bool = True) -> Any:
    peer.stdin.write(json.dumps(question) + "\n")
    peer.stdin.flush()
    return json.loads(peer.stdout.readline()) if answer else None


def compare(name: str, space: Any, archs: np.ndarray, batches: Any, peer: Any) -> None:
    proxies = name.split("+")
    scorer = jaxzc.SpaceScorer(space, batches, proxies)
    started, cpu = time.perf_counter(), time.process_time()
    scorer.one(archs[0])
    compile_wall, compile_cpu = time.perf_counter() - started, time.process_time() - cpu
    rows, peer_peak = [], 0
    for arch in archs:
        started, cpu = time.perf_counter(), time.process_time()
        scorer.one(arch)
        ours = (time.perf_counter() - started, time.process_time() - cpu)
        answers = [ask(peer, {"genes": arch.tolist(), "proxy": proxy}) for proxy in proxies]
        peer_peak = max(a["peak_bytes"] for a in answers)
        rows.append((*ours, sum(a["seconds"] for a in answers), sum(a["cpu"] for a in answers)))
    wall, cpu_s, torch_wall, torch_cpu = np.array(rows).T
    print(f"\n{name if len(proxies) < 4 else f'{len(proxies)} proxies: {name}'}")
    for what, ours, theirs in (("wall", wall, torch_wall), ("processor", cpu_s, torch_cpu)):
        ratio = ours / theirs
        spread = f"median {np.median(ratio):.2f} [{ratio.min():.2f}, {ratio.max():.2f}], of means {ours.mean() / theirs.mean():.2f}"
        print(f"  {what:9s} ours / PyTorch: {spread}; seconds a network {ours.mean():.2f} / {theirs.mean():.2f}")
    print(f"  compilation and first network: {compile_wall:.1f} s ({compile_cpu:.1f} processor seconds)")
    space_ours, space_peer = compile_wall + 6466 * wall.mean(), 15625 * torch_wall.mean()
    print(f"  the whole space, compilation included, isomorphic networks once against every string: {space_ours / space_peer:.3f}")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    print(f"  peak memory so far: ours {peak / 1e9:.1f} GB, PyTorch {peer_peak / 1e9:.1f} GB")
    if name == "grad_norm":
        flops = 3 * 2 * len(batches[0][1]) * np.asarray(space.counts(archs).flops)
        print(f"  achieved: median {np.median(flops / wall) / 1e9:.0f} GFLOP/s, heaviest {flops[-1] / wall[-1] / 1e9:.0f} GFLOP/s")


def peaks() -> str:
    """FLOP/s of a large matrix product and of a convolution, the best of several."""
    a = jnp.ones((2048, 2048))
    x, w = jnp.ones((64, 32, 32, 64)), jnp.ones((3, 3, 64, 64))
    product = _best(jax.jit(jnp.dot), a, a)
    convolution = _best(
        jax.jit(lambda x, w: jax.lax.conv_general_dilated(x, w, (1, 1), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC"))), x, w
    )
    return (
        f"matrix product {2 * 2048**3 / product / 1e9:.0f} GFLOP/s, 3x3 convolution of 64 channels "
        f"{2 * 64 * 32 * 32 * 9 * 64 * 64 / convolution / 1e9:.0f} GFLOP/s"
    )


def _best(function: Any, *arguments: Any) -> float:
    times = []
    for _ in range(8):
        started = time.perf_counter()
        jax.block_until_ready(function(*arguments))
        times.append(time.perf_counter() - started)
    return min(times)


if __name__ == "__main__":
    main()
