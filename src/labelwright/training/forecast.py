"""What a threshold would do: for one concept, along the scores that models gave it, as a page draws it."""

from __future__ import annotations

from typing import Any

import numpy as np
from sqlalchemy import Connection, Row

from labelwright.store import concepts, draws
from labelwright.training import route
from labelwright.training.bounds import upper_bound

STEPS = 200
"""Thresholds that are told, from 0 to 1: every 0.005."""

NEWEST = 10_000
"""Labels that are looked at, the newest first, as for the histogram."""

CONFIDENCE = 0.95


def forecast(conn: Connection, app: Row[Any], concept_id: str, *, routed: bool = True) -> dict[str, Any] | None:
    """Coverage and expected mistakes at each threshold of a concept; None where the app has no such concept.

    Args:
        routed: ask for answers about the model in the default workflow, whose way to its thresholders must be clear.

    Returns:
        ``points``, one for each of the thresholds 0, 0.005, ... 1: ``coverage``, the share of what models said of
        the concept that it would label; ``expected``, the share of mistakes that the scores themselves announce, None
        where it labels nothing; ``verified`` and ``wrong``, answers to claims that were drawn at random; ``bound``,
        the upper bound of the share of mistakes at this threshold alone, None without answers. ``n``: how many labels
        that is of; ``version_id`` of the model in the default workflow, "" without one; ``verified`` in all.
    """
    key = concepts.keys(conn, app.pk, [concept_id]).get(concept_id)
    if key is None:
        return None
    way = route.find(conn, app) if routed else None
    scores = np.sort(np.array(draws.scores_of(conn, key, newest=NEWEST), np.float64))
    answered = [] if way is None else draws.answers(conn, app.pk, way.model_version.id, draws.VERIFY)
    mine = [row for row in answered if row.concept_id == concept_id and row.score is not None]
    order = np.sort(np.array([row.score for row in mine], np.float64))
    mistakes = np.sort(np.array([row.score for row in mine if row.answer != draws.RIGHT], np.float64))
    sums = np.concatenate([[0.0], np.cumsum(1.0 - scores)])
    points = []
    for value in np.arange(STEPS + 1) / STEPS:
        # Thresholds and scores both are the wire's float32, as a thresholder compares them.
        at = float(np.float32(value))
        below = int(np.searchsorted(scores, at))
        above = len(scores) - below
        n = len(order) - int(np.searchsorted(order, at))
        wrong = len(mistakes) - int(np.searchsorted(mistakes, at))
        points.append(
            {
                "threshold": float(value),
                "coverage": above / len(scores) if len(scores) else 0.0,
                "expected": float((sums[-1] - sums[below]) / above) if above else None,
                "verified": n,
                "wrong": wrong,
                "bound": upper_bound(wrong, n, CONFIDENCE) if n else None,
            }
        )
    return {
        "concept": concept_id,
        "version_id": way.model_version.id if way is not None else "",
        "model_id": way.model_version.model_id if way is not None else "",
        "verified": len(mine),
        "confidence": CONFIDENCE,
        "n": len(scores),
        "points": points,
    }
