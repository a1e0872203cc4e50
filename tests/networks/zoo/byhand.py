"""The scores of a network in a few lines of plain JAX, in float64, by the model's own code: nothing of jaxzc is used."""

from contextlib import ExitStack
from typing import Any
from unittest.mock import patch

import jax
import jax.numpy as jnp
import numpy as np
from flax import linen as nn
from flax import nnx

from tests.networks.zoo.case import Case

NORMS = (nn.BatchNorm, nn.LayerNorm, nn.GroupNorm, nn.RMSNorm)


def double(tree: Any) -> Any:
    return jax.tree.map(lambda leaf: jnp.asarray(leaf, jnp.float64) if jnp.issubdtype(leaf.dtype, jnp.floating) else leaf, tree)


def names(tree: Any) -> list[str]:
    return [jax.tree_util.keystr(path) for path, _ in jax.tree_util.tree_leaves_with_path(tree)]


def without(norms: bool = False, embedded: Any = None) -> Any:
    """Linen's dropout switched off, on wish its normalisation taken out, and what every embedding returns changed."""

    def intercept(call: Any, args: Any, kwargs: Any, context: Any) -> Any:
        norm = isinstance(context.module, NORMS) or hasattr(context.module, "normalises")
        if context.method_name == "__call__" and (isinstance(context.module, nn.Dropout) or (norms and norm)):
            return args[0]
        result = call(*args, **kwargs)
        return embedded(result) if embedded and context.method_name == "__call__" and isinstance(context.module, nn.Embed) else result

    return nn.intercept_methods(intercept)


def total(outputs: Any) -> Any:
    return sum(leaf.sum() for leaf in jax.tree.leaves(outputs) if jnp.issubdtype(leaf.dtype, jnp.floating))


def kernels(case: Case, tree: Any) -> list[Any]:
    leaves = zip(names(tree), jax.tree.leaves(tree), strict=True)
    chosen = [(name, leaf) for name, leaf in leaves if leaf.ndim > 1 and any(part in name for part in case.kernels)]
    return [kernel for name, leaf in chosen for kernel in (leaf if "stack" in name else [leaf])]


def snip_and_norms(case: Case) -> dict[str, float]:
    """Must run with `jax_enable_x64` on, as the others."""
    learned, inputs = double(case.learned), double(case.inputs)

    @jax.jit
    def gradient(learned: Any) -> Any:
        with without():
            return jax.grad(lambda p: case.loss(case.apply(p, inputs), double(case.targets)))(learned)

    pairs = list(zip(kernels(case, learned), kernels(case, gradient(learned)), strict=True))
    return {
        "params": float(sum(leaf.size for leaf in jax.tree.leaves(learned))),
        "l2_norm": float(sum(np.linalg.norm(w) for w, _ in pairs)),
        "grad_norm": float(sum(np.linalg.norm(g) for _, g in pairs)),
        "snip": float(sum(np.abs(w * g).sum() for w, g in pairs)),
    }


def synflow(case: Case) -> float:
    """All parameters positive, one example of ones (of integers: embeddings of ones), normalisation taken out."""
    learned = jax.tree.map(jnp.abs, double(case.learned))
    one = jax.tree.map(lambda leaf: jnp.asarray(leaf[:1]), case.inputs)
    ones = jax.tree.map(lambda leaf: jnp.ones(leaf.shape, jnp.float64) if jnp.issubdtype(leaf.dtype, jnp.floating) else leaf, one)

    @jax.jit
    def gradient(learned: Any) -> Any:
        with ExitStack() as stack:
            stack.enter_context(without(norms=True, embedded=jnp.ones_like))
            for norm in (nnx.BatchNorm, nnx.LayerNorm):
                stack.enter_context(patch.object(norm, "__call__", lambda _, x: x))
            return jax.grad(lambda p: total(case.apply(p, ones)))(learned)

    return float(sum(np.abs(w * g).sum() for w, g in zip(kernels(case, learned), kernels(case, gradient(learned)), strict=True)))


def jacob_cov(case: Case) -> float:
    """Of the gradients with respect to one array of floats, or to what the only embedding returns."""
    learned, inputs = double(case.learned), double(case.inputs)
    floats = not isinstance(inputs, tuple | dict) and jnp.issubdtype(inputs.dtype, jnp.floating)

    @jax.jit
    def gradient(learned: Any) -> Any:
        if floats:
            with without():
                return jax.grad(lambda both: total(case.apply(*both)))((learned, inputs))[1]
        shapes: list[Any] = []
        with without(embedded=lambda e: shapes.append(e.shape) or e):
            jax.eval_shape(lambda: case.apply(learned, inputs))

        def moved(by: Any) -> Any:
            with without(embedded=lambda e: e + by):
                return total(case.apply(learned, inputs))

        return jax.grad(moved)(jnp.zeros(shapes[0], jnp.float64))

    values = np.linalg.eigvalsh(np.corrcoef(np.asarray(gradient(learned)).reshape(len(jax.tree.leaves(inputs)[0]), -1)))
    return float(-(np.log(values + 1e-5) + 1 / (values + 1e-5)).sum())


def naswot(case: Case) -> float:
    """Of the inputs of every `nn.relu` and `nn.leaky_relu`."""
    learned, inputs = double(case.learned), double(case.inputs)

    @jax.jit
    def inputs_of_relus(learned: Any) -> list[Any]:
        seen: list[Any] = []
        with without(), ExitStack() as stack:
            for name in ("relu", "leaky_relu"):
                original = getattr(jax.nn, name)
                stack.enter_context(patch.object(nn, name, lambda x, original=original: seen.append(x) or original(x)))
            case.apply(learned, inputs)
        return seen

    codes = [np.asarray(x > 0).reshape(len(x), -1).astype(float) for x in inputs_of_relus(learned)]
    code = np.concatenate(codes, 1)
    return float(np.linalg.slogdet(code @ code.T + (1 - code) @ (1 - code).T)[1])
