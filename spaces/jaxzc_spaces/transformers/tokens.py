"""Networks of tokens as the engine sees them: what it differentiates by, perturbs or replaces are the vectors of the words."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from jaxzc.types import Array, Forward, InputSpec, Norm, Params, PyTree, Tap
from jaxzc_spaces.core.blueprint import blueprint
from jaxzc_spaces.core.discrete import DiscreteNetwork
from jaxzc_spaces.core.passes import Step


@dataclass(frozen=True, eq=False)
class TokenNetwork(DiscreteNetwork):
    """A discrete network (`jaxzc.types.EmbeddingNetwork`) whose module has a method words(tokens) and logits(tokens, pass, words), the last
    None where it shall compute them. vectors: these, in a pass of other ones."""

    vectors: Any = None

    def entry(self, params: Params, inputs: PyTree) -> Array:
        """The words' vectors `[B, T, width]`."""
        return self.module(params).words(inputs)

    def run(self, module: Any, inputs: PyTree, p: Step) -> Array:
        return module.logits(inputs, p, self.vectors)

    def forward(self, params: Params, inputs: PyTree, *, norm: Norm, tap: Tap | None = None, entry: PyTree = None) -> Forward:
        return DiscreteNetwork.forward(replace(self, vectors=entry), params, inputs, norm=norm, tap=tap)


def token_network(make: Callable[[], Any], inputs: InputSpec) -> TokenNetwork:
    """The network of the module that `make` builds, for inputs of this shape. (Shapes are found with floats, which it takes as well.)"""
    return TokenNetwork(blueprint(make, inputs.shape))
