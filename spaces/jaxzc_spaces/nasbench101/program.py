"""The network of NAS-Bench-101 whose cell is an argument: one program for all cells whose vertices are equally wide.

What shapes a network is how many vertices lead to the output and how wide each vertex is (`Layout`); edges and operations are traced.
Every vertex owns a 1x1 convolution from the module's input and a 1x1 and a 3x3 kernel. Each block stands behind a `lax.cond`, so that
one which the cell has not costs nothing, and the layers that do run have the discrete network's own sizes: there are no masks of channels.
"""

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from flax import nnx
from jax import lax

from jaxzc.numerics.linalg import power_of_two
from jaxzc.types import Array, Forward, Norm, Tap
from jaxzc_spaces.cells import ops as edge_ops
from jaxzc_spaces.cells.edge import Chosen
from jaxzc_spaces.core.grouped import NO_TAP, Norm2d, Reader, kernel, normalise, rescale
from jaxzc_spaces.core.stacked import zeros
from jaxzc_spaces.nasbench101.encoding import CONV3, POOL, VERTICES
from jaxzc_spaces.nasbench101.layout import INTERIOR, OUTPUT, Cell, Layout, cell
from jaxzc_spaces.nasbench101.network import max_pool2x2, max_pool3x3


class Setting(NamedTuple):
    """What all blocks of a pass share."""

    norm: Norm
    tap: Tap


def block(setting: Setting, conv: Callable[[Array, Any], Array], x: Array, kernels: Any, bn: Any, perturb: Any) -> tuple[Array, Any]:
    """Convolution, normalisation, ReLU: the output, and what the taps kept of (layer, normalisation, ReLU)."""
    norm, tap = setting
    y, layer = conv(x, kernels), None
    scale, bias = bn
    if tap.layer is not None:
        y, layer = tap.layer(y, perturb)
    normed = None if tap.norm is None else tap.norm(y)
    z = normalise(y, scale, bias, norm)
    kept = (layer, normed, None if tap.relu is None else tap.relu(z))
    return jax.nn.relu(z), lax.stop_gradient(kept)


def where_there(there: Array, run: Callable[..., Any], *operands: Any) -> Any:
    """`run(*operands)` where `there`, zeros elsewhere, at no cost."""
    return lax.cond(there, run, lambda *operands: zeros(jax.eval_shape(run, *operands)), *operands)


@jax.custom_vjp
def chosen_conv(which: Array, x: Array, kernels: tuple[Array, Array]) -> Array:
    """The 1x1 (0) or the 3x3 (1) convolution of x. Its derivatives switch again: JAX's would save what both branches need."""
    return Chosen(CONVOLUTIONS, which).value(x, kernels)


CONVOLUTIONS = (edge_ops.CONV1X1, edge_ops.CONV3X3)
chosen_conv.defvjp(
    lambda which, x, kernels: (chosen_conv(which, x, kernels), (which, x, kernels)),
    lambda saved, ct: (None, *Chosen(CONVOLUTIONS, saved[0]).pulls(True, saved[1], saved[2], ct)),
)


pool = jax.checkpoint(max_pool3x3)
"""`max_pool3x3` that saves nothing but its input."""


def vertex(setting: Setting, there: Array, op: Array, x: Array, kernels: Any, bn: Any, perturb: Any) -> tuple[Array, Any]:
    """A vertex's operation on the sum x of what leads to it; zeros where there is no vertex."""
    which = (op == CONV3).astype(jnp.int32)
    if perturb is not None:
        perturb = jax.tree.map(lambda *a: lax.select_n(which, *a), *perturb)

    def conv(x: Array, kernels: Any, bn: Any, perturb: Any) -> Any:
        return block(setting, lambda x, kernels: chosen_conv(which, x, kernels), x, kernels, bn, perturb)

    kept = jax.eval_shape(conv, x, kernels, bn, perturb)[1]
    branch = jnp.where(there, jnp.where(op == POOL, 1, 2), 0)
    branches = [lambda x, *_: (jnp.zeros_like(x), zeros(kept)), lambda x, *_: (pool(x), zeros(kept)), conv]
    return lax.switch(branch, branches, x, kernels, bn, perturb)


def module(setting: Setting, cell: Cell, layout: Layout, x: Array, p: Any, perturb: Any) -> tuple[Array, Any]:
    """One cell: `[B, H, W, c_in]` -> `[B, H, W, channels]`. p, perturb: `Modules.leaves` and `Modules.perturbations` of this module. Kept:
    per block `proj` and `op` in the order of the vertices, and `out`."""
    nodes: dict[int, Array] = {}
    kept: dict[str, Any] = {"proj": [], "op": []}
    there = cell.edges

    def project(v: int, kernel: Array, bn: Any, perturb: Any) -> Any:
        return where_there(there[0, v], lambda *args: block(setting, edge_ops.conv1x1, *args), x, kernel, bn, perturb)

    for v in INTERIOR:
        k, i = layout.place(v)
        mine = jax.tree.map(lambda a, i=i: a[i], {name: leaves[k] for name, leaves in p.items() if name != "out"})
        shift = None if perturb is None else jax.tree.map(lambda a, i=i: a[i], {n: s[k] for n, s in perturb.items() if n != "out"})
        total, kept_proj = project(v, mine["proj"], mine["proj_bn"], shift and shift["proj"])
        for source in range(1, v):
            if layout.width(source) >= layout.width(v):  # never the other way round
                total = total + jnp.where(there[source, v], nodes[source][..., : layout.width(v)], 0)
        kernels = mine["conv1x1"], mine["conv3x3"]
        shifts = shift and (shift["conv1x1"], shift["conv3x3"])
        nodes[v], kept_op = vertex(setting, cell.live[v], cell.ops[v], total, kernels, mine["op_bn"], shifts)
        kept["proj"].append(kept_proj)
        kept["op"].append(kept_op)
    out, kept["out"] = project(OUTPUT, *jax.tree.map(lambda a: a[0], (*p["out"], None if perturb is None else perturb["out"])))
    into = there[:, OUTPUT] & (jnp.arange(VERTICES) > 0)
    rank = jnp.cumsum(into)
    parts = [sum(jnp.where(into[v] & (rank[v] == k + 1), nodes[v], 0) for v in vs) for k, (_, vs) in enumerate(layout.slots())]
    return out + jnp.concatenate(parts, axis=-1), kept


class Modules(nnx.Module):
    """Modules of one shape in sequence; arrays have leading axes [modules, vertices of the class]."""

    def __init__(self, count: int, c_in: int, layout: Layout):
        sizes = [(count, len(members), w) for w, members in layout.classes]
        self.count, self.c_in, self.layout = count, c_in, layout
        self.proj = nnx.List([kernel(n, m, 1, 1, c_in, w) for n, m, w in sizes])
        self.conv1x1 = nnx.List([kernel(n, m, 1, 1, w, w) for n, m, w in sizes])
        self.conv3x3 = nnx.List([kernel(n, m, 3, 3, w, w) for n, m, w in sizes])
        self.proj_bn = nnx.List([Norm2d(*size) for size in sizes])
        self.op_bn = nnx.List([Norm2d(*size) for size in sizes])
        self.out, self.out_bn = kernel(count, 1, 1, 1, c_in, layout.channels), Norm2d(count, 1, layout.channels)

    def leaves(self) -> dict[str, Any]:
        named = {name: [a[...] for a in getattr(self, name)] for name in KINDS}
        named |= {name: [bn.leaves() for bn in getattr(self, name)] for name in ("proj_bn", "op_bn")}
        return named | {"out": (self.out[...], self.out_bn.leaves())}

    def perturbations(self, perturb: Sequence[Any]) -> dict[str, Any]:
        """The perturbations of these layer groups with leading axes [modules, layers]."""
        split = [jax.tree.map(lambda a: a.reshape(self.count, -1, *a.shape[1:]), group) for group in perturb]
        k = len(self.layout.classes)
        return {name: split[i * k : (i + 1) * k] for i, name in enumerate(KINDS)} | {"out": split[-1]}

    def __call__(self, x: Array, exponent: Array, cell: Cell, setting: Setting, perturb: Any) -> tuple[Array, Array, Any]:
        """The modules' last output, the exponent, and what was kept, leading axes [modules]."""

        def step(carry: tuple[Array, Array], inputs: tuple[Any, Any]) -> Any:
            x, kept = module(setting, cell, self.layout, carry[0], *inputs)
            return rescale(x, carry[1], setting.norm), kept

        inputs = self.leaves(), perturb
        if self.count > 1:
            carry, kept = lax.scan(step, (x, exponent), inputs)
        else:
            carry, kept = step((x, exponent), jax.tree.map(lambda a: a[0], inputs))
            kept = jax.tree.map(lambda a: a[None], kept)
        return carry[0], carry[1], kept

    def by_class(self, blocks: Sequence[Any]) -> list[Any]:
        """What was kept of each vertex, as one pytree for each class, leading axis [modules x vertices of the class]."""
        return [
            jax.tree.map(lambda *a: jnp.stack(a, 1).reshape(-1, *a[0].shape[1:]), *(blocks[v - 1] for v in members))
            for _, members in self.layout.classes
        ]


KINDS = ("proj", "conv1x1", "conv3x3")
"""Kernels of a vertex, in the order of the layer groups; the module's own last is `out`."""


class ProgramNet(nnx.Module):
    """The whole network. Call: images `[B, H, W, in_channels]` (H, W divisible by 4), genes int `[26]` whose cells have these layouts."""

    def __init__(self, layouts: Sequence[Layout], modules: int, classes: int, in_channels: int):
        channels = layouts[0].channels
        self.stem, self.stem_bn = kernel(3, 3, in_channels, channels), Norm2d(channels)
        runs = [Modules(modules, channels, layouts[0])]
        for before, layout in pairwise(layouts):
            runs.append(Modules(1, before.channels, layout))
            runs += [Modules(modules - 1, layout.channels, layout)] if modules > 1 else []
        self.runs = nnx.List(runs)
        self.head, self.head_bias = kernel(layouts[-1].channels, classes), kernel(classes)

    def __call__(self, x: Array, genes: Array, norm: Norm = "batch", tap: Tap = NO_TAP) -> Forward:
        setting, read, graph = Setting(norm, tap), Reader(tap._replace(cell=None)), cell(genes)
        x = self.stem_bn(read.norm(read.layer(edge_ops.conv3x3(x, self.stem[...]))), norm)
        x, exponent = jax.nn.relu(read.relu(x)), jnp.zeros((), jnp.int32)
        for number, run in enumerate(self.runs):
            x = max_pool2x2(x) if number and run.c_in < run.layout.channels else x
            size = len(KINDS) * len(run.layout.classes) + 1
            perturb = None if tap.perturb is None else run.perturbations(tap.perturb[read.group : read.group + size])
            x, exponent, kept = run(x, exponent, graph, setting, perturb)
            last = number == len(self.runs) - 1
            read.group += size
            for kind, tapped in enumerate((tap.layer, tap.norm, tap.relu)):
                if tapped is None:
                    continue
                proj, op = (run.by_class([b[kind] for b in kept[name]]) for name in ("proj", "op"))
                out = kept["out"][kind]
                if kind == 0:
                    read.layers += [*proj, *op, *op, out]
                elif kind == 1:
                    read.norms += [*proj, *op, out]
                else:
                    read.relus += [*proj, *op, _last_relu(graph, kept) if last else out]
        bias = self.head_bias[...]
        bias = bias if norm != "none" else bias * power_of_two(-exponent, x.dtype)
        logits = read.layer(x.mean((1, 2)) @ self.head[...] + bias)
        return Forward(
            logits, read.layers if tap.layer else None, read.relus if tap.relu else None, exponent, read.norms if tap.norm else None
        )


def _last_relu(cell: Cell, kept: Any) -> Any:
    """What was kept of the ReLUs at the output, `[modules, ...]`, the last being the network's last ReLU: where nothing leads from the
    input to the output that is a vertex's, with zeros where it has fewer channels."""
    *_, out = kept["out"]
    last = jax.tree.map(lambda a: jnp.zeros(a.shape[1:], a.dtype), out)
    for v in INTERIOR:
        for name, there in (("proj", cell.edges[0, v]), ("op", cell.live[v] & (cell.ops[v] != POOL))):
            *_, relu = kept[name][v - 1]
            last = jax.tree.map(lambda a, b, there=there: jnp.where(there, _padded(a[-1], b), b), relu, last)
    direct = cell.edges[0, OUTPUT]
    return jax.tree.map(lambda a, b: a.at[-1].set(jnp.where(direct, a[-1], b)), out, last)


def _padded(a: Array, like: Array) -> Array:
    return lax.pad(a, jnp.zeros((), a.dtype), [(0, n - m, 0) for m, n in zip(a.shape, like.shape, strict=True)])
