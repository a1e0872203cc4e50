"""Transformers of three spaces in eager PyTorch, for `torch_spaces_peer.py`: AutoFormer, PiT, FlexiBERT."""

import math
import re
from itertools import pairwise
from typing import Any

import torch
from torch import nn
from torch.nn import functional


class Sum(nn.Module):
    """What two branches make, added, and something behind it."""

    def __init__(self, first: nn.Module, second: nn.Module, behind: nn.Module):
        super().__init__()
        self.first, self.second, self.behind = first, second, behind

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.behind(self.first(x) + self.second(x))


class Attention(nn.Module):
    def __init__(self, width: int, heads: int):
        super().__init__()
        self.qkv, self.proj, self.heads = nn.Linear(width, 3 * width), nn.Linear(width, width), heads

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        n, t, width = x.shape
        q, k, v = self.qkv(x).reshape(n, t, 3, self.heads, width // self.heads).permute(2, 0, 3, 1, 4)
        weights = (q @ k.transpose(-2, -1) * (width // self.heads) ** -0.5).softmax(-1)
        return self.proj((weights @ v).transpose(1, 2).reshape(n, t, width))


def block(width: int, heads: int, inner: int) -> list[nn.Module]:
    norm = [nn.LayerNorm(width, eps=1e-6) for _ in range(2)]
    grown = nn.Sequential(norm[1], nn.Linear(width, inner), nn.GELU(), nn.Linear(inner, width))
    attention = nn.Sequential(norm[0], Attention(width, heads))
    return [Sum(attention, nn.Identity(), nn.Identity()), Sum(grown, nn.Identity(), nn.Identity())]


class Transformer(nn.Module):
    """Auto-Prox's AutoFormer: the mean of the patches is what is classified."""

    def __init__(self, width: int, heads: list[int], ratios: list[int], of: dict[str, Any]):
        super().__init__()
        self.patch = nn.Conv2d(3, width, of["patch"], of["patch"])
        self.token = nn.Parameter(torch.randn(1, 1, width) * 0.02)
        self.position = nn.Parameter(torch.randn(1, 1 + (of["size"] // of["patch"]) ** 2, width) * 0.02)
        parts = [part for number, ratio in zip(heads, ratios, strict=True) for part in block(width, number, width * ratio // 10)]
        self.layers, self.norm, self.head = nn.Sequential(*parts), nn.LayerNorm(width, eps=1e-6), nn.Linear(width, of["classes"])

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.patch(x).flatten(2).transpose(1, 2)
        x = torch.cat([self.token.expand(len(x), -1, -1), x], 1) + self.position
        return self.head(self.norm(self.layers(x))[:, 1:].mean(1))


def autoformer(text: str, of: dict[str, Any]) -> nn.Module:
    width, heads, ratios = (re.findall(r"\d+", part) for part in text.split("-"))
    return Transformer(int(width[0]), [*map(int, heads)], [*map(int, ratios)], of)


class Pit(nn.Module):
    """Three stages of blocks; between them the map of patches is halved, and the class token widened."""

    def __init__(self, base: int, depths: list[int], heads: list[int], ratio: int, of: dict[str, Any]):
        super().__init__()
        widths, grid = [base * number for number in heads], (of["size"] - of["patch"]) // of["stride"] + 1
        self.patch = nn.Conv2d(3, widths[0], of["patch"], of["stride"])
        self.token, self.position = (
            nn.Parameter(torch.randn(1, 1, widths[0]) * 0.02),
            nn.Parameter(torch.randn(1, widths[0], grid, grid) * 0.02),
        )
        stages = [[part for _ in range(d) for part in block(w, h, w * ratio)] for d, w, h in zip(depths, widths, heads, strict=True)]
        self.stages = nn.ModuleList(nn.Sequential(*parts) for parts in stages)
        self.pools = nn.ModuleList(nn.Conv2d(a, b, 3, 2, 1, groups=a) for a, b in pairwise(widths))
        self.widen = nn.ModuleList(nn.Linear(a, b) for a, b in pairwise(widths))
        self.norm, self.head = nn.LayerNorm(widths[-1], eps=1e-6), nn.Linear(widths[-1], of["classes"])

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.patch(x) + self.position
        token = self.token.expand(len(x), -1, -1)
        for number, stage in enumerate(self.stages):
            size = x.shape[2:]
            x = stage(torch.cat([token, x.flatten(2).transpose(1, 2)], 1))
            token, x = x[:, :1], x[:, 1:].transpose(1, 2).unflatten(2, size)
            if number < len(self.pools):
                token, x = self.widen[number](token), self.pools[number](x)
        return self.head(self.norm(token[:, 0]))


def pit(text: str, of: dict[str, Any]) -> nn.Module:
    base, depths, heads, ratio = (re.findall(r"\d+", part) for part in text.split("-"))
    return Pit(int(base[0]), [*map(int, depths)], [*map(int, heads)], int(ratio[0]) // 10, of)


class Weighted(nn.Module):
    """Self-attention; with `matrix`, queries are multiplied by one more."""

    def __init__(self, width: int, heads: int, matrix: bool):
        super().__init__()
        self.query, self.key, self.value, self.output = (nn.Linear(width, width) for _ in range(4))
        self.matrix = nn.Linear(width, width, bias=False) if matrix else nn.Identity()
        self.heads, self.norm = heads, nn.LayerNorm(width, eps=1e-12)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = attended(self.matrix(self.query(x)), self.key(x), self.value(x), self.heads)
        return self.norm(self.output(y) + x)


def attended(q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, heads: int) -> torch.Tensor:
    q, k, v = (each.unflatten(2, (heads, -1)).transpose(1, 2) for each in (q, k, v))
    return ((q @ k.transpose(-2, -1) * q.shape[-1] ** -0.5).softmax(-1) @ v).transpose(1, 2).flatten(2)


class Transform(nn.Module):
    def __init__(self, width: int, heads: int, kind: str):
        super().__init__()
        self.input, self.heads, self.kind = nn.Linear(width, width), heads, kind

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.input(x).unflatten(2, (self.heads, -1)).transpose(1, 2)
        y = torch.fft.fft2(y).real if self.kind == "DFT" else cosine(cosine(y).transpose(2, 3)).transpose(2, 3)
        return y.transpose(1, 2).flatten(2)


def cosine(x: torch.Tensor) -> torch.Tensor:
    """The cosine transform of type II along the last axis, by a Fourier transform of the reordered entries."""
    size = x.shape[-1]
    turned = torch.fft.fft(torch.cat([x[..., ::2], x[..., 1::2].flip(-1)], -1))
    angles = torch.arange(size) * (math.pi / (2 * size))
    return 2 * (turned.real * angles.cos() + turned.imag * angles.sin())


class Dynamic(nn.Module):
    """Half of the heads attend, the others average a window with weights that a convolution makes of it."""

    def __init__(self, hidden: int, heads: int, size: int):
        super().__init__()
        self.heads, self.size = max(1, heads // 2), size
        width = self.heads * (hidden // heads)
        self.query, self.key, self.value, self.values = (nn.Linear(hidden, width) for _ in range(4))
        self.depthwise = nn.Conv1d(hidden, hidden, size, padding=size // 2, groups=hidden, bias=False)
        self.pointwise, self.spans = nn.Linear(hidden, width), nn.Linear(width, self.heads * size)
        self.output, self.norm = nn.Linear(2 * width, hidden), nn.LayerNorm(hidden, eps=1e-12)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        q = self.query(x)
        keys = self.pointwise(self.depthwise(x.transpose(1, 2)).transpose(1, 2))
        windows = self.spans(keys * q).unflatten(2, (self.heads, self.size)).softmax(-1)
        padded = functional.pad(self.values(x), (0, 0, self.size // 2, self.size // 2)).unfold(1, self.size, 1)
        convolved = (padded.unflatten(2, (self.heads, -1)) * windows[:, :, :, None]).sum(-1).flatten(2)
        y = torch.cat([attended(q, self.key(x), self.value(x), self.heads), convolved], -1)
        return self.norm(self.output(y) + x)


class FlexiBert(nn.Module):
    """A logit for each token."""

    def __init__(self, hidden: int, layers: list[tuple[str, str, int, int, int]], of: dict[str, Any]):
        super().__init__()
        self.word, self.position, self.kind = (nn.Embedding(count, of["embedding"]) for count in (of["classes"], of["positions"], 2))
        self.norm = nn.LayerNorm(of["embedding"], eps=1e-12)
        self.project = nn.Linear(of["embedding"], hidden) if hidden != of["embedding"] else nn.Identity()
        parts: list[nn.Module] = []
        for kind, setting, heads, width, number in layers:
            operators = {"SA": lambda s, h=heads: Weighted(hidden, h, s == "WMA"), "LT": lambda s, h=heads: Transform(hidden, h, s)}
            parts.append(operators.get(kind, lambda s, h=heads: Dynamic(hidden, h, int(s)))(setting))
            widths = [hidden, 4 * hidden, *[width] * (number - 1)]
            grown = [part for a, b in pairwise(widths) for part in (nn.Linear(a, b), nn.GELU())]
            parts.append(Sum(nn.Sequential(*grown, nn.Linear(widths[-1], hidden)), nn.Identity(), nn.LayerNorm(hidden, eps=1e-12)))
        self.layers, self.head = nn.Sequential(*parts), nn.Sequential(nn.Linear(hidden, hidden), nn.GELU(), nn.Linear(hidden, 1))

    def forward(self, words: torch.Tensor) -> torch.Tensor:
        places = self.position.weight[: words.shape[1]] + self.kind.weight[0]
        return self.head(self.layers(self.project(self.norm(self.word(words) + places))))[..., 0]


def flexibert(text: str, of: dict[str, Any]) -> nn.Module:
    first, *words = text.split("|")
    parts = [re.fullmatch(r"(\w+):(\w+):h(\d+):ff(\d+):n(\d+)", word) for word in words]
    layers = [(part[1], part[2], *map(int, part.groups()[2:])) for part in parts if part]
    return FlexiBert(int(first[1:]), layers, of)  # pyright: ignore[reportArgumentType]
