"""Programs kept on disk: the second scorer reads what the first one compiled, and nothing else is ever read."""

from functools import partial
from pathlib import Path

import jax
import numpy as np
import pytest

from jaxzc._compile import cache
from jaxzc.catalogue import spaces
from jaxzc.catalogue.selection import ProxySpec
from jaxzc.proxies import PROXIES
from jaxzc.scoring.space import SpaceScorer
from jaxzc.types import JaxzcError

BATCH = (np.random.default_rng(0).standard_normal((4, 8, 8, 3)).astype(np.float32), np.arange(4) % 3)
ARCH = np.array([3, 1, 2, 0, 4, 3])


@pytest.fixture
def kept(tmp_path: Path) -> Path:
    """The folder of programs, in a compilation cache of the test's own."""
    jax.config.update("jax_compilation_cache_dir", str(tmp_path))
    return tmp_path / "programs"


def scorer(proxies: ProxySpec = "jacob_cov,naswot", **options) -> SpaceScorer:
    space = spaces.space("nasbench201", classes=3, inputs=(8, 8, 3), channels=2, cells=1)
    return SpaceScorer(space, BATCH, proxies, **options)


def test_a_second_scorer_reads_and_does_not_trace(kept: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = scorer().one(ARCH)
    assert len(list(kept.iterdir())) == 2, "the draw and the score"

    def never(*_):
        raise AssertionError("traced again")

    monkeypatch.setattr("jaxzc.scoring.space.recipe.compute_values", never)
    second = scorer()
    assert second.one(ARCH) == first
    assert second.compilations == 1
    assert second.memory > 0, "a program that was read back knows its memory as well"


def test_settings_have_programs_of_their_own(kept: Path) -> None:
    scorer("zico", init="torch", weights="shared").programs(ARCH)
    told = [
        cache.tell((s.space, s.recipe.traced, s.recipe.init)) for s in (scorer("snip"), scorer("snip", init="normal"), scorer("sweet_snip"))
    ]
    told += [cache.tell(scorer(f"sweet_snip(interval=({low},1))").recipe.traced) for low in ("1e-3", "1e-2")]
    assert None not in told
    assert len(set(told)) == len(told)


def test_what_cannot_be_told_is_not_kept(kept: Path) -> None:
    def mine(loss_grads):
        return sum(g.sum() for g in loss_grads)

    values = scorer([mine]).one(ARCH)
    assert np.isfinite(values["mine"])
    assert len(list(kept.iterdir())) == 1, "the draw only"
    assert cache.tell(mine) is None
    assert cache.tell(np.zeros(2)) is None
    assert cache.tell({"a": partial(PROXIES["zico"], std_of="abs")}) is not None
    assert cache.tell({"a": partial(mine)}) is None


def test_a_damaged_file_is_compiled_again(kept: Path, caplog: pytest.LogCaptureFixture) -> None:
    first = scorer("l2_norm").one(ARCH)
    for path in kept.iterdir():
        path.write_bytes(path.read_bytes()[:100])
    assert scorer("l2_norm").one(ARCH) == first
    assert "could not be read and is compiled again" in caplog.text
    caplog.clear()
    for _ in range(2):  # what was written in its place is whole, though JAX's own cache knew the program
        assert scorer("l2_norm").one(ARCH) == first
    assert not caplog.text


def test_without_a_cache_nothing_is_written(kept: Path) -> None:
    jax.config.update("jax_compilation_cache_dir", None)
    scorer("l2_norm").one(ARCH)
    assert not kept.exists()


def test_a_folder_that_cannot_be_made_is_done_without(tmp_path: Path, kept: Path) -> None:
    (tmp_path / "programs").write_text("in the way")
    assert np.isfinite(scorer("l2_norm").one(ARCH)["l2_norm"])


def test_the_key_knows_sources_and_machine() -> None:
    assert cache.machine() == cache.machine()
    assert jax.default_backend() in cache.machine()


def test_a_program_that_was_read_still_says_what_could_not_be_computed(kept: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """zico wants two batches, and has one."""
    first = scorer("zico,l2_norm", unavailable="nan").one(ARCH)
    assert np.isnan(first["zico"])
    assert first.reasons["zico"].startswith("needs the gradients of at least 2 batches and got 1")
    with pytest.raises(JaxzcError, match=r"^zico: needs the gradients"):  # this scorer does not take the other's program
        scorer("zico,l2_norm").one(ARCH)
    monkeypatch.setattr("jaxzc.scoring.space.recipe.compute_values", None)
    second = scorer("zico,l2_norm", unavailable="nan").one(ARCH)
    assert (second.reasons, second["l2_norm"]) == (first.reasons, first["l2_norm"])
