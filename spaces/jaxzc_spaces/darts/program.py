"""The network of DARTS whose genotype is an argument: one program for all.

Cells of one width and kind are a run, in which one compiled body serves all cells (`lax.scan`). What differs between the cells of a run is
where their inputs come from: those that come from before the run, which are of other widths or sizes, are preprocessed outside the scan.
"""

from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx
from jax import lax

from jaxzc.types import Array, PyTree
from jaxzc_spaces.core.layers import BatchNorm, FactorizedReduce, Head, convolution, kernel, normalise
from jaxzc_spaces.core.passes import Pass
from jaxzc_spaces.core.stacked import at, zeros
from jaxzc_spaces.darts.loop import EDGES, NODES, STATES, STEPS, Plan, loop, plan
from jaxzc_spaces.darts.steps import branches
from jaxzc_spaces.genotypes.network import Auxiliary, ReLUConvBN, add_stem, through_stem


class Run(nnx.Module):
    """`count` cells of width c, numbers from `first` on; arrays have leading axes [cells, steps or edges].

    widths: of the outputs of the two cells before the run; after_reduction: the older has twice the size of the newer. pre0, pre1: the
    first cell's preprocessing; second: the second's, of the older input; inner0, inner1: of inputs that are cells of the run.

    Called by its name, for what the pass keeps: under that of a kernel what its layers are; under `bn`, `inner0_bn` and `inner1_bn` the
    inputs of normalisations; under `relu`, `full_relu` (of twice the size), `inner0_relu` and `inner1_relu` those of ReLUs."""

    def __init__(self, count: int, first: int, widths: tuple[int, int], c: int, reduction: bool, after_reduction: bool, affine: bool):
        self.count, self.first, self.c, self.reduction = count, first, c, reduction
        self.pre0 = FactorizedReduce(widths[0], c) if after_reduction else ReLUConvBN(widths[0], c)
        self.pre1 = ReLUConvBN(widths[1], c)
        if count > 1:
            self.second = ReLUConvBN(widths[1], c)
            self.inner1, self.inner1_bn = kernel(count - 1, 1, 1, NODES * c, c), BatchNorm(count - 1, c)
        if count > 2:
            self.inner0, self.inner0_bn = kernel(count - 2, 1, 1, NODES * c, c), BatchNorm(count - 2, c)
        self.dw3, self.dw5 = kernel(count, STEPS, 3, 3, 1, c), kernel(count, STEPS, 5, 5, 1, c)
        self.pw = kernel(count, STEPS, 1, 1, c, c)
        if affine:
            self.bn = BatchNorm(count, STEPS, c)
        if reduction:
            self.fr = kernel(count, EDGES, 2, 1, 1, c, c // 2)

    def slots(self) -> dict[str, int]:
        """Kernels whose layers are groups, and how many layers of a group there are in the run."""
        sizes = {"inner0": self.count - 2, "inner1": self.count - 1, **dict.fromkeys(("dw3", "dw5", "pw"), self.count * STEPS)}
        return {name: size for name, size in (sizes | {"fr": self.count * STEPS}).items() if hasattr(self, name)}

    def perturbations(self, p: Pass, name: str) -> dict[str, Any] | None:
        """The perturbations of the run's layers by slot, leading axis [layers]."""
        return None if p.tap.perturb is None else {slot: p.perturb(f"{name}/{slot}") for slot in self.slots()}

    def arguments(self, perturb: dict[str, Any] | None) -> Any:
        """Of the steps and edges, leading axis [cells]; perturb: by slot, leading axis [layers]."""
        shifts = None
        if perturb is not None:
            own = {name: perturb[name] for name in ("dw3", "dw5", "pw")}
            shifts = jax.tree.map(lambda a: a.reshape(self.count, STEPS, *a.shape[1:]), own)
        bn = self.bn.leaves() if hasattr(self, "bn") else None
        steps = {"dw3": self.dw3[...], "dw5": self.dw5[...], "pw": self.pw[...], "bn": bn, "perturb": shifts}
        if not self.reduction:
            return {"steps": steps, "edges": {}}
        of_edges = None
        if perturb is not None:
            of_edges = jax.tree.map(lambda a: a.reshape(self.count, EDGES, 2, *a.shape[1:]), perturb["fr"])
        return {"steps": steps, "edges": {"fr": self.fr[...], "perturb": of_edges}}

    def inner(self, name: str, perturb: dict[str, Any] | None) -> Any:
        """(kernel, (scale, bias), perturbation) of `inner0` or `inner1`, leading axis [cells], zeros for those without; None if all are."""
        if not hasattr(self, name):
            return None
        leaves = getattr(self, name)[...], getattr(self, f"{name}_bn").leaves(), None if perturb is None else perturb[name]
        return jax.tree.map(lambda a: jnp.concatenate([jnp.zeros((self.count - len(a), *a.shape[1:]), a.dtype), a]), leaves)

    def __call__(self, older: Array, newer: Array, steps: Plan, p: Pass, name: str) -> tuple[Array, Array]:
        """The outputs of the last two cells."""
        tap = p.tap
        p.cell = self.first
        entering = [self.pre0(older, p), self.pre1(newer, p)]
        run = loop(branches(p, self.reduction))

        def cell(s0: Array, s1: Array, arguments: PyTree, shift: PyTree) -> Any:
            full, (b, h, w, c) = None, s0.shape
            if self.reduction:
                full, h, w = jnp.stack([s0, s1]), (h + 1) // 2, (w + 1) // 2
            states = jnp.zeros((STATES, b, h, w, c), s0.dtype)
            states = states if self.reduction else states.at[0].set(s0).at[1].set(s1)
            states, records = run(steps, states, full, arguments)
            y, map_records = jnp.concatenate(list(states[2 : 2 + NODES]), -1), None
            if tap.cell is not None:
                y, map_records = tap.cell(y, shift)
            return y, records, map_records

        perturb = self.perturbations(p, name)
        inputs = self.arguments(perturb), p.map_perturb(name)
        if self.count == 1:
            y, records, map_records = cell(*entering, *jax.tree.map(lambda a: a[0], inputs))
            self.hand(p, name, *jax.tree.map(lambda a: a[None], (records, {}, map_records)))
            older, newer = p.rescale(newer, y)
            return older, newer
        p.cell = self.first + 1
        entering.append(self.second(newer, p))

        def step(carry: PyTree, x: Any) -> Any:
            older, newer, entering, exponent = carry
            number, (arguments, shift), inner0, inner1 = x
            q = p.step(exponent=exponent)
            # The first cell has both inputs from outside, the second the older one.
            s1, records1 = entered(p, number == 0, entering[1], newer, inner1)
            s0, records0 = jnp.where(number == 0, entering[0], entering[2]), None
            if inner0 is not None:
                s0, records0 = entered(p, number < 2, s0, older, inner0)
            y, records, map_records = cell(s0, s1, arguments, shift)
            older, newer, *entering = q.rescale(newer, y, *entering)
            return (older, newer, entering, q.exponent), (records, {"inner0": records0, "inner1": records1}, map_records)

        nothing = jnp.zeros((*entering[0].shape[:-1], NODES * self.c), entering[0].dtype)
        xs = jnp.arange(self.count), inputs, self.inner("inner0", perturb), self.inner("inner1", perturb)
        (older, newer, _, p.exponent), records = lax.scan(step, (nothing, nothing, entering, p.exponent), xs)
        self.hand(p, name, *records)
        return older, newer

    def hand(self, p: Pass, name: str, records: PyTree, inner: Any, map_records: Any) -> None:
        """Hands the pass what was kept of the steps and of `inner0` and `inner1`, by slot, and of the cells' outputs."""
        outer = [
            (slot, jax.tree.map(lambda a, n=n: a[n:], inner[slot])) for slot, n in (("inner0", 2), ("inner1", 1)) if hasattr(self, slot)
        ]
        flat = {slot: jax.tree.map(lambda a, n=slot: a.reshape(-1, *a.shape[3 if n == "fr" else 2 :]), k) for slot, k in records.items()}
        for slot, of in outer:
            for what, into in (("layer", p.layers), ("relu", p.activations), ("bn", p.norms)):
                if what in of:
                    into[f"{name}/{slot}" if what == "layer" else f"{name}/{slot}_{what}"] = of[what]
        if p.tap.layer is not None:
            slots = {"dw3": "dw", "dw5": "dw", "pw": "pw", **({"fr": "fr"} if self.reduction else {})}
            p.layers.update({f"{name}/{slot}": flat[read] for slot, read in slots.items()})
        if p.tap.activation is not None:
            p.activations.update({f"{name}/{slot}": flat[slot] for slot in self.relus()})
        if p.tap.norm is not None:
            p.norms[f"{name}/bn"] = flat["bn"]
        if p.tap.cell is not None:
            p.maps[name] = map_records

    def relus(self) -> tuple[str, ...]:
        """The slots of the steps' ReLUs."""
        return ("relu", "full_relu") if self.reduction else ("relu",)


def entered(p: Pass, outside: Array, ready: Array, x: Array, own: Any) -> Any:
    """An input of a cell, and what was kept of its `layer`, `relu` and `bn`: `given` where it comes from outside the run, else x
    preprocessed."""

    def preprocess(ready: Array, x: Array, own: Any) -> Any:
        weights, (scale, bias), perturb = own
        q = p.step(None if perturb is None else {"layer": perturb})
        y = q.layer("layer", convolution(jax.nn.relu(q.activating("relu", x)), weights))
        return normalise(q.normalising("bn", y), scale, bias, p.norm), q.records()

    nothing = zeros(jax.eval_shape(preprocess, ready, x, own)[1])
    return lax.cond(outside, lambda ready, x, own: (ready, nothing), preprocess, ready, x, own)


class ProgramNet(nnx.Module):
    """The whole network. Call: images `[B, H, W, in_channels]`, genes int `[32]`, `Pass`. -> logits `[B,
    classes]`. The layers outside the runs' groups (stem, the inputs
    of a run, auxiliary classifier, head) are groups of one layer each, in the order in which they run, and come first."""

    def __init__(self, channels: int, cells: int, classes: int, in_channels: int, stem: str, affine: bool, auxiliary: bool):
        widths = add_stem(self, stem, in_channels, channels)
        reductions = (cells // 3, 2 * cells // 3)
        starts = sorted({0, *(n for r in reductions for n in (r, r + 1) if n < cells)})
        runs, c, reduced = [], channels, stem != "cifar"
        self.auxiliary_after = None
        for first, after in zip(starts, [*starts[1:], cells], strict=True):
            reduction = first in reductions
            c, count = 2 * c if reduction else c, after - first
            runs.append(Run(count, first, widths, c, reduction, reduced, affine))
            widths, reduced = (widths[1] if count == 1 else NODES * c, NODES * c), reduction
            if auxiliary and first == reductions[1]:
                self.auxiliary, self.auxiliary_after = Auxiliary(NODES * c, classes), first
        self.runs, self.head = nnx.List(runs), Head(widths[1], classes)

    def __call__(self, x: Array, genes: Array, p: Pass) -> Array:
        plans = [plan(jnp.asarray(genes).reshape(2, -1)[int(reduction)], reduction) for reduction in (False, True)]
        last = None
        older, newer = through_stem(self, x, p)
        newer = p.map("stem", newer)
        for number, run in enumerate(self.runs):
            name = f"runs/{number}"
            older, newer = run(older, newer, plans[run.reduction], p, name)
            if p.tap.activation is not None:
                inner = p.activations[f"{name}/inner1_relu" if run.count > 1 else f"{name}/pre1/relu"]
                last = last_relu(plans[run.reduction], inner, [p.activations[f"{name}/{slot}"] for slot in run.relus()])
            p.cell = -1
            if run.first == self.auxiliary_after:
                self.auxiliary(newer, p)
                last = p.activations["auxiliary/relu1"] if p.tap.activation is not None else None
        if p.tap.activation is not None:
            p.activations[LAST_RELU] = last
        return self.head(newer, p)


LAST_RELU = "last_relu"
"""The group that has the input of the network's last ReLU, whichever it is, once more."""


def last_relu(steps: Plan, inner: Any, of_steps: list[Any]) -> Any:
    """What was kept of a run's last ReLU, leading axis [1]: that of its last cell's last convolution, or, in a cell without any, of the
    preprocessing of its newer input, the last of `inner`; with zeros where another of these is larger. of_steps: of the ReLUs of the run's
    steps."""
    number = jnp.where(relu_steps(steps), jnp.arange(STEPS), -1).max()
    which = jnp.where(number < 0, 0, 1 + at(steps.strided, jnp.maximum(number, 0)))

    def pick(*each: Array) -> Array:
        values = [each[0][-1], *(at(a[-STEPS:], jnp.maximum(number, 0)) for a in each[1:])]
        shape = [max(sizes) for sizes in zip(*(a.shape for a in values), strict=True)]
        return lax.select_n(
            which, *(lax.pad(a, jnp.zeros((), a.dtype), [(0, n - m, 0) for m, n in zip(a.shape, shape, strict=True)]) for a in values)
        )[None]

    return jax.tree.map(pick, inner, *of_steps)


def relu_steps(steps: Plan) -> Array:
    """Whether each step has a ReLU: convolutions, and identities that halve."""
    return (steps.present > 0) & ((steps.operation == 3) | (steps.operation == 2) & (steps.strided > 0))
