"""The operations of a cell's edge, chosen by an integer inside one compiled program, and their derivatives of every order.

An edge maps its source node `x` (and `r = relu(x)`, shared by the edges that leave the node) to one of
`[0, x, conv1x1(r), conv3x3(r), avg_pool3x3(x)]`. Differentiating `lax.switch` from outside saves the residuals of all branches, and XLA's
CPU compiler leaves convolution gradients inside loops and branches on a path 30 to 100 times slower than a convolution. So the
derivatives are written out as three maps that are closed under differentiation, each with a switch of its own:

    value(op, x, r, w)        the edge's output; linear in (x, r), and in w
    pull_nodes(op, w, ct)     cotangents of (x, r)
    pull_kernels(op, r, ct)   cotangents of w

With a Python int for `op` (a discrete network) the branch is chosen while tracing and JAX differentiates it as it stands.
Shapes: x, r, ct `[B, H, W, C]`; w = (`[1, 1, C, C]`, `[3, 3, C, C]`), HWIO.
"""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

Array = jax.Array
Kernels = tuple[Array, Array]

NONE, SKIP, CONV1, CONV3, POOL = range(5)


def conv1x1(x: Array, w: Array) -> Array:
    return x @ w[0, 0]


def conv3x3_stride2(x: Array, w: Array) -> Array:
    """3x3 convolution with stride 2 and PyTorch's symmetric padding (1, 1), as one matrix product over gathered patches: its gradients
    are matrix products too, fast wherever they are compiled. H and W even."""
    _, h, width, _ = x.shape
    padded = jnp.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)))
    patches = [padded[:, i : i + h : 2, j : j + width : 2] for i in range(3) for j in range(3)]
    return jnp.concatenate(patches, axis=-1) @ w.reshape(-1, w.shape[-1])


def mean_pool2x2(x: Array) -> Array:
    b, h, width, c = x.shape
    return x.reshape(b, h // 2, 2, width // 2, 2, c).mean((2, 4))


def _flipped(w: Array) -> Array:
    return w[::-1, ::-1].swapaxes(2, 3)


@jax.custom_vjp
def conv3x3(x: Array, w: Array) -> Array:
    """3x3 convolution, stride 1, one pixel of zero padding, NHWC/HWIO, with its gradients written as convolution and matrix product."""
    return lax.conv_general_dilated(x, w, (1, 1), ((1, 1), (1, 1)), dimension_numbers=("NHWC", "HWIO", "NHWC"))


@jax.custom_vjp
def conv3x3_kernel(x: Array, ct: Array) -> Array:
    """The cotangent `[3, 3, C, D]` of conv3x3's kernel: all nine taps as one matrix product, three column shifts of x against three row
    shifts of ct, no FLOP wasted."""
    c, d, w = x.shape[-1], ct.shape[-1], x.shape[2]
    x = jnp.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)))
    columns = jnp.concatenate([x[:, :, j : j + w] for j in range(3)], axis=-1)
    rows = jnp.concatenate([jnp.pad(ct, ((0, 0), (i, 2 - i), (0, 0), (0, 0))) for i in range(3)], axis=-1)
    taps = jnp.einsum("byxc,byxd->cd", columns, rows)
    return taps.reshape(3, c, 3, d).transpose(2, 0, 1, 3)


conv3x3.defvjp(lambda x, w: (conv3x3(x, w), (x, w)), lambda xw, ct: (conv3x3(ct, _flipped(xw[1])), conv3x3_kernel(xw[0], ct)))
conv3x3_kernel.defvjp(
    lambda x, ct: (conv3x3_kernel(x, ct), (x, ct)),
    lambda xct, u: (conv3x3(xct[1], _flipped(u)), conv3x3(xct[0], u)),
)


def _conv1x1_kernel(x: Array, ct: Array) -> Array:
    return jnp.einsum("bhwc,bhwd->cd", x, ct)[None, None]


def _box_sum(x: Array) -> Array:
    # Shifted sums: reduce_window on cotangents that are known zeros sends XLA into minutes of constant folding.
    h, w = x.shape[1:3]
    x = jnp.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)))
    x = x[:, 0:h] + x[:, 1 : h + 1] + x[:, 2 : h + 2]
    return x[:, :, 0:w] + x[:, :, 1 : w + 1] + x[:, :, 2 : w + 2]


def _window_sizes(x: Array) -> np.ndarray:
    """How many pixels of each 3x3 window lie inside the image, `[1, H, W, 1]`."""
    inside = [3.0 - (np.arange(n) == 0) - (np.arange(n) == n - 1) for n in x.shape[1:3]]
    return np.multiply.outer(*inside)[None, :, :, None].astype(x.dtype)


def avg_pool3x3(x: Array) -> Array:
    """3x3 average pooling, stride 1; padding is not counted."""
    return _box_sum(x) / _window_sizes(x)


_VALUE = (
    lambda x, r, w: jnp.zeros_like(x),
    lambda x, r, w: x,
    lambda x, r, w: conv1x1(r, w[0]),
    lambda x, r, w: conv3x3(r, w[1]),
    lambda x, r, w: avg_pool3x3(x),
)
_PULL_NODES = (
    lambda w, ct: (jnp.zeros_like(ct), jnp.zeros_like(ct)),
    lambda w, ct: (ct, jnp.zeros_like(ct)),
    lambda w, ct: (jnp.zeros_like(ct), conv1x1(ct, w[0].swapaxes(2, 3))),
    lambda w, ct: (jnp.zeros_like(ct), conv3x3(ct, _flipped(w[1]))),
    lambda w, ct: (_box_sum(ct / _window_sizes(ct)), jnp.zeros_like(ct)),
)


def _no_kernels(r: Array, ct: Array) -> Kernels:
    c, d = r.shape[-1], ct.shape[-1]
    return jnp.zeros((1, 1, c, d), ct.dtype), jnp.zeros((3, 3, c, d), ct.dtype)


_PULL_KERNELS = (
    _no_kernels,
    _no_kernels,
    lambda r, ct: (_conv1x1_kernel(r, ct), _no_kernels(r, ct)[1]),
    lambda r, ct: (_no_kernels(r, ct)[0], conv3x3_kernel(r, ct)),
    _no_kernels,
)


@jax.custom_vjp
def _value(op: Array, x: Array, r: Array, w: Kernels) -> Array:
    return lax.switch(op, _VALUE, x, r, w)


@jax.custom_vjp
def _pull_nodes(op: Array, w: Kernels, ct: Array) -> tuple[Array, Array]:
    return lax.switch(op, _PULL_NODES, w, ct)


@jax.custom_vjp
def _pull_kernels(op: Array, r: Array, ct: Array) -> Kernels:
    return lax.switch(op, _PULL_KERNELS, r, ct)


def _value_bwd(residuals: Any, ct: Array) -> Any:
    op, r, w = residuals
    return (None, *_pull_nodes(op, w, ct), _pull_kernels(op, r, ct))


def _pull_nodes_bwd(residuals: Any, cotangents: tuple[Array, Array]) -> Any:
    op, w, ct = residuals
    u, v = cotangents
    return None, _pull_kernels(op, v, ct), _value(op, u, v, w)


def _pull_kernels_bwd(residuals: Any, u: Kernels) -> Any:
    op, r, ct = residuals
    return None, _pull_nodes(op, u, ct)[1], _value(op, jnp.zeros_like(r), r, u)


_value.defvjp(lambda op, x, r, w: (_value(op, x, r, w), (op, r, w)), _value_bwd)
_pull_nodes.defvjp(lambda op, w, ct: (_pull_nodes(op, w, ct), (op, w, ct)), _pull_nodes_bwd)
_pull_kernels.defvjp(lambda op, r, ct: (_pull_kernels(op, r, ct), (op, r, ct)), _pull_kernels_bwd)


def value(op: int | Array, x: Array, r: Array, w: Kernels) -> Array:
    """The edge's output `[B, H, W, C]` for operation `op`: a Python int or an int32 scalar."""
    return _VALUE[op](x, r, w) if isinstance(op, int) else _value(op, x, r, w)
