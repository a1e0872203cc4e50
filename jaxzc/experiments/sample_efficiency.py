"""How many networks a search must train, with and without a zero-cost proxy: every method over many seeds, against a table.

Source: Abdelfattah et al., Zero-Cost Proxies for Lightweight NAS, ICLR 2021, section 4.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from scipy import stats

from jaxzc.experiments import predictor, searches
from jaxzc.experiments.landscape import Landscape
from jaxzc.types import JaxzcError, Space

HELPS = {
    "random": ("none", "warmup", "moves"),
    "reinforce": ("none", "warmup", "moves", "both"),
    "evolution": ("none", "warmup", "moves", "both"),
    "predictor": ("none", "warmup"),
}
"""Method -> the ways in which a proxy can help it; warm-up alone decides the whole order of random search, and a predictor has no moves."""


class Curve(NamedTuple):
    """One method with one help: rows int `[seeds, models]` of the landscape in the order of training, and the best accuracy so far,
    float32 of the same shape."""

    method: str
    help: str
    rows: np.ndarray
    best: np.ndarray


class Reached(NamedTuple):
    """Trained models until the best accuracy is at least `target`: quartiles over seeds (infinite where a quarter of them does not get
    there), and how many of the seeds did."""

    target: float
    lower: float
    median: float
    upper: float
    seeds: int


def curves(
    space: Space, land: Landscape, methods: Sequence[str], seeds: int, models: int, helps: Mapping[str, Sequence[str]] = HELPS
) -> Iterator[Curve]:
    """The curve of every method and help, one after another.

    Raises `JaxzcError` for an unknown method, and for more models than the table has.
    """
    for method in methods:
        if method not in HELPS:
            raise JaxzcError(f"there is no method {method!r}: choose among {', '.join(HELPS)}")
    if models > land.size:
        raise JaxzcError(f"{models} models are to be trained, and the table has {land.size}: ask for fewer")
    for method in methods:
        for help_ in helps[method]:
            warmup, moves = help_ in ("warmup", "both"), help_ in ("moves", "both")
            if method == "predictor":
                rows = predictor.trained_rows(space, land, predictor.PredictorSettings(models), seeds, warmup=warmup)
            else:
                rows = searches.trained_rows(method, land, searches.SearchSettings(models), seeds, warmup=warmup, moves=moves)
            yield Curve(method, help_, rows, np.maximum.accumulate(np.asarray(land.accuracy)[rows], axis=1))


def reached(curve: Curve, target: float) -> Reached:
    """When the seeds of a curve reach the target."""
    met = curve.best >= target
    first = np.where(met.any(axis=1), met.argmax(axis=1) + 1.0, np.inf)
    lower, median, upper = np.quantile(first, (0.25, 0.5, 0.75), method="inverted_cdf")  # no mean of a number and infinity
    return Reached(target, float(lower), float(median), float(upper), int(np.isfinite(first).sum()))


def mean_and_interval(curve: Curve) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Mean over seeds of the best accuracy, float64 `[models]`, and the ends of its 95 % interval (Student's t)."""
    mean = curve.best.mean(axis=0, dtype=np.float64)
    n = len(curve.best)
    if n < 2:
        return mean, mean, mean
    half = stats.t.ppf(0.975, n - 1) * curve.best.std(axis=0, dtype=np.float64, ddof=1) / np.sqrt(n)
    return mean, mean - half, mean + half


def default_target(land: Landscape, models: int) -> float:
    """The highest accuracy that a random search of so many trained models reaches with a probability of at least 0.95.

    A search of m different models of n misses the k best with a probability below (1 - k / n)^m.
    """
    least = min(land.size, math.ceil(land.size * (1 - 0.05 ** (1 / models))))
    return float(np.sort(land.accuracy)[-least])


def format_table(all_curves: Sequence[Curve], targets: Sequence[float]) -> str:
    """For every curve and target the median of trained models and the quartiles, the speed-up over the method without a proxy, and the mean
    best accuracy at the end."""
    plain = {curve.method: curve for curve in all_curves if curve.help == "none"}
    head = ["method", "proxy"]
    for target in targets:
        head += [f"models to {target:g} (quartiles)", "seeds there", "speed-up"]
    lines = [[*head, f"accuracy after {all_curves[0].best.shape[1]}"]]
    for curve in all_curves:
        line = [curve.method, curve.help]
        for target in targets:
            here = reached(curve, target)
            ratio = reached(plain[curve.method], target).median / here.median if curve.method in plain else np.nan
            line += [f"{_count(here.median)} ({_count(here.lower)} to {_count(here.upper)})", f"{here.seeds}/{len(curve.best)}"]
            line += [f"{ratio:.1f}x" if np.isfinite(ratio) else "-"]
        mean, low, high = mean_and_interval(curve)
        lines.append([*line, f"{mean[-1]:.3f} +- {(high[-1] - low[-1]) / 2:.3f}"])
    widths = [max(len(line[k]) for line in lines) for k in range(len(lines[0]))]
    return "\n".join("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in lines)


def _count(models: float) -> str:
    return f"{models:.0f}" if np.isfinite(models) else "never"


def columns(land: Landscape, space: Space, all_curves: Sequence[Curve]) -> dict[str, Any]:
    """Columns of a table with one row per trained network: `method`, `proxy`, `seed`, `models` (from 1), `arch`, `accuracy`, `best`."""
    strings = np.array([space.to_string(arch) for arch in land.archs], object)
    parts = []
    for curve in all_curves:
        seeds, models = curve.rows.shape
        rows = curve.rows.ravel()
        parts.append(
            {
                "method": np.full(len(rows), curve.method, object),
                "proxy": np.full(len(rows), curve.help, object),
                "seed": np.repeat(np.arange(seeds), models),
                "models": np.tile(np.arange(1, models + 1), seeds),
                "arch": strings[rows],
                "accuracy": np.asarray(land.accuracy)[rows],
                "best": curve.best.ravel(),
            }
        )
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def plot(axes: Any, all_curves: Sequence[Curve], method: str, targets: Sequence[float]) -> None:
    """Mean best accuracy of one method against trained models, with 95 % intervals, on matplotlib's `Axes`."""
    for number, name in enumerate(("none", "warmup", "moves", "both")):
        for curve in (c for c in all_curves if (c.method, c.help) == (method, name)):
            models = np.arange(1, curve.best.shape[1] + 1)
            mean, low, high = mean_and_interval(curve)
            axes.plot(models, mean, color=f"C{number}", label="no proxy" if name == "none" else name)
            axes.fill_between(models, low, high, color=f"C{number}", alpha=0.2, linewidth=0)
    for target in targets:
        axes.axhline(target, color="0.6", linewidth=0.8, linestyle=":")
    top = max(float(c.best.max()) for c in all_curves)
    middle = min(float(np.median(c.best[:, min(9, c.best.shape[1] - 1)])) for c in all_curves)
    axes.set(
        title=method, xlabel="trained models", ylabel="best accuracy", ylim=(middle - 0.2 * (top - middle), top + 0.1 * (top - middle))
    )
    axes.legend(loc="lower right")
