"""FlexiBERT's space: strings, three readings of a configuration, counts of every trained network, tokens."""

from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from jaxzc_spaces.flexibert.operators import waves
from jaxzc_spaces.flexibert.space import FlexiBert

import jaxzc
from jaxzc.scoring.results import to_float
from jaxzc.types import Batch, EmbeddingNetwork, InputSpec, JaxzcError
from tests.support.modules import imported, shapes
from tests.support.reference_tables import reference_table

NETWORK = "H256|SA:WMA:h4:ff1024:n3|LT:DCT:h2:ff512:n3"
TINY = FlexiBert(hidden=(8, 12), widths=(6, 10), positions=9, embedding=8, classes=20, inputs=InputSpec((7,), "int32"))


def test_genes_and_strings() -> None:
    space = FlexiBert()
    arch = space.parse(NETWORK)
    assert arch.tolist() == [1, 0, 1, 1, 1, 1, 3, 0, 0, 1, *[0] * 8]
    assert space.to_string(arch) == NETWORK
    assert space.menu.vectors.size == 10_621_440


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("H512|" + NETWORK[5:], "expected H and 128 or 256, and 2 or 4 layers"),
        (NETWORK + "|SA:SDP:h2:ff512:n1", "expected H and 128 or 256, and 2 or 4 layers"),
        (NETWORK.replace("DCT", "DST"), "layer 1 is 'LT:DST:h2:ff512:n3': expected one of each of operators SA:SDP"),
        (NETWORK.replace("n3", "n2", 1), "layer 0 is 'SA:WMA:h4:ff1024:n2'"),
    ],
)
def test_wrong_strings(text: str, message: str) -> None:
    with pytest.raises(JaxzcError, match=message):
        FlexiBert().parse(text)


def test_wrong_settings() -> None:
    with pytest.raises(JaxzcError, match="expected at most 512 tokens"):
        FlexiBert(inputs=InputSpec((600,), "int32"))
    with pytest.raises(JaxzcError, match="reading='as run': expected one of sampled, published, trained"):
        FlexiBert(reading="as run")
    with pytest.raises(JaxzcError, match="a hidden size of 6: expected one that 4 heads divide"):
        FlexiBert(hidden=(6,))


@pytest.mark.parametrize(
    ("reading", "column"), [("published", "params_published"), ("sampled", "params_spec"), ("trained", "params_as_trained")]
)
def test_counts_of_every_network_of_the_table(reading: str, column: str) -> None:
    rows, space = reference_table("flexibert500.csv.gz"), FlexiBert(reading)
    archs = np.stack([space.parse(row["encoding"]) for row in rows])
    assert [space.to_string(arch) for arch in archs] == [row["encoding"] for row in rows]
    np.testing.assert_array_equal(space.own_counts["encoder_params"](archs), [int(row[column]) for row in rows])


def test_tokens_are_embedded_and_their_vectors_can_be_replaced() -> None:
    network = TINY.network(TINY.parse("H12|DSC:5:h4:ff6:n3|LT:DFT:h2:ff10:n1"))
    assert isinstance(network, EmbeddingNetwork)
    params, tokens = network.init(jax.random.key(0)), jnp.arange(14).reshape(2, 7)
    words = network.entry(params, tokens)
    assert words.shape == (2, 7, 8)
    assert np.std(params["embeddings"]["word"]) == pytest.approx(0.02, rel=0.2)
    outputs = network.forward(params, tokens, norm="batch").outputs
    assert outputs.shape == (2, 7)
    np.testing.assert_array_equal(network.forward(params, 0 * tokens, norm="batch", entry=words).outputs, outputs)
    assert np.abs(network.forward(params, tokens, norm="batch", entry=1 - words).outputs - outputs).max() > 1e-4


def test_roles_tell_what_mixes_tokens_from_what_does_not() -> None:
    """Of dynamic convolution the layers of its two halves, of which one makes the weights of windows; of a transform what it takes."""
    network = TINY.network(TINY.parse("H12|DSC:5:h4:ff6:n3|LT:DFT:h2:ff10:n1"))
    of_groups = zip(network.groups, network.blueprint.layers, strict=True)
    roles = {name.removesuffix("/kernel"): group.role for group, names in of_groups for name in names}
    attends = {f"layer0/op/{name}": "attention" for name in ("query", "key", "value")}
    windows = {"layer0/op/conv_kernel": "window_weights", "layer0/op/conv_out": "window", "layer0/op/output": "join"}
    feed_forward = {f"layer{layer}/ff/{name}": "feed_forward" for layer, name in ((0, "in"), (0, "out"), (1, "in"), (1, "out"))}
    feed_forward |= {"layer0/ff/mid/0": "feed_forward", "layer0/ff/mid/1": "feed_forward"}
    assert {name: role for name, role in roles.items() if role} == {
        **attends,
        **windows,
        **feed_forward,
        "layer1/op/input": "transform",
    }


@pytest.mark.parametrize("size", [3, 8])
def test_transforms(size: int) -> None:
    x = np.random.default_rng(0).standard_normal((5, size))
    (cos_t, sin_t), (cos, sin) = map(np.array, waves("DFT", 5)), map(np.array, waves("DFT", size))
    np.testing.assert_allclose(cos_t @ x @ cos.T - sin_t @ x @ sin.T, np.fft.fft2(x).real, atol=1e-12)
    (dct,) = map(np.array, waves("DCT", size))
    np.testing.assert_allclose(dct @ dct.T, np.diag([4 * size, *[2 * size] * (size - 1)]), atol=1e-12)
    assert dct[1, 0] == pytest.approx(2 * np.cos(np.pi / (2 * size)))


def test_module_has_its_own_parameters_and_gives_what_is_scored() -> None:
    arch = TINY.parse("H12|SA:WMA:h4:ff6:n3|DSC:9:h2:ff10:n1")
    network, tokens = TINY.network(arch), jnp.arange(14).reshape(2, 7)
    params = network.init(jax.random.key(1))
    module = TINY.module(arch, params)
    assert sum(leaf.size for leaf in jax.tree.leaves(nnx.state(module, nnx.Param))) == TINY.counts(arch).params.item()
    np.testing.assert_allclose(module(tokens), network.forward(params, tokens, norm="batch").outputs, rtol=1e-5, atol=1e-6)


def test_the_file_stands_alone(tmp_path: Path) -> None:
    """With every operator, and the logits of the module."""
    for text in ("H12|SA:WMA:h4:ff6:n3|DSC:9:h2:ff10:n1", "H8|LT:DFT:h2:ff6:n1|LT:DCT:h4:ff10:n3"):
        arch, tokens = TINY.parse(text), jnp.arange(14).reshape(2, 7)
        source = TINY.source(arch)
        assert f"flexibert: {text}" in source
        assert "multiply-accumulates for 7 tokens." in source
        alone, module = imported(source, tmp_path).make(), TINY.module(arch)
        assert shapes(alone) == shapes(module)
        nnx.update(alone, nnx.state(module, nnx.Param))
        np.testing.assert_allclose(alone(tokens), module(tokens), rtol=1e-4, atol=1e-5)


def test_doubtful_and_wrong_scores_are_said() -> None:
    rng = np.random.default_rng(0)
    tokens = rng.integers(0, 20, (4, 7))
    scorer = jaxzc.SpaceScorer(TINY, Batch(tokens, tokens % 2), "snip,synflow,snr_synflow")
    with pytest.warns(jaxzc.DoubtWarning, match="flexibert: synflow, snr_synflow: without layer normalisation"):
        scorer.warn_of(TINY.sample(rng, 1))
    with pytest.raises(JaxzcError, match="targets of multilabel go from 0 to 19: expected 0 or 1 for each output"):
        jaxzc.SpaceScorer(TINY, Batch(tokens, np.clip(tokens, 0, 19)), "snip")


def test_scores_of_tokens() -> None:
    """For each token, whether it was replaced."""
    rng = np.random.default_rng(0)
    batches = [Batch(rng.integers(0, 20, (4, 7)), rng.integers(0, 2, (4, 7))) for _ in range(2)]
    network = TINY.network(TINY.parse("H8|SA:SDP:h2:ff6:n1|LT:DCT:h2:ff6:n1"))
    names = ["snip", "synflow_bn", "jacob_cov", "naswot_gelu"]
    run = jax.jit(lambda params: jaxzc.compute_scores(names, network, params, batches, task="multilabel", unavailable="error"))
    scores = {name: to_float(value) for name, value in run(network.init(jax.random.key(0))).items()}
    assert all(np.isfinite(value) for value in scores.values())
    assert scores["snip"] > 0
