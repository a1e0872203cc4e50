"""NAS-Bench-NLP (Klyuchnikov et al., 2020): language models of recurrent cells that are given as recipes.

>>> space = NasBenchNlp()
>>> arch = space.parse('{"f": {"op": "linear", "input": ["x", "h_prev_0"]}, "h_new_0": {"op": "activation_tanh", "input": ["f"]}}')
>>> program = program_of(space, arch)
>>> tokens = jnp.zeros((2, *space.inputs.shape), jnp.int32)
>>> program.network(arch).forward(program.init(jax.random.key(0)), tokens, norm="batch").outputs  # logits [B, steps, words]
"""

from dataclasses import dataclass
from functools import lru_cache, partial

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from jaxzc.spacekit import VectorSpace, check_key, program_of
from jaxzc.types import Array, Counts, Genes, InitialiserSpec, InputSpec, JaxzcError, Params
from jaxzc_spaces.core.alone.writer import write
from jaxzc_spaces.core.module import heading
from jaxzc_spaces.core.params import with_parameters
from jaxzc_spaces.core.sizes import check_positive
from jaxzc_spaces.nasbench_nlp import changes, encoding
from jaxzc_spaces.nasbench_nlp.counts import linear_inputs, network_counts, widths
from jaxzc_spaces.nasbench_nlp.isomorphism import canonical
from jaxzc_spaces.nasbench_nlp.own import LanguageModel, own_params
from jaxzc_spaces.nasbench_nlp.program import NlpProgram

PROGRAMS = ((8, 4, 8), (16, 8, 16), (encoding.NODES, encoding.NODES, encoding.NODES * encoding.INPUTS))
"""Of each program: nodes of the cell, inputs of linear nodes that are x, and other inputs of linear nodes, at most."""


@dataclass(frozen=True)
class NasBenchNlp(VectorSpace):
    """NAS-Bench-NLP: three recurrent layers of one cell, a decoder tied to the embedding, the next token as the task.

    emsize: width of the embedding. nhid: units of every layer but, with tied weights, the last, which has `emsize`. layers: their number.
    tied: whether the decoder's matrix is the embedding. classes: words of the vocabulary; those of WikiText-2 are the default, the Penn
    Treebank has 10,000. inputs: tokens (steps,) of an integer dtype. Dropout and weight drop are off.
    """

    emsize: int = 400
    nhid: int = 600
    layers: int = 3
    tied: bool = True
    classes: int = 33278
    inputs: InputSpec = InputSpec((70,), "int32")

    name = "nasbench_nlp"
    choices = encoding.CHOICES
    task = "next_token"

    def __post_init__(self) -> None:
        super().__post_init__()
        check_positive(self, "emsize", "nhid", "layers", "classes")
        if len(self.inputs.shape) != 1 or not np.issubdtype(self.inputs.dtype, np.integer):
            raise JaxzcError(
                f"{self.name}: inputs {self.inputs.dtype} {self.inputs.shape}: expected tokens (steps,), such as "
                "InputSpec((70,), 'int32'), which data such as text:FILE@70 have"
            )

    # Architectures.

    def parse(self, text: str) -> np.ndarray:
        return encoding.parse(text)

    def to_string(self, arch: Genes) -> str:
        return encoding.to_string(arch)

    def enumerate(self) -> np.ndarray:
        raise JaxzcError(f"{self.name}: the recipes of up to {encoding.NODES} nodes are too many to list: sample them")

    def sample(self, rng: np.random.Generator, n: int) -> np.ndarray:
        """`n` distinct recipes of up to 13 nodes, by the rules of the authors' generator (`changes`); not all with the same chance."""
        return changes.sample(rng, n)

    def mutate(self, rng: np.random.Generator, archs: np.ndarray) -> np.ndarray:
        return changes.mutate(rng, archs)

    def neighbours(self, arch: Genes) -> np.ndarray:
        return changes.neighbours(np.asarray(arch))

    def canonical(self, archs: np.ndarray) -> np.ndarray:
        """The recipe that stands for all that are the same cell: the order of nodes, of inputs where it does not matter, and of the hidden
        states behind the first."""
        return canonical(archs)

    def counts(self, archs: np.ndarray) -> Counts:
        return network_counts([*np.atleast_2d(archs)], self._widths, self.emsize, self.tied, self.classes, self.inputs.shape[0])

    # Networks.

    def program_keys(self, archs: np.ndarray) -> np.ndarray:
        """int32 `[n, 1]`: the first of `PROGRAMS` into which the recipe fits."""
        needs = [(len(encoding.cell_of(arch).nodes), *linear_inputs(arch)[1:]) for arch in archs]
        fits = [[all(n <= most for n, most in zip(need, sizes, strict=True)) for sizes in PROGRAMS].index(True) for need in needs]
        return np.array(fits, np.int32).reshape(-1, 1)

    def program(self, key: tuple[int, ...] = ()) -> NlpProgram:
        check_key(self, key, 1)
        return _program(self, key[0])

    def module(
        self, arch: Genes, params: Params = None, *, rng_key: Array | None = None, initialiser: InitialiserSpec = "torch"
    ) -> LanguageModel:
        """The network as an NNX module: tokens `[B, steps]` -> logits `[B, steps, words]`.

        params: of the program that the recipe shares, copied; without them they are drawn, with `rng_key` (`jax.random.key(0)`)."""
        program = program_of(self, arch)
        drawn = program.init(jax.random.key(0) if rng_key is None else rng_key, initialiser) if params is None else params
        cell = encoding.cell_of(arch)
        graph, state = nnx.split(nnx.eval_shape(lambda: LanguageModel(cell, self._widths, self.classes, self.tied)))
        return with_parameters(graph, state, jax.tree.map(jnp.copy, self.own_params(drawn, arch)))

    def source(self, arch: Genes) -> str:
        """The network of genes `[99]` as Python code that stands alone, as the other spaces' `source`."""
        return write(partial(LanguageModel, encoding.cell_of(arch), self._widths, self.classes, self.tied), heading(self, arch))

    def own_params(self, params: Params, arch: Genes) -> Params:
        """The module's parameters, cut from those of the program."""
        return own_params(params, encoding.cell_of(arch))

    @property
    def _widths(self) -> tuple[tuple[int, int], ...]:
        return widths(self.emsize, self.nhid, self.layers, self.tied)


@lru_cache(maxsize=16)
def _program(space: NasBenchNlp, size: int) -> NlpProgram:
    return NlpProgram(space._widths, space.classes, space.tied, space.inputs.shape[0], *PROGRAMS[size])
