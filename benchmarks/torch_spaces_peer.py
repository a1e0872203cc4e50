"""Networks of seven spaces in eager PyTorch, built for every architecture anew and scored by the norms of gradients.

The other half of `other_spaces.py`, which starts this file as a process of its own: each line on standard input is the string of an
architecture, each line on standard output answers with the parameters of the network and the seconds that building and scoring took.
"""

import itertools
import json
import re
import sys
import time
from functools import reduce
from typing import Any

import torch
from torch import nn
from torch.nn import functional
from torch_chains_peer import kernels
from torch_transformers_peer import Sum, autoformer, flexibert, pit


def conv(k: int, c_in: int, c_out: int, stride: int = 1, groups: int = 1, act: bool = True) -> nn.Sequential:
    layers = [nn.Conv2d(c_in, c_out, k, stride, (k - 1) // 2, groups=groups, bias=False), nn.BatchNorm2d(c_out)]
    return nn.Sequential(*layers, *[nn.ReLU()] * act)


class Excitation(nn.Module):
    def __init__(self, channels: int, hidden: int):
        super().__init__()
        self.layers = nn.Sequential(
            nn.AdaptiveAvgPool2d(1), nn.Conv2d(channels, hidden, 1), nn.ReLU(), nn.Conv2d(hidden, channels, 1), nn.Hardsigmoid()
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x * self.layers(x)


def head(channels: int, classes: int) -> list[nn.Module]:
    return [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(channels, classes)]


def mnasnet(text: str, of: dict[str, Any]) -> nn.Module:
    def round8(v: int) -> int:
        rounded = max(8, (v + 4) // 8 * 8)
        return rounded + 8 if 10 * rounded < 9 * v else rounded

    layers: list[nn.Module] = [conv(3, 3, 32, 2)]
    c = 32
    for block, width, stride in zip(text.split("-"), (16, 24, 40, 80, 112, 192, 320), (1, 2, 2, 2, 1, 2, 1), strict=True):
        expansion, k, count, excites = map(int, re.findall(r"\d+", block))
        for number in range(count):
            inner, s = round8(c * expansion), stride if number == 0 else 1
            parts = [conv(1, c, inner)] if inner != c else []
            parts += [conv(k, inner, inner, s, inner), *([Excitation(inner, max(1, c // 4))] if excites else [])]
            parts += [conv(1, inner, width, act=False)]
            unit = nn.Sequential(*parts)
            layers.append(Sum(unit, nn.Identity(), nn.Identity()) if s == 1 and c == width else unit)
            c = width
    return nn.Sequential(*layers, conv(1, c, 1280), *head(1280, of["classes"]))


RESNETS = {"10": (1, 1, 1, 1), "12": (2, 1, 1, 1), "14": (2, 2, 1, 1), "16": (2, 2, 2, 1), "18": (2, 2, 2, 2)}
FACTORS = {"wd4": 0.25, "wd2": 0.5, "w3d4": 0.75, "w1": 1.0}


def published(text: str, of: dict[str, Any]) -> nn.Module:
    """`resnetN` and `mobilenet_FACTOR`."""
    name, _, ending = text.partition("_")
    if name == "mobilenet":
        widths = [int(w * FACTORS[ending]) for w in (32, 64, *[128] * 2, *[256] * 2, *[512] * 6, *[1024] * 2)]
        layers: list[nn.Module] = [conv(3, 3, widths[0], 2)]
        for number, (c, width) in enumerate(itertools.pairwise(widths)):
            layers += [conv(3, c, c, 2 if number in (1, 3, 5, 11) else 1, c), conv(1, c, width)]
        return nn.Sequential(*layers, *head(widths[-1], of["classes"]))
    c = 64
    layers = [conv(7, 3, c, 2), nn.MaxPool2d(3, 2, 1)]
    for stage, count in enumerate(RESNETS[name.removeprefix("resnet")]):
        width = 64 * 2**stage
        for number in range(count):
            stride = 2 if stage and number == 0 else 1
            straight = nn.Identity() if stride == 1 and c == width else conv(1, c, width, stride, act=False)
            layers.append(Sum(nn.Sequential(conv(3, c, width, stride), conv(3, width, width, act=False)), straight, nn.ReLU()))
            c = width
    return nn.Sequential(*layers, *head(c, of["classes"]))


class Recurrent(nn.Module):
    """Three layers of a recipe's cell; the decoder has the embedding's matrix. Gives the logits of all words but the last."""

    def __init__(self, recipe: dict[str, Any], of: dict[str, Any]):
        super().__init__()
        self.recipe, self.widths = recipe, [of["nhid"], of["nhid"], of["emsize"]]
        self.embedding, self.bias = nn.Embedding(of["classes"], of["emsize"]), nn.Parameter(torch.zeros(of["classes"]))
        self.states = 1 + max(int(name.removeprefix("h_new_")) for name in recipe if re.fullmatch(r"h_new_\d+", name))
        self.cells = nn.ModuleList()
        for below, width in zip([of["emsize"], *self.widths], self.widths, strict=False):
            cell = nn.ModuleDict()
            for name, node in recipe.items():
                if node["op"] == "linear":
                    sizes = [below if source == "x" else width for source in node["input"]]
                    cell[name] = nn.ModuleList([nn.Linear(size, width, bias=number == 0) for number, size in enumerate(sizes)])
            self.cells.append(cell)

    def step(self, cell: Any, x: torch.Tensor, states: list[torch.Tensor]) -> list[torch.Tensor]:
        values = {"x": x, **{f"h_prev_{number}": state for number, state in enumerate(states)}}

        def value(name: str) -> torch.Tensor:
            if name not in values:
                op, sources = self.recipe[name]["op"], [value(source) for source in self.recipe[name]["input"]]
                if op in OPERATIONS:
                    values[name] = OPERATIONS[op](*sources)
                else:
                    values[name] = reduce(torch.add, [matrix(source) for matrix, source in zip(cell[name], sources, strict=True)])
            return values[name]

        return [value(f"h_new_{number}") for number in range(self.states)]

    def forward(self, words: torch.Tensor) -> torch.Tensor:
        x = self.embedding(words)
        for cell, width in zip(self.cells, self.widths, strict=True):
            states, outputs = [x.new_zeros(len(x), width)] * self.states, []
            for moment in range(x.shape[1]):
                states = self.step(cell, x[:, moment], states)
                outputs.append(states[0])
            x = torch.stack(outputs, 1)
        return (x[:, :-1] @ self.embedding.weight.T + self.bias).flatten(0, 1)


OPERATIONS = {
    "blend": lambda a, b, c: a * b + (1 - a) * c,
    "elementwise_prod": lambda a, b: a * b,
    "elementwise_sum": lambda a, b: a + b,
    "activation_tanh": torch.tanh,
    "activation_sigm": torch.sigmoid,
    "activation_leaky_relu": lambda a: functional.leaky_relu(a, 0.01),
}


def nasbench_nlp(text: str, of: dict[str, Any]) -> nn.Module:
    return Recurrent(json.loads(text), of)


class Frames(nn.Module):
    """A convolution over frames that sees four ahead, or, without a size, a linear layer of each frame; and its activation."""

    def __init__(self, c_in: int, c_out: int, size: int = 0, stride: int = 1, dilation: int = 1, groups: int = 1):
        super().__init__()
        ahead = 4 // stride
        self.padding = (0, size * dilation - stride) if ahead >= size * dilation - stride else ((size - 1) * dilation - ahead, ahead)
        self.layer = nn.Conv1d(c_in, c_out, size or 1, stride, 0, dilation, groups)
        self.padding = self.padding if size else (0, 0)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.layer(functional.pad(x, self.padding)).clamp(0, 20)


class Normalised(nn.Module):
    """`[B, C, T]`, normalised over its channels."""

    def __init__(self, channels: int):
        super().__init__()
        self.norm = nn.LayerNorm(channels, eps=1e-3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.norm(x.transpose(1, 2)).transpose(1, 2)


class SpeechCell(nn.Module):
    def __init__(self, nodes: list[list[int]], channels: int, groups: int):
        super().__init__()
        kinds = {1: (5, 1), 2: (5, 2), 3: (7, 1), 4: (7, 2)}
        self.bits, self.norm, self.nodes = [bits for _, *bits in nodes], Normalised(channels), nn.ModuleList()
        for op, *_ in nodes:
            size, dilation = kinds.get(op, (0, 1))
            node = Frames(channels, channels, size, 1, dilation, groups if size else 1)
            self.nodes.append(nn.Identity() if op == 5 else node)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        values = [x]
        for bits, node in zip(self.bits, self.nodes, strict=True):
            y = torch.zeros_like(x) if isinstance(node, nn.Identity) else node(values[-1])
            values.append(reduce(torch.add, [value for value, bit in zip(values, bits, strict=True) if bit], y))
        return self.norm(values[-1])


class Speech(nn.Module):
    """NAS-Bench-ASR's network: logits of each frame."""

    def __init__(self, nodes: list[list[int]], of: dict[str, Any]):
        super().__init__()
        parts: list[nn.Module] = []
        c = of["features"]
        for width, cells, stride in zip(of["filters"], of["cells"], (1, 1, 2, 2), strict=True):
            parts += [Frames(c, width, 8, stride), Normalised(width), *(SpeechCell(nodes, width, of["groups"]) for _ in range(cells))]
            c = width
        self.blocks, self.lstm, self.head = (
            nn.Sequential(*parts),
            nn.LSTM(c, of["units"], batch_first=True),
            nn.Linear(of["units"], of["classes"]),
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.lstm(self.blocks(x.transpose(1, 2)).transpose(1, 2))[0])


def nasbench_asr(text: str, of: dict[str, Any]) -> nn.Module:
    return Speech(json.loads(text), of)


SPACES = {each.__name__: each for each in (mnasnet, published, autoformer, pit, flexibert, nasbench_nlp, nasbench_asr)}


def batch(of: dict[str, Any]) -> tuple[torch.Tensor, torch.Tensor]:
    """Inputs, and what the loss compares with."""
    if of["space"] == "nasbench_asr":
        symbols = torch.randint(1, of["classes"], (of["batch"], of["symbols"]))
        return torch.randn(of["batch"], of["frames"], of["features"]), symbols
    if "tokens" in of:
        words = torch.randint(0, of["classes"], (of["batch"], of["tokens"]))
        return words, words[:, 1:].flatten() if of["space"] == "nasbench_nlp" else torch.randint(0, 2, words.shape).float()
    return torch.randn(of["batch"], 3, of["size"], of["size"]), torch.randint(0, of["classes"], (of["batch"],))


def loss(outputs: torch.Tensor, targets: torch.Tensor, of: dict[str, Any]) -> torch.Tensor:
    if of["space"] == "nasbench_asr":
        (count, frames), symbols = outputs.shape[:2], targets.shape[1]
        lengths = torch.full((count,), frames), torch.full((count,), symbols)
        return functional.ctc_loss(outputs.log_softmax(-1).transpose(0, 1), targets, *lengths, reduction="sum") / (count * frames)
    if of["space"] == "flexibert":
        return functional.binary_cross_entropy_with_logits(outputs, targets)
    return functional.cross_entropy(outputs, targets)


def grad_norm(network: nn.Module, drawn: tuple[torch.Tensor, torch.Tensor], of: dict[str, Any]) -> float:
    loss(network(drawn[0]), drawn[1], of).backward()
    return sum(float(w.grad.norm()) for w in kernels(network) if w.grad is not None)


def main() -> None:
    of = json.loads(sys.stdin.readline())
    torch.set_num_threads(of["threads"])
    torch.manual_seed(0)
    drawn = batch(of)
    for line in sys.stdin:
        started, cpu = time.perf_counter(), time.process_time()
        network = SPACES[of["space"]](json.loads(line)["text"], of).train()
        grad_norm(network, drawn, of)
        answer = {"seconds": time.perf_counter() - started, "cpu": time.process_time() - cpu}
        print(json.dumps(answer | {"params": sum(p.numel() for p in network.parameters())}), flush=True)


if __name__ == "__main__":
    main()
