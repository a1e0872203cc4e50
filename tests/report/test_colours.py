"""Colours that readers tell apart who lack one kind of cone: as Machado, Oliveira & Fernandes (IEEE TVCG, 2009) compute what they see."""

import itertools
import re
from importlib.resources import files

import numpy as np
import pytest

from jaxzc.report import look

SEEN = {
    "all cones": [[1, 0, 0], [0, 1, 0], [0, 0, 1]],
    "protanopia": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
    "deuteranopia": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]],
    "tritanopia": [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]],
}
"""Of linear red, green and blue, at full severity."""
APART = 20
"""Least distance in CIELAB. Two patches beside each other are told apart from 2 or 3 on, marks that are apart from some 10 on."""


def lab(colour: str, seen: list[list[float]]) -> np.ndarray:
    srgb = np.array([int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)])
    linear = np.where(srgb <= 0.04045, srgb / 12.92, ((srgb + 0.055) / 1.055) ** 2.4)
    to_xyz = np.array([[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.0721750], [0.0193339, 0.1191920, 0.9503041]])
    x, y, z = np.clip(np.cbrt(to_xyz @ np.clip(np.array(seen) @ linear, 0, 1) / (0.95047, 1, 1.08883)), 16 / 116, None)
    return np.array([116 * y - 16, 500 * (x - y), 200 * (y - z)])


def web_colours(scheme: int) -> tuple[str, ...]:
    """Of the report's page, in its light (0) or dark (1) scheme."""
    style = files("jaxzc.report.web").joinpath("assets/style.css").read_text()
    pairs = [re.search(rf"--{name}: light-dark\((#\w+), (#\w+)\)", style) for name in ("accent", "warm", "third")]
    return tuple(pair[1 + scheme] for pair in pairs if pair)


@pytest.mark.parametrize("seen", SEEN.values(), ids=SEEN)
@pytest.mark.parametrize("colours", [look.SERIES, web_colours(0), web_colours(1)], ids=["figures", "page, light", "page, dark"])
def test_readers_with_two_kinds_of_cones_tell_series_apart(colours: tuple[str, ...], seen: list[list[float]]) -> None:
    assert len(colours) >= 3
    for one, other in itertools.combinations(colours, 2):
        assert np.linalg.norm(lab(one, seen) - lab(other, seen)) > APART, (one, other)
