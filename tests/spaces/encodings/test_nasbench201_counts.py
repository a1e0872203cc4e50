"""Parameters, multiply-accumulates and layers of NAS-Bench-201's networks, by arithmetic."""

import json

import numpy as np
import pytest
from jaxzc_spaces.nasbench201.encoding import dead_edges, macs_params_layers, parse

from jaxzc.types import JaxzcError
from tests.support.golden import shared
from tests.support.nasbench201_cells import SPACE, TABLE, genes
from tests.support.reference_tables import reference_table


@pytest.fixture(scope="module")
def golden():
    directory = shared("JAXZC_GOLDEN", "../shared/golden/dev")
    scores = json.loads((directory / "scores.json").read_text())
    return scores, [np.load(directory / "networks" / f"{i:02d}.npz") for i in range(len(scores["metadata"]["networks"]))]


@pytest.mark.parametrize(("classes", "column"), [(10, "c10_params_M"), (100, "c100_params_M")])
def test_parameters_of_the_whole_benchmark(classes, column):
    benchmark = reference_table(TABLE)
    archs = np.concatenate([genes(row["ops"]) for row in benchmark])
    params = macs_params_layers(archs, 16, 5, classes).params
    assert params.dtype == np.int64
    assert params.tolist() == [round(float(row[column]) * 1e6) for row in benchmark]


@pytest.mark.parametrize("size", [16, 32])
def test_counts_of_the_golden_networks(golden, size):
    scores, networks = golden
    for i, network in enumerate(networks):
        arch = parse(str(network["arch"]))[None]
        counts = macs_params_layers(arch, int(network["C"]), int(network["N"]), 10, (size, size, 3))
        assert counts.flops[0] == scores["variants"][f"macs_conv_linear_{size}x{size}"]["values"][i]
        assert counts.flops[0] == scores["proxies"][f"flops_xautodl_{size}x{size}"]["ref_f64"][i] - 10  # theirs includes the linear bias
        assert counts.params[0] == scores["proxies"]["params"]["ref_f64"][i]
        assert counts.layers[0] == len(network["layers"])


def test_counts_by_hand():
    # Stem 9; edges 1 + 9, 4 + 36, 16 + 144; reductions 18 + 36 + 2, 72 + 144 + 8; linear 8: at 16, 4 and 1 positions.
    flops = (9 + 10) * 16 + (56 + 40) * 4 + (224 + 160) + 8
    norms = 2 + 4 + (4 + 4) + 8 + (8 + 8) + 16 + 8
    counts = macs_params_layers(genes("203010"), channels=1, cells=1, classes=2, image_shape=(4, 4, 1))
    assert [int(count[0]) for count in counts[:3]] == [9 + 10 + 56 + 40 + 224 + 160 + 8 + norms + 2, flops, 14]


def test_flops_grow_with_the_area_of_the_image():
    small, wide = (macs_params_layers(SPACE, 4, 2, 7, shape) for shape in ((8, 4, 3), (8, 12, 3)))
    linear = 4 * 4 * 7
    np.testing.assert_array_equal(wide.flops - linear, 3 * (small.flops - linear))
    np.testing.assert_array_equal(wide.params, small.params)


def test_counts_beyond_int32_are_exact():
    counts = macs_params_layers(genes("333333"), 2**12, 2**10, 10, (224, 224, 3))
    c = 2**12
    params = 27 * c + 2 * c + 8 * c + 40 * c + 10 + sum(6 * 1024 * (9 * w * w + 2 * w) for w in (c, 2 * c, 4 * c))
    params += sum(9 * w * 2 * w + 9 * 4 * w * w + 2 * w * w + 8 * w for w in (c, 2 * c))
    assert int(counts.params[0]) == params > 2**31


def test_counts_of_no_architectures_are_empty():
    assert macs_params_layers(SPACE[:0], 16, 5, 10).flops.shape == (0,)
    assert dead_edges(SPACE[:0]).shape == (0, 6)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ((0, 5, 10), r"channels = 0; expected at least 1"),
        ((16, -1, 10), r"cells = -1; expected at least 1"),
        ((16, 5, 0), r"classes = 0; expected"),
        ((16, 5, 10, (32, 32, 0)), r"image channels = 0; expected"),
        ((16, 5, 10, (32, 30, 3)), r"images are 32 x 30; expected multiples of 4: .* Resize or crop them"),
        ((16, 5, 10, (0, 32, 3)), r"images are 0 x 32; expected multiples of 4"),
        ((2**30, 5, 10), r"a network of the space counts \d+, more than int64 holds; expected fewer channels"),
    ],
)
def test_unusable_settings_are_named(settings, message):
    with pytest.raises(JaxzcError, match=message):
        macs_params_layers(SPACE[:3], *settings)
