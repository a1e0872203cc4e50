"""Reads golden vision transformers: our space and architecture of a stored config, and the stored parameters and probes."""

from typing import Any

import jax.numpy as jnp
import numpy as np
from jaxzc_spaces.autoformer.space import AutoFormer
from jaxzc_spaces.pit.space import Pit

from jaxzc.types import InputSpec
from tests.support.golden_named_networks import Stored

SIZES = {"T": "tiny", "S": "small", "B": "base"}


def built(config: dict[str, Any]) -> tuple[AutoFormer | Pit, np.ndarray]:
    inputs = InputSpec((config["image"], config["image"], 3))
    return pit(config, inputs) if config["variant"] == "pit" else autoformer(config, inputs)


def autoformer(config: dict[str, Any], inputs: InputSpec) -> tuple[AutoFormer, np.ndarray]:
    heads, ratios = config["num_heads"], config["mlp_ratio"]
    space = AutoFormer(
        SIZES[config["size"]],
        config["variant"],
        (config["embed_dim"],),
        (config["depth"],),
        tuple(sorted(set(heads))),
        tuple(sorted(set(ratios))),
        config["patch"],
        config["max_relative_position"] if config["relative_position"] else 0,
        config["abs_pos"],
        "patches" if config["gp"] else "class",
        0 if config["change_qkv"] or config["variant"] == "autoprox" else config["super_embed_dim"],
        classes=config["classes"],
        inputs=inputs,
    )
    tenths = [round(10 * ratio) for ratio in ratios]
    return space, space.parse(f"E{config['embed_dim']}-H{'.'.join(map(str, heads))}-M{'.'.join(map(str, tenths))}")


def pit(config: dict[str, Any], inputs: InputSpec) -> tuple[Pit, np.ndarray]:
    depth, heads = ("".join(map(str, config[name])) for name in ("depth", "num_heads"))
    space = Pit(
        (config["base_dim"],), (depth,), (heads,), (config["mlp_ratio"],), config["patch"], config["stride"], config["classes"], inputs
    )
    return space, np.zeros(4, np.int32)


def az_probes(stored: Stored, maps: list[Any], dtype: Any) -> list[Any]:
    """The stored probes as the ingredient az_probes of these shapes has them: one array for each run of maps, the first of which none uses.
    Stored are those of the pairs of features, which are the maps."""
    probes = np.concatenate([np.zeros_like(stored.arrays["az_probes"][:1]), stored.arrays["az_probes"]])
    parts = np.split(probes, np.cumsum([shape.shape[0] for shape in maps])[:-1])
    return [jnp.asarray(part, dtype) for part in parts]
