"""A search space, the programs that compute its networks, and what only some spaces can do."""

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol, runtime_checkable

import jax
import numpy as np
from typing_extensions import TypeAliasType

from jaxzc.types.arrays import Array, InputSpec, Params
from jaxzc.types.networks import Counts, Network

Genes = TypeAliasType("Genes", np.ndarray | jax.Array | Sequence[int])
"""One architecture, int32 `[genes]`, or several, `[n, genes]`; traced only where a docstring says so."""

InitialiserSpec = TypeAliasType("InitialiserSpec", str | Callable[..., Array])
"""How kernels are drawn: a name (`jaxzc.numerics.initialisers`), or a function (key, shape, dtype) -> kernel, such as
`jax.nn.initializers.he_normal()`."""


class SpaceProgram(Protocol):
    """A network that takes the architecture as an argument. It is compiled once for all architectures that share it.

    in_pieces: whether to compile it in pieces (`jaxzc._compile.pieces`). That pays where each architecture has a program of its own.
    """

    @property
    def in_pieces(self) -> bool: ...

    def init(self, rng_key: Array, initialiser: InitialiserSpec = "torch") -> Params:
        """Parameters that serve every architecture of the program; traceable."""
        ...

    def network(self, genes: Genes) -> Network:
        """The network of genes int32 `[genes]`, which may be traced; its shapes do not depend on their values."""
        ...

    def discrete_params(self, params: Params, arch: Genes) -> Params:
        """The parameters of `Space.network(arch)`, taken from the program's parameters. arch: not traced."""
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

    def counts(self, archs: np.ndarray) -> Counts[np.ndarray]: ...

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
class WithTask(Protocol):
    """A space whose networks do not classify images. Its inputs are of any dtype; targets are what the task says.

    task: name of a ready-made task (`jaxzc.tasks.TASKS`), which scores are of unless the user gives one. `classes` are those of an output,
    such as the words of a vocabulary.
    """

    @property
    def task(self) -> str: ...


@runtime_checkable
class WithDoubts(Protocol):
    """A space in whose networks, or some of them, some ingredients say little."""

    def doubts(self, archs: np.ndarray) -> Mapping[str, str]:
        """Ingredient -> one sentence, where it says little of one or more of the architectures int32 `[n, genes]`.

        The sentence says of which networks, why, and what to do instead; it is the same whichever of them are among `archs`. Whoever scores
        them with a proxy that asks for the ingredient is warned.
        """
        ...


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
