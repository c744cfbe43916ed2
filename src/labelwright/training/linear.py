"""Logistic regression, on centred and scaled vectors; the scaling is folded into the weights."""

from __future__ import annotations

import warnings
from collections.abc import Callable

import numpy as np

from labelwright.operators.head_parts import Doubles, Linear
from labelwright.operators.heads import likelihoods
from labelwright.training.calibration import calibrate, loss
from labelwright.training.problems import Candidate, Floats, Problem, Rows, sample

CHOICES: tuple[tuple[bool, float], ...] = ((False, 10.0), (False, 100.0), (True, 0.01), (True, 1.0))
"""Whether each dimension is brought to the same spread (else all by one number), and the inverse of the penalty.

Which is best depends on the embedding: of 300 digits (pixels), 0.83 can be labelled at 1 % error by one scale for all
and 0.78 to 0.80 by one for each dimension; of 1,000 MNIST images (the built-in descriptor) 0.90 and 0.92.
"""
_TRIAL = 1500
# Rows on which the choice is made: it hardly changes with more, and takes a second at 512 dimensions.
_ITERATIONS = 300
_ABSENT = -30.0
# The logit of a column that a fold has no example of.


def fit(problem: Problem, tell: Callable[[float], None]) -> Candidate:
    """Choose scaling and penalty on one fold, then fit to every fold's rest and to all."""
    standard, strength = _choose(problem, tell)
    held_out = np.empty(problem.targets.shape)
    numbers = np.unique(problem.fold)
    for i, f in enumerate(numbers):
        out = problem.fold == f
        held_out[out] = _one(problem.subset(np.flatnonzero(~out)), standard, strength).logits(problem.vectors[out])
        tell(0.3 + 0.6 * (i + 1) / len(numbers))
    return Candidate(
        _one(problem, standard, strength),
        held_out,
        {"standardised": standard, "C": strength},
    )


def _choose(problem: Problem, tell: Callable[[float], None]) -> tuple[bool, float]:
    small = problem.subset(sample(problem, _TRIAL))
    # The largest fold; with few rows each choice is as good as another, and the strongest penalty stays.
    fold = int(np.bincount(small.fold).argmax())
    out, kept = np.flatnonzero(small.fold == fold), np.flatnonzero(small.fold != fold)
    if len(out) < 10:
        return CHOICES[0]
    test, train = small.subset(out), small.subset(kept)
    losses = []
    for i, (standard, strength) in enumerate(CHOICES):
        logits = _one(train, standard, strength).logits(test.vectors)
        slope, bias = calibrate(logits, test.targets, test.known, test.exclusive)
        scores = likelihoods(logits * slope + bias, test.exclusive)
        losses.append(loss(scores, test.targets, test.known, test.exclusive))
        tell(0.3 * (i + 1) / len(CHOICES))
    return CHOICES[int(np.argmin(losses))]


def _one(problem: Problem, standard: bool, strength: float) -> Linear:
    centre = problem.vectors.mean(axis=0, dtype=np.float64)
    moved = problem.vectors - centre
    spread = np.sqrt((moved * moved).mean(axis=0))
    whole = float(np.sqrt((spread * spread).sum())) or 1.0
    # A dimension that hardly varies would be blown up to the others' spread, with whatever noise it carries.
    scale = np.where(spread > 1e-4 * spread.max(), spread, np.inf) if standard else np.full(len(spread), whole)
    x = (moved / scale).astype(np.float32)
    weights, bias = _solve(x, problem, strength)
    weights = weights / scale[:, None]
    return Linear(weights.astype(np.float32), (bias - centre @ weights).astype(np.float32))


def _solve(x: Floats, problem: Problem, strength: float) -> tuple[Doubles, Doubles]:
    k = problem.columns
    weights, bias = np.zeros((x.shape[1], k)), np.full(k, _ABSENT)
    if problem.exclusive:
        present = np.flatnonzero(problem.targets.any(axis=0))
        if len(present) == 1:
            bias[present] = 0
            return weights, bias
        coefficients, intercepts = _logistic(x, problem.classes, strength)
        if len(present) == 2:
            # One row of numbers says how much likelier the second is.
            coefficients = np.concatenate([-coefficients / 2, coefficients / 2])
            intercepts = np.concatenate([-intercepts / 2, intercepts / 2])
        weights[:, present], bias[present] = coefficients.T, intercepts
        return weights, bias
    for j in range(k):
        rows = np.flatnonzero(problem.known[:, j])
        y = problem.targets[rows, j] > 0
        if not 0 < y.sum() < len(y):
            bias[j] = np.log((y.sum() + 1) / (len(y) - y.sum() + 1))
            continue
        coefficients, intercepts = _logistic(x[rows], y.astype(np.int64), strength)
        weights[:, j], bias[j] = coefficients[0], intercepts[0]
    return weights, bias


def _logistic(x: Floats, classes: Rows, strength: float) -> tuple[Doubles, Doubles]:
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression

    with warnings.catch_warnings():
        # A fit that stopped before its tolerance is a bit less good, and was cross-validated as it is.
        warnings.simplefilter("ignore", ConvergenceWarning)
        model = LogisticRegression(C=strength, tol=1e-3, max_iter=_ITERATIONS).fit(x, classes)
    return np.asarray(model.coef_, np.float64), np.asarray(model.intercept_, np.float64)
