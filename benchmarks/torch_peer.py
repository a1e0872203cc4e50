"""Zero-cost proxies in eager PyTorch, the way the peers compute them: a fresh copy of the network, and its own passes, for every proxy.

The other half of `versus_torch.py` and `accelerator.py`, which start this file as a process of its own: after the settings, each line on
standard input asks for one proxy of one NAS-Bench-201 network, each line on standard output answers with the seconds it took (building the
copy is not counted). The setting `tf32`, where it is given, says whether an NVIDIA GPU may round the factors of products to TF32.
"""

import copy
import json
import resource
import sys
import time

import torch
from torch import nn
from torch.nn import functional


class Cell(nn.Module):
    def __init__(self, genes: list[int], channels: int):
        super().__init__()
        self.genes = genes
        self.edges = nn.ModuleList([_edge(gene, channels) for gene in genes])

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        nodes, edge = [x], 0
        for target in (1, 2, 3):
            nodes.append(sum(self.edges[edge + source](nodes[source]) for source in range(target)))
            edge += target
        return nodes[3]


class Zero(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x * 0


def _conv_bn(c_in: int, c_out: int, kernel: int, stride: int = 1) -> nn.Sequential:
    conv = nn.Conv2d(c_in, c_out, kernel, stride, kernel // 2, bias=False)
    return nn.Sequential(nn.ReLU(), conv, nn.BatchNorm2d(c_out))


def _edge(gene: int, channels: int) -> nn.Module:
    kinds = (
        Zero,
        nn.Identity,
        lambda: _conv_bn(channels, channels, 1),
        lambda: _conv_bn(channels, channels, 3),
        lambda: nn.AvgPool2d(3, 1, 1, count_include_pad=False),
    )
    return kinds[gene]()


class Reduction(nn.Module):
    def __init__(self, channels: int):
        super().__init__()
        self.main = nn.Sequential(_conv_bn(channels, 2 * channels, 3, 2), _conv_bn(2 * channels, 2 * channels, 3))
        self.shortcut = nn.Sequential(nn.AvgPool2d(2), nn.Conv2d(channels, 2 * channels, 1, bias=False))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.main(x) + self.shortcut(x)


def network(genes: list[int], channels: int, cells: int, classes: int) -> nn.Module:
    layers: list[nn.Module] = [nn.Conv2d(3, channels, 3, padding=1, bias=False), nn.BatchNorm2d(channels)]
    for stage in range(3):
        width = channels * 2**stage
        layers += [Cell(genes, width) for _ in range(cells)]
        layers += [Reduction(width)] if stage < 2 else [nn.BatchNorm2d(width), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten()]
    return nn.Sequential(*layers, nn.Linear(4 * channels, classes))


def kernels(net: nn.Module) -> list[torch.Tensor]:
    return [m.weight for m in net.modules() if isinstance(m, (nn.Conv2d, nn.Linear))]


def loss(net: nn.Module, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    return functional.cross_entropy(net(x), y)


def gradients(net: nn.Module, batch: tuple[torch.Tensor, torch.Tensor]) -> list[torch.Tensor]:
    net.zero_grad()
    loss(net, *batch).backward()
    return [w.grad.clone() for w in kernels(net) if w.grad is not None]


def grad_norm(net, batches):
    return sum(g.norm() for g in gradients(net, batches[0]))


def snip(net, batches):
    return sum((w * g).abs().sum() for w, g in zip(kernels(net), gradients(net, batches[0]), strict=True))


def plain(net, batches):
    return sum((w * g).sum() for w, g in zip(kernels(net), gradients(net, batches[0]), strict=True))


def l2_norm(net, batches):
    return sum(w.norm() for w in kernels(net))


def grasp(net, batches):
    weights = kernels(net)
    constant = torch.autograd.grad(loss(net, *batches[0]), weights, allow_unused=True)
    live = torch.autograd.grad(loss(net, *batches[0]), weights, create_graph=True, allow_unused=True)
    sum((c * g).sum() for c, g in zip(constant, live, strict=True) if g is not None).backward()
    return -sum((w * w.grad).sum() for w in weights if w.grad is not None)


def fisher(net, batches):
    total, outputs = [], []
    for m in net.modules():
        if isinstance(m, (nn.Conv2d, nn.Linear)):
            m.register_forward_hook(lambda m, i, out: (out.retain_grad(), outputs.append(out))[0])
    loss(net, *batches[0]).backward()
    for a in outputs:
        if a.grad is not None:
            s = (a * a.grad).flatten(2).sum(2) if a.ndim == 4 else a * a.grad
            total.append(0.5 * s.square().mean(0).sum())
    return sum(total)


def jacob_cov(net, batches):
    x = batches[0][0].clone().requires_grad_(True)
    outputs = net(x)
    outputs.backward(torch.ones_like(outputs))
    eigenvalues = torch.linalg.eigvalsh(torch.corrcoef(x.grad.flatten(1)).nan_to_num())
    return -(torch.log(eigenvalues.abs() + 1e-5) + 1 / (eigenvalues.abs() + 1e-5)).sum()


def _synflow(net, batches, bn: bool):
    net = net.double()
    with torch.no_grad():
        for p in net.parameters():
            p.abs_()
    if not bn:
        for m in net.modules():
            if isinstance(m, nn.BatchNorm2d):
                m.forward = lambda x: x
    image = torch.ones(1, *batches[0][0].shape[1:], dtype=torch.float64, device=batches[0][0].device)
    net(image).sum().backward()
    return sum((w * w.grad).abs().sum() for w in kernels(net) if w.grad is not None)


def synflow(net, batches):
    return _synflow(net, batches, bn=False)


def synflow_bn(net, batches):
    return _synflow(net, batches, bn=True)


def zico(net, batches):
    stacked = [torch.stack(g) for g in zip(*(gradients(net, b) for b in batches), strict=True)]
    return sum(torch.log((g.abs().mean(0) / (g.std(0, unbiased=False) + 1e-12)).sum()) for g in stacked)


def _gate(g):
    return (g.abs() >= 1e-4) & (g.abs() < 5e-4)


def sweetimator(net, batches):
    return sum(_gate(g).sum() for g in gradients(net, batches[0]))


def sweet_snip(net, batches):
    return sum((_gate(g) * (w * g).abs()).sum() for w, g in zip(kernels(net), gradients(net, batches[0]), strict=True))


def sweet_ntk(net, batches):
    return sum((_gate(g) * g.square()).sum() for g in gradients(net, batches[0]))


def sweet_zico(net, batches):
    return zico(net, batches)


def sweet_gradsign(net, batches):
    gate = [_gate(g) for g in gradients(net, batches[0])]
    signs = [torch.zeros_like(g, dtype=torch.float32) for g in gate]
    for x, y in zip(*batches[0], strict=True):
        for s, g in zip(signs, gradients(net, (x[None], y[None])), strict=True):
            s += g.sign()
    return sum((g * s.abs()).sum() for g, s in zip(gate, signs, strict=True))


def main() -> None:
    settings = json.loads(sys.stdin.readline())
    torch.set_num_threads(settings["threads"])
    torch.manual_seed(0)
    device = settings["device"]
    if "tf32" in settings:
        torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = settings["tf32"]
    side = settings.get("image", 32)
    shape = (settings["batch"], 3, side, side)
    batches = [(torch.randn(shape, device=device), torch.randint(0, 10, shape[:1], device=device)) for _ in range(2)]
    for line in sys.stdin:
        asked = json.loads(line)
        net = copy.deepcopy(network(asked["genes"], settings["channels"], settings["cells"], 10)).to(device).train()
        started, cpu = time.perf_counter(), time.process_time()
        torch.as_tensor(globals()[asked["proxy"]](net, batches)).detach().item()
        answer = {"seconds": time.perf_counter() - started, "cpu": time.process_time() - cpu}
        on_gpu = torch.cuda.max_memory_allocated() if device == "cuda" else 0
        peak = on_gpu or resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
        print(json.dumps(answer | {"proxy": asked["proxy"], "peak_bytes": peak}), flush=True)


if __name__ == "__main__":
    main()
