"""One concept's scores against its labels: curves, areas below them, calibration. Pure, on arrays."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]

POINTS = 100
"""Points of a curve that are kept: on a plot of 400 pixels more can't be told apart."""

BINS = 10
"""Bins of equal width between 0 and 1 in which scores are compared with what came true."""


@dataclass(frozen=True, slots=True)
class Curve:
    """Points of a curve, thresholds falling."""

    x: Floats
    y: Floats
    thresholds: Floats
    """A point is what scores at or above its threshold give. Of the first point of a ROC curve it is above them all."""


@dataclass(frozen=True, slots=True)
class Bin:
    """Scores from ``low`` to below ``high`` (the last bin: 1 as well)."""

    low: float
    high: float
    n: int
    score: float
    """The mean score, 0 where the bin is empty."""
    share: float
    """The share that came true, likewise."""


@dataclass(frozen=True, slots=True)
class Steps:
    """Hits and false alarms at each score that occurs, highest first."""

    thresholds: Floats
    hits: Floats
    alarms: Floats

    @property
    def positives(self) -> float:
        return float(self.hits[-1]) if len(self.hits) else 0.0

    @property
    def negatives(self) -> float:
        return float(self.alarms[-1]) if len(self.alarms) else 0.0


def steps(scores: Floats, truth: Bools) -> Steps:
    """Count, for each score that occurs, what lies at or above it.

    Args:
        scores: (n,), finite.
        truth: (n,) whether each came true.
    """
    order = np.argsort(-scores, kind="stable")
    ranked, true = scores[order], truth[order]
    last = np.flatnonzero(np.append(np.diff(ranked) != 0, True)) if len(ranked) else np.empty(0, np.int64)
    hits = np.cumsum(true, dtype=np.float64)[last]
    return Steps(ranked[last], hits, last + 1.0 - hits)


def roc(found: Steps) -> Curve | None:
    """The share of true ones found (y) over that of false alarms (x); None where one of the two kinds is absent."""
    if not found.positives or not found.negatives:
        return None
    above = max(1.0, float(found.thresholds[0])) + 1.0
    return Curve(
        np.append(0.0, found.alarms / found.negatives),
        np.append(0.0, found.hits / found.positives),
        np.append(above, found.thresholds),
    )


def precision_recall(found: Steps) -> Curve | None:
    """Precision (y) over recall (x); None where nothing is true."""
    if not found.positives:
        return None
    return Curve(found.hits / found.positives, found.hits / (found.hits + found.alarms), found.thresholds)


def area(curve: Curve) -> float:
    """The area below a curve of straight lines: of a ROC curve, how likely a true one scores above a false one."""
    return float(np.trapezoid(curve.y, curve.x))


def average_precision(curve: Curve) -> float:
    """The mean of the precision over the steps of the recall, without lines drawn between them."""
    return float(np.sum(np.diff(curve.x, prepend=0.0) * curve.y))


def thinned(curve: Curve, most: int = POINTS) -> Curve:
    """The curve with ``most`` points at most: first and last stay, the others lie evenly along the way."""
    if len(curve.x) <= most:
        return curve
    way = np.append(0.0, np.cumsum(np.abs(np.diff(curve.x)) + np.abs(np.diff(curve.y))))
    wanted = np.linspace(0.0, way[-1], most)
    # Of a piece that goes nowhere (way is level there) the first point stands for all.
    keep = np.unique(np.searchsorted(way, wanted).clip(0, len(way) - 1))
    keep[-1] = len(way) - 1
    return Curve(curve.x[keep], curve.y[keep], curve.thresholds[keep])


def at(found: Steps, thresholds: Floats) -> tuple[Floats, Floats]:
    """Hits and false alarms, as counts, at or above each of these thresholds."""
    # `thresholds` of the steps fall; searchsorted wants them rising.
    count = np.searchsorted(-found.thresholds, -thresholds, side="right")
    hits, alarms = np.append(0.0, found.hits), np.append(0.0, found.alarms)
    return hits[count], alarms[count]


def reliability(scores: Floats, truth: Bools) -> list[Bin]:
    """What scores promise and what came true, in `BINS` bins."""
    # Not floor(score * BINS): 0.7 * 10 and 0.29 * 100 fall short of what they look like.
    edges = np.arange(BINS + 1) / BINS
    place = np.searchsorted(edges[1:-1], scores, side="right")
    n = np.bincount(place, minlength=BINS)
    score = np.bincount(place, weights=scores, minlength=BINS)
    true = np.bincount(place, weights=truth.astype(np.float64), minlength=BINS)
    return [
        Bin(float(edges[i]), float(edges[i + 1]), int(n[i]), *_means(float(score[i]), float(true[i]), int(n[i])))
        for i in range(BINS)
    ]


def _means(score: float, true: float, n: int) -> tuple[float, float]:
    return (score / n, true / n) if n else (0.0, 0.0)


def calibration_error(bins: list[Bin]) -> float | None:
    """The expected calibration error: how far scores are from what came true, by bin, weighted by how many lie there.

    None where there are none.
    """
    total = sum(b.n for b in bins)
    return sum(b.n * abs(b.score - b.share) for b in bins) / total if total else None
