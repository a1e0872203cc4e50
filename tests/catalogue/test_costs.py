"""Costs in forward passes, against counts by hand."""

import pytest

from jaxzc.catalogue import costs, reference
from jaxzc.catalogue.selection import parse_proxy
from jaxzc.definitions.facts import Passes, Sizes, ingredient, proxy
from jaxzc.evaluation.cost import cost
from jaxzc.proxies import PROXIES

SIZES = Sizes(batch_size=16, batches=3, outputs=7, pixels=8 * 8)


@pytest.mark.parametrize(
    ("text", "passes"),
    [
        ("params", 0),
        ("l2_norm", 0),
        ("naswot", 1),
        ("lnwot", 1),
        ("snip", 3),  # a forward and a backward pass
        ("jacob_cov", 3),
        ("grasp", 10),  # 2F + 4B
        ("zico", 9),  # three batches
        ('zico(std_of="abs")', 9),
        ("synflow", 3 / 16),  # one image
        ("tcet_synflow", 3 / 16 + 1),
        ("tcet_snip", 4),
        ("sweet_gradsign", 6),  # every example by itself, and the batch
        ("zen", 2),
        ("az_trainability", 3),
        ("ntk_condition", 1 + 16 * 2),  # the batch has 16 images, all of which the kernel takes
        ("ntk_condition(images=4)", (1 + 4 * 2) * 4 / 16),
        ("swap", 8),
        ("swap(repeats=32)", 32),
        ("swap(repeats=32,images=4)", 32 * 4 / 16),
        ("vkdnw", 1 + 7 * 2),  # a backward pass for each output
        ("meco", 64 / 16),  # one image of 64 x 64 pixels is 64 of 8 x 8
        ("meco(size=8)", 1 / 16),
        ("linear_regions", 3000 * 4 * 4 / 64 / 16),
    ],
)
def test_forward_passes_of_a_batch(text: str, passes: float) -> None:
    assert costs.forward_passes(parse_proxy(text), sizes=SIZES) == pytest.approx(passes)


def test_shared_passes_count_once() -> None:
    together = [PROXIES[name] for name in ("snip", "grad_norm", "jacob_cov", "naswot")]
    assert costs.forward_passes(*together, sizes=SIZES) == 3
    assert costs.forward_passes(parse_proxy("swap"), parse_proxy("swap(repeats=2)"), PROXIES["l_swag"], sizes=SIZES) == 8 + 2 + 9


def test_passes_in_words() -> None:
    assert [costs.in_words(PROXIES[name]) for name in ("params", "snip", "lnwot")] == ["none", "F + B", "F"]
    assert costs.in_words(PROXIES["sweet_gradsign"]) == "F + B; F + B of 1 example, for each example"
    assert costs.in_words(parse_proxy("swap(repeats=32)")) == "32F of 16 examples"
    assert costs.in_words(PROXIES["vkdnw"]) == "F + B for each output of 16 examples"
    assert costs.in_words(PROXIES["linear_regions"]) == "F of 3,000 examples of 16 pixels"


def test_a_proxy_of_ones_own_with_its_ingredient() -> None:
    @ingredient(lambda draws: Passes(forward=draws, backward=1))
    def mine(params: object, *, draws: int = 5) -> object:
        return params

    @proxy(ingredients=[mine])
    def my_score(mine: object, loss_grads: object) -> float:
        return 0

    assert costs.forward_passes(my_score, sizes=SIZES) == 5 + 2 + 3
    assert costs.in_words(my_score) == "5F + B; F + B"


def test_every_proxy_has_passes() -> None:
    for name, function in PROXIES.items():
        assert costs.forward_passes(function, sizes=costs.ANY) >= 0, name


def test_training_is_three_forward_passes_an_image() -> None:
    assert costs.training_flops(7, 10) == 210


def test_passes_are_one_number_wherever_they_are_said() -> None:
    """The table of the reference, the command that lists proxies, a leaderboard and what a job records."""
    page = reference.markdown()
    for name, function in PROXIES.items():
        passes = costs.forward_passes(function, sizes=costs.ANY)
        (row,) = [line for line in page.splitlines() if line.startswith(f"| [{name}](")]
        assert f"{passes:.3g}" in [cell.strip() for cell in row.split("|")]
        assert f": {passes:.3g} passes\n" in page
        known = cost(name, {"batch_size": 64, "batches": 2}).get("passes")
        assert known == (None if name in ("vkdnw", "vkdnw_single", "meco", "meco_opt", "linear_regions") else passes), name
