"""The interfaces of jaxzc: batches, networks, taps, search spaces and their programs.

This module has types only. The engine (`jaxzc`) knows no search space and a space knows no proxy; both use these definitions.
"""

import operator
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple, Protocol, TypeAlias, runtime_checkable

import jax
import numpy as np

Array = jax.Array
PyTree: TypeAlias = Any
"""A pytree of arrays: nested dicts, lists and tuples, or registered classes, whose leaves are arrays. JAX has no static type for it."""
Params: TypeAlias = PyTree
"""A network's parameters: a pytree whose leaves are arrays, most often a nested dict."""
Genes: TypeAlias = np.ndarray | jax.Array | Sequence[int]
"""One architecture, int32 `[genes]`, or several, `[n, genes]`; traced only where a docstring says so."""
InitialiserSpec: TypeAlias = str | Callable[..., Any]
"""How kernels are drawn: a name (`jaxzc.numerics.initialisers`), or a function (key, shape, dtype) -> kernel, such as
`jax.nn.initializers.he_normal()`."""
Norm = Literal["batch", "init", "none"]
"""How normalisation layers act: `batch`: with the statistics of the batch (train mode); `init`: with fresh running statistics,
mean 0 and variance 1 (eval mode of an untrained network); `none`: replaced by the identity, scale and bias included."""


class JaxzcError(ValueError):
    """The user's input cannot be used. The message names the value, what was expected, and how to fix it."""


class Batch(NamedTuple):
    """One batch of N examples.

    inputs: what the network takes, such as images float `[N, H, W, C]`, already normalised; or any pytree of arrays `[N, ...]`.
    targets: what the outputs are compared with, such as labels int `[N]`; or any pytree of arrays `[N, ...]`. None if no proxy needs them.
    """

    inputs: PyTree
    targets: PyTree = None


@dataclass(frozen=True)
class LayerGroup:
    """Convolution or linear layers whose kernels have one shape, stacked along a leading axis. All facts are known before a pass runs.

    name: path of the kernel in the parameters. Taps refer to the group by it.
    kernel: shape of one kernel, without the stacking axis (HWIO for convolutions, [in, out] for linear layers).
    fan_in: inputs that one output sums over (kernel height x width x input channels of its group).
    channels: number of output channels (features).
    cells: for each layer of the group, the number of the cell it sits in, in depth order from 0; -1 outside every cell (stem, head).
    """

    name: str
    kernel: tuple[int, ...]
    fan_in: int
    channels: int
    cells: tuple[int, ...] = (-1,)


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
    cell: called, in depth order, with the output `[B, H, W, channels]` of the stem, of each cell and of each block between cells, and with
        the slice of `cell_perturb` for it (None without it). Returns the value that replaces the output, and the record.
    cell_perturb: map group's name -> pytree with leaves `[maps, ...]`, for every group. A map group is a sequence of outputs of one shape.

    A network that does not offer `norm` or `cell` (see `Forward`) never calls them.
    """

    layer: Callable[[Array, PyTree], tuple[Array, PyTree]] | None = None
    activation: Callable[[Array], PyTree] | None = None
    perturb: Mapping[str, PyTree] | None = None
    norm: Callable[[Array], PyTree] | None = None
    cell: Callable[[Array, PyTree], tuple[Array, PyTree]] | None = None
    cell_perturb: Mapping[str, PyTree] | None = None


class Forward(NamedTuple):
    """The result of one pass.

    outputs: the network's outputs, such as logits `[B, classes]`.
    exponent: int32 scalar; the true outputs are `outputs * 2**exponent`. It is 0, except that with `norm="none"` some networks rescale
        themselves so that deep ones do not overflow.
    layers, activations, norms, cells: the records of the tap functions: group's name -> pytree with leaves `[layers of the group, ...]`, in
        the order in which the groups first run. These are `OrderedDict`s, because JAX sorts the keys of a dict. None without the tap
        function, or where the network does not offer it. Records of layers that the architecture lacks are zeros.
    """

    outputs: PyTree
    layers: Mapping[str, PyTree] | None = None
    activations: Mapping[str, PyTree] | None = None
    exponent: Any = 0
    norms: Mapping[str, PyTree] | None = None
    cells: Mapping[str, PyTree] | None = None


class Counts(NamedTuple):
    """Sizes of one network as exact integers, or of n networks as int64 `[n]`.

    params: trainable parameters. flops: multiply-accumulates of the convolution and linear layers for one image. layers: number of
    convolution and linear layers.
    """

    params: Params
    flops: Any
    layers: Any


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


@dataclass(frozen=True)
class InputSpec:
    """Shape (without the batch axis) and dtype (by name) of one example of a network's inputs.

    Raises `JaxzcError` for a shape that is not made of positive integers, and for a dtype that does not exist.
    """

    shape: tuple[int, ...]
    dtype: str = "float32"

    def __post_init__(self) -> None:
        try:
            shape = tuple(operator.index(size) for size in self.shape)
        except TypeError:
            shape = ()
        if not shape or min(shape) < 1:
            raise JaxzcError(
                f"inputs of shape {self.shape!r}: expected the positive sizes of one example, such as (32, 32, 3) for an image"
            )
        try:
            dtype = np.dtype(self.dtype).name
        except TypeError:
            raise JaxzcError(f"inputs of dtype {self.dtype!r}: expected the name of a dtype, such as 'float32' or 'int32'") from None
        object.__setattr__(self, "shape", shape)
        object.__setattr__(self, "dtype", dtype)

    def batch(self, size: int) -> jax.ShapeDtypeStruct:
        """Shape and dtype of `size` examples."""
        return jax.ShapeDtypeStruct((size, *self.shape), np.dtype(self.dtype))


def input_spec(inputs: InputSpec | Sequence[int]) -> InputSpec:
    """An `InputSpec`, unchanged, or one of this shape in float32. Raises `JaxzcError` for anything else."""
    return inputs if isinstance(inputs, InputSpec) else InputSpec(inputs)  # type: ignore[arg-type]


class SpaceProgram(Protocol):
    """A network that takes the architecture as an argument, so that it is compiled once for all architectures that share it.

    in_pieces: whether to compile it in pieces (`jaxzc._compile.pieces`). That pays where each architecture has a program of its own.
    """

    @property
    def in_pieces(self) -> bool: ...

    def init(self, rng_key: Array, initialiser: InitialiserSpec = "torch") -> Params:
        """Parameters that serve every architecture of the program; traceable. initialiser: a name of `jaxzc.numerics.initialisers`."""
        ...

    def network(self, genes: Genes) -> Network:
        """The network of genes int32 `[genes]`, which may be traced; its shapes do not depend on their values."""
        ...

    def discrete_params(self, params: Params, arch: Genes) -> Params:
        """The parameters of one architecture's discrete network (see `Space.network`), taken from those of the program. arch: not
        traced."""
        ...


class Space(Protocol):
    """A search space. An architecture is a vector of small integers, its genes: int32 `[genes]`; many are int32 `[n, genes]`.

    Networks of one shape share a program. `program_keys` says which architectures do, and `program` gives the program of a key:
    `space.program(key).network(genes)` is the network that scores are computed with, and `genes` may be traced. `space.network(arch)` is
    the discrete network of one architecture: the same function of the same weights, without what the architecture has not.

    `jaxzc.spacekit.VectorSpace` is a base class with a default for everything but `counts` and `program`.

    name: as it is registered. choices: how many values each gene has. classes: of the data. inputs: one example of the data.
    """

    @property
    def name(self) -> str: ...
    @property
    def choices(self) -> tuple[int, ...]: ...
    @property
    def classes(self) -> int: ...
    @property
    def inputs(self) -> InputSpec: ...

    def parse(self, text: str) -> np.ndarray:
        """The genes `[genes]` of the benchmark's official string; raises `JaxzcError` that quotes what is wrong."""
        ...

    def to_string(self, arch: Genes) -> str: ...
    def sample(self, rng: np.random.Generator, n: int) -> np.ndarray: ...
    def mutate(self, rng: np.random.Generator, archs: np.ndarray) -> np.ndarray: ...
    def neighbours(self, arch: Genes) -> np.ndarray: ...
    def enumerate(self) -> np.ndarray: ...
    def canonical(self, archs: np.ndarray) -> np.ndarray:
        """For each architecture, the representative of its isomorphism class (itself an architecture)."""
        ...

    def counts(self, archs: np.ndarray) -> Counts: ...

    def program_keys(self, archs: np.ndarray) -> np.ndarray:
        """int32 `[n, k]` of architectures `[n, genes]`: those with equal rows share a program. k is 0 where one program serves all."""
        ...

    def program(self, key: tuple[int, ...] = ()) -> SpaceProgram:
        """The program of a key, which is a row of `program_keys` as Python ints."""
        ...

    def network(self, arch: Genes) -> Network:
        """The discrete network of one architecture, concrete genes `[genes]`; `SpaceProgram.discrete_params` gives its parameters."""
        ...


# Optional abilities of a space. Code that uses one checks with isinstance.


@runtime_checkable
class WithOwnCounts(Protocol):
    """A space whose authors count parameters or FLOPs in another way than `Space.counts`, and state budgets in their counts.

    own_counts: name of a count -> function from architectures int32 `[n, genes]` to int64 `[n]`. Budgets and costs of a search may use the
    names.
    """

    @property
    def own_counts(self) -> Mapping[str, Callable[[np.ndarray], np.ndarray]]: ...


@runtime_checkable
class WithSameNetwork(Protocol):
    """A space that knows which architectures are the same network up to their random weights. A job scores only one of these.

    For other spaces, two architectures are the same network if `Space.canonical` and the counts agree."""

    def same_network(self, archs: np.ndarray) -> np.ndarray:
        """For each architecture int32 `[n, genes]`, the one that represents its network, int32 `[n, genes]`."""
        ...


@runtime_checkable
class WithGraph(Protocol):
    """A space whose architectures are graphs, which a predictor of accuracy can read."""

    def graph(self, archs: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The graphs of architectures int32 `[n, genes]`: adjacency bool `[n, nodes, nodes]`, whose entry (a, b) says that node b reads the
        output of node a; and labels int `[n, nodes]`, the kind of each node."""
        ...


class Scaled(NamedTuple):
    """A score that may be too large for float32: `value * 2**exponent`. It becomes a float64 outside the compiled program."""

    value: Any
    exponent: Any
