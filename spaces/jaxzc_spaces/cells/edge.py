"""One edge of a cell: what its operation gives, and the cotangents of what went in.

The operation is one without parameters, or a `Chosen` convolution, whose number is traced.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import lax

from jaxzc._compile.platforms import by_platform
from jaxzc.types import PyTree
from jaxzc_spaces.cells.ops import AVG_POOL, CONV1X1, CONV3X3, IDENTITY, Convolution, Fixed, Operation
from jaxzc_spaces.core import lanes
from jaxzc_spaces.core.stacked import at

Array = jax.Array
PROGRAMMED = (CONV1X1, CONV3X3, IDENTITY, AVG_POOL)
"""Operations by their number in `side_by_side`."""


class Post(NamedTuple):
    """What follows a convolution. read: (y, perturbation) -> (y to go on with, what to keep), or None; normalise: (y, parameters of the
    edge's normalisation) -> the edge's output. In a program whose genes are traced they may not close over traced arrays."""

    read: Callable[[Array, PyTree], tuple[Array, PyTree]] | None
    normalise: Callable[[Array, PyTree], Array]

    def __call__(self, y: Array, norm: Any, perturb: PyTree) -> tuple[Array, PyTree]:
        y, record = (y, None) if self.read is None else self.read(y, perturb)
        return self.normalise(y, norm), record

    def nothing(self, y: Array, perturb: PyTree) -> Any:
        """Zeros of the shapes of what is kept."""
        if self.read is None:
            return None
        record = jax.eval_shape(self.read, y, perturb)[1]
        return jax.tree.map(lambda a: jnp.zeros(a.shape, a.dtype), record)


class Edges(NamedTuple):
    """Arguments of all edges, leading axis [edges]: kernels, one array per kernel slot; norm: pytree of the normalisation's parameters;
    perturb: one pytree per kernel slot, or None."""

    kernels: tuple[Array, ...]
    norm: Any
    perturb: tuple[Any, ...] | None = None


class Chosen(NamedTuple):
    """One of several convolutions, chosen by a traced integer; none where it is negative. They are one branch of an edge's switch, so that
    what follows a convolution, and its derivatives, are compiled once for all of them.

    together: whether architectures that `vmap` puts side by side are served by one program for all (`side_by_side`), where it can."""

    choices: tuple[Convolution, ...]
    which: Array
    together: bool = False

    def value(self, x: Array, kernels: tuple[Array, ...]) -> Array:
        if self.served(x, kernels):
            return _together().convolution(self.which, x, *kernels)
        return lax.switch(self.which, [call(lambda c: c.value(x, kernels[c.kernel]), c) for c in self.choices])

    def pulls(self, weights: bool, x: Array, kernels: tuple[Array, ...], ct: Array) -> tuple[Array, tuple[Array, ...]]:
        """Cotangents of x and of all kernels (zeros unless `weights`). Its own derivative switches again, because JAX's would save what
        every branch needs."""
        if self.served(x, kernels):
            dx = _together().images(self.which, *kernels, ct)
            return dx, _together().kernels(self.which, x, ct) if weights else jax.tree.map(jnp.zeros_like, kernels)

        def pulls(choice: Convolution) -> Any:
            def of(x: Array, kernels: tuple[Array, ...], ct: Array) -> Any:
                dx, dw = choice.pulls(x, kernels[choice.kernel], ct)
                zeros = jax.tree.map(jnp.zeros_like, kernels)
                return dx, _put(zeros, choice.kernel, dw) if weights else zeros

            return of

        @jax.custom_vjp
        def run(which: Array, *inputs: PyTree) -> Any:
            return lax.switch(which, [pulls(choice) for choice in self.choices], *inputs)

        def backward(residuals: PyTree, cotangents: Any) -> Any:
            which, *inputs = residuals
            return None, *lax.switch(which, [call(lambda c: jax.vjp(pulls(c), *inputs)[1](cotangents), c) for c in self.choices])

        run.defvjp(lambda *inputs: (run(*inputs), inputs), backward)
        return run(self.which, x, kernels, ct)

    def perturbation(self, perturb: PyTree) -> Any:
        """The chosen one's; its derivative gives the others zeros."""
        if perturb is None:
            return None
        which = jnp.maximum(self.which, 0)
        return jax.tree.map(lambda *a: lax.select_n(which, *a), *(perturb[choice.kernel] for choice in self.choices))

    def served(self, x: Array, kernels: tuple[Array, ...]) -> bool:
        """Whether `side_by_side` computes these convolutions."""
        return self.together and self.choices == (CONV1X1, CONV3X3) and _together().serves(x, kernels)


def _together() -> Any:
    from jaxzc_spaces.cells import side_by_side  # here, for it imports Pallas, which programs for CPUs do without

    return side_by_side


def edge_value(operation: Any, post: Post, x: Array, edge: Edges) -> tuple[Array, Array, Any]:
    """(output, y, what was kept) of one edge; y and what was kept are zeros where the operation is no convolution."""
    if isinstance(operation, Fixed):
        return operation.value(x), jnp.zeros_like(x), post.nothing(x, None if edge.perturb is None else edge.perturb[0])
    y = operation.value(jax.nn.relu(x), edge.kernels)
    out, record = post(y, edge.norm, operation.perturbation(edge.perturb))
    return out, y, record


def edge_pull(operation: Any, post: Post, weights: bool, x: Array, edge: Edges, y: Array, ct: Array, ct_y: Any) -> tuple[Array, Edges]:
    """(dx, d edge) of one edge from the cotangents of its output and of y (None: zero)."""
    if isinstance(operation, Fixed):
        return operation.pull(ct), jax.tree.map(jnp.zeros_like, edge)
    y = _again(operation, x, edge.kernels, y)
    dy, norm, perturb = _after(operation, post, y, edge, ct)
    dx, kernels = operation.pulls(weights, jax.nn.relu(x), edge.kernels, dy if ct_y is None else dy + ct_y)
    return jnp.where(x > 0, dx, 0), Edges(kernels, norm, perturb)


class Place(NamedTuple):
    """Edge e of a graph, which reads the node `source` of `[N, B, H, W, C]`."""

    post: Post
    nodes: Array
    source: Array
    edges: Edges
    e: Array


class Alone(NamedTuple):
    """An edge with an operation of its own."""

    operation: Any
    place: Place

    def value(self) -> tuple[Array, Array, Any]:
        """(output, y, what was kept)."""
        return edge_value(self.operation, self.place.post, *self._read())

    def pull(self, weights: bool, y: Array, ct: Array, ct_y: Any) -> tuple[Array, Edges]:
        """(cotangent of the source, of the edge)."""
        return edge_pull(self.operation, self.place.post, weights, *self._read(), y, ct, ct_y)

    def _read(self) -> tuple[Array, Edges]:
        return at(self.place.nodes, self.place.source), at(self.place.edges, self.place.e)


class Together(NamedTuple):
    """The same edge of architectures that `vmap` puts side by side, whose operations one program computes (`side_by_side`). which: number
    in `PROGRAMMED`, or -1. convolution: the chosen one."""

    which: Array
    convolution: Chosen
    place: Place

    def value(self) -> tuple[Array, Array, Any]:
        """As `Alone.value`, but y is what the operation gave, whichever it was: nothing reads it where that is no convolution."""
        post, nodes, source, edges, e = self.place
        edge = lanes.at(edges, e)
        z = _together().value(self.which, source, nodes, *edge.kernels)
        out, record = post(z, edge.norm, self.convolution.perturbation(edge.perturb))
        return self._if_convolved(out, z), z, self._if_convolved(record)

    def pull(self, weights: bool, y: Array, ct: Array, ct_y: Any) -> tuple[Array, Edges]:
        """As `Alone.pull`."""
        post, nodes, source, edges, e = self.place
        edge = lanes.at(edges, e)
        dy, norm, perturb = _after(self.convolution, post, y, edge, ct)
        ct = self._if_convolved(dy if ct_y is None else dy + ct_y, ct)
        dx = _together().pull(self.which, source, nodes, *edge.kernels, ct)
        zeros = jax.tree.map(jnp.zeros_like, edge.kernels)
        kernels = _together().kernels_of(self.which, source, nodes, ct) if weights else zeros
        return dx, Edges(kernels, *self._if_convolved((norm, perturb)))

    def _if_convolved(self, this: PyTree, other: Any = 0) -> Any:
        return jax.tree.map(lambda a: jnp.where((self.which == 0) | (self.which == 1), a, other), this)


def _after(convolution: Chosen, post: Post, y: Array, edge: Edges, ct: Array) -> tuple[Array, Any, Any]:
    """Cotangents of y, of the normalisation's parameters and of the perturbations, from that of an edge's output."""

    def after(y: Array, norm: Any, perturb: PyTree) -> Array:
        return post(y, norm, convolution.perturbation(perturb))[0]

    return jax.vjp(after, y, edge.norm, edge.perturb)[1](ct)


def _again(operation: Chosen, x: Array, kernels: tuple[Array, ...], y: Array) -> Array:
    """y, the convolution's output: as it was kept, but on TPUs computed again from x, so that nothing keeps it.

    A TPU pads the few channels of images, or their batch, to 128 lanes: what is kept takes several times its size there, and the arithmetic
    of so few channels next to nothing."""
    return by_platform(lambda x, kernels, y: y, x, kernels, y, tpu=lambda x, kernels, y: operation.value(jax.nn.relu(x), kernels))


def call(function: Any, operation: Operation) -> Any:
    return lambda: function(operation)


def _put(items: Any, slot: int, item: Any) -> tuple[Any, ...]:
    return (*items[:slot], item, *items[slot + 1 :])
