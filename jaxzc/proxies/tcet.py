"""T-CET: compressibility (signal-to-noise ratio of saliencies) times expressivity (layerwise NASWOT)."""

from collections.abc import Sequence

import jax.numpy as jnp

from jaxzc.definitions.facts import proxy
from jaxzc.numerics.layers import sum_over_layers
from jaxzc.numerics.linalg import deviation, log_determinant
from jaxzc.types import Array, JaxzcError

Groups = Sequence[Array]
Existing = Sequence[Array | None] | None
"""See the ingredient `existing`; None: all of them do."""


def layer_snr(saliency: Array, existing: Array | None = None) -> Array:
    """sum / standard deviation (ddof 1) of each layer's saliencies `[layers, n]`; the sum itself where the deviation is 0.

    existing: bool `[layers, n]`, which of them are weights (None: all). The others are 0."""
    total = saliency.sum(1)
    std = deviation(saliency, 1, ddof=1) if existing is None else _deviation_of(saliency, existing)
    least = saliency if existing is None else jnp.where(existing, saliency, jnp.inf)
    same = (saliency.max(1) <= least.min(1)) | (std == 0)
    return jnp.where(same, total, total / jnp.where(same, 1, std))


def _deviation_of(values: Array, existing: Array) -> Array:
    """As `deviation(values, 1, ddof=1)`, of the values that exist; the others are 0."""
    count = existing.sum(1, keepdims=True).astype(values.dtype)
    centred = jnp.where(existing, values - values.sum(1, keepdims=True) / count, 0)
    centred = jnp.where(existing, centred - centred.sum(1, keepdims=True) / count, 0)
    most = jnp.abs(centred).max(1, keepdims=True)
    scale = jnp.where(most == 0, 1, most)
    variance = jnp.square(centred / scale).sum(1, keepdims=True) / jnp.maximum(count - 1, 1)
    return (jnp.sqrt(variance) * scale).squeeze(1)


def layer_logdet(kernels: Array) -> Array:
    """log det of each layer's Hamming kernel `[layers, B, B]`; 0 where it is singular."""
    values = log_determinant(kernels)
    return jnp.where(jnp.isneginf(values), 0, values)


def _each_snr(saliency: Groups, existing: Existing) -> list[Array]:
    return [layer_snr(s, of) for s, of in zip(saliency, existing or [None] * len(saliency), strict=True)]


def _product(saliency: Groups, kernels: Groups, existing: Existing, compress: str) -> Array:
    snr = _each_snr(saliency, existing)
    if compress == "log":
        factor = [jnp.where(s != 0, jnp.log(jnp.where(s != 0, s, 1)), 0) for s in snr]
    elif compress == "log1p":
        factor = [jnp.log1p(s) for s in snr]
    elif compress == "none":
        factor = snr
    else:
        raise JaxzcError(f"compress={compress!r}: expected 'log' (the authors' search code), 'log1p' or 'none' (their toolkit)")
    return sum_over_layers(lambda f, k: f * layer_logdet(k), factor, kernels)


@proxy(direction="higher", labels=True, init="torch", norm=("batch", "init"), over_layers="terms")
def tcet_snip(weights: Groups, loss_grads: Groups, layer_kernels: Groups, existing: Existing = None, *, compress: str = "log") -> Array:
    """Sum over layers of log SNR of the SNIP saliency times layerwise NASWOT.

    Definition: sum_l log(SNR_l) * LNWOT_l, SNR_l = sum(s_l) / std(s_l) with s = |w dL/dw|; LNWOT as in `lnwot`, with fresh running
        statistics.
    Source: Xiang et al., T-CET, AutoML 2023; official search code.
    Authors' code: as here (unbiased deviation, log only where SNR is not 0, singular kernels count 0). Their toolkit's default takes the
        raw ratio (`compress="none"`) or log(1 + SNR) (`compress="log1p"`).
    Weights: convolution and linear kernels and the signs of their outputs.
    Fails: layers with fewer neurons than examples (the classifier) have a singular kernel and drop out.
    """
    saliency = [jnp.abs(w * g) for w, g in zip(weights, loss_grads, strict=True)]
    return _product(saliency, layer_kernels, existing, compress)


@proxy(direction="higher", labels=False, init="torch", norm=("none", "init"), over_layers="terms")
def tcet_synflow(
    weights: Groups, synflow_grads: Groups, layer_kernels: Groups, existing: Existing = None, *, compress: str = "log"
) -> Array:
    """Sum over layers of log SNR of the synflow saliency times layerwise NASWOT.

    Definition: as tcet_snip with s = |w dR/dw| of synflow.
    Source: Xiang et al., T-CET, AutoML 2023; official search code.
    Authors' code: as here; see tcet_snip.
    Weights: convolution and linear kernels and the signs of their outputs.
    Fails: as tcet_snip.
    """
    # The ratio does not see the power of two kept apart in synflow_exponent.
    saliency = [jnp.abs(w * g) for w, g in zip(weights, synflow_grads, strict=True)]
    return _product(saliency, layer_kernels, existing, compress)


@proxy(direction="higher", labels=True, init="torch", norm="batch", over_layers="terms")
def snr_snip(weights: Groups, loss_grads: Groups, existing: Existing = None) -> Array:
    """Sum over layers of the signal-to-noise ratio of the SNIP saliency.

    Definition: sum_l sum(s_l) / std(s_l), s = |w dL/dw|.
    Source: Xiang et al., T-CET, AutoML 2023; the authors' toolkit (`snr_snip`).
    Authors' code: as here; it grows with the size of a layer (a sum, not a mean, over the deviation).
    Weights: convolution and linear kernels.
    Fails: close to a count of weights.
    """
    return sum_over_layers(jnp.asarray, _each_snr([jnp.abs(w * g) for w, g in zip(weights, loss_grads, strict=True)], existing))


@proxy(direction="higher", labels=False, init="torch", norm="none", over_layers="terms")
def snr_synflow(weights: Groups, synflow_grads: Groups, existing: Existing = None) -> Array:
    """Sum over layers of the signal-to-noise ratio of the synflow saliency.

    Definition: sum_l sum(s_l) / std(s_l), s = |w dR/dw| of synflow.
    Source: Xiang et al., T-CET, AutoML 2023; the authors' toolkit (`snr_syn`).
    Authors' code: as here; see snr_snip.
    Weights: convolution and linear kernels.
    Fails: close to a count of weights; a layer whose saliencies are all equal would count with synflow's own scale.
    """
    return sum_over_layers(jnp.asarray, _each_snr([jnp.abs(w * g) for w, g in zip(weights, synflow_grads, strict=True)], existing))


@proxy(direction="higher", labels=False, init="torch", norm="init", over_layers="terms")
def lnwot(layer_kernels: Groups) -> Array:
    """Layerwise NASWOT: sum over layers of the log determinant of the Hamming kernel of the layer's own output signs.

    Definition: sum_l log det K_l, K_l = X X' + (1-X)(1-X)', X = [output of the convolution or linear layer > 0], [B, neurons].
    Source: Xiang et al., T-CET, AutoML 2023.
    Authors' code: as here; singular kernels count 0. It relies on a float32 elimination hitting an exact zero; we test the pivots.
    Weights: none; signs of the outputs of convolution and linear layers, before normalisation.
    Fails: grows with depth.
    """
    return sum_over_layers(layer_logdet, layer_kernels)
