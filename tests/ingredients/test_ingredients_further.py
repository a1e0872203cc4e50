"""Ingredients of the proxies beyond the founding ones, against dense derivatives and counts by hand."""

import inspect
from collections import OrderedDict
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jaxzc_spaces.nasbench201.space import NasBench201

import jaxzc
from jaxzc.ingredients.distinct import distinct, hashed
from jaxzc.networks import as_network
from jaxzc.scoring.compute import compute_scores
from jaxzc.tasks import cross_entropy
from jaxzc.types import Batch, InputSpec, JaxzcError, Tap
from tests.support.one_stage import OneStage

RNG = np.random.default_rng(0)
PARAMS = {
    "a": {"kernel": RNG.normal(size=(5, 6)).astype(np.float32), "bias": RNG.normal(size=6).astype(np.float32)},
    "b": {"kernel": RNG.normal(size=(6, 3)).astype(np.float32), "bias": np.zeros(3, np.float32)},
}
BATCH = Batch(RNG.normal(size=(7, 5)).astype(np.float32), np.array([0, 1, 2, 0, 1, 2, 0]))


def model(params: Any, x: Any) -> Any:
    hidden = jax.nn.relu(x @ params["a"]["kernel"] + params["a"]["bias"][None])
    return hidden @ params["b"]["kernel"] + params["b"]["bias"][None]


def make(names: str, given: Any = None, key: Any = None) -> dict[str, Any]:
    """Ingredients of the small network by name, in one compiled program."""
    network, params = as_network(model, PARAMS, BATCH.inputs)
    proxies: dict[str, Any] = {}
    for name in names.split():

        def proxy(value: Any) -> Any:
            return value

        proxy.__signature__ = inspect.Signature([inspect.Parameter(name, inspect.Parameter.POSITIONAL_OR_KEYWORD)])  # type: ignore[attr-defined]
        proxies[name] = proxy

    def scores(params: Any, batch: Batch, given: Any, key: Any) -> dict[str, Any]:
        return compute_scores(proxies, network, params, (batch,), key=key, fixed=given, unavailable="error")

    return jax.jit(scores)(params, BATCH, given, key)


def test_ntk_is_the_gram_matrix_of_the_jacobian_without_biases() -> None:
    jacobian = jax.jit(jax.jacrev(lambda p: model(p, BATCH.inputs).sum(1)))(PARAMS)
    rows = np.concatenate([np.reshape(jacobian[layer]["kernel"], (7, -1)) for layer in "ab"], axis=1)
    made = make("ntk ntk_init")
    np.testing.assert_allclose(made["ntk"], rows @ rows.T, rtol=1e-4)
    np.testing.assert_allclose(made["ntk_init"], rows @ rows.T, rtol=1e-4)


def test_unit_mean() -> None:
    def loss(kernels: Any, inputs: Any, targets: Any) -> Any:
        params = {layer: {**PARAMS[layer], "kernel": kernels[layer]} for layer in "ab"}
        return cross_entropy(model(params, inputs), targets)

    gradient, kernels = jax.jit(jax.grad(loss)), {layer: PARAMS[layer]["kernel"] for layer in "ab"}
    rows = [gradient(kernels, BATCH.inputs[n : n + 1], BATCH.targets[n : n + 1]) for n in range(7)]
    rows = np.stack([np.concatenate([np.ravel(r["a"]), np.ravel(r["b"])]) for r in rows])
    expected = (rows / np.linalg.norm(rows, axis=1, keepdims=True)).mean(0)
    made = np.concatenate([np.ravel(m) for m in make("unit_mean")["unit_mean"]])
    np.testing.assert_allclose(made, expected, rtol=1e-4, atol=1e-6)


def test_swap_and_region_counts() -> None:
    params = jax.tree.map(lambda a: np.stack([a, -a]), PARAMS)
    given = {"swap_params": params, "region_params": PARAMS, "region_images": np.stack([BATCH.inputs, BATCH.inputs[::-1]])}
    made = make("swap_counts region_count", given)
    for p, count in zip((PARAMS, jax.tree.map(np.negative, PARAMS)), made["swap_counts"], strict=True):
        code = BATCH.inputs @ p["a"]["kernel"] + p["a"]["bias"] > 0
        assert count == len(np.unique(code.T, axis=0))
    code = BATCH.inputs @ PARAMS["a"]["kernel"] + PARAMS["a"]["bias"] > 0
    assert made["region_count"] == len(np.unique(code, axis=0))
    with pytest.raises(JaxzcError, match=r"swap_counts: swap_images holds 17 images: give at most 16"):
        make("swap_counts", {"swap_images": np.zeros((17, 5), np.float32)})


def test_hashes_tell_codes_apart() -> None:
    code = RNG.integers(0, 2, (500, 40)).astype(bool)
    code[300:] = code[:200]
    made = hashed(jnp.asarray(code))
    assert made.dtype == jnp.uint32
    assert len(np.unique(made, axis=0)) == len(np.unique(code, axis=0)) == distinct(made)


def test_layer_fisher_is_that_of_one_weight_of_every_kernel() -> None:
    images = RNG.normal(size=(4, 5)).astype(np.float32)

    def logits(shift: Any, image: Any) -> Any:
        params = {
            layer: {**PARAMS[layer], "kernel": jnp.asarray(PARAMS[layer]["kernel"]).at[0, 0].add(shift[i])} for i, layer in enumerate("ab")
        }
        return model(params, image[None])[0]

    expected = np.zeros((2, 2))
    both = jax.jit(lambda image: (jax.jacrev(logits)(jnp.zeros(2), image), jax.nn.softmax(logits(jnp.zeros(2), image))))
    for image in images:
        jacobian, p = (np.asarray(a, np.float64) for a in both(image))
        p = p * 0.95 + 0.05 / 3
        expected += jacobian.T @ (np.diag(p) - np.outer(p, p)) @ jacobian / 4
    made = make("layer_fisher", {"vkdnw_params": PARAMS, "vkdnw_images": images})
    np.testing.assert_allclose(made["layer_fisher"], expected, rtol=1e-4)


def test_what_is_drawn_depends_on_the_key_and_can_be_given() -> None:
    one, again, other = (make("zen_images zen_noise", key=jax.random.key(k)) for k in (1, 1, 2))
    for name in one:
        np.testing.assert_array_equal(one[name], again[name])
        assert np.abs(one[name] - other[name]).max() > 0.1
    assert np.abs(one["zen_images"] - one["zen_noise"]).max() > 0.1
    images = np.ones((2, 5), np.float32)
    np.testing.assert_array_equal(make("zen_images", {"zen_images": images})["zen_images"], images)
    with pytest.raises(JaxzcError, match="unknown ingredient 'zen_image': did you mean 'zen_images'"):
        make("zen_noise", {"zen_image": images})


def test_redrawn_parameters() -> None:
    drawn = make("az_params zen_params swap_params")
    for params in (drawn["az_params"], drawn["zen_params"]):
        assert np.abs(params["a"]["bias"]).max() == 0
        assert np.abs(params["a"]["kernel"] - PARAMS["a"]["kernel"]).max() > 0.1
    assert drawn["swap_params"]["a"]["kernel"].shape == (8, 5, 6)


@pytest.mark.parametrize(("proxy", "what"), [("az_expressivity", "map_entropies"), ("zen", "zen_variances")])
def test_networks_without_cells_or_normalisation_say_so(proxy: str, what: str) -> None:
    images = RNG.normal(size=(4, 5)).astype(np.float32)
    with pytest.raises(JaxzcError, match=rf"^{proxy}: needs .*\(the ingredient {what}.*which this network does not offer"):
        jaxzc.score(model, PARAMS, (images, np.array([0, 1, 2, 0])), [proxy], unavailable="error")


def test_regions_need_pictures() -> None:
    with pytest.raises(JaxzcError, match=r"^region_images: needs images \[N, height, width, channels\]"):
        make("region_images")


def test_networks_of_one_image_size_say_so() -> None:
    params = {"kernel": RNG.normal(size=(8 * 8 * 3, 3)).astype(np.float32)}
    images = RNG.normal(size=(4, 8, 8, 3)).astype(np.float32)

    def flat(params: Any, x: Any) -> Any:
        return jax.nn.relu(x).reshape(len(x), -1) @ params["kernel"]

    for proxy, size in (("meco", "64x64x3"), ("linear_regions", "4x4x3")):
        with pytest.raises(JaxzcError, match=f"^{proxy}: runs the network on images of {size}, which it does not take"):
            jaxzc.score(flat, params, (images, np.array([0, 1, 2, 0])), [proxy], unavailable="error")


SPACE = NasBench201(channels=2, cells=2, classes=3, inputs=InputSpec((8, 8, 3)))


def network_of(space: NasBench201) -> tuple[Any, Any]:
    arch = space.parse("|nor_conv_3x3~0|+|none~0|skip_connect~1|+|avg_pool_3x3~0|none~1|nor_conv_1x1~2|")
    return space.program().network(arch), space.program().init(jax.random.key(0))


@pytest.fixture(scope="module")
def stage_network() -> tuple[Any, Any]:
    return network_of(OneStage(channels=2, cells=2, classes=3, inputs=InputSpec((8, 8, 3))))


def test_maps_of_cells() -> None:
    """Entropies from numpy; one backward pass through all cut maps equals a pass for each cell."""
    network, params = network_of(SPACE)
    images = RNG.normal(size=(3, 8, 8, 3)).astype(np.float32)
    shapes = [(1, 8, 2), (2, 8, 2), (1, 4, 4), (2, 4, 4), (1, 2, 8), (2, 2, 8)]
    probes = [RNG.choice([-1.0, 1.0], (maps, 3, size, size, c)).astype(np.float32) for maps, size, c in shapes]
    given = {"az_params": params, "az_images": images, "az_probes": probes}

    def collect(map_entropies: Any, map_gains: Any, map_identities: Any) -> Any:
        return map_entropies, map_gains, map_identities

    run = jax.jit(lambda given: compute_scores({"all": collect}, network, params, (Batch(images),), fixed=given)["all"])
    entropies, gains, same = run(given)

    def maps(shifts: Any) -> Any:
        tap = Tap(cell=lambda y, shift: (y + shift, y), cell_perturb=shifts)
        return [m for group in network.forward(params, images, norm="batch", tap=tap).cells.values() for m in group]

    names = ["stem", "stages/0", "reductions/0", "stages/1", "reductions/1", "stages/2"]
    zeros = OrderedDict((name, jnp.zeros(p.shape)) for name, p in zip(names, probes, strict=True))
    outputs = jax.jit(maps)(zeros)
    for output, entropy in zip(outputs, entropies, strict=True):
        rows = np.asarray(output, np.float64).reshape(-1, output.shape[-1])
        p = np.linalg.eigvalsh(np.cov(rows.T, ddof=0))
        p = np.maximum(p / p.sum(), 0)
        assert entropy == pytest.approx(-(p * np.log(p + 1e-8)).sum(), rel=1e-3)
    flat = [p for group in probes for p in group]
    # The second map of stage 0, by the shift of the first one: the derivative of the next map alone.
    pulled = jax.jit(jax.grad(lambda shifts: (maps(shifts)[2] * flat[2]).sum()))(zeros)["stages/0"][0]
    product = np.reshape(pulled, (-1, 2)).T @ np.reshape(flat[2], (-1, 2)) / (3 * 8 * 8)
    assert gains[1] == pytest.approx(np.linalg.svd(product)[1][0], rel=1e-3)
    assert not np.any(same)


def test_meco_minima(stage_network: tuple[Any, Any]) -> None:
    network, params = stage_network
    image = RNG.normal(size=(1, 16, 16, 3)).astype(np.float32)

    def minima(meco_minima: Any, meco_sampled_minima: Any) -> Any:
        return meco_minima, meco_sampled_minima

    run = jax.jit(lambda x: compute_scores({"all": minima}, network, params, (Batch(image),), fixed={"meco_image": x})["all"])
    made, sampled = run(image)
    stem = jax.lax.conv_general_dilated(jnp.asarray(image), params["stem"], (1, 1), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC"))
    expected = np.linalg.eigvalsh(np.corrcoef(np.reshape(stem, (-1, 2)).T))[0]
    assert made[0][0] == pytest.approx(expected, rel=1e-4)
    assert sampled[0][0] == pytest.approx(expected, rel=1e-4)  # both channels are drawn
    assert made[-1][0] == 0  # logits have one position


def test_response_correlations(stage_network: tuple[Any, Any]) -> None:
    network, params = stage_network
    images, labels = RNG.normal(size=(4, 8, 8, 3)).astype(np.float32), np.array([0, 1, 2, 0])

    def collect(response_correlations: Any) -> Any:
        return response_correlations

    batch = (Batch(jnp.asarray(images), jnp.asarray(labels)),)
    made = jax.jit(lambda b: compute_scores({"all": collect}, network, params, b)["all"])(batch)
    assert made.shape == (3, 4, 4)
    stem = jax.lax.conv_general_dilated(jnp.asarray(images), params["stem"], (1, 1), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC"))
    stem = (stem - stem.mean((0, 1, 2), keepdims=True)) / np.sqrt(np.var(stem, (0, 1, 2), keepdims=True) + 1e-5)
    alike = np.abs(np.corrcoef(np.reshape(stem, (4, -1))))
    assert np.all(made[0] - alike > -1e-4)  # what is left is the gradients' part
    np.testing.assert_allclose(np.diagonal(made, axis1=1, axis2=2), 2, rtol=1e-4)
