"""What holds of every search space: strings name architectures, whatever is drawn or changed stays inside, canonical forms are fixed."""

from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jaxzc_spaces.darts.space import Darts

from jaxzc.catalogue import spaces
from jaxzc.types import JaxzcError, Space

FREE = "darts, zero and repeats"
NAMES = [*sorted(point.name for point in spaces.spaces().values() if point.value.startswith("jaxzc_spaces.")), FREE]
FEW = settings().max_examples // 8
"""Examples of a test that takes longest."""
seeds = st.integers(0, 2**32 - 1)


@cache
def of(name: str) -> Space:
    return Darts(zero=True, repeats=True) if name == FREE else spaces.maker(name)()


def inside(space: Space, archs: np.ndarray) -> None:
    assert archs.ndim == 2
    assert archs.dtype.kind == "i"
    assert archs.shape[1] == len(space.choices)
    assert (archs >= 0).all()
    assert (archs < np.array(space.choices)).all()


@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=FEW)
@given(seed=seeds)
def test_strings_name_architectures(name, seed):
    """Printed and read, an architecture is what it was; two of one string are the same."""
    space = of(name)
    archs = space.sample(np.random.default_rng(seed), 5)
    inside(space, archs)
    assert archs.dtype == np.int32
    texts = [space.to_string(arch) for arch in archs]
    for arch, text in zip(archs, texts, strict=True):
        again = np.asarray(space.parse(text))
        assert space.to_string(again) == text
        np.testing.assert_array_equal(again, arch)
    assert len(set(texts)) == len(np.unique(archs, axis=0))


@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=FEW)
@given(seed=seeds)
def test_what_is_drawn_or_changed_stays_inside(name, seed):
    """Mutants and neighbours are architectures that can be printed and read; a neighbour is never the architecture itself, nor twice there;
    and the same generator gives the same."""
    space, rng = of(name), np.random.default_rng(seed)
    archs = space.sample(rng, 4)
    mutants = np.asarray(space.mutate(rng, archs))
    near = np.asarray(space.neighbours(archs[0]))
    for changed in (mutants, near):
        inside(space, changed)
    assert mutants.shape == archs.shape
    assert len(np.unique(near, axis=0)) == len(near)
    assert not (near == archs[0]).all(1).any()
    for arch in (*mutants, *near[:: max(1, len(near) // 5)]):
        np.testing.assert_array_equal(space.parse(space.to_string(arch)), arch)
    np.testing.assert_array_equal(space.sample(np.random.default_rng(seed), 4), archs)


@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=FEW)
@given(seed=seeds)
def test_canonical_forms_are_fixed(name, seed):
    space = of(name)
    archs = space.sample(np.random.default_rng(seed), 6)
    canonical = np.asarray(space.canonical(archs))
    inside(space, canonical)
    np.testing.assert_array_equal(space.canonical(canonical), canonical)
    np.testing.assert_array_equal(space.canonical(archs[::-1])[::-1], canonical)


@pytest.mark.parametrize("name", NAMES)
@given(seed=seeds, data=st.data())
def test_a_damaged_string_is_refused_or_names_an_architecture(name, seed, data):
    """Whatever is cut, doubled or put in: a `JaxzcError`, or genes inside the space that print to a string which reads back."""
    space = of(name)
    text = space.to_string(space.sample(np.random.default_rng(seed), 1)[0])
    at = data.draw(st.integers(0, len(text)))
    end = data.draw(st.integers(at, min(len(text), at + 12)))
    text = text[:at] + data.draw(st.text("|~+-_,:()[]{}' 0123456789abcnopsx\0²é", max_size=4)) + text[end:]
    try:
        arch = np.asarray(space.parse(text))
    except JaxzcError as error:
        assert "\n" not in str(error)  # noqa: PT017
        return
    inside(space, arch[None])
    np.testing.assert_array_equal(space.parse(space.to_string(arch)), arch)
