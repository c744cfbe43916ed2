"""An evaluation as plain JSON: what the store keeps, and the pages, the report and the API's messages are made from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from labelwright.training.curves import Bin, Curve
from labelwright.training.evaluation import ConceptResult, Evaluation

PLACES = 5
"""Decimal places that are kept of a number: a plot shows three, and a curve takes half the room so."""


def record(done: Evaluation, *, names: Mapping[str, str], inputs: Sequence[str]) -> dict[str, Any]:
    """The whole evaluation; numbers that could not be told are None.

    Args:
        names: concept id to its name, where it has one.
        inputs: (n,) the ids of the rows.
    """
    return {
        "exclusive": done.exclusive,
        "concepts": [{**_concept(c), "name": names.get(c.id) or c.id} for c in done.concepts],
        "summary": summary(done),
        "bins": _bins(done.bins),
        "confusion": _cells(done.confusion),
        "cooccurrence": _cells(done.cooccurrence),
        "mistakes": [
            {
                "input": inputs[m.row],
                "said": m.said,
                "missed": m.missed,
                "score": _short(m.score),
                "wrong": _short(m.wrong),
            }
            for m in done.mistakes
        ],
        "examples": [
            {"input": inputs[e.row], "scores": [[c, _short(s)] for c, s in e.scores], "labels": e.labels}
            for e in done.examples
        ],
    }


def summary(done: Evaluation) -> dict[str, Any]:
    """The summary alone."""
    return {name: _short(value) for name, value in asdict(done.summary).items()}


def _concept(c: ConceptResult) -> dict[str, Any]:
    return {
        "id": c.id,
        "positives": c.positives,
        "negatives": c.negatives,
        "hits": c.hits,
        "alarms": c.alarms,
        "precision": _short(c.precision),
        "recall": _short(c.recall),
        "f1": _short(c.f1),
        "roc_auc": _short(c.roc_auc),
        "average_precision": _short(c.average_precision),
        "calibration_error": _short(c.calibration_error),
        "bins": _bins(c.bins),
        "precision_recall": _curve(c.precision_recall),
        "roc": _curve(c.roc),
        "grid": {"hits": c.grid_hits.astype(int).tolist(), "alarms": c.grid_alarms.astype(int).tolist()},
    }


def _bins(bins: Sequence[Bin]) -> list[dict[str, Any]]:
    return [{"from": b.low, "to": b.high, "n": b.n, "score": _short(b.score), "share": _short(b.share)} for b in bins]


def _curve(curve: Curve | None) -> dict[str, list[float]] | None:
    if curve is None:
        return None
    named = {"x": curve.x, "y": curve.y, "thresholds": curve.thresholds}
    return {name: [round(v, PLACES) for v in values.tolist()] for name, values in named.items()}


def _cells(matrix: Any) -> list[list[int]]:
    """The cells that are not 0, as row, column and count: of a thousand concepts few are ever confused."""
    rows, columns = np.nonzero(matrix)
    return [[int(r), int(c), int(matrix[r, c])] for r, c in zip(rows, columns, strict=True)]


def _short(value: float | None) -> float | None:
    return round(value, PLACES) if isinstance(value, float) else value
