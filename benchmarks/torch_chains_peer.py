"""Chains of super blocks in eager PyTorch, built and scored for every architecture anew, the way the authors of ZiCo and T-CET do.

The other half of `free_widths.py`, which starts this file as a process of its own: each line on standard input is the string of a chain and
a proxy, each line on standard output answers with the score and the seconds that building and scoring took.
"""

import json
import re
import resource
import sys
import time

import numpy as np
import torch
from torch import nn
from torch.nn import functional


def conv(k: int, c_in: int, c_out: int, stride: int, grouped: bool = False) -> list[nn.Module]:
    padded = nn.Conv2d(c_in, c_out, k, stride, (k - 1) // 2, groups=c_out if grouped else 1, bias=False)
    return [padded, nn.BatchNorm2d(c_out, eps=1e-3), nn.ReLU()]


def round8(channels: float) -> int:
    return max(8, 8 * round(channels / 8))


def network(text: str, classes: int) -> nn.Sequential:
    """Without shortcuts, as the authors score."""
    layers: list[nn.Module] = []
    for kind, numbers in re.findall(r"(\w+)\(([\d,]+)\)", text):
        c, c_out, stride, *rest = map(int, numbers.split(","))
        inside, depth = rest[0] if len(rest) == 2 else 0, rest[-1]
        for number in range(depth):
            s = stride if number == 0 else 1
            if plain := re.fullmatch(r"SuperConvK(\d)BNRELU", kind):
                layers += conv(int(plain[1]), c, c_out, s)
            elif inverted := re.fullmatch(r"SuperResIDWE(\d)K(\d)", kind):
                for width, step in ((inside, s), (c_out, 1)):
                    wide = round8(width * int(inverted[1]))
                    layers += [*conv(1, c, wide, 1), *conv(int(inverted[2]), wide, wide, step, True), *conv(1, wide, width, 1)]
                    c = width
            elif bottleneck := re.fullmatch(r"SuperResK1K(\d)K1", kind):
                for step in (s, 1):
                    layers += [*conv(1, c, inside, 1), *conv(int(bottleneck[1]), inside, inside, step), *conv(1, inside, c_out, 1)]
                    c = c_out
            else:
                k = int(kind.removeprefix("SuperResK")[0])
                layers += [*conv(k, c, inside, s), *conv(k, inside, c_out, 1)]
            c = c_out
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(c, classes))


def kernels(net: nn.Module) -> list[torch.Tensor]:
    return [m.weight for m in net.modules() if isinstance(m, nn.Conv2d | nn.Linear)]


def gradients(net: nn.Module, batch: tuple[torch.Tensor, torch.Tensor]) -> list[torch.Tensor]:
    net.zero_grad()
    functional.cross_entropy(net(batch[0]), batch[1]).backward()
    return [w.grad for w in kernels(net) if w.grad is not None]


def zico(net, batches):
    each = [[g.detach().cpu().reshape(-1).numpy().copy() for g in gradients(net, batch)] for batch in batches]
    total = 0.0
    for grads in zip(*each, strict=True):
        stacked = np.stack(grads)
        std, mean = np.std(stacked, axis=0), np.mean(np.abs(stacked), axis=0)
        known = std > 0
        ratio = np.sum(mean[known] / std[known])
        total += 0.0 if ratio == 0 else float(np.log(ratio))
    return total


def tcet_snip(net, batches):
    saliency = [(w * g).abs().flatten() for w, g in zip(kernels(net), gradients(net, batches[0]), strict=True)]
    compress = [float(torch.log(s.sum() / s.std())) if s.sum() != 0 else 0.0 for s in saliency]
    determinants: list[float] = []

    def hook(module, inputs, output):
        x = (output.flatten(1) > 0).float()
        kernel = x @ x.t() + (1 - x) @ (1 - x.t())
        sign, value = torch.linalg.slogdet(kernel)
        determinants.append(float(value) if sign else 0.0)

    for m in net.modules():
        if isinstance(m, nn.Conv2d | nn.Linear):
            m.register_forward_hook(hook)
    with torch.no_grad():
        # Fresh running statistics: those that the pass before moved are put back.
        for m in net.modules():
            if isinstance(m, nn.BatchNorm2d):
                m.reset_running_stats()
        net.eval()(batches[0][0])
    return sum(c * d for c, d in zip(compress, determinants, strict=True))


def naswot(net, batches):
    total = np.zeros((len(batches[0][0]),) * 2)

    def hook(module, inputs, output):
        x = (inputs[0].flatten(1) > 0).float()
        total[:] += (x @ x.t() + (1 - x) @ (1 - x.t())).numpy()

    for m in net.modules():
        if isinstance(m, nn.ReLU):
            m.register_forward_hook(hook)
    with torch.no_grad():
        net(batches[0][0])
    return float(np.linalg.slogdet(total)[1])


def synflow(net, batches):
    net = net.double()
    with torch.no_grad():
        for p in net.parameters():
            p.abs_()
    for m in net.modules():
        if isinstance(m, nn.BatchNorm2d):
            m.forward = lambda x: x
    net(torch.ones(1, *batches[0][0].shape[1:], dtype=torch.float64)).sum().backward()
    return float(sum((w * w.grad).abs().sum() for w in kernels(net) if w.grad is not None))


def main() -> None:
    settings = json.loads(sys.stdin.readline())
    torch.set_num_threads(settings["threads"])
    torch.manual_seed(0)
    shape = (settings["batch"], 3, settings["size"], settings["size"])
    batches = [(torch.randn(shape), torch.randint(0, 10, shape[:1])) for _ in range(2)]
    for line in sys.stdin:
        asked = json.loads(line)
        started, cpu = time.perf_counter(), time.process_time()
        score = globals()[asked["proxy"]](network(asked["text"], 10).train(), batches)
        answer = {"seconds": time.perf_counter() - started, "cpu": time.process_time() - cpu, "score": float(score)}
        print(json.dumps(answer | {"peak_bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024}), flush=True)


if __name__ == "__main__":
    main()
