"""NVIDIA's GPUs as XLA's compiler wants them described, so that it compiles for one that is not there.

Sources: NVIDIA's data sheets and white papers of each GPU (multiprocessors, clock, cache); CUDA C++ Programming Guide, "Compute
Capabilities" (threads and shared memory of a multiprocessor).

Which of several kernels is fastest the compiler tries out on the GPU (autotuning); without one it guesses.
"""

import contextlib
import ctypes.util
import os
from dataclasses import dataclass, fields
from typing import Any

import jax
from jax.experimental import topologies
from jax.sharding import AbstractDevice, AbstractMesh

from jaxzc.planning.chips import CHIPS

UNCHECKED = "JAX_SKIP_CUDA_CONSTRAINTS_CHECK"
"""Environment variable without which JAX's plugin for CUDA is not loaded where there is no driver."""
REGISTERS = 65536


@dataclass(frozen=True)
class Gpu:
    """kind: as the driver names it. compute: its capability, major and minor. shared, largest: bytes of shared memory of a multiprocessor,
    and of one block at most. cache: bytes of L2. threads: resident on a multiprocessor. cores: of float32, on each. clock: GHz."""

    kind: str
    compute: tuple[int, int]
    multiprocessors: int
    shared: int
    largest: int
    cache: int
    threads: int
    cores: int
    clock: float


def _gpu(
    kind: str, compute: tuple[int, int], count: int, shared: int, largest: int, cache: int, threads: int, cores: int, clock: float
) -> Gpu:
    return Gpu(kind, compute, count, shared << 10, largest << 10, cache << 20, threads, cores, clock)


GPUS = {
    "t4": _gpu("Tesla T4", (7, 5), 40, 64, 64, 4, 1024, 64, 1.59),
    "a100": _gpu("NVIDIA A100-SXM4-80GB", (8, 0), 108, 164, 163, 40, 2048, 64, 1.41),
    "l4": _gpu("NVIDIA L4", (8, 9), 58, 100, 99, 48, 1536, 128, 2.04),
    "h100": _gpu("NVIDIA H100 80GB HBM3", (9, 0), 132, 228, 227, 50, 2048, 128, 1.98),
    "h200": _gpu("NVIDIA H200", (9, 0), 132, 228, 227, 50, 2048, 128, 1.98),
}
"""Name of a chip -> what the compiler is told of it. Not of V100, for which CUDA 13 compiles no more."""


def present() -> list[Any]:
    """This machine's devices for CUDA, none where JAX finds none."""
    if ctypes.util.find_library("cuda") is None:  # no driver
        os.environ.setdefault(UNCHECKED, "1")
    with contextlib.suppress(RuntimeError):
        return jax.devices("cuda")  # JAX finds its plugins when it looks for devices
    return []


def absent(name: str) -> Any:
    """A device of this name for which programs can be compiled. Raises `RuntimeError` or `NotImplementedError` where JAX's plugin for CUDA
    is not installed, or where JAX looked for it before `present` did."""
    shape = {"topology": "1x1x1", "target_config": _description(name)}
    (device,) = topologies.get_topology_desc(platform="cuda", topology_name=name, **shape).devices
    return device


def described(name: str) -> contextlib.AbstractContextManager[Any]:
    """Inside the context, programs are lowered for a GPU of this name, and not for the device of this process: Pallas asks which it is."""
    device = abstract(GPUS[name].kind, GPUS[name].multiprocessors)
    return jax.sharding.use_abstract_mesh(AbstractMesh((), (), abstract_device=device))


def abstract(kind: str, multiprocessors: int) -> AbstractDevice:
    """A GPU as JAX's tracing knows it; its platform is part of that since JAX 0.11."""
    values: list[Any] = [kind, multiprocessors, "gpu"]
    return AbstractDevice(*values[: len(fields(AbstractDevice))])


def _description(name: str) -> str:
    """A `GpuTargetConfigProto` as text."""
    gpu, chip = GPUS[name], CHIPS[name]
    accelerated = "feature_extension: ACCELERATED_FEATURES" if gpu.compute >= (9, 0) else ""
    sizes = {
        "threads_per_block_limit": 1024,
        "threads_per_warp": 32,
        "shared_memory_per_block": 48 << 10,
        "shared_memory_per_core": gpu.shared,
        "shared_memory_per_block_optin": gpu.largest,
        "threads_per_core_limit": gpu.threads,
        "core_count": gpu.multiprocessors,
        "fpus_per_core": gpu.cores,
        "block_dim_limit_x": 2**31 - 1,
        "block_dim_limit_y": 2**16 - 1,
        "block_dim_limit_z": 2**16 - 1,
        "thread_dim_limit_x": 1024,
        "thread_dim_limit_y": 1024,
        "thread_dim_limit_z": 64,
        "registers_per_core_limit": REGISTERS,
        "registers_per_block_limit": REGISTERS,
        "memory_bandwidth": int(chip.bandwidth),
        "device_memory_size": int(chip.memory),
        "l2_cache_size": gpu.cache,
        "clock_rate_ghz": gpu.clock,
        "device_address_bits": 64,
    }
    lines = "\n".join(f"  {key}: {value}" for key, value in sizes.items())
    major, minor = gpu.compute
    return f"""gpu_device_info {{
{lines}
  cuda_compute_capability {{ major: {major} minor: {minor} {accelerated} }}
  device_vendor: "NVIDIA Corporation"
  name: "{gpu.kind}"
  driver_version: "13.0.0"
  runtime_version: "13.0.0"
  compile_time_toolkit_version: "13.0.0"
  dnn_version: "9.10.0"
}}
platform_name: "CUDA"
dnn_version_info {{ major: 9 minor: 10 }}
device_description_str: "{gpu.kind}"
"""
