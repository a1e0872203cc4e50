"""Models of other libraries, as these write them, scored in one line each: which proxies of a set have a score.

    python -m pip install dm-haiku equinox keras penzai "transformers<5" flaxmodels jraph
    python benchmarks/third_party.py                        # traces: says which of the founding proxies can be computed, compiles nothing
    python benchmarks/third_party.py --scores snip,l2_norm  # and compiles and runs these
    python benchmarks/third_party.py --only equinox

Weights are drawn at random in tiny configurations; nothing is downloaded. A library that is not installed is left out. Prints a table in
Markdown, which docs/your_network.md shows. The parameters that a row counts are compared with the sizes of the leaves.
"""

# pyright: reportMissingImports=false

import argparse
import itertools
import os
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from importlib.metadata import version
from importlib.util import find_spec
from typing import Any, NamedTuple

os.environ.setdefault("KERAS_BACKEND", "jax")

import jax
import jax.numpy as jnp
import numpy as np

import jaxzc

RNG = np.random.default_rng(0)
IMAGES = RNG.standard_normal((4, 32, 32, 3)).astype(np.float32)
LABELS = np.array([0, 1, 2, 1])
TOKENS = RNG.integers(0, 50, (4, 8)).astype(np.int32)


class Case(NamedTuple):
    """line: what is written, for the table. model, params, batch, options: the arguments of `jaxzc.score`."""

    line: str
    model: Any
    params: Any
    batch: Any
    options: dict[str, Any]


def case(line: str, model: Any, params: Any, batch: Any = (IMAGES, LABELS), **options: Any) -> Case:
    return Case(line, model, params, batch, options)


def haiku_mlp() -> Case:
    import haiku as hk

    model = hk.without_apply_rng(hk.transform(lambda x: hk.nets.MLP([16, 16, 3])(hk.Flatten()(x))))
    return case("score(model, params, batch)", model, jax.jit(model.init)(jax.random.key(0), IMAGES))


def haiku_resnet() -> Case:
    import haiku as hk

    def forward(x: Any, is_training: bool) -> Any:
        blocks = {"channels_per_group": (8, 8, 16, 16), "bottleneck": False}
        return hk.nets.ResNet((1, 1, 1, 1), 3, **blocks)(x, is_training=is_training)

    model = hk.transform_with_state(forward)
    return case("score(model, (params, state), batch)", model, jax.jit(model.init, static_argnums=2)(jax.random.key(0), IMAGES, True))


def haiku_lstm() -> Case:
    import haiku as hk

    def forward(tokens: Any) -> Any:
        core = hk.LSTM(8)
        outputs, _ = hk.dynamic_unroll(core, hk.Embed(50, 8)(tokens), core.initial_state(tokens.shape[0]), time_major=False)
        return hk.Linear(3)(outputs[:, -1])

    model = hk.without_apply_rng(hk.transform(forward))
    return case("score(model, params, batch)", model, jax.jit(model.init)(jax.random.key(0), TOKENS), (TOKENS, LABELS))


def haiku_attention() -> Case:
    import haiku as hk

    def forward(tokens: Any) -> Any:
        h = hk.Embed(50, 16)(tokens)
        a = hk.LayerNorm(-1, True, True)(h)
        h = h + hk.MultiHeadAttention(2, 8, w_init=hk.initializers.VarianceScaling(2.0))(a, a, a)
        return hk.Linear(50)(jax.nn.relu(h))

    model = hk.without_apply_rng(hk.transform(forward))
    batch = (TOKENS, None)
    return case(
        "score(model, params, batch, task='next_token')", model, jax.jit(model.init)(jax.random.key(0), TOKENS), batch, task="next_token"
    )


def equinox_mlp() -> Case:
    import equinox as eqx

    model = eqx.nn.MLP(12, 3, 16, 2, key=jax.random.key(0))
    return case("score(model, None, batch)", model, None, (RNG.standard_normal((4, 12)).astype(np.float32), LABELS))


def equinox_cnn() -> Case:
    import equinox as eqx

    keys = jax.random.split(jax.random.key(0), 3)
    model = eqx.nn.Sequential(
        [
            *(eqx.nn.Conv2d(3, 8, 3, key=keys[0]), eqx.nn.GroupNorm(2, 8), eqx.nn.Lambda(jax.nn.relu)),
            *(eqx.nn.Conv2d(8, 8, 3, key=keys[1]), eqx.nn.AdaptiveAvgPool2d(1), eqx.nn.Lambda(jnp.ravel)),
            eqx.nn.Linear(8, 3, key=keys[2]),
        ]
    )
    return case("score(model, None, batch)", model, None, (IMAGES.transpose(0, 3, 1, 2), LABELS))


def equinox_batchnorm() -> Case:
    import equinox as eqx

    def make(key: Any) -> Any:
        keys = jax.random.split(key, 2)
        layers = [eqx.nn.Linear(12, 8, key=keys[0]), eqx.nn.BatchNorm(8, "batch", mode="batch"), eqx.nn.Lambda(jax.nn.relu)]
        return eqx.nn.Sequential([*layers, eqx.nn.Linear(8, 3, key=keys[1])])

    model, state = eqx.nn.make_with_state(make)(jax.random.key(0))
    return case("score(model, state, batch)", model, state, (RNG.standard_normal((4, 12)).astype(np.float32), LABELS))


def keras_sequential() -> Case:
    import keras

    layers = keras.layers
    model = keras.Sequential(
        [
            *(keras.Input((32, 32, 3)), layers.Conv2D(8, 3), layers.BatchNormalization(), layers.ReLU(), layers.Dropout(0.5)),
            *(layers.GlobalAveragePooling2D(), layers.Dense(3)),
        ]
    )
    return case("score(model, None, batch)", model, None)


def keras_mobilenet() -> Case:
    import keras

    model = keras.applications.MobileNet((32, 32, 3), 0.25, weights=None, classes=3, classifier_activation=None, dropout=0.1)
    return case("score(model, None, batch)", model, None)


def keras_functional() -> Case:
    import keras

    tokens = keras.Input((8,), dtype="int32")
    h = keras.layers.Embedding(50, 16)(tokens)
    h = keras.layers.LayerNormalization()(h + keras.layers.MultiHeadAttention(2, 8)(h, h))
    return case("score(model, None, batch)", keras.Model(tokens, keras.layers.Dense(3)(h[:, 0])), None, (TOKENS, LABELS))


def penzai_mlp() -> Case:
    from penzai import pz

    widths = [12, 16, 3]
    layers = [
        pz.nn.Affine.from_config(f"layer{i}", jax.random.key(i), {"features": a}, {"features": b})
        for i, (a, b) in enumerate(itertools.pairwise(widths))
    ]
    model = pz.nn.Sequential([layers[0], pz.nn.Elementwise(jax.nn.relu), layers[1]])
    free, params = pz.unbind_params(model, freeze=True)

    def apply(params: Any, x: Any) -> Any:
        return pz.bind_variables(free, params)(pz.nx.wrap(x).tag("batch", "features")).unwrap("batch", "features")

    line = "score(lambda p, x: bind_variables(free, p)(wrap(x).tag('batch', 'features')).unwrap('batch', 'features'), params, batch)"
    return case(line, apply, params, (RNG.standard_normal((4, 12)).astype(np.float32), LABELS))


def transformers_bert() -> Case:
    from transformers import BertConfig, FlaxBertForSequenceClassification

    sizes = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 32}
    model = FlaxBertForSequenceClassification(BertConfig(vocab_size=50, num_labels=3, max_position_embeddings=16, **sizes))
    return case("score(model, model.params, batch, output=lambda out: out.logits)", model, model.params, (TOKENS, LABELS), output=_logits)


def transformers_gpt2() -> Case:
    from transformers import FlaxGPT2LMHeadModel, GPT2Config

    model = FlaxGPT2LMHeadModel(GPT2Config(vocab_size=50, n_positions=16, n_embd=16, n_layer=2, n_head=2))
    line = "score(model, model.params, (tokens, None), task='next_token', output=lambda out: out.logits)"
    return case(line, model, model.params, (TOKENS, None), task="next_token", output=_logits)


def transformers_vit() -> Case:
    from transformers import FlaxViTForImageClassification, ViTConfig

    sizes = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 32}
    model = FlaxViTForImageClassification(ViTConfig(image_size=32, patch_size=8, num_labels=3, **sizes))
    line = "score(model, model.params, batch, output=lambda out: out.logits); images [N, 3, H, W]"
    return case(line, model, model.params, (IMAGES.transpose(0, 3, 1, 2), LABELS), output=_logits)


def transformers_resnet() -> Case:
    from transformers import FlaxResNetForImageClassification, ResNetConfig

    config = ResNetConfig(embedding_size=8, hidden_sizes=[8, 16], depths=[1, 1], layer_type="basic", num_labels=3)
    model = FlaxResNetForImageClassification(config, input_shape=(1, 32, 32, 3))
    line = "score(model, model.params, batch, output=lambda out: out.logits); images [N, 3, H, W]"
    return case(line, model, model.params, (IMAGES.transpose(0, 3, 1, 2), LABELS), output=_logits)


def transformers_t5() -> Case:
    from transformers import FlaxT5ForConditionalGeneration, T5Config

    config = T5Config(vocab_size=50, d_model=16, d_kv=8, d_ff=32, num_layers=1, num_heads=2, decoder_start_token_id=0)
    model = FlaxT5ForConditionalGeneration(config)
    inputs = {"input_ids": TOKENS, "decoder_input_ids": TOKENS}
    line = "score(model, model.params, (dict(input_ids=..., decoder_input_ids=...), tokens), output=lambda out: out.logits)"
    return case(line, model, model.params, (inputs, TOKENS), output=_logits)


def flaxmodels_resnet18() -> Case:
    import flaxmodels

    model = flaxmodels.ResNet18(output="logits", pretrained=None, num_classes=3)
    return case("score(model, variables, batch)", model, jax.jit(model.init)(jax.random.key(0), IMAGES))


def jraph_gcn() -> Case:
    import haiku as hk
    import jraph

    senders, receivers = np.array([0, 1, 2, 3, 0]), np.array([1, 2, 3, 0, 2])

    def forward(nodes: Any) -> Any:
        graph = jraph.GraphsTuple(nodes, None, receivers, senders, None, np.array([len(nodes)]), np.array([len(senders)]))
        graph = jraph.GraphConvolution(lambda x: jax.nn.relu(hk.Linear(8)(x)), add_self_edges=True)(graph)
        return hk.Linear(3)(graph.nodes)

    model = hk.without_apply_rng(hk.transform(forward))
    nodes = RNG.standard_normal((4, 6)).astype(np.float32)
    return case("score(model, params, (nodes, classes))", model, jax.jit(model.init)(jax.random.key(0), nodes), (nodes, LABELS))


def flax_nnx_transformer() -> Case:
    from flax import nnx

    class Block(nnx.Module):
        def __init__(self, rngs: Any):
            self.embed, self.head = nnx.Embed(50, 16, rngs=rngs), nnx.Linear(16, 3, rngs=rngs)
            self.attention = nnx.MultiHeadAttention(2, 16, decode=False, dropout_rate=0.1, rngs=rngs)
            self.norm = nnx.RMSNorm(16, rngs=rngs)

        def __call__(self, tokens: Any) -> Any:
            h = self.embed(tokens)
            return self.head((h + self.attention(self.norm(h))).mean(1))

    return case("score(model, None, batch)", Block(nnx.Rngs(0)), None, (TOKENS, LABELS))


def _logits(out: Any) -> Any:
    return out.logits


CASES: dict[str, tuple[str, list[Callable[[], Case]]]] = {
    "haiku": ("dm-haiku", [haiku_mlp, haiku_resnet, haiku_lstm, haiku_attention]),
    "equinox": ("equinox", [equinox_mlp, equinox_cnn, equinox_batchnorm]),
    "keras": ("keras", [keras_sequential, keras_mobilenet, keras_functional]),
    "penzai": ("penzai", [penzai_mlp]),
    "transformers": ("transformers", [transformers_bert, transformers_gpt2, transformers_vit, transformers_resnet, transformers_t5]),
    "flaxmodels": ("flaxmodels", [flaxmodels_resnet18]),
    "jraph": ("jraph", [jraph_gcn]),
    "flax": ("flax", [flax_nnx_transformer]),
}
"""Module to import -> its distribution, and the functions that make its models."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--proxies", default="founding", help="that are traced (default: %(default)s)")
    parser.add_argument("--scores", help="proxies that are compiled and run as well")
    parser.add_argument("--only", help="library, or one of its models")
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")
    print(f"jax {version('jax')}, flax {version('flax')}\n")
    print("| library | model | what is written | scores | without |\n|---|---|---|---|---|")
    for name, distribution, make in _chosen(arguments.only):
        before = time.perf_counter()
        print(f"| {distribution} {version(distribution)} | `{name}` | {_row(make, arguments)} |", flush=True)
        print(f"{name}: {time.perf_counter() - before:.0f} s", file=sys.stderr, flush=True)


def _chosen(only: str | None) -> Iterator[tuple[str, str, Callable[[], Case]]]:
    for module, (distribution, makers) in CASES.items():
        for make in makers if find_spec(module) else ():
            if only in (None, module, make.__name__):
                yield make.__name__, distribution, make


def _row(make: Callable[[], Case], arguments: argparse.Namespace) -> str:
    try:
        chosen = make()
        reasons, count = traced(chosen, arguments.proxies)
        scores = jaxzc.score(*chosen[1:4], arguments.scores, **chosen.options) if arguments.scores else {}
    except Exception as error:
        return f"- | none | {type(error).__name__}: {str(error).splitlines()[0]}"
    values = "".join(f", {label} {value:.4g}" for label, value in scores.items())
    without = "; ".join(f"`{label}`: {reason}" for label, reason in reasons.items())
    return f"`{chosen.line}` | {count - len(reasons)} of {count}{values} | {without}"


def traced(chosen: Case, proxies: str) -> tuple[dict[str, str], int]:
    """The reasons of the proxies that cannot be computed, and the number of proxies: traced, not compiled."""
    scorer = jaxzc.Scorer(chosen.model, proxies, **chosen.options)
    return scorer.reasons_of(chosen.params, chosen.batch), len(scorer.proxies)


if __name__ == "__main__":
    main()
