"""The numbers behind the report's scatter plots, as JSON: rounded, and sampled where there are too many networks for a web page."""

import math
from typing import Any

import numpy as np

from jaxzc.evaluation import BASELINES
from jaxzc.evaluation.results import Evaluation
from jaxzc.report import columns, marks, order

TOP = 64
"""Largest k of the top-k that can be marked."""


def points(evaluation: Evaluation) -> dict[str, Any]:
    """Everything the page's scripts draw.

    Networks are numbered by their position in `archs`. The first `background` are drawn for every proxy: all of them, or a random sample.
    The others are marked by some proxy. A proxy's `score` and `place` belong to the background and then to its `extra` networks.
    Scores are those of the first seed, turned so that higher is better; places are among all networks with a finite score.
    """
    n, row_of = len(evaluation.archs), columns.by_name(evaluation.rows)
    turned = {row.proxy: marks.first_seed(evaluation, row, turned=True) for row in evaluation.rows}
    sizes = {name: size for name in BASELINES if np.isfinite(size := marks.first_seed(evaluation, row_of(name))).any()}
    background = order.sample(n)
    position = {int(index): place for place, index in enumerate(background)}
    proxies = []
    for row in evaluation.rows:
        score = turned[row.proxy]
        top = order.first(np.where(np.isfinite(evaluation.truth), score, np.nan), TOP).tolist()
        fronts = {name: order.pareto(score, size).tolist() for name, size in sizes.items()}
        for index in (*top, *(index for front in fronts.values() for index in front)):
            position.setdefault(index, len(position))
        proxies.append(
            {"name": row.proxy, "values": score, "top": top, "fronts": fronts, "sign": -1 if row.higher_is_better is False else 1}
        )
    drawn = np.array(list(position), int)
    return {
        "metric": evaluation.metric,
        "networks": n,
        "seeds": max((len(values) for values in evaluation.scores.values()), default=1),
        "background": len(background),
        "archs": [evaluation.archs[index] for index in drawn],
        "truth": _rounded(evaluation.truth[drawn], 6),
        "truth_place": _rounded(order.places(evaluation.truth)[drawn], 7),
        "best": _rounded(np.array([np.nanmax(evaluation.truth, initial=-np.inf)]), 6)[0],
        "sizes": {name: _rounded(size[drawn], 7) for name, size in sizes.items()},
        "proxies": [_proxy(proxy, background, position) for proxy in proxies],
        "cost": _cost(evaluation),
    }


def _proxy(proxy: dict[str, Any], background: np.ndarray, position: dict[int, int]) -> dict[str, Any]:
    score, fronts = proxy["values"], proxy["fronts"]
    marked = dict.fromkeys([*proxy["top"], *(index for front in fronts.values() for index in front)])
    extra = [index for index in marked if position[index] >= len(background)]
    shown = np.concatenate([background, np.array(extra, int)])
    return {
        "name": proxy["name"],
        "sign": proxy["sign"],
        "finite": int(np.count_nonzero(np.isfinite(score))),
        "score": _rounded(proxy["sign"] * score[shown], 5),
        "place": _rounded(order.places(score)[shown], 7),
        "extra": [position[index] for index in extra],
        "top": [position[index] for index in proxy["top"]],
        "fronts": {name: [position[index] for index in front] for name, front in fronts.items()},
    }


def _cost(evaluation: Evaluation) -> list[dict[str, Any]]:
    """The marks of the cost charts: by kind of cost, the proxies that coincide, cost, rho and its interval."""
    return [
        {
            "name": kind,
            "label": columns.COST_AXES[kind],
            "points": [
                {
                    "names": [row.proxy for row in mark.rows],
                    "size": all(row.proxy in BASELINES for row in mark.rows),
                    "cost": _rounded(np.array([mark.cost]), 4)[0],
                    **dict(zip(("rho", "low", "high"), _rounded(np.array(columns.spearman(mark.rows[0])), 4), strict=True)),
                }
                for mark in costs
            ],
        }
        for kind, costs in marks.costs(evaluation).items()
    ]


def _rounded(values: np.ndarray, digits: int) -> list[float | int | None]:
    """Numbers of that many significant digits, whole ones without a point; None where they are not finite."""
    texts = [f"{value:.{digits}g}" if math.isfinite(value) else "" for value in np.asarray(values, np.float64).tolist()]
    numbers = [float(text) if text else None for text in texts]
    return [int(value) if value is not None and value.is_integer() and abs(value) < 2**53 else value for value in numbers]
