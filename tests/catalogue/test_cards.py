"""Every proxy has a card, and asks for ingredients that exist."""

from collections.abc import Iterator

import pytest
from absl import logging

from jaxzc.catalogue import cards
from jaxzc.cli import main
from jaxzc.ingredients import RESOLVER
from jaxzc.proxies import PROXIES
from jaxzc.resolver import needs, settings

NAMES = [
    "grad_norm",
    "snip",
    "grasp",
    "fisher",
    "jacob_cov",
    "plain",
    "synflow",
    "synflow_bn",
    "l2_norm",
    "zico",
    "sweetimator",
    "sweet_snip",
    "sweet_ntk",
    "sweet_zico",
    "sweet_gradsign",
    "tcet_snip",
    "tcet_synflow",
    "snr_snip",
    "snr_synflow",
    "lnwot",
    "naswot",
    "params",
    "flops",
    "layers",
    "ntk_condition",
    "ntk_condition_init",
    "linear_regions",
    "gradsign",
    "grad_conflict",
    "grad_angle",
    "epe_nas",
    "zen",
    "az_expressivity",
    "az_progressivity",
    "az_trainability",
    "logsynflow",
    "nwot_outputs",
    "sweet_grad_norm",
    "swap",
    "swap_regularised",
    "meco",
    "meco_opt",
    "zico_bc",
    "l_swag",
    "vkdnw",
    "vkdnw_single",
    "nasi",
    "ntk_trace",
    "knas",
    "jacob_trace",
    "wrcor",
]
LOWER_IS_BETTER = {"ntk_condition", "ntk_condition_init"}


@pytest.fixture(autouse=True)
def same_verbosity() -> Iterator[None]:
    """The commands quieten absl, which other tests must not notice."""
    before = logging.get_verbosity()
    yield
    logging.set_verbosity(before)


def test_the_proxies_are_these() -> None:
    assert list(PROXIES) == NAMES
    assert len(NAMES) == 51


@pytest.mark.parametrize("name", NAMES)
def test_card_is_complete(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    proxy = PROXIES[name]
    card = cards.card(proxy)
    assert tuple(field for field in card.fields if field not in cards.OPTIONAL) == cards.FIELDS
    assert all(text.strip() for text in card.fields.values())
    assert card.title.endswith(".")
    assert card.needs == needs(proxy) != ()
    assert set(card.needs) <= set(RESOLVER.known)
    assert RESOLVER.wanted({name: proxy}).keys() >= set(card.needs)
    assert card.higher_is_better is not None
    assert card.fields["Labels"].rstrip(".") in ("yes", "no")
    assert main(["proxies", name]) == 0
    words = " ".join(capsys.readouterr().out.split())  # lines are wrapped
    assert words.startswith(f"{name}: {' '.join(card.title.split())}")
    for field, text in card.fields.items():
        assert f"{field} {' '.join(text.split())}" in words
    assert f"Needs {', '.join(card.needs)} (passes: {card.cost})" in words
    for setting, default in settings(proxy).items():
        assert f"{setting}={default!r}" in words


@pytest.mark.parametrize("name", NAMES)
def test_labels_on_the_card_are_those_the_ingredients_read(name: str) -> None:
    """A proxy reads the labels if one of its ingredients is a derivative of the loss, or the labels themselves."""
    from_loss = {"loss_value", "loss_grads", "hvp", "channel_saliency", "activation_grads", "batch_grads", "example_grads", "sign_sums"}
    from_loss |= {"unit_mean", "labels", "response_correlations"}
    reads = bool(from_loss & RESOLVER.wanted({name: PROXIES[name]}).keys())
    assert cards.card(PROXIES[name]).fields["Labels"].startswith("yes" if reads else "no")


def test_list_of_proxies(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["proxies"]) == 0
    listed = capsys.readouterr().out
    words = " ".join(listed.split())
    for name, proxy in PROXIES.items():
        card = cards.card(proxy)
        assert f"\n{name} " in listed
        assert f"needs {', '.join(card.needs)}; passes: {card.cost}; labels: {card.fields['Labels'].rstrip('.')}" in words


def test_unknown_proxy(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["proxies", "zicoo"]) == 2
    assert "unknown proxy 'zicoo': did you mean 'zico'?" in capsys.readouterr().err


def test_directions() -> None:
    assert cards.directions() == {name: name not in LOWER_IS_BETTER for name in NAMES}


def test_a_card_of_ones_own_may_be_empty() -> None:
    def mine(loss_grads: object, weights: object) -> None: ...

    card = cards.card(mine)
    assert (card.title, card.fields, card.needs, card.cost, card.higher_is_better) == ("", {}, ("loss_grads", "weights"), "F + B", None)

    def lower(counts: object) -> None:
        """Mine.

        Direction: lower is better,
            always.
        """

    card = cards.card(lower)
    assert (card.title, card.fields, card.cost, card.higher_is_better) == (
        "Mine.",
        {"Direction": "lower is better, always."},
        "none",
        False,
    )
