"""XLA's compiler for GPUs without a GPU: what it is told of one, and, where JAX's plugin for CUDA is installed, what it makes of it."""

import os
import subprocess
import sys
from importlib.metadata import entry_points

import pytest

from jaxzc.catalogue import spaces
from jaxzc.planning.chips import CHIPS
from jaxzc.planning.gpus import GPUS, _description, described


def test_the_description_of_a_gpu() -> None:
    assert set(GPUS) < set(CHIPS)
    for name in GPUS:
        text = _description(name)
        assert f'name: "{GPUS[name].kind}"' in text
        assert f"device_memory_size: {int(CHIPS[name].memory)}" in text
        assert text.count("{") == text.count("}")
    assert "core_count: 108" in _description("a100")
    assert "shared_memory_per_block_optin: 101376" in _description("l4")
    assert ("feature_extension" in _description("h100"), "feature_extension" in _description("a100")) == (True, False)


def test_a_described_gpu_is_the_one_that_triton_is_asked_for() -> None:
    from jaxzc_spaces.cells.side_by_side import has_triton

    for name, has in (("t4", False), ("a100", True), ("l4", True), ("h200", True)):
        with described(name):
            assert has_triton() == has
    assert not has_triton()


@pytest.mark.slow
@pytest.mark.parametrize("name", GPUS)
def test_programs_compile_for_gpus_that_are_not_there(name: str) -> None:
    planned = plan(f"nasbench201 --proxies grad_norm,naswot,synflow --chunk 4 --set channels=16 --set cells=1 --topology {name}")
    assert "GB on each device" in planned
    assert "refused" not in planned


@pytest.mark.slow
@pytest.mark.parametrize("space", [name for name in spaces.spaces() if name not in ("flexibert", "nasbench_nlp", "nasbench_asr")])
def test_programs_of_every_space_of_images_compile_for_a_gpu(space: str) -> None:
    """XLA's fusion of matrix products ended the process for NAS-Bench-101 and DARTS, at this size (`platforms.compiler_options`)."""
    assert "GB on each device" in plan(f"{space} --proxies grad_norm --chunk 4 --batch-size 64 --topology h100")


def plan(arguments: str) -> str:
    """What `jaxzc plan --platform cuda` prints, in a process of its own: JAX looks for plugins once. `pip install 'jaxzc[cuda]'` has the
    compiler."""
    if "xla_cuda13" not in {point.name for point in entry_points(group="jax_plugins")}:
        pytest.skip("JAX's plugin for CUDA is not installed")
    environment = {key: value for key, value in os.environ.items() if key != "JAX_PLATFORMS"}
    command = [sys.executable, "-m", "jaxzc", "plan", "--platform", "cuda", *arguments.split()]
    result = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    return result.stdout
