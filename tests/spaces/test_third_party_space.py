"""The example of a space in a package of its own: installed beside jaxzc, found by its entry point, scored by the command line."""

import tomllib
from pathlib import Path

import jax
import numpy as np
import pyarrow.parquet as pq
import pytest

from jaxzc.catalogue import spaces
from jaxzc.cli import main

EXAMPLE = Path(__file__).parents[2] / "examples" / "third_party_space"


@pytest.fixture
def installed(here: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
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
    return here


def test_the_command_line_scores_a_space_of_somebody_else(installed: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "conv_chains" in spaces.spaces()
    (installed / "archs.txt").write_text("conv3-none-conv1-none\nconv1-none-none-none\n")
    arguments = ["score", "conv_chains", "--set", "channels=4", "--proxies", "snip,synflow,naswot,params,layers", "--no-cache", "--quiet"]
    main([*arguments, "--archs", "archs.txt", "--batch-size", "4", "--out", "scores.parquet"])
    table = pq.read_table(installed / "scores.parquet").to_pydict()
    assert table["arch"] == ["conv3-none-conv1-none", "conv1-none-none-none"]
    assert table["layers"] == [4, 3]
    for name in ("snip", "synflow", "naswot"):
        assert np.isfinite(table[name]).all()
        assert table[name][0] != table[name][1]


def test_its_counts_are_those_of_its_network(installed: Path) -> None:
    space = spaces.space("conv_chains", classes=3, image_shape=(8, 8, 1))
    arch = space.parse("conv3-none-conv5-conv1")
    params = space.init(jax.random.key(0), "torch", arch)
    made, ours = space.network(arch).counts(params), space.counts(arch)  # type: ignore[attr-defined]
    assert [int(n) for n in made] == [n.item() for n in ours]
    np.testing.assert_array_equal(space.canonical(arch[None])[0], space.parse("conv3-conv5-conv1-none"))
