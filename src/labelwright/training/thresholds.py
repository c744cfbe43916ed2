"""The lowest threshold for which the share of mistakes among what it labels is shown to be small enough.

docs/thresholds.md tells what is guaranteed, under which assumptions, and what the variants cost. In short: a list of
thresholds is fixed before any answer is seen; they are tested from the safest down, each by an exact bound; the
chance that one which labels too many mistakes passes is delta in all. Arrays in, plain values out; no store.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from labelwright.training.anytime import evidence, weighted_evidence
from labelwright.training.bounds import finite_p_values, finite_upper_bound, interval, p_values, upper_bound
from labelwright.training.ordered import Slices, fallback, plan, slices

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

UNREACHABLE = -1
"""As `more`: no number of verified items is enough at the observed share of mistakes, short of the whole pool."""


@dataclass(frozen=True)
class Chosen:
    """A threshold, and what supports it."""

    group: int | None
    """The concept's number; None for the one threshold of all."""
    threshold: float
    """Scores at or above it are labelled; math.inf where nothing may be."""
    bound: float
    """The upper bound of the share of mistakes among what it labels; 1 where it labels nothing."""
    verified_above: int
    wrong_above: int
    verified: int
    """How many verified items there are at any score."""
    coverage: float
    """The share of the pool that it labels."""
    coverage_low: float
    coverage_high: float
    """An interval for the coverage of more items from where the pool is from, of the same confidence."""
    more: int
    """How many more items, drawn at random from the pool, must be verified before any threshold can be expected to
    pass at the share of mistakes seen so far; 0 where one passes, UNREACHABLE where none would."""
    pool: int
    """How many items are still to be labelled."""


@dataclass(frozen=True)
class Forecast:
    """What the thresholds label together."""

    items: int
    pool: int
    coverage: float
    low: float
    high: float


@dataclass(frozen=True)
class Tuning:
    """Thresholds that were chosen together, with one promise."""

    error: float
    confidence: float
    joint: bool
    thresholds: list[Chosen] = field(default_factory=list)
    covered: Forecast = field(default_factory=lambda: Forecast(0, 0, 0.0, 0.0, 1.0))


@dataclass(frozen=True)
class Point:
    """One place of the curve that a threshold is dragged along."""

    threshold: float
    coverage: float
    verified_above: int
    wrong_above: int
    estimate: float
    """The observed share of mistakes above it; nan where nothing was verified there."""
    bound: float
    """The upper bound for this one threshold, had no other been looked at."""


def tune(
    scores: npt.ArrayLike,
    right: npt.ArrayLike,
    *,
    error: float,
    confidence: float,
    pool_scores: npt.ArrayLike,
    groups: npt.ArrayLike | None = None,
    pool_groups: npt.ArrayLike | None = None,
    joint: bool = True,
    weights: npt.ArrayLike | None = None,
    looks: int = 1,
    look: int | None = None,
    anytime: bool = False,
    finite: bool = True,
) -> Tuning:
    """Choose thresholds so that P(share of mistakes among the auto-labels > error) <= 1 - confidence.

    scores (n,): how sure the model is of the concept that it names, for items that were drawn at random from those
    still to be labelled and then verified. right (n,): whether it was right. groups (n,): the number of that concept.
    pool_scores (m,), pool_groups (m,): the same of the items that are still to be labelled, the verified ones not
    among them. joint: one threshold for all, and one promise about all auto-labels together; else one for each
    concept, and the promise for every concept at once. weights (n,): in proportion to 1 / chance, where items were
    drawn with unequal chances. looks: how many looks share the risk, this one included. look: in place of it, the
    number of this look, from 1, in a series without a planned end. anytime: a bound that may be looked at as often as
    one likes, with the same pool and model; looks and look are not needed then. finite: the promise is kept for this
    very pool, whatever it holds; else (the plain binomial bound) for what the pool was drawn from, which lets a little
    more pass where a good part of the pool is verified.

    Raises ValueError for arrays of different lengths, scores that are not finite, shares outside 0..1.
    """
    s, ok, w, of, pool, pool_of = _arrays(scores, right, weights, groups, pool_scores, pool_groups)
    delta = _risk(error, confidence, looks, look)
    if w is not None and np.all(w == w[:1]):
        # Equal chances: the exact test is stronger than the bet.
        w = None
    names: Sequence[int | None] = [None]
    if not joint:
        if of is None or pool_of is None:
            raise ValueError("thresholds per concept need groups and pool_groups")
        names = [int(g) for g in np.union1d(of, pool_of)]
    chosen = []
    for name in names:
        mine = np.ones(s.size, bool) if name is None or of is None else of == name
        left = np.ones(pool.size, bool) if name is None or pool_of is None else pool_of == name
        weighed = None if w is None else w[mine]
        chosen.append(
            _choose(
                name, s[mine], ok[mine], pool[left], weighed, error, delta / len(names), confidence, anytime, finite
            )
        )
    items = sum(round(c.coverage * c.pool) for c in chosen)
    share = items / pool.size if pool.size else 0.0
    low, high = interval(items, pool.size, confidence) if pool.size else (0.0, 1.0)
    return Tuning(error, confidence, joint, chosen, Forecast(items, pool.size, share, low, high))


def _choose(
    group: int | None,
    scores: Floats,
    right: npt.NDArray[np.bool_],
    pool: Floats,
    weights: Floats | None,
    error: float,
    delta: float,
    confidence: float,
    anytime: bool,
    finite: bool,
) -> Chosen:
    cut = slices(scores, ~right, pool)
    levels = plan(cut, error, delta)
    tested = levels.cumsum() > 0
    passed = fallback(_p_values(cut, scores, ~right, weights, error, anytime, finite, tested), levels)
    low, high = 0.0, 1.0
    if not passed.any():
        more = _more(cut, scores.size, pool.size, error, delta)
        if pool.size:
            low, high = interval(0, pool.size, confidence)
        return Chosen(group, math.inf, 1.0, 0, 0, scores.size, 0.0, low, high, more, pool.size)
    at = int(np.flatnonzero(passed)[-1])
    n, wrong, left = int(cut.verified[at]), int(cut.wrong[at]), int(cut.left[at])
    if pool.size:
        low, high = interval(left, pool.size, confidence)
    # The test has shown `error`; the exact bound at the whole of delta may be lower, and is what is worth telling.
    bound = error
    # A delta so small that 1 - delta rounds to 1 has no exact bound below it.
    if weights is None and not anytime and 1 - delta < 1:
        exact = finite_upper_bound(wrong, n, left, 1 - delta) if finite else upper_bound(wrong, n, 1 - delta)
        bound = min(error, exact)
    coverage = left / pool.size if pool.size else 0.0
    return Chosen(group, float(cut.thresholds[at]), bound, n, wrong, scores.size, coverage, low, high, 0, pool.size)


def _p_values(
    cut: Slices,
    scores: Floats,
    wrong: npt.NDArray[np.bool_],
    weights: Floats | None,
    error: float,
    anytime: bool,
    finite: bool,
    tested: npt.NDArray[np.bool_],
) -> Floats:
    """For each threshold how surprising its few mistakes were, did it label a larger share of them than `error`.

    Above the first that has a level, where none is `tested`, the weighted bet is not worked out: 1.
    """
    if weights is None and not anytime:
        if finite:
            return finite_p_values(cut.wrong, cut.verified, cut.left, error)
        return p_values(cut.wrong, cut.verified, error)
    # Both bets doubt the share in the whole slice that comes with one mistake too many in what is left of it.
    too_many = cut.wrong + np.floor(error * cut.left + 1e-9) + 1
    doubted = too_many / np.maximum(cut.verified + cut.left, 1)
    hopeful = (doubted < 1) & (cut.wrong <= error * cut.verified if weights is None else cut.verified > 0)
    logs = np.zeros(doubted.shape)
    if weights is None:
        logs[hopeful] = evidence(cut.wrong[hopeful], cut.verified[hopeful], doubted[hopeful])
    else:
        heaviest = float(weights.max()) if weights.size else 1.0
        for at in np.flatnonzero(hopeful & tested):
            above = scores >= cut.thresholds[at]
            logs[at] = weighted_evidence(wrong[above], weights[above], doubted[at], heaviest=heaviest)
    return np.asarray(np.exp(-np.maximum(logs, 0.0)), dtype=np.float64)


def _more(cut: Slices, verified: int, left: int, error: float, delta: float) -> int:
    """The fewest further answers with which some threshold of the list could pass, at the mistakes seen so far."""
    if left < 2 or not cut.thresholds.size:
        return UNREACHABLE
    share = (cut.verified + cut.left) / (verified + left)
    rate = cut.wrong / np.maximum(cut.verified, 1)

    def enough(further: Ints) -> Ints:
        n = np.floor((verified + further[:, None]) * share + 1e-9).astype(np.int64)
        wrong = np.minimum(np.ceil(rate * n - 1e-9).astype(np.int64), n)
        # At the target or above it the p-value is a half at least: no need to work it out.
        hopeful = wrong < error * n
        passed = np.zeros(n.shape, bool)
        # Half of delta: the test may have to start at two places.
        passed[hopeful] = p_values(wrong[hopeful], n[hopeful], error) <= delta / 2
        return np.flatnonzero(passed.any(axis=1))

    # Where the counts would do and the ordered test still failed further up, chance decides: at least a tenth more.
    least = min(max(math.ceil(verified / 10), 1), left - 1)
    coarse = np.unique(np.rint(np.geomspace(least, left - 1, 60)).astype(np.int64))
    first = enough(coarse)
    if not first.size:
        return UNREACHABLE
    high = int(coarse[first[0]])
    low = int(coarse[first[0] - 1]) if first[0] else high
    fine = np.unique(np.rint(np.linspace(low, high, 60)).astype(np.int64))
    return int(fine[enough(fine)[0]])


def curve(
    scores: npt.ArrayLike,
    right: npt.ArrayLike,
    *,
    confidence: float,
    pool_scores: npt.ArrayLike,
    points: int = 101,
) -> list[Point]:
    """Thresholds from the highest down with coverage, observed share of mistakes and its bound, for drawing.

    The bounds hold one by one: whoever picks a threshold after seeing them has no promise; `tune` gives one.
    """
    s, ok, _, _, pool, _ = _arrays(scores, right, None, None, pool_scores, None)
    cut = slices(s, ~ok, pool, points=points)
    found = []
    for t, n, wrong, left in zip(cut.thresholds, cut.verified, cut.wrong, cut.left, strict=True):
        bound = finite_upper_bound(int(wrong), int(n), int(left), confidence)
        share = left / pool.size if pool.size else 0.0
        found.append(Point(float(t), float(share), int(n), int(wrong), float(wrong / n) if n else math.nan, bound))
    return found


def _risk(error: float, confidence: float, looks: int, look: int | None) -> float:
    """What this look may spend of delta."""
    if not 0 < error < 1:
        raise ValueError(f"error {error}: above 0 and below 1, such as 0.01 for one in a hundred")
    if not 0 < confidence < 1:
        raise ValueError(f"confidence {confidence}: above 0 and below 1, such as 0.95")
    if looks < 1 or (look is not None and look < 1):
        raise ValueError("looks are counted from 1")
    # The sum of 1 / k^2 is pi^2 / 6, so that a series without end spends delta.
    return (1 - confidence) / looks if look is None else (1 - confidence) * 6 / (math.pi * look) ** 2


def _arrays(
    scores: npt.ArrayLike,
    right: npt.ArrayLike,
    weights: npt.ArrayLike | None,
    groups: npt.ArrayLike | None,
    pool_scores: npt.ArrayLike,
    pool_groups: npt.ArrayLike | None,
) -> tuple[Floats, npt.NDArray[np.bool_], Floats | None, Ints | None, Floats, Ints | None]:
    s, pool = np.asarray(scores, np.float64), np.asarray(pool_scores, np.float64)
    ok = np.asarray(right, bool)
    w = None if weights is None else np.asarray(weights, np.float64)
    of = None if groups is None else np.asarray(groups, np.int64)
    pool_of = None if pool_groups is None else np.asarray(pool_groups, np.int64)
    for name, found, wanted in (
        ("right", ok, s),
        ("weights", w, s),
        ("groups", of, s),
        ("pool_groups", pool_of, pool),
    ):
        if found is not None and (found.ndim != 1 or found.shape != wanted.shape):
            raise ValueError(f"{name} has the shape {found.shape}, and its scores {wanted.shape}")
    if s.ndim != 1 or pool.ndim != 1:
        raise ValueError("scores and pool_scores are lists of numbers")
    if not (np.isfinite(s).all() and np.isfinite(pool).all()):
        raise ValueError("a score is not a finite number")
    if w is not None and not (np.isfinite(w).all() and (w > 0).all()):
        raise ValueError("weights are finite and above 0")
    return s, ok, w, of, pool, pool_of
