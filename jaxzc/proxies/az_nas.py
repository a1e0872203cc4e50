"""AZ-NAS's components, from one pass over noise: expressivity, progressivity, trainability. Its fourth, complexity, is `flops`."""

import jax.numpy as jnp

from jaxzc.definitions.facts import proxy
from jaxzc.types import Array


def _least(values: Array) -> Array:
    """-inf in the place of NaN."""
    return jnp.where(jnp.isnan(values), -jnp.inf, values)


@proxy(direction="higher", labels=False, redrawn="kaiming_normal_fan_in", norm="batch")
def az_expressivity(map_entropies: Array) -> Array:
    """Entropy of the channels' principal components, summed over the maps.

    Definition: sum_l s_l, s_l = -sum_i p_i log(p_i + 1e-8), p the eigenvalues of the channel covariance of map l divided by their sum; maps
        are the outputs of the stem and of every cell, on standard normal images; in transformers the tokens behind every attention and
        every feed-forward part.
    Source: Lee & Ham, AZ-NAS: Assembling Zero-Cost Proxies for Network Architecture Search, CVPR 2024, section 3.2.
    Authors' code: as here; NaN becomes -inf.
    Weights: none; feature maps.
    Fails: -inf where a map is constant (disconnected networks); needs a network with cells; compares networks of one depth.
    """
    return _least(map_entropies.sum())


@proxy(direction="higher", labels=False, redrawn="kaiming_normal_fan_in", norm="batch")
def az_progressivity(map_entropies: Array) -> Array:
    """Smallest gain of expressivity from one map to the next.

    Definition: min_l (s_l - s_{l-1}), s as in az_expressivity.
    Source: Lee & Ham, AZ-NAS, CVPR 2024, section 3.2.
    Authors' code: as here; NaN becomes -inf. They do not use it for transformers.
    Weights: none; feature maps.
    Fails: -inf where a map is constant; the difference of close numbers: networks whose cells are identities tie near 0.
    """
    return _least(jnp.diff(map_entropies).min())


@proxy(direction="higher", labels=False, redrawn="kaiming_normal_fan_in", norm="batch")
def az_trainability(map_gains: Array, map_identities: Array) -> Array:
    """How nearly each cell keeps the size of a gradient that passes through it.

    Definition: mean_l ( -sigma_l - 1/(sigma_l + 1e-6) + 2 ), sigma_l the largest singular value of g_in' g_out / positions, g_out random
        signs at the output of cell l and g_in = J_l' g_out at its input.
    Source: Lee & Ham, AZ-NAS, CVPR 2024, section 3.2.
    Authors' code: as here: -inf where g_in equals g_out exactly (a cell that is the identity); where a cell halves the map, g_in is folded
        into channels. Each pair takes a backward pass of its own there; here one pass serves all.
    Weights: none; feature maps.
    Fails: near -1e6 for each disconnected cell; NaN for transformers that pool their tokens (PiT), of which the authors' code raises.
    """
    terms = -map_gains - 1 / (map_gains + 1e-6) + 2
    return _least(jnp.where(map_identities, -jnp.inf, terms).mean())
