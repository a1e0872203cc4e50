"""Judgements on disk, so that a leaderboard that was interrupted goes on, and a new benchmark costs only its own time."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np

from jaxzc._durable.files import refusing, replacing
from jaxzc.evaluation.results import Estimate, Evaluation, Row

ARRAYS = ("truth", "correlation", "draws")


def save(path: Path, evaluation: Evaluation, draws: np.ndarray) -> None:
    """Writes an evaluation and its draws; the file appears complete or not at all. Raises `JaxzcError` where it cannot be written."""
    about = {
        "rows": [asdict(row) for row in evaluation.rows],
        "metric": evaluation.metric,
        "ceiling": dict(evaluation.ceiling),
        "settings": dict(evaluation.settings),
        "scores": list(evaluation.scores),
    }
    arrays: dict[str, Any] = {
        "truth": evaluation.truth,
        "correlation": evaluation.correlation,
        "draws": draws,
        "archs": np.array(evaluation.archs),
    }
    arrays |= {f"scores_{number}": values for number, values in enumerate(evaluation.scores.values())}
    with refusing(path.parent):
        path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as file:
        np.savez_compressed(file, **arrays, about=np.array(json.dumps(about)))


def load(path: Path) -> tuple[Evaluation, np.ndarray] | None:
    """What `save` wrote; None where there is none, or the file is damaged (it is then judged again)."""
    try:
        with np.load(path, allow_pickle=False) as held:
            arrays = dict(held)
        about = json.loads(str(arrays["about"]))
        rows = [_row(**row) for row in about["rows"]]
        scores = {name: arrays[f"scores_{number}"] for number, name in enumerate(about["scores"])}
        truth, correlation, draws = (arrays[name] for name in ARRAYS)
        archs = arrays["archs"].tolist()
    except (FileNotFoundError, BadZipFile, EOFError, KeyError, TypeError, ValueError):
        return None
    evaluation = Evaluation(rows, about["metric"], archs, truth, scores, correlation, about["ceiling"], about["settings"])
    return evaluation, draws


def _row(statistics: dict[str, list[float]], **facts: object) -> Row:
    """A row from its JSON, in which an estimate is a list."""
    return Row(statistics={name: Estimate(*values) for name, values in statistics.items()}, **facts)  # pyright: ignore[reportArgumentType]
