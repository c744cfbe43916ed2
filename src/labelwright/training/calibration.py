"""Logits of held-out rows to honest scores: a smooth map with few numbers, so that ranks keep their resolution."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from labelwright.operators.head_parts import Doubles, Kernel, Linear, Part
from labelwright.operators.heads import combine, likelihoods
from labelwright.training.problems import Floats, Mask

_STEPS = 60
# A golden section: 60 steps narrow a range of ten thousand to one down to nothing.
_GOLDEN = (5**0.5 - 1) / 2
_LEAST = 1e-3
# Rows that were seen count no more where they would count less: from 142 rows on.


def calibrate(
    held_out: Doubles, targets: Floats, known: Mask, exclusive: bool, seen: Doubles | None = None
) -> tuple[Floats, Floats]:
    """Slope and bias of each column (both (k,)) that make likelihoods of logits: one slope for all where exclusive.

    A matrix from logits to logits lost a point of coverage at 1 % error on 300 digits (0.947 against 0.956, 15 seeds):
    too little data to fit it to.

    Args:
        seen: logits of the same rows by the fit to all of them. With a handful of rows, those held out tell less than
            nothing (of two, each is judged by the other's label alone), so that these count too: as 20 / n rows.
    """
    k = targets.shape[1]
    if exclusive:
        share = _share(len(targets)) if seen is not None else 0.0

        def mixed(slope: float) -> float:
            found = loss(likelihoods(slope * held_out, True), targets, known, True)
            if seen is None or share < _LEAST:
                return found
            return (1 - share) * found + share * loss(likelihoods(slope * seen, True), targets, known, True)

        return np.full(k, _lowest(mixed), np.float32), np.zeros(k, np.float32)
    fitted = [
        _platt(held_out[known[:, j], j], targets[known[:, j], j], None if seen is None else seen[known[:, j], j])
        for j in range(k)
    ]
    return np.array([a for a, _ in fitted], np.float32), np.array([b for _, b in fitted], np.float32)


def _share(rows: int) -> float:
    """What rows that were seen count among all."""
    return 20 / (rows * rows + 20)


def sharpen(scores: list[Doubles], targets: Floats, known: Mask, exclusive: bool) -> float:
    """The power for the average of these scores (of held-out rows) that makes it honest."""
    return _lowest(lambda a: loss(combine(scores, a, exclusive), targets, known, exclusive))


def loss(scores: Doubles, targets: Floats, known: Mask, exclusive: bool) -> float:
    """The mean logarithmic loss, with targets drawn in as Platt did: n rows that are all right prove no certainty."""
    p = np.clip(scores, 1e-12, 1 - 1e-12)
    n, k = targets.shape
    if exclusive:
        # Drawn in by one wrong row of n + 2 in all; one for each class made scores of 300 digits 4 points too low.
        wrong = 1 / (n + 2)
        soft = np.where(targets > 0, 1 - wrong, wrong / (k - 1))
        return float(-(soft * np.log(p)).sum(axis=1).mean())
    yes = (targets * known).sum(axis=0)
    no = known.sum(axis=0) - yes
    soft = np.where(targets > 0, (yes + 1) / (yes + 2), 1 / (no + 2))
    each = -(soft * np.log(p) + (1 - soft) * np.log(1 - p))
    return float((each * known).sum() / max(known.sum(), 1))


def scaled(part: Part, slope: Floats, bias: Floats) -> Part:
    """The part whose logits are ``slope`` times the given one's, plus ``bias``."""
    if isinstance(part, Linear):
        return Linear(part.weights * slope, part.bias * slope + bias, part.unit)
    if isinstance(part, Kernel):
        return Kernel(part.points, part.weights * slope, part.bias * slope + bias, part.gamma, part.unit)
    return type(part)(
        part.points,
        part.votes,
        part.known,
        part.prior,
        part.slope * slope,
        part.bias * slope + bias,
        part.k,
        part.sharpness,
        part.exclusive,
        part.unit,
    )


def _lowest(loss_of: Callable[[float], float]) -> float:
    """The slope from 0.01 to 1,000 at which a loss is lowest; it has one lowest point along a logarithm."""
    low, high = np.log(0.01), np.log(1000.0)
    a, b = high - _GOLDEN * (high - low), low + _GOLDEN * (high - low)
    at_a, at_b = loss_of(float(np.exp(a))), loss_of(float(np.exp(b)))
    for _ in range(_STEPS):
        if high - low < 1e-3:
            break
        if at_a <= at_b:
            high, b, at_b = b, a, at_a
            a = high - _GOLDEN * (high - low)
            at_a = loss_of(float(np.exp(a)))
        else:
            low, a, at_a = a, b, at_b
            b = low + _GOLDEN * (high - low)
            at_b = loss_of(float(np.exp(b)))
    return float(np.exp((low + high) / 2))


def _platt(held_out: Doubles, targets: Floats, seen: Doubles | None) -> tuple[float, float]:
    """Slope and bias of one column by Newton's method; the slope is never below 0."""
    yes, no = float((targets > 0).sum()), float((targets == 0).sum())
    soft = np.where(targets > 0, (yes + 1) / (yes + 2), 1 / (no + 2))
    logits, weight = held_out, np.ones(len(soft))
    if seen is not None and (share := _share(len(soft))) >= _LEAST:
        logits, soft = np.concatenate([held_out, seen]), np.concatenate([soft, soft])
        weight = np.repeat([1 - share, share], len(held_out))
    scale = float(np.abs(logits - logits.mean()).mean()) or 1.0
    x = np.stack([logits / scale, np.ones_like(logits)], axis=1)
    w = np.array([1.0, np.log((yes + 1) / (no + 1))])

    def cost(v: Doubles) -> float:
        z = x @ v
        return float((weight * (np.logaddexp(0, z) - soft * z)).sum()) + 0.01 * float(v[0] ** 2)

    for _ in range(50):
        p = likelihoods((x @ w)[:, None], False)[:, 0]
        gradient = x.T @ (weight * (p - soft)) + np.array([0.02 * w[0], 0])
        curve = (x * (weight * p * (1 - p))[:, None]).T @ x + np.diag([0.02, 1e-9])
        step = np.linalg.solve(curve, gradient)
        before, size = cost(w), 1.0
        while size > 1e-6 and cost(w - size * step) > before:
            size /= 2
        w = w - size * step
        if np.abs(step).max() < 1e-6:
            break
    if w[0] <= 0:
        # What was said of held-out rows is worse than nothing: all that is known is how common the concept is.
        return 0.0, float(np.log((yes + 1) / (no + 1)))
    return float(w[0] / scale), float(w[1])
