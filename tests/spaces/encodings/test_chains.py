"""Chains of super blocks: published ones, budgets of the authors' code, mutations, strings that are none."""

from typing import Any

import numpy as np
import pytest
from jaxzc_spaces.nasbench_macro import NasBenchMacro
from jaxzc_spaces.superblocks.blocks import parse_blocks, round8
from jaxzc_spaces.superblocks.mobilenetv2_zen import MobileNetV2Zen
from jaxzc_spaces.superblocks.mutation import SLOTS, SPLIT, scaled
from jaxzc_spaces.superblocks.resnet_zen import ResNetZen

from jaxzc.search import Problem, parse_budget
from jaxzc.types import InputSpec, JaxzcError
from tests.support.genotype_spaces import CHAINS

ZICO_600M = (
    "SuperConvK3BNRELU(3,24,2,1)SuperResIDWE1K7(24,48,2,48,1)SuperResIDWE2K7(48,72,2,72,1)SuperResIDWE6K5(72,160,2,96,1)"
    "SuperResIDWE6K7(160,200,2,112,5)SuperResIDWE6K7(200,168,1,168,4)SuperConvK1BNRELU(168,2048,1,1)"
)


def test_published_chains_are_of_the_space() -> None:
    assert MobileNetV2Zen().to_string(MobileNetV2Zen().parse(ZICO_600M)) == ZICO_600M
    for space in CHAINS:
        assert space.to_string(space.initial) == space.initial_string
        space.to_string(np.zeros(len(space.choices), np.int32))


def test_budgets_are_those_of_the_authors_code() -> None:
    """The 600M network of ZiCo keeps to its budget by the authors' count."""
    space: Any = MobileNetV2Zen(classes=1000, inputs=InputSpec((224, 224, 3)))
    macro: Any = NasBenchMacro()
    counts = space.code_counts(space.parse(ZICO_600M))
    assert counts == (590_293_588, 9_653_777, 14)
    archs = np.stack([space.initial, space.parse(ZICO_600M)])
    kept = {
        budget: Problem(space, constraints=parse_budget(budget)).feasible(archs).tolist()
        for budget in ("code_flops<=590293588", "code_flops<590293588,flops>0", "code_layers>6", "code_model_size>9653777")
    }
    assert list(kept.values()) == [[True, True], [True, False], [False, True], [False, False]]
    with pytest.raises(JaxzcError, match="nasbench_macro does not count 'code_flops'"):
        Problem(macro, constraints=parse_budget("code_flops<=1"))


def test_rounding_to_eight_is_half_to_even() -> None:
    assert [round8(n) for n in (1, 11, 12, 13, 20, 28)] == [8, 8, 16, 16, 16, 32]
    assert [8 * (w + 1) for w in scaled(3)] == [16, 24, 32, 40, 48, 64, 80]
    assert scaled(127)[-1] == 127


@pytest.mark.parametrize("space", CHAINS, ids=lambda space: space.name)
def test_mutations_replace_one_block_and_split_long_ones(space: Any) -> None:
    generator, archs = np.random.default_rng(0), np.tile(space.initial, (300, 1))
    splits = 0
    for _ in range(12):
        made = space.mutate(generator, archs)
        for before, after in zip(archs, made, strict=True):
            old, new = space.blocks(before), space.blocks(after)
            if len(new) > len(old):
                splits += 1
                assert len(new) == len(old) + 1
            else:
                # The block after the changed one may read other channels.
                same = [a.kind == b.kind and a[2:] == b[2:] for a, b in zip(old, new, strict=True)]
                assert same.count(False) == 1
            if space.name == "mobilenetv2_zen":
                assert new[-1].c_out == 2048
        archs = made
    assert splits > 10
    stages = archs[:, 1 : 1 + 16 * SLOTS].reshape(300, 4, SLOTS, 4)
    free = (stages[:, :, -1, 0] == 0)[:, :, None]
    assert not ((stages[..., 3] + 1 >= SPLIT) & free).any(), "long blocks are split where there is room"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (ZICO_600M.replace("(24,48,2", "(32,48,2"), "expected 24, what comes before it"),
        (ZICO_600M.replace("IDWE6K5", "IDWE3K5"), "expected a block such as"),
        (ZICO_600M.replace("2048", "1024"), "which the option head sets"),
        (ZICO_600M.replace("(200,168,1", "(200,168,2"), "only the first of them strided"),
        (ZICO_600M.replace(",168,4)", ",172,4)"), "multiples of 8"),
        (ZICO_600M.replace(",168,4)", ",168,40)"), "at most 16"),
        ("SuperConvK3BNRELU(3,24,2)", "expected 4 positive numbers"),
        (ZICO_600M.replace("SuperResIDWE6K5(72,160,2,96,1)", "SuperResK3K3(72,160,2,96,1)"), "one of SuperResIDWE1K3"),
    ],
)
def test_wrong_chains_are_named(text: str, expected: str) -> None:
    with pytest.raises(JaxzcError) as error:
        MobileNetV2Zen().parse(text)
    assert expected in str(error.value)


def test_blocks_follow_the_images_colours() -> None:
    assert parse_blocks("SuperConvK3BNRELU(1,8,1,1)", 1)[0].c_in == 1
    grey = ResNetZen(inputs=InputSpec((8, 8, 1)))
    assert grey.blocks(grey.initial)[0].c_in == 1
