"""What makers publish of their accelerators: arithmetic, memory and its speed.

Sources: TPUs: the pages "TPU v3" to "TPU7x" of Google Cloud's documentation of TPU versions (peak compute, HBM capacity and bandwidth for
each chip). GPUs: NVIDIA's data sheets of V100, T4, A100, L4, H100 and H200, dense rates without sparsity, SXM boards where there are
several.
"""

from dataclasses import dataclass

from jaxzc.types.names import unknown

PRODUCTS_FOR_FLOAT32 = 6
"""Products of bfloat16 that a TPU's matrix unit makes for one of float32 (jax.lax.Precision.HIGHEST)."""


@dataclass(frozen=True)
class Chip:
    """Published figures of an accelerator, each for one device as JAX counts devices; devices: how many of them a chip has.

    bfloat16, float32: peak FLOP/s with factors of this type. memory: bytes. bandwidth: of the memory, bytes/s.
    """

    name: str
    bfloat16: float
    float32: float
    memory: float
    bandwidth: float
    devices: int = 1


def _tpu(name: str, teraflops: float, gigabytes: float, gigabytes_per_s: float, devices: int = 1) -> Chip:
    peak = teraflops * 1e12 / devices
    return Chip(name, peak, peak / PRODUCTS_FOR_FLOAT32, gigabytes * 1e9 / devices, gigabytes_per_s * 1e9 / devices, devices)


def _gpu(name: str, teraflops: float, bfloat16: float, gigabytes: float, gigabytes_per_s: float) -> Chip:
    return Chip(name, bfloat16 * 1e12, teraflops * 1e12, gigabytes * 1e9, gigabytes_per_s * 1e9)


CHIPS = {
    chip.name: chip
    for chip in (
        _tpu("v3", 123, 32, 900, devices=2),
        _tpu("v4", 275, 32, 1228),
        _tpu("v5e", 197, 16, 819),
        _tpu("v5p", 459, 95, 2765),
        _tpu("v6e", 918, 32, 1640),
        _tpu("tpu7x", 2307, 192, 7380, devices=2),
        _gpu("v100", 15.7, 125, 32, 900),  # its tensor cores take float16, not bfloat16
        _gpu("t4", 8.1, 65, 16, 320),  # likewise
        _gpu("a100", 19.5, 312, 80, 2039),
        _gpu("l4", 30.3, 121, 24, 300),
        _gpu("h100", 67, 989, 80, 3350),
        _gpu("h200", 67, 989, 141, 4800),
    )
}
"""Name -> chip. A TPU's name is that of its topologies, `v5e:2x2`."""


def chip(name: str) -> Chip:
    """The chip of a name, or of a topology `NAME:AxB`. Raises `JaxzcError` for one that is not in the table."""
    known = name.partition(":")[0].lower()
    if known not in CHIPS:
        raise unknown("chip", known, CHIPS)
    return CHIPS[known]
