"""Size of a network: exact counts, the baselines every proxy has to beat."""

from jaxzc.definitions.facts import proxy
from jaxzc.types import Counts, JaxzcError, Score


@proxy(direction="higher", labels=False)
def params(counts: Counts) -> Score:
    """Number of trainable parameters.

    Definition: all trainable parameters, biases and normalisation scales included, running statistics not.
    Source: exact arithmetic.
    Authors' code: as here (NAS-Bench-201's published counts).
    Weights: all parameters.
    Fails: the bar: a proxy that does not beat it measures size.
    """
    return counts.params


@proxy(direction="higher", labels=False)
def flops(counts: Counts, *, linear_bias: int = 0, of: str = "layers") -> Score:
    """Multiply-accumulates of the convolution and linear layers for one image.

    Definition: sum over layers of outputs x fan-in (of a transposed convolution inputs x fan-out); no biases,
        normalisation, pooling or additions. `of="all"` adds the matrix products and convolutions that are no layers: attention's products
        of data with data, q k and a v, and products with constants. These are 2 T^2 D for T positions of D channels, 11% of a ViT-S's
        layers at T = 256, 178% at T = 4096.
    Source: exact arithmetic.
    Authors' code: NATS-Bench's counter adds one for each bias of the classifier: `linear_bias=classes`.
    Weights: none.
    Fails: as params.
    """
    if of not in ("layers", "all"):
        raise JaxzcError(f"flops: of={of!r}: expected 'layers' or 'all'")
    return counts.flops + linear_bias + (counts.products if of == "all" else 0)


@proxy(direction="higher", labels=False)
def layers(counts: Counts) -> Score:
    """Number of convolution and linear layers.

    Definition: layers with a kernel of their own.
    Source: Tybl & Neumann, VKDNW, CVPR 2025, as a baseline.
    Authors' code: not published in full; counted here as convolution and linear layers.
    Weights: none.
    Fails: few distinct values, many ties.
    """
    return counts.layers
