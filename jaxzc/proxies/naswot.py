"""NASWOT: how differently a network's ReLUs respond to the examples of a batch."""

from collections.abc import Sequence

import jax.numpy as jnp

from jaxzc.definitions.facts import proxy
from jaxzc.numerics.linalg import log_determinant
from jaxzc.types import Array


@proxy(direction="higher", labels=False, init="torch", norm="batch", over_layers=lambda once: None if once else "kernels")
def naswot(relu_kernels: Sequence[Array], relu_counts: Sequence[Array], relu_hooks: Sequence[Array], *, once: bool = False) -> Array:
    """log determinant of the Hamming kernel of the ReLU codes of a batch.

    Definition: log |det K|, K_ij = number of rectified units on which examples i and j agree (active or not).
    Source: Mellor et al., Neural Architecture Search without Training, ICML 2021, eq. 2.
    Authors' code: as here, which hooks every module whose type name contains "ReLU": on networks with ReLU-conv-BN blocks of that name
        (NAS-Bench-201) a convolution's ReLU counts twice. `once=True` counts each ReLU once: the paper's formula, NASLib and FreeREA.
    Weights: none; signs of ReLU inputs.
    Fails: -inf where K is singular (two examples with one code, disconnected networks); grows with the number of ReLUs and the batch size.
    """
    counts = relu_counts if once else relu_hooks
    kernel = sum(jnp.tensordot(n.astype(k.dtype), k, 1) for n, k in zip(counts, relu_kernels, strict=True))
    return log_determinant(jnp.asarray(kernel))


@proxy(direction="higher", labels=False, init="normal", norm="batch")
def naswot_gelu(gelu_kernels: Sequence[Array]) -> Array:
    """NASWOT of transformers: the signs of GELUs' inputs are the code.

    Definition: log |det K|, K_ij = number of inputs of GELUs, of all tokens, whose signs examples i and j share.
    Source: Mellor et al., Neural Architecture Search without Training, ICML 2021, eq. 2; for GELU the code of Zhou et al., TF-TAS, CVPR
        2022, and of Wei et al., Auto-Prox, AAAI 2024.
    Authors' code: as here, after weights were drawn from N(0, 1) and biases set to 0 (`init="normal"`); TF-TAS feeds normal noise.
    Weights: none; signs of GELU inputs.
    Fails: GELU is not piecewise linear, so the code is no linear region; -inf where K is singular; grows with the width.
    """
    return log_determinant(jnp.asarray(sum(k.sum(0) for k in gelu_kernels)))


@proxy(direction="higher", labels=False, init="torch", norm="init", over_layers="kernels")
def nwot_outputs(layer_kernels: Sequence[Array]) -> Array:
    """NASWOT of the signs of convolution and linear outputs.

    Definition: log |det sum_l K_l|, K_l the Hamming kernel of [output of layer l > 0]; 0 where singular.
    Source: Xiang et al., T-CET, AutoML 2023; the authors' toolkit (`nwot`).
    Authors' code: as here. It differs from naswot in what is coded (outputs before normalisation, not ReLU inputs) and in the mode.
    Weights: none; signs of the outputs of convolution and linear layers.
    Fails: as naswot, but singular kernels give 0.
    """
    value = log_determinant(jnp.stack([k.sum(0) for k in layer_kernels]).sum(0))
    return jnp.where(jnp.isneginf(value), 0, value)
