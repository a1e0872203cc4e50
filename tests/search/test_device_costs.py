"""Costs that a device sets."""

import numpy as np
import pytest

import jaxzc
from jaxzc.search import Problem, parse_budget
from jaxzc.search.job.device_costs import Latency, PeakMemory, TableLatency
from jaxzc.search.job.named_costs import costs
from jaxzc.types import JaxzcError

SPACE = jaxzc.space("nasbench201", classes=3, inputs=(8, 8, 1), channels=2, cells=1)
LIGHT = "|skip_connect~0|+|none~0|none~1|+|skip_connect~0|none~1|none~2|"
HEAVY = "|nor_conv_3x3~0|+|nor_conv_3x3~0|nor_conv_3x3~1|+|nor_conv_3x3~0|nor_conv_3x3~1|nor_conv_3x3~2|"
ARCHS = np.stack([SPACE.parse(LIGHT), SPACE.parse(HEAVY)])


def test_latency_and_memory_are_measured_once(monkeypatch):
    compiled = []
    of = PeakMemory._compiled
    monkeypatch.setattr(PeakMemory, "_compiled", lambda self, arch: compiled.append(arch) or of(self, arch))
    memory = PeakMemory(SPACE, batch=4)
    light, heavy = memory(ARCHS)
    assert heavy > light > 4 * 4 * 8 * 8
    np.testing.assert_array_equal(memory(ARCHS[::-1]), [heavy, light])
    assert len(compiled) == 2
    (milliseconds,) = Latency(SPACE)(ARCHS[:1])
    assert 0 < milliseconds < 1e4


def test_latency_from_a_table(tmp_path):
    (tmp_path / "a.csv").write_text(f"arch,raspi4,latency\n{LIGHT},2.5,1\n{HEAVY},9.75,4\n")
    table = TableLatency(SPACE, f"{tmp_path / 'a.csv'}:raspi4")
    np.testing.assert_array_equal(table(ARCHS), [2.5, 9.75])
    np.testing.assert_array_equal(TableLatency(SPACE, str(tmp_path / "a.csv"))(ARCHS), [1, 4])
    problem = Problem(SPACE, constraints=parse_budget("latency<=3"), costs=costs(["latency", "params"], SPACE, table.source))
    np.testing.assert_array_equal(problem.feasible(ARCHS), [True, False])
    assert problem.cost_names == ["latency", "params"]
    missing = SPACE.sample(np.random.default_rng(0), 1)
    assert np.isnan(table(np.concatenate([missing, ARCHS]))[0])
    with pytest.raises(JaxzcError, match="has no latency of"):
        table(missing)


def test_names_of_costs():
    latency, flops, memory = costs(["latency", "flops", "peak_memory"], SPACE)
    assert isinstance(latency, Latency)
    assert isinstance(memory, PeakMemory)
    assert flops == "flops"
