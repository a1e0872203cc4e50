"""Accel-NASBench's space: strings, counts of every network of its table, times on devices."""

from pathlib import Path
from typing import Any

import jax
import numpy as np
import pytest
from jaxzc_spaces.mnasnet import devices, encoding
from jaxzc_spaces.mnasnet.network import round8
from jaxzc_spaces.mnasnet.space import MnasNet

from jaxzc.search.problem import Limit, Problem
from jaxzc.types import InputSpec, JaxzcError
from tests.support.reference_tables import reference_table

TINY = MnasNet(4, (4, 4, 4, 8, 8, 8, 8), 16, inputs=InputSpec((16, 16, 3)), classes=3)
NETWORK = "e1k3l1s0-e4k3l2s0-e6k5l2s1-e6k3l3s0-e6k5l3s1-e6k5l4s1-e6k3l1s1"


def rows() -> list[dict[str, str]]:
    return reference_table("accel_mnasnet.csv.gz")


def test_genes_and_strings() -> None:
    space = MnasNet()
    arch = space.parse(NETWORK)
    assert arch.reshape(7, 4).tolist()[:3] == [[0, 0, 0, 0], [1, 0, 1, 0], [2, 1, 1, 1]]
    assert space.to_string(arch) == NETWORK
    assert len(space.neighbours(arch)) == sum(space.choices) - len(space.choices)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("e1k3l1s0", "expected 7 blocks joined by '-'"),
        (NETWORK.replace("e4", "e5"), "block 1 is 'e5k3l2s0'"),
        (NETWORK.replace("l3s1", "l4s1"), "block 4 is 'e6k5l4s1'; expected e and 1, 4 or 6, k and 3 or 5, l and 1 to 3"),
        (NETWORK.replace("s0", "sFalse", 1), "block 0 is 'e1k3l1sFalse'"),
    ],
)
def test_wrong_strings(text: str, message: str) -> None:
    with pytest.raises(JaxzcError, match=message):
        MnasNet().parse(text)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"widths": (8,) * 6}, "expected 7 positive integers"),
        ({"activation": "gelu"}, "expected one of relu, silu"),
        ({"head": 0}, "head=0"),
    ],
)
def test_wrong_settings(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(JaxzcError, match=message):
        MnasNet(**settings)


def test_widths_inside_are_multiples_of_eight() -> None:
    assert [round8(c) for c in (1, 12, 20, 36, 42, 67, 96)] == [8, 16, 24, 40, 40, 64, 96]


def test_counts_of_every_network_of_the_table() -> None:
    space = MnasNet()
    archs = np.stack([space.parse(row["encoding"]) for row in rows()])
    assert [space.to_string(arch) for arch in archs] == [row["encoding"] for row in rows()]
    counts = space.counts(archs)
    np.testing.assert_array_equal(counts.params, [int(row["params"]) for row in rows()])
    np.testing.assert_array_equal(counts.flops, [int(row["macs_conv_linear"]) for row in rows()])
    np.testing.assert_array_equal(space.own_counts["table_macs"](archs), [int(row["macs_thop"]) for row in rows()])


def test_counts_are_those_of_the_network() -> None:
    for arch in (TINY.parse(NETWORK), TINY.sample(np.random.default_rng(0), 1)[0]):
        counts, network = TINY.counts(arch), TINY.network(arch)
        params = jax.eval_shape(network.init, jax.random.key(0))
        assert sum(leaf.size for leaf in jax.tree.leaves(params)) == counts.params.item()
        assert sum(len(group.cells) for group in network.groups) == counts.layers.item()
        assert {cell for group in network.groups for cell in group.cells} == {-1, *range(7)}


def test_gates_are_no_rectifiers() -> None:
    kinds = {group.kind for group in TINY.network(TINY.parse(NETWORK)).activations}
    assert kinds == {"relu", "hard_sigmoid"}


def exact_times(archs: np.ndarray) -> np.ndarray:
    """Seconds of a device on which layers add up."""
    entries = np.random.default_rng(1).uniform(1e-6, 2e-6, 1 + 2 * 7 * devices.TYPES)
    return devices.layer_numbers(archs) @ entries


def test_a_device_on_which_layers_add_up_is_predicted_exactly() -> None:
    archs = MnasNet().sample(np.random.default_rng(0), 1200)
    known, others = archs[:1000], archs[1000:]
    seconds = exact_times(known)
    seconds[::100] = np.nan
    fitted = devices.fit(known, seconds)
    np.testing.assert_allclose(fitted.predicted(others), exact_times(others), rtol=1e-6)
    np.testing.assert_allclose(fitted.nanoseconds(others), 1e9 * exact_times(others), atol=1)


def test_what_was_measured_stays_as_it_was() -> None:
    archs = MnasNet().sample(np.random.default_rng(0), devices.LEAST)
    seconds = np.random.default_rng(2).uniform(1e-4, 2e-4, len(archs))
    fitted = devices.fit(np.concatenate([archs, archs[:1]]), np.concatenate([seconds, seconds[:1] + 2e-4]))
    np.testing.assert_allclose(fitted.nanoseconds(archs[:2]), 1e9 * seconds[:2] + [1e5, 0], atol=1)


def test_devices_of_a_table_are_costs_of_a_search(tmp_path: Path) -> None:
    space = MnasNet()
    archs = space.sample(np.random.default_rng(0), devices.LEAST)
    seconds = exact_times(archs)
    path = tmp_path / "times.csv"
    rows = [f"{space.to_string(arch)},{1 / time!r},{1e3 * time!r}" for arch, time in zip(archs, seconds.tolist(), strict=True)]
    path.write_text("\n".join(["arch,throughput_x_img_s,latency_y_ms", *rows]))
    space = MnasNet(devices=str(path))
    assert set(space.own_counts) == {"table_macs", "x_ns", "y_latency_ns"}
    np.testing.assert_allclose(space.own_counts["x_ns"](archs), 1e9 * seconds, atol=1)
    limit = float(np.median(1e9 * seconds))
    feasible = Problem(space, constraints=[Limit("x_ns", "<=", limit)], costs=("y_latency_ns",)).feasible(archs)
    assert 0.4 < feasible.mean() < 0.6


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("arch,top1\n" + NETWORK + ",1", "expected throughput_DEVICE_img_s or latency_DEVICE_ms"),
        ("network,latency_x_ms\na,1", "expected architectures in a column 'encoding' or 'arch'"),
        (f"arch,latency_x_ms\n{NETWORK},slow", "column latency_x_ms does not hold numbers"),
        (f"arch,latency_x_ms\n{NETWORK},0", "column latency_x_ms: 0 stands there"),
        (f"arch,latency_x_ms\n{NETWORK},1", f"times of 1 networks: expected at least {devices.LEAST}"),
    ],
)
def test_wrong_tables_of_devices(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "times.csv"
    path.write_text(text)
    with pytest.raises(JaxzcError, match=message):
        devices.measured(str(path))


def test_the_fit_predicts_networks_that_it_has_not_seen() -> None:
    """Half of the table's networks by the other half: the median error is below 1 to 4 % of the time."""
    archs = np.stack([encoding.parse(row["encoding"]) for row in rows()])
    for column, least in (("throughput_tpuv3_img_s", 0.04), ("throughput_a100_img_s", 0.01), ("throughput_vck190_img_s", 0.04)):
        seconds = 1 / np.array([float(row[column] or "nan") for row in rows()])
        predicted = devices.fit(archs[::2], seconds[::2]).predicted(archs[1::2])
        assert np.nanmedian(np.abs(predicted / seconds[1::2] - 1)) < least, column
