"""The example of a space in a package of its own: installed beside jaxzc, found by its entry point, scored by the command line."""

import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jax
import numpy as np
import pyarrow.parquet as pq
import pytest

from jaxzc._compile import sources
from jaxzc.catalogue import spaces
from jaxzc.cli import main
from jaxzc.scoring.space import SpaceScorer
from jaxzc.spacekit import program_of

EXAMPLE = Path(__file__).parents[2] / "examples" / "third_party_space"


@pytest.fixture
def installed(here: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """What an installer makes of the example: its module, and metadata with the entry points of its pyproject.toml."""
    project = tomllib.loads((EXAMPLE / "pyproject.toml").read_text())["project"]
    site = here / "site"
    info = site / f"{project['name'].replace('-', '_')}-{project['version']}.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: {project['version']}\n")
    groups = project["entry-points"].items()
    lines = [line for group, points in groups for line in (f"[{group}]", *(f"{name} = {value}" for name, value in points.items()))]
    (info / "entry_points.txt").write_text("\n".join(lines) + "\n")
    (site / "conv_chains.py").write_text((EXAMPLE / "conv_chains.py").read_text())
    monkeypatch.syspath_prepend(str(site))
    sources.digest.cache_clear()
    yield here
    sys.modules.pop("conv_chains", None)
    sources.digest.cache_clear()


def test_the_command_line_scores_a_space_of_somebody_else(installed: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "conv_chains" in spaces.spaces()
    (installed / "archs.txt").write_text("2-0-1-0\n1-0-0-0\n")
    arguments = ["score", "conv_chains", "--set", "channels=4", "--proxies", "snip,synflow,naswot,params,layers", "--no-cache", "--quiet"]
    main([*arguments, "--archs", "archs.txt", "--batch-size", "4", "--out", "scores.parquet"])
    table = pq.read_table(installed / "scores.parquet").to_pydict()
    assert table["arch"] == ["2-0-1-0", "1-0-0-0"]
    assert table["layers"] == [4, 3]
    for name in ("snip", "synflow", "naswot"):
        assert np.isfinite(table[name]).all()
        assert table[name][0] != table[name][1]


def test_its_counts_are_those_of_its_network(installed: Path) -> None:
    space = spaces.space("conv_chains", classes=3, inputs=(8, 8, 1))
    arch = space.parse("2-0-3-1")
    params, network = program_of(space, arch).init(jax.random.key(0)), space.network(arch)
    own, ours = network.counts(params), space.counts(arch)  # type: ignore[attr-defined]
    assert [int(n) for n in own] == [int(np.ravel(n)[0]) for n in ours]
    np.testing.assert_array_equal(space.canonical(arch[None])[0], space.parse("2-3-1-0"))


def test_its_parameters_are_drawn_by_the_initialiser(installed: Path) -> None:
    space: Any = spaces.space("conv_chains", classes=3, inputs=(8, 8, 1))
    program = program_of(space, space.parse("3-0-0-0"))
    params = jax.jit(program.init)(jax.random.key(0))
    assert np.abs(params["kernel1"]).max() == pytest.approx((25 * 8) ** -0.5, rel=0.02), "uniform within 1 / sqrt(fan-in)"
    assert 0 < np.abs(params["head_bias"]).max() <= 8**-0.5
    assert (params["scale1"] == 1).all()
    assert (params["shift1"] == 0).all()


def test_its_programs_are_kept_on_disk_as_ours_are(installed: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    jax.config.update("jax_compilation_cache_dir", str(installed / "cache"))
    space = spaces.space("conv_chains", classes=3, inputs=(8, 8, 1), channels=2)
    batch = np.random.default_rng(0).standard_normal((4, 8, 8, 1)).astype(np.float32), np.arange(4) % 3

    def scored() -> dict[str, float]:
        return SpaceScorer(space, batch, "snip,naswot", pieces=False).one(space.parse("2-0-0-0"))

    first, stored = scored(), list((installed / "cache" / "programs").iterdir())
    assert len(stored) == 2, "the draw and the score"
    with monkeypatch.context() as patch:
        patch.setattr("jaxzc.scoring.space.recipe.compute_values", None)  # would be called where the program is traced
        assert scored() == first
    source = installed / "site" / "conv_chains.py"
    source.write_text(source.read_text() + "\n# changed\n")
    sources.digest.cache_clear()  # as in another process
    assert scored() == first
    assert len(list((installed / "cache" / "programs").iterdir())) == 4, "compiled anew where its source has changed"
