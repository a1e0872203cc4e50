"""What an edge of a DARTS cell does, in steps whose kernel size and dilation are traced.

sep_conv_3x3, sep_conv_5x5, dil_conv_3x3 and dil_conv_5x5 are all made of one step, [ReLU, depthwise, pointwise, normalisation], which a
separable convolution takes twice and a dilated one once: with a 3x3 kernel in the middle of a 5x5 one, and the dilation as an offset of
pixels, one compiled body is all four. Shapes: activations `[B, H, W, C]`; kernels `[5, 5, C]`.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import lax

from jaxzc._compile.platforms import by_platform
from jaxzc.types import Array, PyTree
from jaxzc_spaces.core.layers import normalise
from jaxzc_spaces.core.passes import Pass, Step
from jaxzc_spaces.core.pools import avg_pool, max_pool, shifted
from jaxzc_spaces.core.stacked import stack

SIZE, MARGIN = 5, 4
"""The largest kernel, and how many pixels it reaches to each side with dilation 2."""


def depthwise(x: Array, w: Array, reach: Array, dilation: Array) -> Array:
    """Depthwise convolution, stride 1, zero padding that keeps the size. w `[5, 5, C]`; reach: 1 where only its inner 3x3 is not zero, else
    2; dilation 1 or 2; both may be traced.

    A CPU runs XLA's grouped convolutions, and all gradients of convolutions in loops, naively, hence the sums; an accelerator does not."""
    return _depthwise(x, w, reach, dilation)


def grouped(x: Array, w: Array, dilation: Array) -> Array:
    """`depthwise` as XLA's grouped convolution. Negative dilation turns the kernel round."""
    w = jnp.where(dilation < 0, w[::-1, ::-1], w)

    def conv(by: int) -> Callable[[Array, Array], Array]:
        return lambda x, w: lax.conv_general_dilated(
            x,
            w[:, :, None],
            (1, 1),
            ((2 * by, 2 * by),) * 2,
            rhs_dilation=(by, by),
            feature_group_count=x.shape[-1],
            dimension_numbers=("NHWC", "HWIO", "NHWC"),
        )

    return lax.cond(jnp.abs(dilation) == 1, conv(1), conv(2), x, w)


def grouped_kernel(x: Array, ct: Array, reach: Array, dilation: Array) -> Array:
    """The cotangent `[5, 5, C]` of `grouped`'s kernel, 0 outside its reach."""
    (whole,) = jax.linear_transpose(lambda w: grouped(x, w, dilation), jax.ShapeDtypeStruct((SIZE, SIZE, x.shape[-1]), x.dtype))(ct)
    near = jnp.abs(jnp.arange(SIZE, dtype=reach.dtype) - SIZE // 2) <= reach
    return jnp.where((near[:, None] & near[None])[:, :, None], whole, 0)


@jax.custom_vjp
def _depthwise(x: Array, w: Array, reach: Array, dilation: Array) -> Array:
    """`depthwise` in the form of the platform; dilation may be negative, which turns the kernel round. With `_kernel` it is closed under
    differentiation, so that no derivative of any order is a scatter or a pad for each of 25 taps."""
    return by_platform(_grouped, x, w, reach, dilation, cpu=_taps)


def _grouped(x: Array, w: Array, _: Array, dilation: Array) -> Array:
    return grouped(x, w, dilation)


@jax.custom_vjp
def _kernel(x: Array, ct: Array, reach: Array, dilation: Array) -> Array:
    """The cotangent `[5, 5, C]` of the kernel of `_depthwise`."""
    return by_platform(grouped_kernel, x, ct, reach, dilation, cpu=_taps_kernel)


def _taps(x: Array, w: Array, reach: Array, dilation: Array) -> Array:
    """`_depthwise` as a sum of shifted images."""
    b, h, width, c = x.shape
    padded = jnp.pad(x, ((0, 0), (MARGIN, MARGIN), (MARGIN, MARGIN), (0, 0)))

    def row(i: Array, total: Array) -> Array:
        rows, weights = (
            _slice(padded, (0, MARGIN + (i - 2) * dilation, 0, 0), (b, h, width + 2 * MARGIN, c)),
            _slice(w, (i, 0, 0), (1, SIZE, c)),
        )
        moved = (_slice(rows, (0, 0, MARGIN + (j - 2) * dilation, 0), x.shape) for j in range(SIZE))
        return total + sum(part * lax.broadcast_to_rank(weights[0, j], x.ndim) for j, part in enumerate(moved))

    return lax.fori_loop(2 - reach, 3 + reach, row, jnp.zeros_like(x))


def _taps_kernel(x: Array, ct: Array, reach: Array, dilation: Array) -> Array:
    """`_kernel`, likewise."""
    b, h, width, c = x.shape
    # Columns and channels as one axis: sums over the others are as wide as the vector units, however few the channels.
    padded = jnp.pad(x, ((0, 0), (MARGIN, MARGIN), (MARGIN, MARGIN), (0, 0))).reshape(b, h + 2 * MARGIN, -1)
    ct, side = ct.reshape(b, h, -1), 2 * reach + 1

    def tap(n: Array, buffer: Array) -> Array:
        i, j = 2 - reach + n // side, 2 - reach + n % side
        moved = _slice(padded, (0, MARGIN + (i - 2) * dilation, (MARGIN + (j - 2) * dilation) * c), ct.shape)
        value = (moved * ct).sum((0, 1)).reshape(width, c).sum(0)
        return lax.dynamic_update_slice(buffer, value[None, None], _indices(i, j, 0), allow_negative_indices=False)

    return lax.fori_loop(0, side * side, tap, jnp.zeros((SIZE, SIZE, c), x.dtype))


def _slice(x: Array, start: Any, sizes: Any) -> Array:
    return lax.dynamic_slice(x, _indices(*start), sizes, allow_negative_indices=False)


def _indices(*indices: Any) -> list[Array]:
    """Of one type, which those of Python and of a plan are not in float64."""
    return [jnp.asarray(i, jnp.int32) for i in indices]


def _depthwise_bwd(saved: Any, ct: Array) -> Any:
    x, w, reach, dilation = saved
    return _depthwise(ct, w, reach, -dilation), _kernel(x, ct, reach, dilation), None, None


def _kernel_bwd(saved: Any, u: Array) -> Any:
    x, ct, reach, dilation = saved
    return _depthwise(ct, u, reach, -dilation), _depthwise(x, u, reach, dilation), None, None


_depthwise.defvjp(lambda *args: (_depthwise(*args), args), _depthwise_bwd)
_kernel.defvjp(lambda *args: (_kernel(*args), args), _kernel_bwd)


class Inputs(NamedTuple):
    """What a step may read. x: its source `[B, H, W, C]`; full: in reduction cells, its source of twice the size (else None).

    arguments: `steps`, of this step: `dw3 [3, 3, 1, C]`, `dw5 [5, 5, 1, C]`, `pw [1, 1, C, C]`, `bn`, a scale and a bias `[C]` (or None),
    and `perturb`, of the layers with these kernels (or None); `edges`, of its edge: `fr [2, 1, 1, C, C / 2]` and its `perturb`."""

    x: Array
    full: Array | None
    arguments: PyTree


Branch = Callable[[Inputs, Array, Array], tuple[Array, dict[str, Any]]]
"""(inputs, reach, dilation) -> output, and what taps kept by the name of the slot."""


def branches(p: Pass, reduction: bool) -> list[Branch]:
    """Maximum, mean, identity and convolution step; in reduction cells, then the same with stride 2 on `full`."""

    def halved(x: Array) -> Array:
        return x[:, ::2, ::2]

    def normalised(q: Step, x: Array, bn: Any) -> Array:
        x = q.normalising("bn", x)
        scale, bias = (jnp.ones_like(x[0, 0, 0]), jnp.zeros_like(x[0, 0, 0])) if bn is None else bn
        return normalise(x, scale, bias, p.norm)

    def convolution(strided: bool) -> Branch:
        def run(step_inputs: Inputs, reach: Array, dilation: Array) -> Any:
            own, x = step_inputs.arguments["steps"], step_inputs.full if strided else step_inputs.x
            assert x is not None
            wide = reach == 2
            small = jnp.pad(own["dw3"], ((1, 1), (1, 1), (0, 0), (0, 0)))
            perturb = own["perturb"]
            if perturb is not None:
                by_size = jax.tree.map(lambda a, b: jnp.where(wide, b, a), perturb["dw3"], perturb["dw5"])
                perturb = {"dw": by_size, "pw": perturb["pw"]}
            q = p.step(perturb)
            x = jax.nn.relu(q.activating("full_relu" if strided else "relu", x))
            y = depthwise(x, jnp.where(wide, own["dw5"], small)[:, :, 0], reach, dilation)
            y = q.layer("dw", halved(y) if strided else y)
            y = q.layer("pw", y @ own["pw"][0, 0])
            return normalised(q, y, own["bn"]), q.records()

        return run

    def factorised(step_inputs: Inputs, *_: Any) -> Any:
        edge = step_inputs.arguments["edges"]
        perturb = edge["perturb"]
        q = p.step(None if perturb is None else {f"fr{k}": jax.tree.map(lambda a, k=k: a[k], perturb) for k in range(2)})
        assert step_inputs.full is not None
        x = jax.nn.relu(q.activating("full_relu", step_inputs.full))
        halves = [q.layer(f"fr{k}", halved(a) @ edge["fr"][k, 0, 0]) for k, a in enumerate((x, shifted(x)))]
        out, records = normalised(q, jnp.concatenate(halves, -1), step_inputs.arguments["steps"]["bn"]), q.records()
        if q.layers:
            records["fr"] = stack([records.pop("fr0"), records.pop("fr1")])
        return out, records

    choices: list[Branch] = [
        lambda step_inputs, *_: (max_pool(step_inputs.x, 3), {}),
        lambda step_inputs, *_: (avg_pool(step_inputs.x, 3), {}),
        lambda step_inputs, *_: (step_inputs.x, {}),
        convolution(False),
    ]
    if reduction:
        choices += [
            lambda step_inputs, *_: (max_pool(step_inputs.full, 3, 2), {}),
            lambda step_inputs, *_: (avg_pool(step_inputs.full, 3, 2), {}),
            factorised,
            convolution(True),
        ]
    return choices
