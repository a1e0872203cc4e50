"""A network as ingredients use it: its layers and activation functions, the taps that read them, and what a pass returns."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, NamedTuple, Protocol, TypeVar, runtime_checkable

import numpy as np
from typing_extensions import TypeAliasType

from jaxzc.types.arrays import Array, Norm, Params, PyTree


@dataclass(frozen=True)
class LayerGroup:
    """Convolution or linear layers whose kernels have one shape, stacked along a leading axis. All facts are known before a pass runs.

    name: path of the kernel in the parameters. Taps refer to the group by it.
    kernel: shape of one kernel, without the stacking axis (HWIO for convolutions, [in, out] for linear layers).
    fan_in: inputs that one output sums over (kernel height x width x input channels of its group).
    channels: number of output channels (features).
    cells: for each layer of the group, the number of the cell it sits in, in depth order from 0; -1 outside every cell (stem, head).
    places: for each layer of the group, its place among all layers in the order of execution, by which fresh kernels are drawn; () where
        the groups stand in that order, one layer after another.
    role: what the layers of a transformer are for: "attention" where they make queries, keys and values, "join" where they join the heads,
        "transform" where they make what is mixed without attention, by a fixed transform, "window" where by averages over windows, and
        "window_weights" where they make the weights of these averages; "feed_forward" where they act on each token alone, between these;
        "" for all others, and where the network does not say.
    """

    name: str
    kernel: tuple[int, ...]
    fan_in: int
    channels: int
    cells: tuple[int, ...] = (-1,)
    places: tuple[int, ...] = ()
    role: str = ""


RECTIFIERS = frozenset({"relu", "relu6", "leaky_relu", "prelu"})
"""Kinds of activation functions with a kink at zero and linear on both sides of it. The sign of the input is a unit's binary code."""


@dataclass(frozen=True)
class ActivationGroup:
    """Inputs, all of one shape, of activation functions of one kind, stacked along a leading axis. Facts known before a pass runs.

    name: of the place in the network.
    kind: the function: one of `RECTIFIERS`, or "elu", "hard_sigmoid", "softplus", "silu", "gelu", "tanh", "sigmoid".
    modules: for each way in which the authors' code applies the function, the types of the modules around it, innermost first: ("ReLU",),
        or ("ReLU", "ReLUConvBN") for a ReLU inside a block of that type. Hooks on module types count the latter twice.
        `Network.activation_counts` says how often each way occurs.
    """

    name: str
    kind: str = "relu"
    modules: tuple[tuple[str, ...], ...] = (("ReLU",),)


class Tap(NamedTuple):
    """Functions that read or change values while a network runs. What they return to be recorded comes back in `Forward`.

    layer: called with the output `y [B, ..., channels]` of each convolution and linear layer (bias included, before normalisation) and the
        layer's slice of `perturb` (None without it). Returns the value that replaces y, and the record, a pytree.
    activation: called with the input `[B, ...]` of each activation function. Returns the record.
    perturb: layer group's name -> pytree with leaves `[layers, ...]`, for every group.
    norm: called with the input `[B, ..., channels]` of each normalisation layer. Returns the record.
    cell: called, in depth order, with the output `[B, H, W, channels]` of the stem, of each cell and of each block between cells (in a
        transformer `[B, tokens, channels]`, of each attention and of each feed-forward part), and with the slice of `cell_perturb` for it
        (None without it). Returns the value that replaces the output, and the record.
    cell_perturb: map group's name -> pytree with leaves `[maps, ...]`, for every group. A map group is a sequence of outputs of one shape.
    attention: called with what each head of an operator that mixes tokens would make weights of by a softmax over the last axis,
        `[B, heads, tokens, ...]`: products of queries and keys, or what a transform gives. Returns the record.

    A network that does not offer `norm`, `cell` or `attention` (see `Forward`) never calls them.
    """

    layer: Callable[[Array, PyTree], tuple[Array, PyTree]] | None = None
    activation: Callable[[Array], PyTree] | None = None
    perturb: Mapping[str, PyTree] | None = None
    norm: Callable[[Array], PyTree] | None = None
    cell: Callable[[Array, PyTree], tuple[Array, PyTree]] | None = None
    cell_perturb: Mapping[str, PyTree] | None = None
    attention: Callable[[Array], PyTree] | None = None


class Forward(NamedTuple):
    """The result of one pass.

    outputs: the network's outputs, such as logits `[B, classes]`.
    exponent: int32 scalar; the true outputs are `outputs * 2**exponent`. It is 0, except that with `norm="none"` some networks rescale
        themselves so that deep ones do not overflow.
    layers, activations, norms, cells: the records of the tap functions: group's name -> pytree with leaves `[layers of the group, ...]`, in
        the order in which the groups first run. These are `OrderedDict`s, because JAX sorts the keys of a dict. None without the tap
        function, or where the network does not offer it. Records of layers that the architecture lacks are zeros.
    attentions: likewise the records of `Tap.attention`, without a leading axis: name of each operator -> record.
    """

    outputs: PyTree
    layers: Mapping[str, PyTree] | None = None
    activations: Mapping[str, PyTree] | None = None
    exponent: Array | int = 0
    norms: Mapping[str, PyTree] | None = None
    cells: Mapping[str, PyTree] | None = None
    attentions: Mapping[str, PyTree] | None = None


Number = TypeVar("Number")


class Counts(NamedTuple, Generic[Number]):
    """Sizes of one network as exact integers (`Counts[int]`), or of n networks as int64 `[n]` (`Counts[np.ndarray]`).

    params: trainable parameters. flops: multiply-accumulates of the convolution and linear layers for one image. layers: number of
    convolution and linear layers. products: multiply-accumulates of matrix products and convolutions that are no layers, such as
    attention's products of data with data; of n networks int64 `[n]`, or 0 for all.
    """

    params: Number
    flops: Number
    layers: Number
    products: Number | int = 0


class Network(Protocol):
    """A network as ingredients use it: a pure function of parameters and inputs whose layers can be tapped."""

    @property
    def groups(self) -> Sequence[LayerGroup]: ...

    def weights(self, params: Params) -> list[Array]:
        """The kernels, one array `[layers, *kernel]` per group. Biases and normalisation parameters are not among them."""
        ...

    def with_weights(self, params: Params, weights: Sequence[Array]) -> Params:
        """A copy of `params` with these kernels, given as `weights` returns them."""
        ...

    def map_params(self, fn: Callable[[Array], Array], params: Params) -> Params:
        """`fn` applied to every trainable parameter (synflow takes absolute values)."""
        ...

    def active(self) -> list[Array]:
        """Per group, bool `[layers]`: whether the layer exists in this architecture."""
        ...

    @property
    def activations(self) -> Sequence[ActivationGroup]: ...

    def activation_counts(self) -> Mapping[str, Array]:
        """Per activation group, float `[values, ways]`: how many activation functions act on each value, by the ways of
        `ActivationGroup.modules`; 0 where the architecture has none."""
        ...

    def forward(self, params: Params, inputs: PyTree, *, norm: Norm, tap: Tap | None = None) -> Forward: ...


@runtime_checkable
class EmbeddingNetwork(Network, Protocol):
    """A network whose inputs may be integers, such as tokens.

    Proxies that differentiate by the inputs, perturb them, or set them to ones use the first floating-point value computed from them: the
    output of the embedding. For an array of floats it is the inputs themselves.
    """

    def entry(self, params: Params, inputs: PyTree) -> PyTree:
        """The first floating-point value, an array `[B, ...]` or a tuple of them. Raises `JaxzcError` where it cannot be replaced."""
        ...

    def forward(self, params: Params, inputs: PyTree, *, norm: Norm, tap: Tap | None = None, entry: PyTree = None) -> Forward:
        """A pass that uses `entry` as the first floating-point value. None: the value is computed from the inputs."""
        ...


@runtime_checkable
class StackedNetwork(Network, Protocol):
    """A network that stacks layers of one shape, and can tell them apart.

    A program for a whole network is shorter with stacks. One that is compiled in pieces has more pieces in common with other networks
    without them: a piece for nine stacked layers serves only networks that have nine of them."""

    @property
    def apart(self) -> Network:
        """The same network, every layer and activation a group of its own."""
        ...


class Scaled(NamedTuple):
    """A score that may be too large for float32: `value * 2**exponent`. `float(scaled)`, outside the compiled program, is a float64."""

    value: Array | float
    exponent: Array | int

    def __float__(self) -> float:
        with np.errstate(over="ignore", under="ignore"):
            return float(np.ldexp(np.float64(self.value), int(self.exponent)))


Score = TypeAliasType("Score", Array | np.ndarray | np.generic | float | Scaled)
"""What a proxy returns: one number, which may be traced."""
