"""`space.source(arch)`: a file that imports JAX and Flax only, and defines the network of `space.module(arch)`, parameters and all."""

import sys
from functools import partial
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from jaxzc_spaces.core.alone.writer import write

import jaxzc
from jaxzc.training.export import weights_of
from jaxzc.types import JaxzcError
from tests.support.modules import TINY, drawn, imported, imports, shapes, tiny


@pytest.mark.parametrize("name", TINY)
def test_the_file_stands_alone_and_has_the_same_parameters(name: str, tmp_path: Path) -> None:
    space = tiny(name)
    for arch in space.sample(np.random.default_rng(0), 1):
        text = space.source(arch)
        assert imports(text) <= {"jax", "flax", *sys.stdlib_module_names}
        assert space.to_string(arch) in text
        network = imported(text, tmp_path)
        assert shapes(nnx.eval_shape(network.make)) == shapes(nnx.eval_shape(partial(space.module, arch)))


FAST = ("nasbench201", "nats_sss", "published")


@pytest.mark.parametrize("name", [pytest.param(name, marks=() if name in FAST else pytest.mark.slow) for name in TINY])
def test_logits_are_the_modules(name: str, tmp_path: Path) -> None:
    space, rng = tiny(name), np.random.default_rng(0)
    arch = space.parse("squeezeresnet_v1_1") if name == "published" else drawn(space)
    module = space.module(arch, rng_key=jax.random.key(3))
    statistics = nnx.state(module, nnx.BatchStat)
    nnx.update(module, jax.tree.map(lambda a: jnp.asarray(rng.uniform(0.5, 1.5, a.shape), a.dtype), statistics))
    (tmp_path / "weights.msgpack").write_bytes(weights_of(module))
    network = imported(space.source(arch), tmp_path)
    model = network.load(tmp_path / "weights.msgpack")
    images = jnp.asarray(rng.standard_normal((2, *space.inputs.shape)), jnp.float32)
    compiled = nnx.jit(lambda module, model, images: (module(images), model(images)))
    for mode in ("eval", "train"):
        for each in (module, model):
            getattr(each, mode)()
        ours, alone = compiled(module, model, images)
        assert ours.shape == (2, 3)
        assert np.isfinite(ours).all()
        np.testing.assert_allclose(alone, ours, rtol=1e-3, atol=1e-4 * float(abs(ours).max()))


def test_weights_are_drawn_anew(tmp_path: Path) -> None:
    space = tiny("nasbench201")
    network = imported(space.source(np.array([3, 0, 2, 1, 4, 0])), tmp_path)
    model = network.make()
    assert not model.stem[...].any()
    network.draw(model, jax.random.key(0))
    stem, bound = model.stem[...], (9 * 3) ** -0.5
    assert abs(stem).max() <= bound
    assert abs(stem).max() > 0.8 * bound
    assert (model.stem_bn.scale[...] == 1).all()


class Tapped(nnx.Module):
    """Asks its pass for more than a layer does."""

    def __call__(self, x: jax.Array, p: Any) -> jax.Array:
        return x * p.exponent


class Scaled(nnx.Module):
    def __init__(self, factor: Any):
        self.factor = factor

    def __call__(self, x: jax.Array, p: Any) -> jax.Array:
        return p.layer("x", x) * self.factor


def test_what_cannot_be_written_is_said() -> None:
    for build, message in (
        (lambda: Tapped(), r"built by .*give its space a functools.partial"),
        (partial(Scaled, np.zeros(2)), r"a setting of the network is array"),
        (partial(Tapped), "Tapped asks its pass for more than layers do"),
    ):
        with pytest.raises(JaxzcError, match=message):
            write(build, "")
    with pytest.raises(JaxzcError, match=r"conv_chains does not write its architectures as code"):
        jaxzc.training.code_of(type("Space", (), {"name": "conv_chains"})(), np.zeros(4))  # type: ignore[arg-type]
