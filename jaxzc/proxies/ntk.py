"""Sizes of the neural tangent kernel: its trace norm (NASI), its mean (KNAS), and the size of the input Jacobian."""

from collections.abc import Sequence

import jax.numpy as jnp

from jaxzc.definitions.facts import proxy
from jaxzc.numerics.layers import sum_over_layers
from jaxzc.types import Array


@proxy(direction="higher", labels=True, init="torch", norm="batch")
def nasi(loss_grads: Sequence[Array]) -> Array:
    """Trace norm of the neural tangent kernel, approximated by the gradient of a batch.

    Definition: |dL/dw|^2, L the mean cross-entropy of one batch.
    Source: Shu et al., NASI: Label- and Data-agnostic Neural Architecture Search at Initialization, ICLR 2022, section 3.2.
    Authors' code: sums over several batches inside a relaxed supernet and bounds the value for the search; here one batch of one network,
        unbounded. Sweet gradients without an interval: sweet_ntk(interval=(0,1e30)).
    Weights: convolution and linear kernels.
    Fails: large gradients also mean instability, which is why the authors bound it.
    """
    return sum_over_layers(jnp.square, loss_grads)


@proxy(direction="higher", labels=False, init="torch", norm="batch")
def ntk_trace(ntk: Array) -> Array:
    """Trace norm of the neural tangent kernel of the summed logits.

    Definition: sum_i Theta_ii, Theta as in ntk_condition: what NASI approximates.
    Source: Shu et al., NASI, ICLR 2022, eq. 4.
    Authors' code: approximates it by the gradient of a batch (nasi).
    Weights: all parameters but biases, normalisation scales included.
    Fails: as nasi; needs a backward pass for each image.
    """
    return jnp.trace(ntk)


@proxy(direction="higher", labels=False, init="torch", norm="batch")
def knas(ntk: Array) -> Array:
    """Mean of the Gram matrix of single images' gradients.

    Definition: 1/n^2 sum_ij Theta_ij, Theta as in ntk_condition; this is the squared length of the mean gradient.
    Source: Xu et al., KNAS: Green Neural Architecture Search, ICML 2021, section 3 (mean of the Gram matrix).
    Authors' code: gradients of the loss of 50 batches by 50 weights of some ten tensors, centred, the first 25 against the last 25; here
        the formula of the paper on the images of ntk_condition.
    Weights: all parameters but biases, normalisation scales included.
    Fails: with batch normalisation a sum of logits over a batch hardly depends on the weights before it, so that much cancels.
    """
    return ntk.mean()


@proxy(direction="higher", labels=False, init="torch", norm="batch")
def jacob_trace(input_grads: Array) -> Array:
    """Mean squared length of the input gradients.

    Definition: mean_n |d(sum of logits)/dx_n|^2: the trace of the matrix whose correlation jacob_cov takes.
    Source: Novak et al., Sensitivity and generalization in neural networks, ICLR 2018 (the norm of the input Jacobian), for the sum of
        logits.
    Authors' code: none for the sum of logits.
    Weights: none.
    Fails: a baseline: its direction depends on the space.
    """
    return jnp.square(input_grads).sum(1).mean()
