"""Every proxy has a card, and asks for ingredients that exist."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from absl import logging

import jaxzc
from jaxzc.catalogue import cards, costs
from jaxzc.cli import main
from jaxzc.definitions.signatures import needs
from jaxzc.ingredients import RESOLVER
from jaxzc.numerics.initialisers import INITIALISERS
from jaxzc.proxies import FOUNDING, PROXIES

LOWER_IS_BETTER = {"ntk_condition", "ntk_condition_init"}


@pytest.fixture(autouse=True)
def same_verbosity() -> Iterator[None]:
    """The commands quieten absl, which other tests must not notice."""
    before = logging.get_verbosity()
    yield
    logging.set_verbosity(before)


def test_the_founding_proxies_come_first() -> None:
    assert list(PROXIES)[: len(FOUNDING)] == list(FOUNDING)


@pytest.mark.parametrize("name", PROXIES)
def test_card_is_complete(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    proxy = PROXIES[name]
    card = cards.card(proxy)
    assert tuple(card.prose) == cards.PROSE
    assert all(text.strip() for text in card.prose.values())
    assert card.title.endswith(".")
    assert card.needs == needs(proxy) != ()
    assert set(card.needs) <= set(RESOLVER.known)
    assert RESOLVER.wanted({name: proxy}).keys() >= set(card.needs)
    assert card.facts.direction in ("higher", "lower")
    assert card.facts.labels in (True, False)
    assert {card.facts.init, card.facts.redrawn} <= {None, *INITIALISERS}
    drawn = {need for need in RESOLVER.wanted({name: proxy}) if need.endswith("_params")}
    assert (card.facts.redrawn is not None) == bool(drawn)
    assert bool(card.facts.norm) == (card.cost != "none")
    assert main(["proxies", name]) == 0
    words = " ".join(capsys.readouterr().out.split())  # lines are wrapped
    assert words.startswith(f"{name}: {' '.join(card.title.split())}")
    for field, text in {**card.prose, **card.stated}.items():
        assert f"{field} {' '.join(text.split())}" in words
    assert f"Needs {', '.join(card.needs)} Cost {card.cost} (" in words
    for setting, default in RESOLVER.settings(proxy).items():
        assert f"{setting}={default!r}" in words


@pytest.mark.parametrize("name", PROXIES)
def test_labels_on_the_card_are_those_the_ingredients_read(name: str) -> None:
    """A proxy reads the labels if one of its ingredients is a derivative of the loss, or the labels themselves."""
    from_loss = {"loss_value", "loss_grads", "hvp", "channel_saliency", "activation_grads", "batch_grads", "example_grads", "sign_sums"}
    from_loss |= {"unit_mean", "labels", "response_correlations"}
    reads = bool(from_loss & RESOLVER.wanted({name: PROXIES[name]}).keys())
    assert cards.card(PROXIES[name]).facts.labels == reads


def test_list_of_proxies(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["proxies"]) == 0
    listed = capsys.readouterr().out
    words = " ".join(listed.split())
    for name, proxy in PROXIES.items():
        card = cards.card(proxy)
        assert f"\n{name} " in listed
        passes = f"{costs.forward_passes(proxy, sizes=costs.ANY):.3g}"
        assert f"needs {', '.join(card.needs)}; passes: {passes}; labels: {card.labels}" in words


def test_unknown_proxy(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["proxies", "zicoo"]) == 2
    assert "unknown proxy 'zicoo': did you mean 'zico'?" in capsys.readouterr().err


def test_directions() -> None:
    assert cards.directions() == {name: name not in LOWER_IS_BETTER for name in PROXIES}


def test_a_card_of_ones_own_may_be_empty() -> None:
    def mine(loss_grads: object, weights: object) -> float:
        return 0

    card = cards.card(mine)
    assert (card.title, card.prose, card.needs, card.cost) == ("", {}, ("loss_grads", "weights"), "F + B")
    assert list(card.stated.values()) == ["not stated", "not stated", "any", "none needed"]

    @jaxzc.proxy(direction="lower", labels=False, version=3, init="torch", redrawn="normal", norm=("batch", "init"))
    def lower(counts: object) -> float:
        """Mine.

        Fails: nearly
            always.
        """
        return 0

    card = cards.card(lower)
    assert (card.title, card.prose, card.cost) == ("Mine.", {"Fails": "nearly always."}, "none")
    assert list(card.stated.values()) == ["lower is better", "no", "torch and normal, drawn anew", "batch, init", "3"]


def test_facts_survive_without_docstrings() -> None:
    """Under -OO a search would have maximised what is to be minimised."""
    script = """
from jaxzc.catalogue import cards, costs
from jaxzc.catalogue.selection import identity
from jaxzc.proxies import PROXIES
card = cards.card(PROXIES["ntk_condition"])
print(PROXIES["ntk_condition"].__doc__, cards.directions()["ntk_condition"], card.facts.labels, card.cost, identity(PROXIES["meco"]))
"""
    run = subprocess.run([sys.executable, "-OO", "-c", script], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "None False False F + 16B of 16 examples meco(size=64)@2"


def test_proxies_import_neither_flax_nor_the_cache_of_programs() -> None:
    """Of the folder itself: what `import jaxzc` brings along for scoring is another matter."""
    script = f"""
import sys, types
package = types.ModuleType("jaxzc")
package.__path__ = {[str(Path(jaxzc.__file__).parent)]!r}
sys.modules["jaxzc"] = package
from jaxzc.proxies import PROXIES
print(len(PROXIES), [name for name in sys.modules if name.partition(".")[0] in ("flax", "optax") or name == "jaxzc._compile.cache"])
import jaxzc.catalogue.selection
print([name for name in sys.modules if name.partition(".")[0] in ("flax", "optax")])
"""
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert run.stdout.splitlines() == [f"{len(PROXIES)} []", "[]"]
