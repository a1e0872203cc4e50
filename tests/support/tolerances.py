"""How far two programs that round differently may be apart in float32."""

# Sums of terms of both signs, counts at a threshold, and heavy tails move more than the rest.
LOOSE = {"plain": 1e-2, "grasp": 1e-2, "jacob_cov": 1e-2, "zico": 1e-1, "sweet_zico": 1e-1, "sweetimator": 5e-2, "sweet_gradsign": 5e-2}
LOOSE |= {"zico_bc": 1e-1, "l_swag": 1e-1, "gradsign": 5e-2, "grad_conflict": 5e-2, "sweet_grad_norm": 5e-2, "epe_nas": 1e-2}
LOOSE |= {"ntk_condition": 1e-2, "ntk_condition_init": 1e-2, "linear_regions": 2e-2, "swap": 2e-2, "swap_regularised": 2e-2, "vkdnw": 1e-2}
LOOSE |= {"az_progressivity": 1e-2, "az_trainability": 1e-2, "wrcor": 1e-2, "zen": 1e-2, "dextr": 1e-2}
LOOSE |= {"v_pca": 2e-2, "w_pca": 2e-2}
"""Relative tolerances of scores; 1e-3 for what is not named."""

SENSITIVE = {"mobilenetv2_zen": {"snip": 2e-2, "nasi": 2e-2, "grasp": 1e-1}}
"""Relative tolerances of scores in a space. Its deep networks without shortcuts, of few small images: another 1e-7 of the weights moves
snip by one percent, and float64 gives 30,281 where two float32 programs give 30,457 and 30,580; two grasps are 6 % apart."""

ROUNDING = {"transnas101_micro": {"jacob_cov", "sweet_gradsign"}, "transnas101_macro": {"jacob_cov"}, "darts": {"sweet_gradsign"}}
ROUNDING |= {"nasbench_nlp": {"hidden_jacob_cov"}}
"""Scores that are rounding errors in a space. Where batch normalisation comes last, the sum of the logits does not depend on the images,
and the last cell's gradients of one image are zero but for rounding: their signs are none. Jacobians of a tiny recurrent
network are so alike that their correlation is singular."""


def tolerance(space: str, proxy: str, usual: float = 1e-3) -> float:
    """Of a score in a space, relative."""
    return SENSITIVE.get(space, {}).get(proxy, LOOSE.get(proxy, usual))
