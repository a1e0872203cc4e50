"""One pass through a network: how normalisation acts, what a tap reads, and what it kept, by name.

Networks are written with the layers of `layers.py`, which hand what they compute to the pass under the path of their kernel or module:

    y = conv(x, self.conv_a, p)        # a layer, "reductions/0/conv_a"
    y = self.bn_a(y, p)                # a normalisation, "reductions/0/bn_a"
    y = self.relu_a(y, p)              # an activation, "reductions/0/relu_a"
    y = p.map("reductions/0", y)       # the output of a cell

Everything kept has a leading axis: 1 for a layer on its own. Layers that are stacked run in a loop, each step of which has a pass of its
own (`Pass.step`) with the same calls; the loop stacks what the steps kept, and the network says what it is: `p.layers[name] = ...`.
"""

from collections import OrderedDict
from collections.abc import Callable, Mapping
from functools import cached_property
from typing import Any, Literal

import jax
import jax.numpy as jnp
from flax import nnx
from jax import lax

from jaxzc.numerics.linalg import binary_exponent, power_of_two
from jaxzc.types import Array, Forward, JaxzcError, Norm, PyTree, Tap

Mode = Norm | Literal["own"]
"""A norm mode, or `own`: every normalisation keeps running statistics (`layers.BatchNorm`), as a module that is trained does."""
Named = str | nnx.Param | nnx.Module
"""What a layer is known by: a name, or the kernel or module whose path is the name."""


class Pass:
    """One pass through a network.

    norm: how batch normalisation acts. tap: what is read. module: the network, by whose paths layers are named; needed with a tap only.
    layers, activations, norms, maps: what the tap kept, by name, in the order of execution; attentions: likewise, without a leading axis.
    cell: the number of the cell that the module is in, where the module says so. role: what its layers are for
        (`jaxzc.types.LayerGroup.role`).
    exponent: with `norm="none"`, the power of two taken out of the activations so far.
    blocks: blocks that the network repeats, as functions that are traced once (`repeated.py`), by their graphs.
    """

    def __init__(self, norm: Mode = "batch", tap: Tap | None = None, module: nnx.Module | None = None, exponent: Any = None):
        self.norm: Any = norm
        self.tap, self.module = tap or Tap(), module
        self.cell, self.role = -1, ""
        self.layers: OrderedDict[str, Any] = OrderedDict()
        self.activations: OrderedDict[str, Any] = OrderedDict()
        self.norms: OrderedDict[str, Any] = OrderedDict()
        self.maps: OrderedDict[str, Any] = OrderedDict()
        self.attentions: OrderedDict[str, Any] = OrderedDict()
        self.exponent = jnp.zeros((), jnp.int32) if exponent is None else exponent
        self.blocks: dict[Any, Callable[..., Any]] = {}

    @cached_property
    def names(self) -> dict[int, str]:
        """The path of every parameter and module of the network, by `id`."""
        if self.module is None:
            raise JaxzcError("a pass with a tap needs the network whose layers it names: Pass(norm, tap, module)")
        return {id(node): "/".join(map(str, path)) for path, node in nnx.iter_graph(self.module)}

    def name(self, named: Named) -> str:
        return named if isinstance(named, str) else self.names[id(named)]

    def layer(self, kernel: Named, y: Array) -> Array:
        """The output y of the convolution or linear layer with this kernel, its bias included."""
        if self.tap.layer is None:
            return y
        name = self.name(kernel)
        perturb = self.perturb(name)
        y, record = self.tap.layer(y, None if perturb is None else self._one_of(perturb))
        self._keep(self.layers, name, record)
        return y

    def activating(self, named: Named, x: Array, modules: tuple[str, ...] = ("ReLU",), kind: str = "relu") -> Array:
        """x, the input of an activation function. modules, kind: see `jaxzc.types.ActivationGroup`."""
        if self.tap.activation is not None:
            self._keep(self.activations, self.name(named), self.tap.activation(x))
        return x

    def normalising(self, named: Named, x: Array) -> Array:
        """x, the input of a batch normalisation."""
        if self.tap.norm is not None:
            self._keep(self.norms, self.name(named), self.tap.norm(x))
        return x

    def attending(self, named: Named, x: Array) -> Array:
        """x `[B, heads, tokens, ...]`, of which an operator makes weights (see `jaxzc.types.Tap.attention`)."""
        if self.tap.attention is not None:
            self.attentions[self.name(named)] = self.tap.attention(x)
        return x

    def embedding(self, named: nnx.Param, table: Array) -> Array:
        """A learned array that is no kernel and no bias: a class token, positions, a table in which entries are looked up."""
        return table

    def operating(self, number: int) -> None:
        """Told of so many operations that are no layer, normalisation or activation, such as a pool's; only a pass that counts listens."""

    def map(self, name: str, x: Array) -> Array:
        """The output of the stem or of a cell."""
        if self.tap.cell is None:
            return x
        shift = self.map_perturb(name)
        x, record = self.tap.cell(x, None if shift is None else self._one_of(shift))
        self._keep(self.maps, name, record)
        return x

    def perturb(self, name: str) -> Any:
        """The tap's perturbation of this layer group, or None."""
        return None if self.tap.perturb is None else self.tap.perturb[name]

    def map_perturb(self, name: str) -> Any:
        """The tap's perturbation of this map group, or None."""
        return None if self.tap.cell_perturb is None else self.tap.cell_perturb[name]

    def step(self, perturb: Mapping[str, Any] | None = None, exponent: Any = 0) -> "Step":
        """The pass of one step of a loop. perturb: name -> what the tap changes there; exponent: as the step before left it."""
        return Step(self.norm, self.tap._replace(perturb=perturb, cell=None), exponent=exponent)

    def rescale(self, *xs: Array) -> tuple[Array, ...]:
        """Without normalisation, a power of two is taken out of all of `xs`, so that no depth overflows; exact, and constant under
        differentiation. Everything that is alive in the network must be among them."""
        if self.norm != "none":
            return xs
        maxima = [jnp.max(jnp.abs(x)) for x in xs]
        largest = maxima[0] if len(xs) == 1 else jnp.max(jnp.stack(maxima))
        shift = lax.stop_gradient(binary_exponent(largest))
        self.exponent = self.exponent + shift
        return tuple(x * power_of_two(-shift, x.dtype) for x in xs)

    def bias(self, bias: Array) -> Array:
        """A layer's bias on the scale of the activations."""
        return bias * power_of_two(-self.exponent, bias.dtype) if self.norm == "none" else bias

    def forward(self, outputs: PyTree, maps: bool = True, norms: bool = True) -> Forward:
        """What the pass gives, all told. maps, norms: whether the network offers them."""
        return Forward(
            outputs,
            self.layers if self.tap.layer else None,
            self.activations if self.tap.activation else None,
            self.exponent,
            self.norms if self.tap.norm and norms else None,
            self.maps if self.tap.cell and maps else None,
            self.attentions if self.tap.attention and self.attentions else None,
        )

    def _keep(self, records: dict[str, Any], name: str, value: Any) -> None:
        if name in records:
            raise JaxzcError(f"two layers of one network are named {name!r}: give each a name of its own")
        records[name] = self._stack_of(value)

    def _one_of(self, tree: PyTree) -> Any:
        return jax.tree.map(lambda a: a[0], tree)

    def _stack_of(self, tree: PyTree) -> Any:
        return jax.tree.map(lambda a: a[None], tree)


class Step(Pass):
    """A pass in which perturbations, and what is kept, have no leading axis: of one step of a loop over stacked layers, or through a
    network whose layers are stacked afterwards."""

    def records(self) -> dict[str, Any]:
        """Everything that was kept, by name; constant under differentiation."""
        return lax.stop_gradient({**self.layers, **self.activations, **self.norms})

    def _one_of(self, tree: PyTree) -> Any:
        return tree

    def _stack_of(self, tree: PyTree) -> Any:
        return tree


class Recorder(Pass):
    """Notes what a network has: of each layer its name, kernel and shape of its output; the shapes of what else a tap may read; the names
    of embeddings."""

    def __init__(self, module: nnx.Module):
        super().__init__(module=module)
        self.kernels: list[tuple[str, tuple[int, ...], tuple[int, ...], int]] = []
        self.activated: list[tuple[str, tuple[int, ...], tuple[str, ...]]] = []
        self.kinds: dict[str, str] = {}
        self.normalised: list[tuple[str, tuple[int, ...]]] = []
        self.outputs: list[tuple[str, tuple[int, ...]]] = []
        self.roles: dict[str, str] = {}
        self.embeddings: list[str] = []

    def embedding(self, named: nnx.Param, table: Array) -> Array:
        self.embeddings.append(self.name(named))
        return table

    def layer(self, kernel: Named, y: Array) -> Array:
        self.roles[self.name(kernel)] = self.role
        shape = tuple(kernel.shape) if isinstance(kernel, nnx.Param) else ()
        self.kernels.append((self.name(kernel), shape, y.shape[1:], self.cell))
        return y

    def activating(self, named: Named, x: Array, modules: tuple[str, ...] = ("ReLU",), kind: str = "relu") -> Array:
        self.activated.append((self.name(named), x.shape[1:], modules))
        self.kinds[self.name(named)] = kind
        return x

    def normalising(self, named: Named, x: Array) -> Array:
        self.normalised.append((self.name(named), x.shape[1:]))
        return x

    def map(self, name: str, x: Array) -> Array:
        self.outputs.append((name, x.shape[1:]))
        return x
