"""The functions that draw and score one architecture made of steps, for `jaxzc.scoring.space.programs`."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import jax
import jax.numpy as jnp

from jaxzc._compile import memory
from jaxzc._parallel.processors import one_blas_thread
from jaxzc.definitions.facts import Proxy
from jaxzc.ladder import host, terms
from jaxzc.ladder.passes import StepPasses
from jaxzc.ladder.store import PIECES, Pieces
from jaxzc.ladder.weights import Weights, draw, existing, fold_in, shapes
from jaxzc.spacekit.steps import Step
from jaxzc.tasks import Task
from jaxzc.types import Array, Batch, InitialiserSpec, JaxzcError, Norm, Scaled


@dataclass(frozen=True, eq=False)
class StepsProgram:
    """One architecture. redrawn: whether its weights' key depends on its genes."""

    steps: Sequence[Step]
    proxies: Mapping[str, Proxy]
    initialiser: InitialiserSpec
    task: Task
    norm: Norm
    redrawn: bool
    pieces: Pieces = PIECES
    _planned: dict[str, int] = field(default_factory=dict)

    def draw(self, key: Array, genes: Array) -> Weights:
        """Padded weights, as the discrete network draws them."""
        return draw(self.steps, fold_in(key, genes) if self.redrawn else key, self.initialiser)

    @cached_property
    def _wanted(self) -> frozenset[str]:
        return terms.wanted(self.proxies)

    def __call__(self, weights: Weights, genes: Any, batches: Sequence[Batch], key: Any, param_count: Any) -> dict[str, Any]:
        """Label -> score. What the pieces need that are not there yet is compiled first, on all processors."""
        self.prepare(batches)
        with one_blas_thread():  # more of them keep a processor from XLA, spinning between two products
            return self._scores(weights, batches)

    def prepare(self, batches: Sequence[Batch]) -> int:
        """Compiles the pieces that scoring batches of these shapes needs and that are not there yet. -> their number"""
        self.plan(batches)
        return self.pieces.compile_needed()

    def plan(self, batches: Sequence[Batch]) -> None:
        """A dry run, which notes what pieces scoring needs."""
        of = shapes(self.steps), jax.tree.map(lambda a: jax.ShapeDtypeStruct(a.shape, a.dtype), tuple(batches))
        if (which := str(of[1])) not in self._planned:
            self.pieces.most = self.pieces.live
            self._scores(*of)
            self._planned[which] = self.pieces.most + sum(a.size * a.dtype.itemsize for a in jax.tree.leaves(of))
            memory.check(self._planned[which])

    @property
    def memory(self) -> int:
        """Bytes that scoring's arguments and results take at a time, without the temporaries inside a piece."""
        return max(self._planned.values(), default=0)

    @property
    def compilations(self) -> int:
        """Number of shapes of batches that were prepared for."""
        return len(self._planned)

    def _scores(self, weights: Weights, batches: Sequence[Batch]) -> dict[str, Any]:
        try:
            values = self._ingredients(weights, batches)
        except JaxzcError as error:
            raise JaxzcError(f"{', '.join(self.proxies)}: {error}") from error
        return self._proxies(*values)

    def _ingredients(self, weights: Weights, batches: Sequence[Batch]) -> tuple[dict[str, list[Any]], dict[str, Any], Any]:
        """Ingredient -> its value for every step, None without one; ingredient -> sum of Hamming kernels; exponent of synflow."""
        wanted, passes = self._wanted, StepPasses(self.pieces, self.steps, weights)
        if "batch_grads" in wanted and len(batches) < 2:
            raise JaxzcError(f"needs the gradients of at least 2 batches and got {len(batches)}: give a list of (images, labels) batches")
        of_layers: dict[str, list[Any]] = {"weights": list(weights.kernels)}
        kernels: dict[str, Any] = {}
        images: Any = batches[0].inputs
        if wanted & {"loss_grads", "batch_grads"}:
            each = [
                passes.gradients(b, self.task, self.norm, relus="relu_kernels" in wanted and b is batches[0]) for b in self._read(batches)
            ]
            of_layers["loss_grads"] = each[0][0]
            of_layers["batch_grads"] = list(zip(*(grads for grads, _ in each), strict=True))
            kernels["relu_kernels"] = each[0][1]
        elif "relu_kernels" in wanted:
            kernels["relu_kernels"] = passes.relu_kernel(passes.kernels(images, self.norm, relus=True))
        if "layer_kernels" in wanted:
            of_layers["layer_kernels"] = [result.get("layer_kernel") for result in passes.kernels(images, "init", layers=True)]
        exponent: Any = None
        if wanted & {"synflow_grads", "synflow_exponent"}:
            of_layers["synflow_grads"], exponent = passes.synflow(images.shape[1:])
        if "existing" in wanted:
            of_layers["existing"] = [None if step.kernel is None else existing(step) for step in self.steps]
        return of_layers, kernels, exponent

    def _read(self, batches: Sequence[Batch]) -> Sequence[Batch]:
        return batches if "batch_grads" in self._wanted else batches[:1]

    def _proxies(self, of_layers: Mapping[str, list[Any]], kernels: dict[str, Any], exponent: Any) -> dict[str, Any]:
        summed, totals = terms.split(self.proxies)
        scores: dict[str, Any] = {}
        if summed:
            read = terms.wanted(dict(summed))
            sums: Any = {label: jnp.zeros(()) for label, _ in summed}
            exponents: Any = {}
            for number, step in enumerate(self.steps):
                if step.kernel is not None:
                    values = {name: of_layers[name][number] for name in of_layers if name in read}
                    values |= {"synflow_exponent": exponent} if "synflow_exponent" in read else {}
                    sums, exponents = self.pieces(terms.add_terms, (summed,), sums, values)
            scores |= {label: Scaled(total, exponents[label]) if label in exponents else total for label, total in sums.items()}
        if totals:
            read = terms.wanted(dict(totals))
            if "layer_kernels" in read:
                kernels["layer_kernels"] = self._sum([kernel for kernel in of_layers["layer_kernels"] if kernel is not None])
            scores |= self.pieces(terms.of_totals, (totals,), {name: kernel for name, kernel in kernels.items() if name in read})
        return {label: scores[label] for label in self.proxies}

    def _sum(self, arrays: Sequence[Any]) -> Any:
        total = arrays[0]
        for array in arrays[1:]:
            total = host.plus(total, array)
        return total
