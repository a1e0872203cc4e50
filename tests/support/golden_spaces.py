"""Reads golden networks of search spaces (weights, inputs and scores of the authors' own code) into ours; see test_golden_spaces.py.

The directory holds one folder a space, each with sets of networks (`dev`, ...): `networks/NN.npz`, `inputs.npz` and `scores.json`. A space
is read by one function in `READERS`: from a network's configuration, the images' shape and the number of classes it makes our space, the
genes, and a function that copies the stored arrays into our parameters.
"""

import json
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jax
import numpy as np
from jaxzc_spaces.core.params import with_leaves
from jaxzc_spaces.nasbench101.encoding import VERTICES, cells, pruned
from jaxzc_spaces.nasbench101.space import NasBench101
from jaxzc_spaces.nasbench201.encoding import EDGES
from jaxzc_spaces.nasbench201.own import edge_name
from jaxzc_spaces.nats_sss.encoding import CELLS, CONVS
from jaxzc_spaces.nats_sss.space import NatsSizeSpace
from jaxzc_spaces.transnas101.macro import TransNasMacro
from jaxzc_spaces.transnas101.micro import TransNasMicro

from jaxzc.spacekit import program_of
from jaxzc.types import Batch, InputSpec

ROOT = Path(__file__).parents[2]
DIRECTORY = Path(os.environ.get("JAXZC_GOLDEN_SPACES", str(ROOT / "../shared/golden_spaces")))
Arrays = dict[str, np.ndarray]

INTERVAL = "interval=(1e-3,5e-3)"
PROXIES = {
    "grad_norm": "grad_norm",
    "snip": "snip",
    "synflow": "synflow",
    "jacob_cov": "jacob_cov",
    "naswot": "naswot(once=True)",
    "zico": "zico",
    "effective_capacity": f"sweetimator({INTERVAL})",
    "effective_snip": f"sweet_snip({INTERVAL})",
    "effective_ntktrace": f"sweet_ntk({INTERVAL})",
}
"""Scores that every space stores: name in scores.json -> ours."""


@dataclass(frozen=True)
class Golden:
    """One golden network: our space, its genes, what copies its weights, its stored arrays, and its row of scores.json."""

    space: Any
    arch: Any
    fill: Callable[[Any, Arrays], Any]
    arrays: Arrays
    batches: tuple[Batch, ...]
    scores: dict[str, dict[str, float]]
    row: dict[str, Any]

    def params(self, dtype: Any) -> Any:
        """The stored weights as parameters of the discrete network. Normalisation is 1 and 0."""
        program = program_of(self.space, self.arch)
        params = program.discrete_params(program.init(jax.random.key(0)), self.arch)
        return jax.tree.map(lambda a: jax.numpy.asarray(a, dtype), self.fill(jax.tree.map(np.array, params), self.arrays))

    def shared_params(self, dtype: Any) -> Any:
        """The same as parameters of the program that the architecture shares; zeros where it has none."""
        program = program_of(self.space, self.arch)
        start = jax.tree.map(lambda a: a.astype(dtype), program.init(jax.random.key(0)))
        return jax.vjp(lambda params: program.discrete_params(params, self.arch), start)[1](self.params(dtype))[0]


def cases(names: tuple[str, ...]) -> list[str]:
    """The networks of these spaces, as "space/set/NN"; the names of the spaces themselves where the directory is absent."""
    found = [path for name in names for path in sorted(DIRECTORY.glob(f"{name}/*/networks/*.npz"))]
    return [f"{p.parents[2].name}/{p.parents[1].name}/{p.stem}" for p in found] or list(names)


def read(case: str) -> Golden:
    """One of `cases`; raises `FileNotFoundError` where it is absent."""
    name, folder, number = (*case.split("/"), "", "")[:3]
    directory = DIRECTORY / name / folder
    if not number or not directory.exists():
        raise FileNotFoundError(f"golden networks not found at {DIRECTORY / name}: set JAXZC_GOLDEN_SPACES to their directory")
    stored = json.loads((directory / "scores.json").read_text())
    inputs = np.load(directory / "inputs.npz")
    arrays = dict(np.load(directory / "networks" / f"{number}.npz"))
    index, config = int(number), json.loads(str(arrays["config"]))
    space, arch, fill = READERS[name](config, inputs["x1"].shape[1:], arrays["logits_train"].shape[1])
    batches = tuple(Batch(inputs[f"x{k}"], inputs[f"y{k}"]) for k in (1, 2))
    numbers = {n: {k: v[index] for k, v in e.items() if isinstance(v, list)} for n, e in stored["proxies"].items()}
    return Golden(space, arch, fill, arrays, batches, numbers, stored["networks"][index])


def _by_path(keys: Callable[[str], str], space: Any, arch: Any) -> Callable[[Any, Arrays], Any]:
    """Copies the kernels of a discrete network; `keys` gives the stored key of our path."""
    paths = [path for layers in space.network(arch).blueprint.layers for path in layers]

    def fill(params: Any, arrays: Arrays) -> Any:
        stored = {path: arrays[keys(path)] for path in paths} | {"head_bias": arrays["head/linear/bias"]}
        unused = {key for key in arrays if key.endswith(("conv", "kernel", "shortcut"))} - {keys(path) for path in paths}
        assert not unused, f"the stored network has layers that ours lacks: {unused}"
        return with_leaves(params, stored)  # type: ignore[arg-type]

    return fill


def _nats_sss(config: Any, image_shape: Any, classes: int) -> Any:
    space = NatsSizeSpace(classes=classes, inputs=InputSpec(tuple(image_shape)))
    arch = space.parse(config["channels"])
    numbers = [(0, 1), (0, 2), (1, 2), (0, 3), (1, 3), (2, 3)]

    def keys(path: str) -> str:
        if path in ("stem", "head"):
            return {"stem": "stem/conv", "head": "head/linear/kernel"}[path]
        _, layer, name, *which = path.split("/")
        if int(layer) not in CELLS:
            return f"layer{layer}/{name}"
        edge = (0, 3) if name == "skip" else CONVS[int(which[0])]
        return f"layer{layer}/edge{numbers.index(edge)}/conv"

    return space, arch, _by_path(keys, space, arch)


def _transnas101_macro(config: Any, image_shape: Any, classes: int) -> Any:
    space = TransNasMacro(int(config["arch"].split("-")[0]), classes, InputSpec(tuple(image_shape)))
    arch = space.parse(config["arch"])

    def keys(path: str) -> str:
        if path == "head":
            return "head/linear/kernel"
        first, second, *rest = path.split("/")
        return path if first == "stem" else f"layer{int(second) // 2}/block{int(second) % 2}/{'/'.join(rest)}"

    return space, arch, _by_path(keys, space, arch)


def _transnas101_micro(config: Any, image_shape: Any, classes: int) -> Any:
    space = TransNasMicro(int(config["arch"].split("-")[0]), classes, InputSpec(tuple(image_shape)))
    arch = space.parse(config["arch"])
    edges = [edge_name(edge) for edge in range(len(EDGES))]

    def keys(path: str) -> str:
        if path in ("stem0", "stem1", "head"):
            return {"stem0": "stem/conv0", "stem1": "stem/conv1", "head": "head/linear/kernel"}[path]
        kind, stage, *place, edge, kernel = path.split("/")
        cell = 4 * int(stage) + (0 if kind == "widenings" else 1 + int(place[0]))
        stored = {"conv": "conv", "conv1": "conv0", "conv2": "conv1"}[kernel]
        return f"layer{cell // 2}/block{cell % 2}/edge{edges.index(edge)}/{stored}"

    return space, arch, _by_path(keys, space, arch)


def _nasbench101(config: Any, image_shape: Any, classes: int) -> Any:
    space = NasBench101(config["stem"], config["modules"], classes, InputSpec(tuple(image_shape)))
    matrix, names = config["matrix"], ["input", *config["ops"], "output"]
    arch = space.parse("".join(str(bit) for row in matrix for bit in row) + ":" + ",".join(names))
    live = np.flatnonzero(pruned(cells(arch[None])).edges[0].any(1)).tolist()  # in the order of the stored numbers, the output aside

    def keys(path: str) -> str:
        if path in ("stem/conv", "head"):
            return {"stem/conv": "stem/conv", "head": "head/linear/kernel"}[path]
        _, stack, module, kind, vertex, conv = path.split("/")
        number = int(vertex.removeprefix("vertex"))
        place = f"vertex{live.index(number)}/{kind}" if number < VERTICES - 1 else "output/proj"
        return f"stack{stack}/module{module}/{place}/{conv}"

    return space, arch, _by_path(keys, space, arch)


READERS: dict[str, Callable[[Any, Any, int], Any]] = {
    "nats_sss": _nats_sss,
    "transnas101_micro": _transnas101_micro,
    "transnas101_macro": _transnas101_macro,
    "nasbench101": _nasbench101,
}


def relative(ours: float, theirs: float) -> float:
    """|ours - theirs| / |theirs|; 0 for equal values, NaN and infinities included."""
    if ours == theirs or (np.isnan(ours) and np.isnan(theirs)):
        return 0.0
    return abs(ours - theirs) / max(abs(theirs), 1e-300)


def mismatches(ours: dict[str, float], golden: Golden, rtol: dict[str, float], default: float) -> Iterator[str]:
    """What disagrees with the authors' code in float64, in words."""
    for name, value in ours.items():
        theirs = golden.scores[name].get("values_f64", golden.scores[name]["values"])
        error = relative(value, theirs)
        if not error <= rtol.get(name, default):
            yield f"{name}: {value!r} != {theirs!r} (relative difference {error:.1e})"
