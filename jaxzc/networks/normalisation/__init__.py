"""Norm modes of any function, whoever wrote it: normalisation is recognised in the traced program and switched there.

A normalisation divides a value by the root of its own mean square, or first subtracts its mean, by statistics that are taken from it or
were stored; a scale and a bias may follow. What is known of a value in such a program is in `forms`, what operations do to that in
`algebra`; `finder` walks over a program, `switching` runs it in a mode.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import jax

from jaxzc._compile.jaxpr import SETTINGS, Trace, flatten
from jaxzc.networks.normalisation.finder import Findings, Value, find
from jaxzc.networks.normalisation.switching import run_in_mode
from jaxzc.networks.normalisation.values import arrays_of, of_kernels_only
from jaxzc.numerics.trees import abstract
from jaxzc.types import JaxzcError, Norm, Params, PyTree

__all__ = ["NormModes"]

RANDOM = frozenset({"random_bits", "threefry2x32", "rng_bit_generator", "rng_uniform", "random_gamma"})


@dataclass(frozen=True)
class _Traced:
    findings: Findings
    structure: Any
    axes: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class NormModes:
    """`function(params, statistics, inputs)` as a function of `(params, inputs, norm)`.

    name: of the model, for messages. statistics: any pytree that the function takes besides its parameters, for running statistics only.
    frozen: whether leaves of the parameters may be statistics, too. draws: whether random numbers are the function's own business.
    evaluates: whether the model is known to have no train mode.

    Calling it raises `JaxzcError` where the mode matters and something divides by the root of a statistic in a way that is not known here,
    and where the result hangs on random numbers.
    """

    function: Callable[[Any, Any, Any], Any]
    name: str
    statistics: PyTree = None
    frozen: bool = False
    draws: bool = True
    evaluates: bool = False
    _traces: dict[Any, _Traced] = field(default_factory=dict, repr=False)

    def __call__(self, params: Params, inputs: PyTree, norm: Norm) -> Any:
        traced = self._traced(params, inputs)
        self._check(traced.findings, norm)
        arguments = jax.tree.leaves((params, self.statistics, inputs))
        outputs, needed = run_in_mode(traced.findings, arguments, norm, traced.axes)
        first, program = len(jax.tree.leaves(params)), traced.findings.program
        last = first + len(jax.tree.leaves(self.statistics))
        if any(first <= number < last and not of_kernels_only(program, number, range(last, len(arguments))) for number in needed):
            raise JaxzcError(
                f"{self.name} uses its running statistics in a way that is not known as normalisation, which norm={norm!r} would have to "
                "switch: "
                "score a function apply_fn(params, x, norm) that does so itself"
            )
        return jax.tree.unflatten(traced.structure, outputs)

    def stored(self, params: Params, inputs: PyTree) -> frozenset[int]:
        """The numbers of those leaves of the parameters that are running statistics."""
        return frozenset(leaf for leaf in self._leaves(params, inputs) if 0 <= leaf < len(jax.tree.leaves(params)))

    def replaced(self, params: Params, inputs: PyTree) -> list[Any]:
        """The running statistics that a norm mode replaces, those that the function closes over included."""
        first, own = len(jax.tree.leaves(params)), jax.tree.leaves(self.statistics)
        handed = [own[leaf - first] for leaf in sorted(self._leaves(params, inputs)) if first <= leaf < first + len(own)]
        every = [(each.program, one) for each in self._traced(params, inputs).findings.all() for one in each.normalisations]
        return [*handed, *(array for program, one in every if -1 in one.leaves for array in arrays_of(program, one.variance))]

    def _leaves(self, params: Params, inputs: PyTree) -> frozenset[int]:
        every = [one.leaves for findings in self._traced(params, inputs).findings.all() for one in findings.normalisations]
        return frozenset().union(*every)

    def _traced(self, params: Params, inputs: PyTree) -> _Traced:
        """What the function does for arguments of these shapes."""
        shapes = jax.tree.map(abstract, (params, self.statistics, inputs))
        key = jax.tree.structure(shapes), tuple((leaf.shape, leaf.dtype) for leaf in jax.tree.leaves(shapes))
        key = *key, *(getattr(jax.config, setting) for setting in SETTINGS)
        if key not in self._traces:
            self._traces[key] = self._trace(shapes)
        return self._traces[key]

    def _trace(self, shapes: Any) -> _Traced:
        program, structure, axes = self._program(shapes)
        batch = next((leaf.shape[0] for leaf in jax.tree.leaves(shapes[2]) if leaf.shape), 1)
        values = self._values(shapes)
        if batch > 1:
            findings, _ = find(program, values, self._resized(shapes, batch, 2 * batch), batch)
        else:  # batches of one have too many axes of size 1 to compare them with larger ones, operation by operation
            findings, _ = find(program, values, None, batch)
            pair = self._resized(shapes, batch, 2), self._resized(shapes, batch, 4)
            if pair[0] is not None:
                _copy_pools(findings, find(pair[0], values, pair[1], 2)[0])
        drawing = [op.name for each in findings.all() for op in each.program.ops if op.name in RANDOM]
        if drawing and not self.draws:
            raise JaxzcError(
                f"{self.name} draws random numbers ({drawing[0]}): a score must not depend on them, and model.eval(), which was "
                "called, switches off only what has an attribute deterministic: give a keyword of the call, "
                "score(model, None, batch, train=False), or set an attribute, model.set_attributes(rate=0.0)"
            )
        return _Traced(findings, structure, axes)

    def _values(self, shapes: Any) -> list[Value]:
        params, statistics, inputs = (len(jax.tree.leaves(part)) for part in shapes)
        own = [Value(False, True, leaf if self.frozen else None) for leaf in range(params)]
        stored = [Value(False, False, params + leaf) for leaf in range(statistics)]
        return [*own, *stored, *[Value(True, False)] * inputs]

    def _program(self, shapes: Any) -> tuple[Trace, Any, tuple[str, ...]]:
        """The function's program, the structure of its result, and the named axes it asks for, of size 1 on one device."""
        structure = jax.tree.structure(shapes)

        def call(*leaves: Any) -> Any:
            return self.function(*jax.tree.unflatten(structure, leaves))

        axes: list[str] = []
        while True:
            try:
                make = jax.make_jaxpr(call, axis_env=[(name, 1) for name in axes], return_shape=True)
                closed, out = make(*jax.tree.leaves(shapes))
                return flatten(closed), jax.tree.structure(out), tuple(axes)
            except NameError as error:
                match = re.search(r"unbound axis name: (\w+)", str(error))
                if match is None or match[1] in axes:
                    raise
                axes.append(match[1])

    def _resized(self, shapes: Any, batch: int, size: int) -> Trace | None:
        """The program for another batch size; None where the model cannot be traced with it."""

        def resize(leaf: Any) -> Any:
            return jax.ShapeDtypeStruct((size, *leaf.shape[1:]), leaf.dtype) if leaf.shape and leaf.shape[0] == batch else leaf

        try:
            return self._program((*shapes[:2], jax.tree.map(resize, shapes[2])))[0]
        except Exception:  # whatever the user's code raises for a batch that it was not written for
            return None

    def _check(self, findings: Findings, norm: Norm) -> None:
        """Raises `JaxzcError` where the mode cannot be had."""
        mode = {"batch": "would take from the batch", "init": "would set to their initial values", "none": "would leave out"}[norm]
        for each in findings.all():
            for one in each.unknown:
                if norm == "none" or one.stored or (norm == "init" and one.pools is not False):
                    shape = each.program.avals[one.value].shape
                    raise JaxzcError(
                        f"{self.name} divides by a root of statistics of shape {list(shape)} ({one.operation} in its program) in a way "
                        f"that is not known as normalisation, which norm={norm!r} {mode}: leave out proxies that need norm={norm!r}, "
                        "or score a function apply_fn(params, x, norm) that does so itself"
                    )
            for one in each.normalisations:
                if norm == "init" and not one.stored and one.pools is None:
                    raise JaxzcError(
                        f"{self.name} normalises by statistics of shape {list(each.program.avals[one.variance].shape)}, and it cannot be "
                        "told whether they are of the batch, as it does not run with another batch size: make it independent of it, "
                        "or leave out proxies that need norm='init'"
                    )


def _copy_pools(findings: Findings, other: Findings) -> None:
    """Take over what is known of the same normalisations, which come in the same order."""
    mine, theirs = ([one for each in f.all() for one in (*each.normalisations, *each.unknown)] for f in (findings, other))
    if len(mine) != len(theirs):
        return
    known = {id(one): same.pools for one, same in zip(mine, theirs, strict=True)}
    for each in findings.all():
        for one in each.normalisations:
            one.pools = known[id(one)]
        each.unknown = [one._replace(pools=known[id(one)]) for one in each.unknown]
