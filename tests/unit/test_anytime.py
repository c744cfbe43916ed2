"""Bets against a share of mistakes: exact where that can be counted, and rarely wrong however often one looks."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from scipy.integrate import quad

from labelwright.training import anytime, bounds

RUNS = 400
DELTA = 0.05
ALLOWED = stats.binom.ppf(0.99, RUNS, DELTA)
"""Of 400 runs a test of level 5 % fails more often than this in one of a hundred suites."""

counts = st.integers(1, 300).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n)))


@pytest.mark.parametrize(("wrong", "n", "error"), [(0, 59, 0.05), (2, 200, 0.02), (9, 150, 0.05)])
def test_the_bet_is_the_mean_over_the_shares_below(wrong: int, n: int, error: float) -> None:
    def bet(share: float) -> float:
        prior = anytime.PRIOR * error**-anytime.PRIOR * share ** (anytime.PRIOR - 1)
        found: float = prior * (share / error) ** wrong * ((1 - share) / (1 - error)) ** (n - wrong)
        return found

    mean, _ = quad(bet, 0, error)
    assert math.exp(anytime.evidence(wrong, n, error)) == pytest.approx(mean, rel=1e-5)


def test_what_it_costs_to_look_at_any_time() -> None:
    def least(error: float) -> int:
        return bounds.first(lambda n: bool(anytime.evidence(0, n, error) >= math.log(20)), 1, 10_000)

    # Beside 59, 149, 299 and 598 for a single look.
    assert [least(error) for error in (0.05, 0.02, 0.01, 0.005)] == [74, 188, 377, 756]


@given(counts, st.floats(0.005, 0.5))
def test_a_mistake_less_or_a_larger_share_is_more_evidence(at: tuple[int, int], error: float) -> None:
    wrong, n = at
    # Far above the doubted share the bet is lost, and how small the rest is no number of a computer tells.
    found = max(float(anytime.evidence(wrong, n, error)), 0.0)
    assert wrong == 0 or max(float(anytime.evidence(wrong - 1, n, error)), 0.0) >= found
    assert max(float(anytime.evidence(wrong, n, min(error * 1.1, 0.6))), 0.0) >= found - 1e-9


@given(counts, st.floats(0.6, 0.99))
def test_its_bounds_hold_the_estimate_and_are_wider_than_exact_ones(at: tuple[int, int], confidence: float) -> None:
    wrong, n = at
    low, high = anytime.lower_bound(wrong, n, confidence), anytime.upper_bound(wrong, n, confidence)
    assert 0 <= low <= wrong / n <= high <= 1
    assert high >= bounds.upper_bound(wrong, n, confidence) - 1e-9
    assert low <= bounds.lower_bound(wrong, n, confidence) + 1e-9


def test_nothing_seen_bounds_nothing() -> None:
    assert (anytime.lower_bound(0, 0, 0.95), anytime.upper_bound(0, 0, 0.95)) == (0.0, 1.0)
    assert (anytime.weighted_lower_bound([], [], 0.95), anytime.weighted_upper_bound([], [], 0.95)) == (0.0, 1.0)


@pytest.mark.parametrize("error", [0.02, 0.1])
def test_looking_after_every_answer_is_rarely_fooled(error: float) -> None:
    rng = np.random.default_rng(1)
    answers = rng.random((RUNS, 1500)) < error
    wrong, n = answers.cumsum(axis=1), np.arange(1, 1501)
    wanted = math.log(1 / DELTA)
    assert (anytime.evidence(wrong, n, error) >= wanted).any(axis=1).sum() <= ALLOWED
    assert (anytime.evidence_above(wrong, n, error) >= wanted).any(axis=1).sum() <= ALLOWED
    # The exact bound would be.
    assert (bounds.p_values(wrong, n, error) <= DELTA).any(axis=1).sum() > ALLOWED


def test_an_alarm_comes_where_there_are_twice_as_many_mistakes_as_promised() -> None:
    rng = np.random.default_rng(2)
    wrong = (rng.random((RUNS, 600)) < 0.1).sum(axis=1)
    assert (anytime.evidence_above(wrong, 600, 0.05) >= math.log(20)).mean() > 0.95


@pytest.mark.parametrize("heavy", [1.0, 4.0])
def test_a_weighted_bet_is_rarely_fooled(heavy: float) -> None:
    """Items drawn one by one with their own chances; the heavy ones, drawn rarely, hold the mistakes."""
    rng = np.random.default_rng(3)
    size, error = 4000, 0.05
    rare = np.arange(size) < size // 2
    wrong = np.zeros(size)
    wrong[: round(error * size)] = 1
    chances = np.where(rare, 0.1 / heavy, 0.1)
    below = above = 0
    for _ in range(RUNS):
        drawn = rng.random(size) < chances
        x, w = wrong[drawn], 1 / chances[drawn]
        below += anytime.weighted_evidence(x, w, error, heaviest=heavy / 0.1) >= math.log(1 / DELTA)
        above += anytime.weighted_evidence_above(x, w, error, heaviest=heavy / 0.1) >= math.log(1 / DELTA)
    assert below <= ALLOWED
    assert above <= ALLOWED


def test_weights_all_alike_are_no_weights() -> None:
    wrong = np.zeros(200)
    one = anytime.weighted_evidence(wrong, np.ones(200), 0.05)
    assert anytime.weighted_evidence(wrong, np.full(200, 7.0), 0.05) == pytest.approx(one)
    assert one >= math.log(20)
    assert anytime.weighted_upper_bound(wrong, np.ones(200), 0.95) < 0.05


def test_a_heavier_mistake_weighs_more() -> None:
    weights = np.array([1.0] * 100 + [3.0] * 100)
    light, heavy = np.zeros(200), np.zeros(200)
    light[0] = heavy[150] = 1
    assert anytime.weighted_evidence(light, weights, 0.1) > anytime.weighted_evidence(heavy, weights, 0.1)
    assert anytime.weighted_upper_bound(light, weights, 0.95) < anytime.weighted_upper_bound(heavy, weights, 0.95)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: anytime.evidence(3, 2, 0.05), "0 <= wrong"),
        (lambda: anytime.evidence(0, 2, 1.0), "below 1"),
        (lambda: anytime.evidence_above(3, 2, 0.05), "0 <= wrong"),
        (lambda: anytime.evidence_above(0, 2, 0.0), "above 0"),
        (lambda: anytime.weighted_evidence([0, 1], [1.0], 0.05), "one weight for each"),
        (lambda: anytime.weighted_evidence([0.5], [1.0], 0.05), "wrong"),
        (lambda: anytime.weighted_evidence([1], [0.0], 0.05), "above 0"),
        (lambda: anytime.weighted_evidence([1], [2.0], 0.05, heaviest=1.0), "heaviest"),
        (lambda: anytime.weighted_upper_bound([1], [2.0], 1.5), "confidence"),
        (lambda: anytime.upper_bound(1, 2, 0.0), "confidence"),
    ],
)
def test_what_cannot_be_is_refused(call: object, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        call()  # type: ignore[operator]
