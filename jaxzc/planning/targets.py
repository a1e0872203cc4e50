"""Devices of a machine that is not there, for which programs can be lowered and, where there is a compiler, compiled."""

import contextlib
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import jax
import numpy as np
from jax.experimental import topologies
from jax.sharding import Mesh

from jaxzc._compile.platforms import traced_for
from jaxzc.planning import gpus
from jaxzc.planning.chips import Chip, chip
from jaxzc.types import JaxzcError

DEFAULT = {"tpu": "v5e:2x2", "cuda": "h100", "cpu": None}
"""Platform -> the topology, or the chip, that is planned for unless another is named."""

ALONE = {
    "TPU_SKIP_MDS_QUERY": "1",
    "TPU_WORKER_HOSTNAMES": "localhost",
    "TPU_ACCELERATOR_TYPE": "v5litepod-4",
    "ALLOW_MULTIPLE_LIBTPU_LOAD": "1",
}
"""Environment variables without which the TPU's library asks Google Cloud which machine it is on, and refuses to be loaded by a second
process of the machine."""


@dataclass(frozen=True)
class Target:
    """platform: `tpu`, `cuda` or `cpu`. topology: its name; None for this machine. mesh: devices to compile for, those of one host, for no
    program of a job spans two; None where programs can only be lowered. chip: what its maker publishes; None for a CPU. limits: sentences
    on what cannot be known here. others: the devices of each further host of the topology. absent: whether it is a GPU that this machine
    does not have."""

    platform: str
    topology: str | None
    mesh: Mesh | None
    chip: Chip | None
    limits: tuple[str, ...] = ()
    others: tuple[Mesh, ...] = ()
    absent: bool = False

    @contextlib.contextmanager
    def lowering(self) -> Iterator[None]:
        """Inside the context, programs are traced and lowered for the target and for nothing else."""
        with contextlib.ExitStack() as stack:
            stack.enter_context(traced_for(self.platform))
            if self.absent and self.topology is not None:
                stack.enter_context(gpus.described(self.topology))
            yield


def target(platform: str, topology: str | None = None) -> Target:
    """The target of these names. Raises `JaxzcError` for unknown ones, and where the compiler of a TPU is not installed."""
    if platform not in DEFAULT:
        raise JaxzcError(f"platform {platform!r}: expected one of {', '.join(DEFAULT)}")
    name = topology or DEFAULT[platform]
    if platform == "cpu":
        if topology is not None:
            raise JaxzcError(f"topology {topology!r}: a CPU has none, and is always this machine's: leave it out")
        return Target("cpu", None, Mesh(np.array(jax.devices("cpu")[:1]), ("arch",)), None)
    assert name is not None
    if platform == "tpu":
        known = chip(name)
        first, *others = _hosts(_tpu_devices(name))
        return Target("tpu", name, first, known, others=tuple(others))
    known = chip(name)
    name = known.name
    if devices := gpus.present():
        sentence = f"compiled for the {devices[0].device_kind} of this machine, whatever {name} is"
        return Target("cuda", name, Mesh(np.array(devices[:1]), ("arch",)), known, (sentence,))
    unknown = "lowered, not compiled, so memory and the chunk that fits are not known here: "
    if name not in gpus.GPUS:
        return Target("cuda", name, None, known, (f"{unknown}XLA's compiler for CUDA 13 has {', '.join(gpus.GPUS)}",))
    try:
        device = gpus.absent(name)
    except (NotImplementedError, RuntimeError) as error:
        reason = str(error).strip().partition("\n")[0]
        sentence = f"{unknown}install XLA's compiler for GPUs, which needs none, with pip install 'jaxzc[cuda]' ({reason})"
        return Target("cuda", name, None, known, (sentence,))
    sentence = "compiled without a GPU: which kernels are fastest is tried out on one, and takes more seconds and some scratch memory there"
    return Target("cuda", name, Mesh(np.array([device]), ("arch",)), known, (sentence,), absent=True)


def _hosts(devices: Iterable[Any]) -> list[Mesh]:
    """The devices of each host, in the order in which its process has them."""
    of: dict[int, list[Any]] = {}
    for device in devices:
        of.setdefault(device.process_index, []).append(device)
    return [Mesh(np.array(sorted(of[host], key=lambda device: device.id)), ("arch",)) for host in sorted(of)]


def _tpu_devices(name: str) -> Any:
    """The devices of a topology such as `v5e:2x2`."""
    for variable, value in ALONE.items():
        os.environ.setdefault(variable, value)
    try:
        return topologies.get_topology_desc(platform="tpu", topology_name=name).devices
    except Exception as error:  # of many kinds, by the library's version
        reason = str(error).strip().partition("\n")[0]
        raise JaxzcError(
            f"no TPU topology {name!r} ({type(error).__name__}: {reason}): install its compiler with pip install 'jaxzc[tpu-plan]', "
            "and name a topology as v5e:2x2, v4:2x2x1 or v6e:2x2"
        ) from error
