"""Costs in forward passes, against counts by hand."""

import pytest

from jaxzc.catalogue import costs
from jaxzc.catalogue.selection import select
from jaxzc.proxies import PROXIES


@pytest.mark.parametrize(
    ("proxy", "passes"),
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
        ("meco", 4 / 16),
    ],
)
def test_forward_passes_of_a_batch(proxy: str, passes: float) -> None:
    (function,) = select([proxy]).values()
    assert costs.forward_passes(function, batch_size=16, batches=3) == pytest.approx(passes)


def test_every_card_states_its_passes_in_words_that_are_understood() -> None:
    for name, proxy in PROXIES.items():
        assert costs.forward_passes(proxy, batch_size=64, batches=2) >= 0, name


@pytest.mark.parametrize("text", ["3", "F and B", "F + ", "F of one image", "fF", "F B"])
def test_other_words_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match="no cost in passes"):
        costs._passes(text, 16, 2)


def test_training_is_three_forward_passes_an_image() -> None:
    assert costs.training_flops(7, 10) == 210
