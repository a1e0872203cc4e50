"""One architecture as an ordinary Flax NNX module, with its own parameters and no others: to be trained, saved, exported, taken away."""

from importlib.metadata import version
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from jaxzc.spacekit import VectorSpace, program_of
from jaxzc.types import Array, Genes, InitialiserSpec, Params, Space
from jaxzc_spaces.core.alone.writer import write
from jaxzc_spaces.core.discrete import DiscreteNetwork
from jaxzc_spaces.core.layers import BatchNorm, NetworkModule


class WithModule(VectorSpace):
    """For spaces: `module`, of the discrete network and of what it has of a program's parameters."""

    def own_network(self, arch: Genes) -> DiscreteNetwork:
        """The discrete network of genes `[genes]`, with parameters of its own only."""
        network: Any = self.network(arch)
        return network

    def own_params(self, params: Params, arch: Genes) -> Any:
        """Its parameters, cut from those of the program that it shares."""
        return program_of(self, arch).discrete_params(params, arch)

    def module(
        self,
        arch: Genes,
        params: Params = None,
        *,
        rng_key: Array | None = None,
        initialiser: InitialiserSpec = "torch",
        momentum: float = 0.9,
    ) -> NetworkModule:
        """The network of genes `[genes]` as an NNX module: images `[B, H, W, C]` -> logits `[B, classes]`; of speech and of tokens, what
        the space's inputs are -> what its task compares.

        params: of the program that the architecture shares, copied; without them the module's own are drawn: `initialiser`, with `rng_key`
            (`jax.random.key(0)`). They are `nnx.Param`s, as many as `counts(arch).params`.
        momentum: share of the old value that running statistics keep at each batch. These are `nnx.BatchStat`s; `module.train()`, the state
            at first, normalises by the batch and moves them; `module.eval()` normalises by them.

        >>> model = space.module(arch)
        >>> optimiser = nnx.Optimizer(model, optax.sgd(0.1), wrt=nnx.Param)
        """
        network = self.own_network(arch)
        own = (
            network.init(jax.random.key(0) if rng_key is None else rng_key, initialiser)
            if params is None
            else self.own_params(params, arch)
        )
        module = network.module(jax.tree.map(jnp.copy, own))
        for _, part in list(nnx.iter_modules(module)):
            if isinstance(part, BatchNorm):
                part.keep_statistics(momentum)
        return module

    def source(self, arch: Genes) -> str:
        """The network of genes `[genes]` as Python code that stands alone: one file that imports JAX and Flax, and nothing of jaxzc.

        It defines the module, `make()`, which builds it with kernels of zeros, `load(path)`, which gives it the weights of a file that
        `jaxzc.training.export` wrote, and `draw(model, key)`, which draws them anew. Parameters have the names that they have in `module`.
        Raises `JaxzcError` where the network's definition cannot be written so, saying why.
        """
        return write(self.own_network(arch).blueprint.make, heading(self, arch))


def heading(space: Space, arch: Genes) -> str:
    """What the code of the network of genes `[genes]` says first: which it is, and how large."""
    counts = space.counts(np.asarray(arch)[None])
    sizes = f"{int(counts.params[0]):,} parameters, {int(counts.flops[0]):,} multiply-accumulates"
    said = f"{sizes} for {space.inputs.in_words}. Written by jaxzc {version('jaxzc')}; needs JAX and Flax only."
    return f"{space.name}: {space.to_string(arch)}\n\n{said}"
