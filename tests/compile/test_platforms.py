"""Programs for a platform that this machine does not have: every form where it belongs, and none of another's."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxzc
from jaxzc._compile.convolutions import rewritten
from jaxzc._compile.float64 import in_float64
from jaxzc._compile.jaxpr import flatten
from jaxzc._compile.platforms import by_platform, here, platform_of, traced_for
from jaxzc.numerics.linalg import eigenvalues
from jaxzc.scoring.space.recipe import SpaceRecipe
from jaxzc.types import InputSpec
from tests.support.one_stage import OneStage

OPERATIONS = {"cpu": "stablehlo.sine", "tpu": "stablehlo.tan", "cuda": "stablehlo.cosine", "rocm": "stablehlo.cosine"}


def three(x: jax.Array) -> jax.Array:
    return by_platform(jnp.cos, x, cpu=jnp.sin, tpu=jnp.tan)


def module(function: Any, *args: Any, platform: str) -> str:
    """The program that is exported for a platform."""
    return jax.export.export(jax.jit(function), platforms=[platform])(*args).mlir_module()


@pytest.mark.parametrize("function", [three, jax.vmap(three), lambda x: jax.lax.map(three, x), jax.jit(three)])
@pytest.mark.parametrize("platform", OPERATIONS)
def test_a_program_has_the_form_of_the_platform_it_is_lowered_for(platform: str, function: Any) -> None:
    text = module(function, jnp.ones(3), platform=platform)
    assert [name for name in set(OPERATIONS.values()) if name in text] == [OPERATIONS[platform]]
    assert "stablehlo.case" not in text


def test_here_it_is_the_form_of_this_machine() -> None:
    x = jnp.arange(3.0)
    assert here() == platform_of({"x": x}) == platform_of(()) == "cpu"
    for function in (three, jax.jit(three), jax.vmap(three), jax.jit(jax.vmap(three))):
        np.testing.assert_allclose(function(x), np.sin(x), rtol=1e-6)
    with jax.default_device("cpu"):
        assert here() == "cpu"
    several = jax.export.export(jax.jit(three), platforms=["cpu", "cuda"])(x)
    np.testing.assert_allclose(several.call(x), np.sin(x), rtol=1e-6)


def test_forms_close_over_traced_arrays_and_structures() -> None:
    def outer(x: jax.Array, y: jax.Array) -> Any:
        return by_platform(lambda x: {"sum": x + 1, "y": y}, x, cpu=lambda x: {"sum": x * y, "y": -y})

    x, y = jnp.arange(3.0), jnp.asarray(2.0)
    result = jax.jit(jax.vmap(outer, (0, None)))(x, y)
    np.testing.assert_array_equal(result["sum"], 2 * x)
    np.testing.assert_array_equal(result["y"], [-2.0] * 3)
    traced = jax.make_jaxpr(outer)(x, y)
    assert [op.name for op in flatten(traced).ops] == ["by_platform"]
    assert [[op.name for op in flatten(traced, platform).ops] for platform in ("cpu", "cuda")] == [["mul", "neg"], ["add"]]


def test_a_derivative_is_that_of_the_form() -> None:
    def loss(x: jax.Array) -> jax.Array:
        return (three(x) ** 2).sum()

    x = jnp.arange(3.0)
    np.testing.assert_allclose(jax.jit(jax.grad(loss))(x), np.sin(2 * x), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(jax.jvp(jax.grad(loss), (x,), (jnp.ones(3),))[1], 2 * np.cos(2 * x), rtol=1e-5)
    np.testing.assert_allclose(jax.vmap(jax.grad(loss))(x[:, None])[:, 0], np.sin(2 * x), rtol=1e-5, atol=1e-6)
    assert "stablehlo.tan" in module(jax.grad(loss), x, platform="tpu")
    assert "stablehlo.tan" not in module(jax.grad(loss), x, platform="cuda")


def test_a_program_that_runs_nowhere_else_has_one_form() -> None:
    x = jnp.arange(3.0)
    for platform, name in (("cpu", "sin"), ("tpu", "tan"), ("gpu", "cos")):
        with traced_for(platform):
            assert [op.name for op in flatten(jax.make_jaxpr(three)(x)).ops] == [name]
            np.testing.assert_array_equal(jax.jit(three)(x), getattr(jnp, name)(x))  # not the program that JAX has kept
    assert [op.name for op in flatten(jax.make_jaxpr(three)(x)).ops] == ["by_platform"]


def test_forms_of_different_results_are_refused() -> None:
    with pytest.raises(ValueError, match="different results"):
        by_platform(lambda x: x, jnp.ones(2), cpu=lambda x: x[:1])


def test_float64_is_not_in_a_program_for_tpus() -> None:
    x = jnp.ones((3, 3))
    assert ["f64" in module(in_float64(jnp.sum), x, platform=platform) for platform in ("cpu", "cuda", "tpu")] == [True, True, False]
    matrices = jnp.stack([x, 2 * x])
    assert ["stablehlo.while" in module(eigenvalues, matrices, platform=platform) for platform in ("cpu", "cuda")] == [True, False]


@pytest.fixture(scope="module")
def exported() -> dict[str, Any]:
    """Scores of one small network, batch 16 (from which CPUs have convolutions of their own), exported for three platforms."""
    space = OneStage(channels=4, cells=1, classes=4, inputs=InputSpec((8, 8, 3)))
    rng = np.random.default_rng(0)
    batches = (jaxzc.Batch(jnp.asarray(rng.standard_normal((16, 8, 8, 3)), jnp.float32), jnp.asarray(rng.integers(0, 4, 16))),)
    recipe = SpaceRecipe(space, jaxzc.SpaceScorer(space, batches, "grad_norm,naswot").proxies)
    draw, score = recipe.functions(())
    genes, key = jnp.asarray([3, 3, 2, 3, 1, 3], jnp.int32), jax.random.key(0)
    arguments = draw(key, genes), genes, batches, jax.random.key_data(key), jnp.float32(recipe.param_counts(np.asarray(genes)[None])[0])

    def run(params: Any, genes: Any, batches: Any, key: Any, count: Any) -> Any:
        return rewritten(score)(params, genes, batches, jax.random.wrap_key_data(key), count)

    programs = {name: jax.export.export(jax.jit(run), platforms=[name])(*arguments) for name in ("cpu", "cuda", "tpu")}
    scores = jaxzc.SpaceScorer(space, batches, "grad_norm,naswot").one(np.asarray(genes))
    return {"programs": programs, "arguments": arguments, "scores": scores}


def test_scores_of_an_export_equal_those_of_the_scorer(exported: dict[str, Any]) -> None:
    values = exported["programs"]["cpu"].call(*exported["arguments"])
    for name, score in exported["scores"].items():
        np.testing.assert_allclose(values[name], score, rtol=1e-5)


def test_an_export_for_an_accelerator_has_nothing_of_a_cpu(exported: dict[str, Any]) -> None:
    texts = {name: program.mlir_module() for name, program in exported["programs"].items()}
    assert ["lapack" in texts[name] for name in ("cpu", "cuda", "tpu")] == [True, False, False]
    assert ["f64" in texts[name] for name in ("cpu", "cuda", "tpu")] == [True, True, False]
    # A kernel's gradient is a convolution on CPUs, a matrix product elsewhere.
    assert texts["cpu"].count("stablehlo.convolution") > texts["cuda"].count("stablehlo.convolution")
