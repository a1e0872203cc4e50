"""The base class of search spaces whose architectures are vectors of choices, and the program of one architecture."""

from collections.abc import Sequence

import numpy as np

from jaxzc.spacekit import vectors
from jaxzc.types import Counts, Genes, InputSpec, JaxzcError, Network, Space, SpaceProgram, TooFewArchitectures, input_spec


class VectorSpace:
    """A space every vector of which is an architecture, unless a subclass says otherwise: `jaxzc.types.Space` but for two methods.

    A subclass is a frozen dataclass with the class attributes `name` and `choices`, the fields `classes` and `inputs`, each with a default,
    and fields of its own, which are the options that `--set` takes. It writes `counts` and `program`, and

    - `program_keys` where one program does not serve all architectures,
    - `parse` and `to_string` where architectures have better names than their genes,
    - `canonical` where different vectors are one architecture,
    - `enumerate`, `sample`, `mutate` and `neighbours` where not every vector is an architecture,
    - `network` where one architecture has a network of its own, without what it has not.
    """

    name: str
    choices: tuple[int, ...]
    classes: int
    inputs: InputSpec

    def __post_init__(self) -> None:
        object.__setattr__(self, "inputs", input_spec(self.inputs))

    def parse(self, text: str) -> np.ndarray:
        """The genes int32 `[genes]` of numbers joined by "-". Raises `JaxzcError` that quotes what is wrong."""
        words = text.strip().split("-") if isinstance(text, str) else []
        if len(words) != len(self.choices) or not all(word.isdecimal() for word in words):
            example = "-".join("0" for _ in self.choices)
            raise JaxzcError(
                f"{text!r} is no {self.name} architecture: expected {len(self.choices)} numbers joined by '-', as in {example}"
            )
        return vectors.check_vector(self.choices, [int(word) for word in words])

    def to_string(self, arch: Genes) -> str:
        return "-".join(map(str, vectors.check_vector(self.choices, arch).tolist()))

    def enumerate(self) -> np.ndarray:
        return vectors.enumerate_vectors(self.choices)

    def sample(self, rng: np.random.Generator, n: int) -> np.ndarray:
        """`n` distinct architectures, uniformly. Raises `TooFewArchitectures` where there are fewer."""
        return vectors.sample_vectors(self.choices, rng, n, distinct=True)

    def mutate(self, rng: np.random.Generator, archs: np.ndarray) -> np.ndarray:
        """A copy of int32 `[n, genes]` in which one gene of each row has another value."""
        return vectors.mutate_vectors(self.choices, rng, archs)

    def neighbours(self, arch: Genes) -> np.ndarray:
        """Every architecture that differs in one gene."""
        return vectors.neighbours_of(self.choices, arch)

    def canonical(self, archs: np.ndarray) -> np.ndarray:
        """The architectures themselves: no two are the same."""
        return vectors.check_vectors(self.choices, archs)

    def counts(self, archs: np.ndarray) -> Counts:
        raise NotImplementedError(f"{type(self).__name__} does not count parameters, FLOPs and layers: write counts(archs)")

    def program_keys(self, archs: np.ndarray) -> np.ndarray:
        """int32 `[n, 0]`: all architectures share one program."""
        return np.zeros((len(archs), 0), np.int32)

    def program(self, key: tuple[int, ...] = ()) -> SpaceProgram:
        raise NotImplementedError(f"{type(self).__name__} has no networks: write program(key)")

    def network(self, arch: Genes) -> Network:
        """The network of one architecture, in the program that serves it."""
        arch = vectors.check_vector(self.choices, arch)
        return program_of(self, arch).network(arch)


def key_of(space: Space, arch: Genes) -> tuple[int, ...]:
    """The key of one architecture's program, for `Space.program`."""
    return tuple(int(number) for number in space.program_keys(np.asarray(arch)[None])[0])


def genes_of(space: Space, archs: Sequence[str] | np.ndarray) -> np.ndarray:
    """int32 `[n, genes]` of a list of strings of the space, or of genes `[n, genes]` or `[genes]`.

    Raises `JaxzcError` for a string that is none of the space, and for a list of nothing."""
    if hasattr(archs, "dtype") and np.issubdtype(archs.dtype, np.integer):  # type: ignore[union-attr]
        return np.atleast_2d(np.asarray(archs, np.int32))
    if isinstance(archs, str) or len(archs) == 0:
        raise JaxzcError(f"{space.name}: architectures {archs!r}: expected a list of strings, or genes [n, genes]")
    return np.atleast_2d([space.parse(arch) if isinstance(arch, str) else np.asarray(arch) for arch in archs]).astype(np.int32)


def sample_at_most(space: Space, rng: np.random.Generator, n: int) -> np.ndarray:
    """`n` distinct random architectures int32 `[n, genes]`; of a space that has fewer, all."""
    try:
        archs = space.sample(rng, n)
    except TooFewArchitectures as few:
        archs = space.sample(rng, few.size)
    return np.asarray(archs)


def check_key(space: Space, key: Sequence[int], numbers: int) -> None:
    """Raises `JaxzcError` where a key has not this many numbers."""
    if len(key) != numbers:
        raise JaxzcError(f"{space.name}: the key {tuple(key)}: expected {numbers} numbers, a row of space.program_keys(archs)")


def program_of(space: Space, arch: Genes) -> SpaceProgram:
    """The program that serves one architecture, genes `[genes]`."""
    return space.program(key_of(space, arch))
