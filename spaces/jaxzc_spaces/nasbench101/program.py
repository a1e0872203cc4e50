"""The network of NAS-Bench-101 whose cell is an argument: one program for all cells whose vertices are equally wide.

What shapes a network is how many vertices lead to the output and how wide each vertex is (`Layout`); edges and operations are traced.
Every vertex owns a 1x1 convolution from the module's input and a 1x1 and a 3x3 kernel. Each block stands behind a `lax.cond`, so that
one which the cell has not costs nothing, and the layers that do run have the discrete network's own sizes: there are no masks of channels.
"""

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx
from jax import lax

from jaxzc.types import Array, PyTree
from jaxzc_spaces.cells import ops as edge_ops
from jaxzc_spaces.cells.edge import Chosen
from jaxzc_spaces.core.layers import BatchNorm, ReLU, kernel, layer, normalise
from jaxzc_spaces.core.passes import Pass
from jaxzc_spaces.core.stacked import zeros
from jaxzc_spaces.nasbench101.encoding import CONV3, POOL, VERTICES
from jaxzc_spaces.nasbench101.layout import INTERIOR, OUTPUT, Cell, Layout, cell
from jaxzc_spaces.nasbench101.network import max_pool2x2, max_pool3x3


def block(p: Pass, conv: Callable[[Array, PyTree], Array], x: Array, kernels: Any, bn: Any, perturb: PyTree) -> tuple[Array, PyTree]:
    """Convolution, normalisation, ReLU: the output, and what the taps kept by `layer`, `norm` and `relu`."""
    q = p.step(None if perturb is None else {"layer": perturb})
    y = q.layer("layer", conv(x, kernels))
    z = normalise(q.normalising("norm", y), bn[0], bn[1], p.norm)
    return jax.nn.relu(q.activating("relu", z)), q.records()


def where_present(present: Array, run: Callable[..., Any], *operands: Any) -> Any:
    """`run(*operands)` where `there`, zeros elsewhere, at no cost."""
    return lax.cond(present, run, lambda *operands: zeros(jax.eval_shape(run, *operands)), *operands)


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


def vertex(p: Pass, present: Array, op: Array, x: Array, kernels: Any, bn: Any, perturb: PyTree) -> tuple[Array, PyTree]:
    """A vertex's operation on the sum x of what leads to it; zeros where there is no vertex."""
    which = (op == CONV3).astype(jnp.int32)
    if perturb is not None:
        perturb = jax.tree.map(lambda *a: lax.select_n(which, *a), *perturb)

    def conv(x: Array, kernels: Any, bn: Any, perturb: PyTree) -> Any:
        return block(p, lambda x, kernels: chosen_conv(which, x, kernels), x, kernels, bn, perturb)

    records = jax.eval_shape(conv, x, kernels, bn, perturb)[1]
    branch = jnp.where(present, jnp.where(op == POOL, 1, 2), 0)
    branches = [lambda x, *_: (jnp.zeros_like(x), zeros(records)), lambda x, *_: (pool(x), zeros(records)), conv]
    return lax.switch(branch, branches, x, kernels, bn, perturb)


def module(p: Pass, cell: Cell, layout: Layout, x: Array, leaves: Any, perturb: PyTree) -> tuple[Array, PyTree]:
    """One cell: `[B, H, W, c_in]` -> `[B, H, W, channels]`. leaves, perturb: `Modules.leaves` and `Modules.perturbations` of this module.
    Kept: per block `proj` and `op` in the order of the vertices, and `out`."""
    nodes: dict[int, Array] = {}
    records: dict[str, Any] = {"proj": [], "op": []}
    present = cell.edges

    def project(v: int, kernel: Array, bn: Any, perturb: PyTree) -> Any:
        return where_present(present[0, v], lambda *args: block(p, edge_ops.conv1x1, *args), x, kernel, bn, perturb)

    for v in INTERIOR:
        k, i = layout.place(v)
        mine = jax.tree.map(lambda a, i=i: a[i], {name: each[k] for name, each in leaves.items() if name != "out"})
        shift = None if perturb is None else jax.tree.map(lambda a, i=i: a[i], {n: s[k] for n, s in perturb.items() if n != "out"})
        total, proj_records = project(v, mine["proj"], mine["proj_bn"], shift and shift["proj"])
        for source in range(1, v):
            if layout.width(source) >= layout.width(v):  # never the other way round
                total = total + jnp.where(present[source, v], nodes[source][..., : layout.width(v)], 0)
        kernels = mine["conv1x1"], mine["conv3x3"]
        shifts = shift and (shift["conv1x1"], shift["conv3x3"])
        nodes[v], op_records = vertex(p, cell.live[v], cell.ops[v], total, kernels, mine["op_bn"], shifts)
        records["proj"].append(proj_records)
        records["op"].append(op_records)
    out, records["out"] = project(OUTPUT, *jax.tree.map(lambda a: a[0], (*leaves["out"], None if perturb is None else perturb["out"])))
    into = present[:, OUTPUT] & (jnp.arange(VERTICES) > 0)
    rank = jnp.cumsum(into)
    parts = [sum(jnp.where(into[v] & (rank[v] == k + 1), nodes[v], 0) for v in vs) for k, (_, vs) in enumerate(layout.slots())]
    return out + jnp.concatenate(parts, axis=-1), records


class Modules(nnx.Module):
    """Modules of one shape in sequence; arrays have leading axes [modules, vertices of the class]."""

    def __init__(self, count: int, c_in: int, layout: Layout):
        sizes = [(count, len(members), w) for w, members in layout.classes]
        self.count, self.c_in, self.layout = count, c_in, layout
        self.proj = nnx.List([kernel(n, m, 1, 1, c_in, w) for n, m, w in sizes])
        self.conv1x1 = nnx.List([kernel(n, m, 1, 1, w, w) for n, m, w in sizes])
        self.conv3x3 = nnx.List([kernel(n, m, 3, 3, w, w) for n, m, w in sizes])
        self.proj_bn = nnx.List([BatchNorm(*size) for size in sizes])
        self.op_bn = nnx.List([BatchNorm(*size) for size in sizes])
        self.out, self.out_bn = kernel(count, 1, 1, 1, c_in, layout.channels), BatchNorm(count, 1, layout.channels)

    def leaves(self) -> dict[str, Any]:
        named = {name: [a[...] for a in getattr(self, name)] for name in KINDS}
        named |= {name: [bn.leaves() for bn in getattr(self, name)] for name in ("proj_bn", "op_bn")}
        return named | {"out": (self.out[...], self.out_bn.leaves())}

    def perturbations(self, p: Pass, name: str) -> Any:
        """The perturbations of these layer groups with leading axes [modules, layers], or None."""
        if p.tap.perturb is None:
            return None

        def split(group: str) -> Any:
            return jax.tree.map(lambda a: a.reshape(self.count, -1, *a.shape[1:]), p.perturb(f"{name}/{group}"))

        return {kind: [split(f"{kind}/{k}") for k in range(len(self.layout.classes))] for kind in KINDS} | {"out": split("out")}

    def __call__(self, x: Array, cell: Cell, p: Pass, name: str) -> tuple[Array, PyTree]:
        """The modules' last output, and what was kept, leading axes [modules], which the pass is handed by the name of these modules."""

        def step(carry: tuple[Array, Array], inputs: tuple[Any, Any]) -> Any:
            x, records = module(p, cell, self.layout, carry[0], *inputs)
            q = p.step(exponent=carry[1])
            (x,) = q.rescale(x)
            return (x, q.exponent), records

        inputs = self.leaves(), self.perturbations(p, name)
        if self.count > 1:
            (x, p.exponent), records = lax.scan(step, (x, p.exponent), inputs)
        else:
            (x, p.exponent), records = step((x, p.exponent), jax.tree.map(lambda a: a[0], inputs))
            records = jax.tree.map(lambda a: a[None], records)
        self._hand(records, p, name)
        return x, records

    def _hand(self, records: PyTree, p: Pass, name: str) -> None:
        for slot, tapped, into, kinds in (
            ("layer", p.tap.layer, p.layers, {"proj": ["proj"], "op": ["conv1x1", "conv3x3"], "out": ["out"]}),
            ("norm", p.tap.norm, p.norms, {"proj": ["proj_bn"], "op": ["op_bn"], "out": ["out_bn"]}),
            ("relu", p.tap.activation, p.activations, {"proj": ["proj_relu"], "op": ["op_relu"], "out": ["out_relu"]}),
        ):
            for kind, groups in kinds.items() if tapped is not None else ():
                each = {"": records[kind][slot]} if kind == "out" else self.by_class([block[slot] for block in records[kind]])
                into.update({f"{name}/{group}{k}": value for group in groups for k, value in each.items()})

    def by_class(self, blocks: Sequence[Any]) -> dict[str, Any]:
        """What was kept of each vertex, as one pytree for each class, leading axis [modules x vertices of the class]."""
        return {
            f"/{k}": jax.tree.map(lambda *a: jnp.stack(a, 1).reshape(-1, *a[0].shape[1:]), *(blocks[v - 1] for v in members))
            for k, (_, members) in enumerate(self.layout.classes)
        }


KINDS = ("proj", "conv1x1", "conv3x3")
"""Kernels of a vertex, in the order of the layer groups; the module's own last is `out`."""


class ProgramNet(nnx.Module):
    """The whole network. Call: images `[B, H, W, in_channels]` (H, W divisible by 4), genes int `[26]` whose cells have these layouts,
    `Pass`. -> logits `[B, classes]`"""

    def __init__(self, layouts: Sequence[Layout], modules: int, classes: int, in_channels: int):
        channels = layouts[0].channels
        self.stem, self.stem_bn, self.stem_relu = kernel(3, 3, in_channels, channels), BatchNorm(channels), ReLU()
        runs = [Modules(modules, channels, layouts[0])]
        for before, layout in pairwise(layouts):
            runs.append(Modules(1, before.channels, layout))
            runs += [Modules(modules - 1, layout.channels, layout)] if modules > 1 else []
        self.runs = nnx.List(runs)
        self.head, self.head_bias = kernel(layouts[-1].channels, classes), kernel(classes)

    def __call__(self, x: Array, genes: Array, p: Pass) -> Array:
        graph, records = cell(genes), None
        x = self.stem_relu(self.stem_bn(layer(edge_ops.conv3x3, x, self.stem, p), p), p)
        for number, run in enumerate(self.runs):
            x = max_pool2x2(x) if number and run.c_in < run.layout.channels else x
            x, records = run(x, graph, p, f"runs/{number}")
        if p.tap.activation is not None:
            p.activations[last_relu_name(self)] = _last_relu(graph, records)
        return layer(jnp.matmul, x.mean((1, 2)), self.head, p, self.head_bias)


def last_relu_name(net: ProgramNet) -> str:
    """The group whose last value is the input of the network's last ReLU."""
    return f"runs/{len(net.runs) - 1}/out_relu"


def _last_relu(cell: Cell, records: PyTree) -> Any:
    """What was kept of the ReLUs at the output, `[modules, ...]`, the last being the network's last ReLU: where nothing leads from the
    input to the output that is a vertex's, with zeros where it has fewer channels."""
    out = records["out"]["relu"]
    last = jax.tree.map(lambda a: jnp.zeros(a.shape[1:], a.dtype), out)
    for v in INTERIOR:
        for name, present in (("proj", cell.edges[0, v]), ("op", cell.live[v] & (cell.ops[v] != POOL))):
            last = jax.tree.map(lambda a, b, present=present: jnp.where(present, _padded(a[-1], b), b), records[name][v - 1]["relu"], last)
    direct = cell.edges[0, OUTPUT]
    return jax.tree.map(lambda a, b: a.at[-1].set(jnp.where(direct, a[-1], b)), out, last)


def _padded(a: Array, like: Array) -> Array:
    return lax.pad(a, jnp.zeros((), a.dtype), [(0, n - m, 0) for m, n in zip(a.shape, like.shape, strict=True)])
