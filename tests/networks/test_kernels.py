"""Which parameters are kernels of layers, and what is multiplied and accumulated: closed formulas and plain JAX."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import linen as nn

import jaxzc
from jaxzc.networks import as_network

N, IN, RANK, OUT, CLASSES = 4, 6, 2, 5, 3
RNG = np.random.default_rng(0)
X = RNG.normal(size=(N, IN)).astype(np.float32)
Y = np.array([1, 0, 2, 1])
PARAMS = {
    "w": RNG.normal(size=(IN, OUT)).astype(np.float32),
    "a": RNG.normal(size=(IN, RANK)).astype(np.float32),
    "b": RNG.normal(size=(RANK, OUT)).astype(np.float32),
    "head": RNG.normal(size=(OUT, CLASSES)).astype(np.float32),
}
ADAPTED = {
    "beside": lambda p, x: x @ p["w"] + x @ p["a"] @ p["b"],
    "merged": lambda p, x: x @ (p["w"] + p["a"] @ p["b"]),
    "product": lambda p, x: x @ p["w"] + x @ (p["a"] @ p["b"]),
    "scaled": lambda p, x: x @ (p["w"] + 0.5 * (p["b"].T @ p["a"].T).T),
}


def close(value: float, right: Any) -> None:
    assert value == pytest.approx(right, rel=1e-5)


def cross_entropy(logits: Any, labels: Any) -> Any:
    return -jnp.take_along_axis(jax.nn.log_softmax(logits), labels[:, None], 1).mean()


@pytest.mark.parametrize("form", ADAPTED)
def test_every_factor_of_a_product_of_parameters_is_a_kernel(form: str) -> None:
    def model(p: Any, x: Any) -> Any:
        return jnp.tanh(ADAPTED[form](p, x)) @ p["head"]

    grads = jax.grad(lambda p: cross_entropy(model(p, X), Y))(PARAMS)
    network, _ = as_network(model, PARAMS, X)
    groups = {group.name: (group.kernel, group.fan_in, group.channels) for group in network.groups}
    assert groups == {name: (leaf.shape, *leaf.shape) for name, leaf in PARAMS.items()}
    scores = jaxzc.score(model, PARAMS, (X, Y), ["snip", "l2_norm", "layers", "flops"])
    close(scores["snip"], sum(np.abs(PARAMS[name] * grads[name]).sum() for name in PARAMS))
    close(scores["l2_norm"], sum(np.linalg.norm(leaf) for leaf in PARAMS.values()))
    assert scores["layers"] == 4
    products = {"beside": IN * RANK + RANK * OUT, "product": IN * OUT}  # two matrices of one network are multiplied once for all examples
    assert scores["flops"] == IN * OUT + products.get(form, 0) + OUT * CLASSES


def test_activations_of_a_merged_kernel_are_refused_in_a_sentence() -> None:
    def model(p: Any, x: Any) -> Any:
        return jnp.tanh(ADAPTED["merged"](p, x)) @ p["head"]

    with pytest.warns(jaxzc.UnavailableWarning):
        scores = jaxzc.score(model, PARAMS, (X, Y), ["fisher", "grad_norm"])
    assert "has a kernel made of several parameters" in scores.reasons["fisher"]
    assert "grad_norm" not in scores.reasons


def test_learned_queries_are_a_kernel_and_a_single_one_is_a_vector() -> None:
    class Pooled(nn.Module):
        queries: int

        @nn.compact
        def __call__(self, x: Any) -> Any:
            probe = self.param("probe", nn.initializers.normal(1.0), (self.queries, OUT))
            keys, values = nn.Dense(OUT, name="k")(x), nn.Dense(OUT, name="v")(x)
            weights = nn.softmax(jnp.einsum("qd,ntd->nqt", nn.Dense(OUT, name="q")(probe), keys))
            return nn.Dense(CLASSES, name="head")(jnp.einsum("nqt,ntd->nqd", weights, values).mean(1))

    tokens = RNG.normal(size=(N, 7, IN)).astype(np.float32)
    for queries, names in ((1, {"k", "v", "q", "head"}), (2, {"k", "v", "q", "head", "probe"})):
        model = Pooled(queries)
        variables = model.init(jax.random.key(0), tokens)
        groups = as_network(model, variables, tokens)[0].groups
        assert {group.name.removesuffix("/kernel") for group in groups} == names
        assert {group.name: group.fan_in for group in groups}["q/kernel"] == OUT
        counts = jaxzc.score(model, variables, (tokens, Y), ["flops", "flops(of='all')"])
        layers = 7 * (2 * IN * OUT + queries * OUT) + OUT * CLASSES
        assert counts == {"flops": layers, "flops(of='all')": layers + queries * 7 * OUT}


def _flops(function: Any, *arguments: Any) -> float:
    analysis: Any = jax.jit(function).lower(*arguments).compile().cost_analysis()
    return analysis["flops"]


def test_attention_is_among_all_multiply_accumulates_as_xla_counts_them() -> None:
    """Linear attention (no softmax), of which XLA counts nothing but products."""
    steps, width, heads = 6, 8, 2

    def model(p: Any, x: Any) -> Any:
        q, k, v = (jnp.einsum("ntd,dhe->nthe", x, p[name]) for name in "qkv")
        mixed = jnp.einsum("nhts,nshe->nthe", jnp.einsum("nthe,nshe->nhts", q, k), v)
        return jnp.einsum("nthe,hec->nc", mixed, p["o"])

    each = (width, heads, width // heads)
    params = {name: RNG.normal(size=each).astype(np.float32) for name in "qkv"} | {"o": np.ones((heads, width // heads, 3), np.float32)}
    tokens = RNG.normal(size=(N, steps, width)).astype(np.float32)
    scores = jaxzc.score(model, params, (tokens, Y), ["flops", "flops(of='all')"])
    layers = 3 * steps * width * width + 3 * width
    assert scores["flops"] == layers
    assert scores["flops(of='all')"] == layers + 2 * steps * steps * width
    # what is left over is the sum over the steps, which XLA takes first
    assert _flops(model, params, tokens) == pytest.approx(2 * N * scores["flops(of='all')"], abs=N * steps * width)


def test_transposed_convolutions_and_products_with_constants() -> None:
    ring = jnp.eye(5) + jnp.roll(jnp.eye(5), 1, 0)

    def model(p: Any, x: Any) -> Any:
        up = jax.lax.conv_transpose(x, p["up"], (2, 2), "VALID", dimension_numbers=("NHWC", "HWIO", "NHWC"))
        nodes = jnp.einsum("ij,njc->nic", ring, up.reshape(len(x), -1, 4)[:, :5])
        return nodes.mean(1) @ p["head"]

    images = RNG.normal(size=(N, 3, 3, 2)).astype(np.float32)
    params = {"up": RNG.normal(size=(2, 2, 2, 4)).astype(np.float32), "head": RNG.normal(size=(4, 3)).astype(np.float32)}
    scores = jaxzc.score(model, params, (images, Y), ["flops", "flops(of='all')"])
    layers = 9 * 2 * 2 * 2 * 4 + 12
    assert scores == {"flops": layers, "flops(of='all')": layers + 5 * 5 * 4}
    with pytest.raises(jaxzc.JaxzcError, match="expected 'layers' or 'all'"):
        jaxzc.score(model, params, (images, Y), "flops(of='most')", unavailable="error")


def test_a_stack_in_a_loop_is_drawn_as_the_unrolled_one() -> None:
    """Two kernels for each step: the stacks' numbers come in the order of execution, as those of single layers do."""

    def step(x: Any, one: Any) -> tuple[Any, None]:
        return jax.nn.relu(x @ one["a"]) @ one["b"], None

    def scanned(p: Any, x: Any) -> Any:
        return jax.lax.scan(step, x @ p["stem"], p["steps"])[0] @ p["head"]

    def unrolled(p: Any, x: Any) -> Any:
        x = x @ p["stem"]
        for one in p["steps"]:
            x = step(x, one)[0]
        return x @ p["head"]

    def kernel(*shape: int) -> Any:
        return RNG.normal(size=shape).astype(np.float32)

    params = {"stem": kernel(IN, 4), "steps": {"a": kernel(3, 4, 5), "b": kernel(3, 5, 4)}, "head": kernel(4, CLASSES)}
    single = {**params, "steps": [{name: leaf[n] for name, leaf in params["steps"].items()} for n in range(3)]}
    places = {group.name: group.places for group in as_network(scanned, params, X)[0].groups}
    assert places == {"stem": (0,), "steps/a": (1, 3, 5), "steps/b": (2, 4, 6), "head": (7,)}
    scores = [jaxzc.score(*model, (X, Y), ["vkdnw", "swap"]) for model in ((scanned, params), (unrolled, single))]
    assert scores[0] == pytest.approx(scores[1], rel=1e-4)


def test_every_draw_and_record_of_a_stack_in_a_loop_is_that_of_the_unrolled_one() -> None:
    """Rematerialised, with batch normalisation, on images: samples of channels, redrawn kernels, codes and gates."""

    def conv(x: Any, w: Any) -> Any:
        return jax.lax.conv_general_dilated(x, w, (1, 1), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC"))

    def step(x: Any, w: Any) -> tuple[Any, None]:
        h = conv(x, w)
        return x + jax.nn.relu((h - h.mean((0, 1, 2))) * jax.lax.rsqrt(h.var((0, 1, 2)) + 1e-5)), None

    def scanned(p: Any, x: Any) -> Any:
        return jax.lax.scan(jax.checkpoint(step), conv(x, p["stem"]), p["steps"])[0].mean((1, 2)) @ p["head"]

    def unrolled(p: Any, x: Any) -> Any:
        x = conv(x, p["stem"])
        for w in p["steps"]:
            x = step(x, w)[0]
        return x.mean((1, 2)) @ p["head"]

    shapes = {"stem": (1, 1, 3, 12), "steps": (2, 1, 1, 12, 12), "head": (12, CLASSES)}
    params = {name: RNG.normal(size=shape).astype(np.float32) for name, shape in shapes.items()}
    images = RNG.normal(size=(N, 4, 4, 3)).astype(np.float32)
    proxies = ["meco_opt(size=8)", "meco(size=8)", "vkdnw", "naswot", "fisher", "synflow", "lnwot"]
    every = [jaxzc.score(*one, (images, Y), proxies) for one in ((scanned, params), (unrolled, {**params, "steps": list(params["steps"])}))]
    assert every[0] == pytest.approx(every[1], rel=1e-4)
    assert not every[0].reasons


def test_rows_that_choose_their_kernels_meet_layers() -> None:
    """Three experts in one array, as `lax.ragged_dot` takes them."""
    params = {"experts": RNG.normal(size=(3, IN, OUT)).astype(np.float32), "head": PARAMS["head"]}
    sizes = jnp.array([1, 2, 1], jnp.int32)

    def model(p: Any, x: Any) -> Any:
        return jnp.tanh(jax.lax.ragged_dot(x, p["experts"], sizes)) @ p["head"]

    def by_hand(p: Any) -> Any:
        return cross_entropy(jnp.tanh(jnp.einsum("ni,nio->no", X, p["experts"][np.array([0, 1, 1, 2])])) @ p["head"], Y)

    scores = jaxzc.score(model, params, (X, Y), ["snip", "layers", "flops"])
    grads = jax.grad(by_hand)(params)
    close(scores["snip"], sum(float(np.abs(params[name] * grads[name]).sum()) for name in params))
    assert (scores["layers"], scores["flops"]) == (2, IN * OUT + OUT * CLASSES)


def test_layers_that_are_hidden_are_an_error() -> None:
    mesh = jax.sharding.Mesh(np.array(jax.devices()[:1]), ("b",))
    rows, whole = jax.sharding.PartitionSpec("b"), jax.sharding.PartitionSpec()

    def model(p: Any, x: Any) -> Any:
        mapped = jax.shard_map(lambda w, x: jnp.tanh(x @ w), mesh=mesh, in_specs=(whole, rows), out_specs=rows)
        return mapped(p["w"], x) @ p["head"]

    with pytest.raises(jaxzc.JaxzcError, match="the model runs shard_map, and layers inside of it are not read: score the function"):
        as_network(model, PARAMS, X)


def test_complex_kernels() -> None:
    """Sizes are moduli; what they give has no signs, so that proxies of codes have no score."""
    params = {"c": (RNG.normal(size=(IN, OUT)) + 1j * RNG.normal(size=(IN, OUT))).astype(np.complex64), "head": PARAMS["head"]}

    def model(p: Any, x: Any) -> Any:
        return (jnp.fft.fft(x) @ p["c"]).real @ p["head"]

    with pytest.warns(jaxzc.UnavailableWarning):
        scores = jaxzc.score(model, params, (X, Y), ["l2_norm", "snip", "synflow", "lnwot"])
    grads = jax.grad(lambda p: cross_entropy(model(p, X), Y))(params)
    close(scores["l2_norm"], sum(np.linalg.norm(params[name]) for name in params))
    close(scores["snip"], sum(float(np.abs(params[name] * grads[name]).sum()) for name in params))
    positive = {name: np.abs(value).astype(value.dtype) for name, value in params.items()}
    flow = jax.grad(lambda p: model(p, jnp.ones((1, IN))).sum())(positive)
    close(scores["synflow"], sum(float(np.abs(positive[name] * flow[name]).sum()) for name in params))
    assert "the output of layer c is complex, and has no signs" in scores.reasons["lnwot"]
