"""What vectors and strings of NAS-Bench-Macro, DARTS, NDS and the chains of super blocks have in common: numpy only."""

from typing import Any

import numpy as np
import pytest
from jaxzc_spaces.darts.space import Darts
from jaxzc_spaces.nasbench_macro import NasBenchMacro
from jaxzc_spaces.nds import NdsEnas
from jaxzc_spaces.superblocks.mobilenetv2_zen import MobileNetV2Zen
from jaxzc_spaces.superblocks.resnet_zen import ResNetZen

from jaxzc.types import InputSpec, JaxzcError
from tests.support.genotype_spaces import CHAINS, GENOTYPES

SPACES: tuple[Any, ...] = (NasBenchMacro(), *GENOTYPES, *CHAINS)


@pytest.fixture(params=SPACES, ids=lambda space: space.name)
def space(request: pytest.FixtureRequest) -> Any:
    return request.param


def rng() -> np.random.Generator:
    return np.random.default_rng(0)


def test_every_architecture_has_a_program_of_its_own_but_in_darts(space: Any) -> None:
    archs = space.sample(rng(), 5)
    keys = space.program_keys(archs)
    assert keys.dtype == np.int32
    np.testing.assert_array_equal(keys, archs[:, :0] if space.name == "darts" else archs)


def test_canonical_forms_keep_counts(space: Any) -> None:
    archs = space.sample(rng(), 30)
    made = space.canonical(archs)
    for before, after in zip(space.counts(archs)[:3], space.counts(made)[:3], strict=True):
        assert before.dtype == np.int64
        np.testing.assert_array_equal(before, after)


def test_mutation_changes_every_row_and_not_what_it_was_given(space: Any) -> None:
    archs = space.sample(rng(), 30)
    copy = archs.copy()
    made = space.mutate(rng(), archs)
    np.testing.assert_array_equal(archs, copy)
    assert (made != archs).any(axis=1).all()
    np.testing.assert_array_equal(space.mutate(rng(), archs), made)


def test_neighbours_differ_in_one_gene(space: Any) -> None:
    arch = space.sample(rng(), 1)[0]
    assert ((space.neighbours(arch) != arch).sum(axis=1) == 1).all()


@pytest.mark.parametrize("text", ["", "no architecture", "{}", "Genotype()", "01201203", "0120120", 7, None])
def test_what_is_no_architecture_is_quoted(space: Any, text: Any) -> None:
    with pytest.raises(JaxzcError) as error:
        space.parse(text)
    assert repr(text) in str(error.value)
    assert "expected" in str(error.value)


def test_large_spaces_cannot_be_listed() -> None:
    for space in SPACES[1:]:
        with pytest.raises(JaxzcError, match="sample it instead"):
            space.enumerate()


def test_macro_is_6561_chains_and_their_classes() -> None:
    space = NasBenchMacro()
    everything = space.enumerate()
    assert everything.shape == (6561, 8)
    # Stages of 2, 3 and 3 layers: the first is fixed, of the others the order of those that are no identity: 3 and 7 ways.
    assert len(np.unique(space.canonical(everything), axis=0)) == (3 * 3) * (3 * 7) ** 2
    counts = space.counts(everything)
    assert counts.params.min() == space.counts(space.parse("00000000")).params.item() == 387882
    assert counts.params.max() == space.counts(space.parse("22222222")).params.item() == 2932586
    assert space.to_string(space.canonical(space.parse("10020010")[None])[0]) == "10020010"
    assert space.to_string(space.canonical(space.parse("10002001")[None])[0]) == "10020010"


@pytest.mark.parametrize(
    ("make", "expected"),
    [
        (lambda: NasBenchMacro(channels=0), "channels=0"),
        (lambda: Darts(stem="mnist"), "'cifar' or 'imagenet'"),
        (lambda: Darts(inputs=InputSpec((30, 32, 3))), "divisible by 4"),
        (lambda: Darts(stem="imagenet", inputs=InputSpec((48, 48, 3))), "divisible by 32"),
        (lambda: Darts(auxiliary=True, inputs=InputSpec((64, 64, 3))), "images of 32 x 32"),
        (lambda: NdsEnas(width=-1), "width=-1"),
        (lambda: MobileNetV2Zen(head=0), "head=0"),
        (lambda: ResNetZen(classes=0), "classes=0"),
    ],
)
def test_networks_that_cannot_be_built_are_refused(make: Any, expected: str) -> None:
    with pytest.raises(JaxzcError) as error:
        make()
    assert expected in str(error.value)
