"""A vote of the nearest neighbours, nearer ones counting more; how many and how much more is chosen by the labels."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from labelwright.operators.head_parts import Doubles, Neighbours, poll, squared_distances
from labelwright.operators.heads import likelihoods
from labelwright.training.calibration import calibrate, loss
from labelwright.training.problems import Candidate, Floats, Problem, Rows, sample

SIZES = (3, 5, 10, 20)
SHARPNESS = (1.0, 3.0, 6.0, 12.0)
"""300 digits, share labelled at 1 % error with 10 neighbours: 0.82 at 1, 0.90 at 3, 0.93 at 6."""
STORED = 5000
"""Labelled vectors that a head keeps, at most: 5,000 of 736 dimensions are 15 MB, and 0.5 ms for each image."""
_TRIAL = 1500
_ROWS = 1024


def fit(problem: Problem, tell: Callable[[float], None]) -> Candidate:
    """Choose the vote's size and sharpness on held-out rows, and store the labelled vectors."""
    points = sample(problem, STORED)
    size, sharpness = _choose(problem, tell)
    size = min(size, _most(problem, points))
    prior = _prior(problem)
    held_out = _held_out(problem, points, np.arange(len(problem.vectors)), prior, size, sharpness)
    tell(1.0)
    columns = np.ones(problem.columns, np.float32)
    part = Neighbours(
        problem.vectors[points].astype(np.float32),
        problem.targets[points],
        problem.known[points].astype(np.float32),
        prior,
        columns,
        np.zeros_like(columns),
        size,
        sharpness,
        problem.exclusive,
    )
    return Candidate(part, held_out, {"k": size, "sharpness": sharpness, "points": len(points)})


def _choose(problem: Problem, tell: Callable[[float], None]) -> tuple[int, float]:
    small = problem.subset(sample(problem, _TRIAL))
    rows = np.arange(len(small.vectors))
    prior = _prior(small)
    most = _most(small, rows)
    best = (np.inf, SIZES[0], SHARPNESS[0])
    for i, size in enumerate(s for s in SIZES if s <= most):
        for sharpness in SHARPNESS:
            logits = _held_out(small, rows, rows, prior, size, sharpness)
            slope, bias = calibrate(logits, small.targets, small.known, small.exclusive)
            scores = likelihoods(logits * slope + bias, small.exclusive)
            best = min(best, (loss(scores, small.targets, small.known, small.exclusive), size, sharpness))
        tell(0.7 * (i + 1) / len(SIZES))
    return best[1], best[2]


def _most(problem: Problem, points: Rows) -> int:
    """Points that are left where the largest fold is held out."""
    return max(1, len(points) - int(np.bincount(problem.fold[points]).max()))


def _prior(problem: Problem) -> Floats:
    """How common each column is; never 0 or 1."""
    known = problem.known.sum(axis=0)
    yes = (problem.targets * problem.known).sum(axis=0)
    if problem.exclusive:
        return np.asarray((yes + 1) / (known + problem.columns), np.float32)
    return np.asarray((yes + 1) / (known + 2), np.float32)


def _held_out(problem: Problem, points: Rows, rows: Rows, prior: Floats, size: int, sharpness: float) -> Doubles:
    """What the points of other folds say of each row."""
    votes, known = problem.targets[points], problem.known[points].astype(np.float32)
    parts = []
    for i in range(0, len(rows), _ROWS):
        some = rows[i : i + _ROWS]
        near = squared_distances(problem.vectors[some], problem.vectors[points])
        near[problem.fold[some][:, None] == problem.fold[points][None, :]] = np.inf
        parts.append(poll(near, votes, known, prior, size, sharpness, problem.exclusive))
    return np.concatenate(parts)
