"""An ordered test of many thresholds: the list and the order are fixed by scores alone, before an answer is seen."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import numpy.typing as npt

from labelwright.training.bounds import needed

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

POINTS = 100
"""Thresholds in the list. On 14 made-up pools 100 label 0.863 on average, 50 label 0.855 and 200 label 0.862."""

STARTS = 16
"""Places where a test may start; with 10 the same pools give 0.859."""

THROWS = 20
FEARS = ((1.0, 0.0), (2.0, 0.0), (1.0, 0.3), (1.0, 0.6))
"""Ways in which scores may lie, as (times, floor): the share of mistakes is times * (1 - score) + floor * target.
Believing the scores alone gives 0.810 in place of 0.863: a floor of mistakes among the surest undoes it."""

RANKED = (0.5, 1.0, 2.0, 4.0)
STEEP = 2
"""Scores may also be no chances at all, only an order: then mistakes are RANKED times the target in all, and grow with
the rank to the power of STEEP. This costs a little where scores are nearly right (0.863, and 0.875 without) and pays
where a head is far less sure than right (0.940, and 0.677 without)."""

SUREST = 1 - 1e-15
"""The confidence that a plan is made for at most: beyond it a small delta would round to none."""

LATE = 8
KEPT = 0.15
"""This share of delta is kept for starts at LATE times, twice, four times as many (...) answers as a test without a
mistake needs, where that many are verified. A start among few answers dies of one mistake too many by chance, however
much lies below it. The 14 pools lose nothing by it (0.863), and one that is bad among the surest goes
from 0.235 to 0.785."""


@dataclass(frozen=True)
class Slices:
    """What lies at or above each threshold of the list, from the highest threshold down; arrays of one length."""

    thresholds: Floats
    verified: Ints
    wrong: Ints
    left: Ints
    """Items of the pool that are still to be labelled."""
    expected: Floats
    """How many verified items were to be expected there, by chance alone."""
    doubt: Floats
    """The mean of 1 - score between each threshold and the one above it, taking scores for chances of being right."""


def slices(scores: Floats, wrong: Bools, pool: Floats, *, points: int = POINTS) -> Slices:
    """Cut pool and verified items at quantiles of all their scores, which no choice of what was verified moves."""
    everything = np.sort(np.concatenate([scores, pool]))[::-1]
    if not everything.size:
        none = np.empty(0, np.int64)
        return Slices(np.empty(0), none, none, none, np.empty(0), np.empty(0))
    ends = np.ceil(np.arange(1, points + 1) * everything.size / points).astype(np.int64)
    thresholds = np.unique(everything[ends - 1])[::-1]
    order = np.sort(scores)
    mistakes = np.sort(scores[wrong])
    rest = np.sort(pool)
    verified = scores.size - np.searchsorted(order, thresholds, "left")
    left = pool.size - np.searchsorted(rest, thresholds, "left")
    found = mistakes.size - np.searchsorted(mistakes, thresholds, "left")
    total = verified + left
    doubts = np.concatenate([[0.0], np.cumsum(1 - np.clip(everything, 0, 1))])
    doubt = np.diff(doubts[total], prepend=0) / np.diff(total, prepend=0)
    return Slices(thresholds, verified, found, left, scores.size * total / everything.size, doubt)


def plan(cut: Slices, error: float, delta: float) -> Floats:
    """The levels that the thresholds begin with; they sum to delta at most.

    Chosen by playing the test on the pool's own scores: mistakes are thrown as often as 1 - score says, and under
    the FEARS that scores lie; of many ways to share delta out, the one that labels most on average is taken. What is
    KEPT for late starts is the same in all of them. Nothing but scores and counts goes in, so whatever they are worth
    the test stays valid: bad scores only cost coverage.
    """
    from scipy.special import bdtr

    size = cut.thresholds.size
    total = cut.verified + cut.left
    if not size or not cut.expected[-1]:
        return np.zeros(size)
    chance = np.random.default_rng(0)
    rank = (total - np.diff(total, prepend=0) / 2) / total[-1]
    feared = [times * cut.doubt + floor * error for times, floor in FEARS]
    feared += [times * error * (STEEP + 1) * rank**STEEP for times in RANKED]
    rates = np.repeat(np.clip(feared, 0, 1), THROWS, axis=0)
    steps = chance.multinomial(cut.verified[-1], np.diff(total, prepend=0) / total[-1], size=rates.shape[0])
    drawn = steps.cumsum(axis=1)
    wrong = chance.binomial(steps, rates).cumsum(axis=1)
    with np.errstate(divide="ignore"):
        logs = np.log(bdtr(wrong.astype(np.float64), drawn, error)) + _stricter(cut, error)
    # The test itself asks for a little more than the binomial one.
    p = np.exp(np.minimum(logs, 0.0))
    late = _late(cut, error, delta)
    ways = _ways(cut, error, delta - float(late.sum())) + late
    gained = np.zeros((ways.shape[0], p.shape[0]))
    carried = np.zeros_like(gained)
    share = total / total[-1]
    for at in range(size):
        level = ways[:, at, None] + carried
        passed = (level > 0) & (p[:, at] <= level)
        carried = np.where(passed, level, 0.0)
        gained[passed] = share[at]
    best: Floats = ways[int(np.argmax(gained.mean(axis=1)))]
    return best


def _stricter(cut: Slices, error: float) -> Floats:
    """The log of how much larger than the binomial p-value that of the finite test is, without a mistake.

    Near enough for a plan: the ratio at the most mistakes with which the test passes is closer, and with it digits
    with 400 verified label 0.27 in place of 0.43 at 2 %. Logs, since from 15,000 answers at 5 % on both p-values are
    below the smallest number that there is.
    """
    from scipy.special import gammaln

    usual = np.rint(cut.expected)
    total = (cut.verified + cut.left).astype(np.float64)
    # What is left holds one mistake more than is allowed; where it has no room for so many nothing is to be shown.
    right = total - np.floor(error * (total - usual) + 1e-9) - 1
    room = right >= usual
    logs = np.full(usual.shape, -np.inf)
    logs[room] = (
        gammaln(right[room] + 1)
        - gammaln(right[room] - usual[room] + 1)
        - gammaln(total[room] + 1)
        + gammaln(total[room] - usual[room] + 1)
    )
    return logs - usual * math.log1p(-error)


def _late(cut: Slices, error: float, delta: float) -> Floats:
    """What of delta is kept for late starts, evenly; nothing where too few are verified for any."""
    levels = np.zeros(cut.thresholds.size)
    wanted = LATE * needed(error, min(1 - delta, SUREST))
    starts = set()
    while wanted <= cut.expected[-1]:
        starts.add(int(np.searchsorted(cut.expected, wanted)))
        wanted *= 2
    levels[list(starts)] = KEPT * delta / max(len(starts), 1)
    return levels


def _ways(cut: Slices, error: float, delta: float) -> Floats:
    """Ways to share delta out: all on one start, halves on two, or evenly on all of them."""
    size = cut.thresholds.size
    # Further up than where a test without a mistake would just pass there is nothing to start with.
    least = needed(error, min(1 - delta, SUREST))
    most = float(cut.expected[-1])
    wanted = np.geomspace(least, most, STARTS) if most > least else np.array([most])
    starts = np.unique(np.minimum(np.searchsorted(cut.expected, wanted), size - 1))
    found = []
    for count in (1, 2, starts.size):
        for some in combinations(starts.tolist(), min(count, starts.size)):
            levels = np.zeros(size)
            levels[list(some)] = delta / len(some)
            found.append(levels)
    return np.array(found)


def fallback(p_values: Floats, levels: Floats) -> Bools:
    """Which thresholds pass: each has its own level, and one that passes hands all it had on to the next.

    The chance that any of those that should not pass does is at most the sum of the levels, in any order and however
    they depend on each other. With the whole level on one threshold it is the fixed sequence with its stop.
    """
    passed = np.zeros(p_values.size, bool)
    carried = 0.0
    for at, (p, own) in enumerate(zip(p_values.tolist(), levels.tolist(), strict=True)):
        level = own + carried
        passed[at] = level > 0 and p <= level
        carried = level if passed[at] else 0.0
    return passed
