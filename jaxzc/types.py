"""The words of jaxzc: what a batch, a network, a tap, a space and its programs are.

Only types live here. The engine (`jaxzc`) knows no search space, a space knows no proxy, and both meet in these definitions.
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
Norm = Literal["batch", "init", "none"]
"""How normalisation layers act: `batch`: with the statistics of the batch (train mode); `init`: with fresh running statistics,
mean 0 and variance 1 (eval mode of an untrained network); `none`: replaced by the identity, scale and bias included."""


class JaxzcError(ValueError):
    """What the user gave cannot be used; the message says which value, what was expected and what to do."""


class Batch(NamedTuple):
    """What goes into a network and what its outputs are compared with: images `[N, ...]` (float, already normalised) and integer labels
    `[N]`, or any pytrees whose leaves have a leading axis N. targets: None where no proxy needs them."""

    inputs: PyTree
    targets: PyTree = None


@dataclass(frozen=True)
class LayerGroup:
    """Convolution or linear layers whose kernels share one shape, stacked on a leading axis; facts known before anything runs.

    name: path of the kernel in the parameters, by which taps know the group.
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
"""Kinds of activation functions that are linear on both sides of a kink at zero: the sign of their input is a unit's binary code."""


@dataclass(frozen=True)
class ActivationGroup:
    """Values of one shape that activation functions of one kind take, stacked on a leading axis; facts known before anything runs.

    name: of the place in the network. kind: which function: one of `RECTIFIERS`, or "elu", "hard_sigmoid", "softplus", "silu", "gelu",
        "tanh", "sigmoid".
    modules: the ways in which the authors' code comes to these values: each is the types of the modules that the value passes while it is
        activated, innermost first, such as ("ReLU",), or ("ReLU", "ReLUConvBN") for a ReLU in a block of that name.
        `Network.activation_counts` says how often each way is taken.
    """

    name: str
    kind: str = "relu"
    modules: tuple[tuple[str, ...], ...] = (("ReLU",),)


class Tap(NamedTuple):
    """What to read, or to change, while a network runs.

    layer: called with each conv/linear output `y [B, ..., channels]` (bias included, before any normalisation) and that layer's slice of
        `perturb` (None without); returns the value the network goes on with, and what to keep.
    activation: called with the input `[B, ...]` of each activation function; returns what to keep.
    perturb: name of the layer group -> pytree, leaves `[layers, ...]`, for every group.
    norm: called with each normalisation layer's input `[B, ..., channels]`; returns what to keep.
    cell: called with the output `[B, H, W, channels]` of the stem and of each cell (blocks between cells included), in depth order, and
        that map's slice of `cell_perturb` (None without); returns the value the network goes on with, and what to keep.
    cell_perturb: name of the map group (maps of one shape that follow each other) -> pytree, leaves `[maps, ...]`, for every group.

    A network that does not offer `norm` or `cell` (see `Forward`) ignores them.
    """

    layer: Callable[[Array, PyTree], tuple[Array, PyTree]] | None = None
    activation: Callable[[Array], PyTree] | None = None
    perturb: Mapping[str, PyTree] | None = None
    norm: Callable[[Array], PyTree] | None = None
    cell: Callable[[Array, PyTree], tuple[Array, PyTree]] | None = None
    cell_perturb: Mapping[str, PyTree] | None = None


class Forward(NamedTuple):
    """What one pass gives: the network's outputs (logits `[B, classes]` of a classifier); what the tap kept; and `exponent`, an int32
    scalar: the true outputs are `outputs * 2**exponent` (0 except with `norm="none"` where the network rescales itself so that deep
    networks do not overflow).

    layers, activations, norms, cells: what the taps of these names kept: name of the group -> pytree with a leading axis [layers, or
    whatever the group has], in the order in which the groups first run; `OrderedDict`s, because JAX sorts the keys of a dict. None without
    a tap, and where the network does not offer them. A layer or normalisation that the architecture has not is zeros."""

    outputs: PyTree
    layers: Mapping[str, PyTree] | None = None
    activations: Mapping[str, PyTree] | None = None
    exponent: Any = 0
    norms: Mapping[str, PyTree] | None = None
    cells: Mapping[str, PyTree] | None = None


class Counts(NamedTuple):
    """Exact integers (int64; one per architecture where there are several): trainable parameters, multiply-accumulates of the convolution
    and linear layers for one image, and the number of convolution and linear layers."""

    params: Params
    flops: Any
    layers: Any


class Network(Protocol):
    """What a proxy's ingredients see: a pure function of parameters and images whose layers can be tapped."""

    @property
    def groups(self) -> Sequence[LayerGroup]: ...

    def weights(self, params: Params) -> list[Array]:
        """Kernels `[layers, *kernel]`, one array per group, biases and normalisation parameters left out."""
        ...

    def with_weights(self, params: Params, weights: Sequence[Array]) -> Params:
        """`params` with these kernels in their place."""
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
    """A network whose inputs need not be floats. What a proxy differentiates by the inputs, perturbs, or sets to ones is then the first
    floating value that they become: the output of the embedding; of one array of floats, the inputs themselves."""

    def entry(self, params: Params, inputs: PyTree) -> PyTree:
        """That value `[B, ...]`, an array or a tuple of arrays; raises `JaxzcError` where there is none that could be replaced."""
        ...

    def forward(self, params: Params, inputs: PyTree, *, norm: Norm, tap: Tap | None = None, entry: PyTree = None) -> Forward:
        """A pass with `entry` in the place of that value (None: with what the inputs become)."""
        ...


@dataclass(frozen=True)
class InputSpec:
    """What goes into a network, for one example: shape, without the batch axis, and dtype, by name.

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
    """`inputs` as they are, or those of this shape in float32. Raises `JaxzcError` for anything else."""
    return inputs if isinstance(inputs, InputSpec) else InputSpec(inputs)  # type: ignore[arg-type]


class SpaceProgram(Protocol):
    """A network whose architecture is an argument, so that it is compiled once for all architectures that it serves.

    in_pieces: whether to compile it in pieces (`jaxzc._compile.pieces`), which pays where it serves one architecture only.
    """

    @property
    def in_pieces(self) -> bool: ...

    def init(self, rng_key: Array, initialiser: str = "torch") -> Params:
        """Parameters that serve every architecture of the program; traceable. initialiser: a name of `jaxzc.numerics.initialisers`."""
        ...

    def network(self, genes: Genes) -> Network:
        """The network of genes int32 `[genes]`, which may be traced; its shapes do not depend on their values."""
        ...

    def discrete_params(self, params: Params, arch: Genes) -> Params:
        """From parameters of the program those of one architecture's discrete network (see `Space.network`). arch: concrete."""
        ...


class Space(Protocol):
    """A search space. An architecture is a vector of small integers, its genes: int32 `[genes]`; many are int32 `[n, genes]`.

    Networks of one shape share a program. `program_keys` says which architectures do, and `program` gives the program of a key:
    `space.program(key).network(genes)` is the network that scores are computed with, and `genes` may be traced. `space.network(arch)` is
    the discrete network of one architecture: the same function of the same weights, without what the architecture has not.

    `jaxzc.spacekit.VectorSpace` is a base class in which all but `counts` and `program` have a default.

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


# What some spaces can do besides. Whoever can use it asks with isinstance.


@runtime_checkable
class WithOwnCounts(Protocol):
    """A space whose authors count in their own way: their budgets are not in what `Space.counts` says.

    own_counts: name -> function of architectures int32 `[n, genes]` that gives int64 `[n]`. The names may be used in budgets and costs of a
    search.
    """

    @property
    def own_counts(self) -> Mapping[str, Callable[[np.ndarray], np.ndarray]]: ...


@runtime_checkable
class WithSameNetwork(Protocol):
    """A space that knows which architectures are one network with weights drawn anew, so that a job scores only one of them. Without it,
    `Space.canonical` and equal counts decide."""

    def same_network(self, archs: np.ndarray) -> np.ndarray:
        """For each of int32 `[n, genes]` the architecture that stands for its network, int32 `[n, genes]`."""
        ...


@runtime_checkable
class WithGraph(Protocol):
    """A space whose architectures are graphs, which a predictor of accuracy can read."""

    def graph(self, archs: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Of int32 `[n, genes]`: adjacency bool `[n, nodes, nodes]`, where entry (a, b) says that node b reads what node a gives; and
        labels int `[n, nodes]`, which say what each node is."""
        ...


class Scaled(NamedTuple):
    """A score too large for float32: `value * 2**exponent`; becomes a float64 outside the compiled program."""

    value: Any
    exponent: Any
