"""Times of networks on the devices that Accel-NASBench measured, for networks that it did not measure, too.

A network's time is modelled as a sum over its blocks: one entry for the first layer of a block with its expansion, kernel size and
squeeze-and-excitation, and one for each further layer (169 entries), fitted by least squares of relative errors. That is the lookup table
of layers of ProxylessNAS (Cai et al., ICLR 2019) and FBNet (Wu et al., CVPR 2019), with entries fitted instead of measured.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from jaxzc.spacekit.vectors import check_vectors
from jaxzc.tables import read_columns
from jaxzc.types import Genes, JaxzcError
from jaxzc_spaces.mnasnet import encoding

TYPES = len(encoding.EXPANSIONS) * len(encoding.KERNELS) * 2
LEAST = 4 * encoding.BLOCKS * TYPES
"""Networks that a fit needs: twice the entries it has."""


@dataclass(frozen=True, eq=False)
class DeviceTime:
    """Times of one device. entries: seconds, float64 `[169]`. measured: genes as bytes -> seconds."""

    entries: np.ndarray
    measured: Mapping[bytes, float]

    def nanoseconds(self, archs: np.ndarray) -> np.ndarray:
        """int64 `[n]` of architectures int `[n, 28]`: as measured (the mean, if more than once), or predicted."""
        genes = check_vectors(encoding.CHOICES, archs)
        pairs = zip(genes, self.predicted(genes).tolist(), strict=True)
        seconds = [self.measured.get(row.tobytes(), predicted) for row, predicted in pairs]
        return np.rint(1e9 * np.array(seconds)).astype(np.int64)

    def predicted(self, archs: Genes) -> np.ndarray:
        """Seconds, float64 `[n]`, by the fit."""
        return layer_numbers(archs) @ self.entries


def layer_numbers(archs: Genes) -> np.ndarray:
    """float64 `[n, 169]` of architectures int `[n, 28]`: 1, and for each block and type of layer, whether the first layer is of it, and how
    many further ones are."""
    genes = check_vectors(encoding.CHOICES, archs).reshape(-1, encoding.BLOCKS, 4)
    kind = (genes[..., 0] * len(encoding.KERNELS) + genes[..., 1]) * 2 + genes[..., 3]
    one_hot = np.eye(TYPES)[kind]
    return np.hstack([np.ones((len(genes), 1)), one_hot.reshape(len(genes), -1), (one_hot * genes[..., 2:3]).reshape(len(genes), -1)])


def fit(archs: Genes, seconds: np.ndarray) -> DeviceTime:
    """Fits architectures int `[n, 28]` with these times, float `[n]`, of which NaN are left out. Raises `JaxzcError` for too few."""
    known = np.isfinite(seconds)
    genes, seconds = check_vectors(encoding.CHOICES, archs)[known], np.asarray(seconds, np.float64)[known]
    if len(genes) < LEAST:
        raise JaxzcError(f"mnasnet: times of {len(genes)} networks: expected at least {LEAST}, which the fit of a device needs")
    rows: dict[bytes, list[float]] = {}
    for row, time in zip(genes, seconds.tolist(), strict=True):
        rows.setdefault(row.tobytes(), []).append(time)
    entries = np.linalg.lstsq(layer_numbers(genes) / seconds[:, None], np.ones(len(genes)), rcond=None)[0]
    return DeviceTime(entries, {row: float(np.mean(times)) for row, times in rows.items()})


@lru_cache(maxsize=4)
def measured(path: str) -> dict[str, DeviceTime]:
    """The devices of a table: DEVICE_ns of its columns `throughput_DEVICE_img_s`, DEVICE_latency_ns of `latency_DEVICE_ms`.

    Raises `JaxzcError` for a missing or damaged table, one without architectures or such columns, and one that cannot be fitted.
    """
    columns: dict[str, np.ndarray] = {}
    for arch_column in ("encoding", "arch"):
        columns = columns if arch_column in columns else read_columns(path, arch_column).columns
    named = next((name for name in ("encoding", "arch") if name in columns), None)
    if named is None:
        raise JaxzcError(f"{path} has the columns {', '.join(columns)}: expected architectures in a column 'encoding' or 'arch'")
    archs = np.stack([encoding.parse(text) for text in columns[named]])
    times = {}
    for column, values in columns.items():
        match = re.fullmatch(r"throughput_(\w+)_img_s|latency_(\w+)_ms", column)
        if match:
            if values.dtype.kind not in "iuf":
                raise JaxzcError(f"{path}: the column {column} does not hold numbers: leave cells of missing times empty")
            numbers = np.asarray(values, np.float64)
            if (numbers <= 0).any():
                raise JaxzcError(f"{path}, column {column}: {numbers.min():g} stands there: expected positive numbers or empty cells")
            seconds, name = (1 / numbers, f"{match[1]}_ns") if match[1] else (numbers / 1e3, f"{match[2]}_latency_ns")
            times[name] = fit(archs, seconds)
    if not times:
        raise JaxzcError(f"{path} has the columns {', '.join(columns)}: expected throughput_DEVICE_img_s or latency_DEVICE_ms")
    return times
