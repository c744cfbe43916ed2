"""Exact bounds on a share of mistakes, beside scipy's and beside counting."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from labelwright.training import bounds

counts = st.integers(1, 400).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n)))
confidences = st.floats(0.5, 0.999)


@pytest.mark.parametrize(("wrong", "n"), [(0, 1), (0, 59), (1, 59), (3, 100), (40, 1000), (999, 1000), (7, 7)])
@pytest.mark.parametrize("confidence", [0.9, 0.95, 0.999])
def test_the_bounds_are_those_of_clopper_and_pearson(wrong: int, n: int, confidence: float) -> None:
    upper = 1.0 if wrong == n else stats.beta.ppf(confidence, wrong + 1, n - wrong)
    lower = 0.0 if wrong == 0 else stats.beta.ppf(1 - confidence, wrong, n - wrong + 1)
    assert bounds.upper_bound(wrong, n, confidence) == pytest.approx(upper, abs=1e-12)
    assert bounds.lower_bound(wrong, n, confidence) == pytest.approx(lower, abs=1e-12)
    exact = stats.binomtest(wrong, n).proportion_ci(confidence, method="exact")
    assert bounds.interval(wrong, n, confidence) == pytest.approx((exact.low, exact.high), abs=1e-9)


def test_a_p_value_is_the_tail_of_the_binomial() -> None:
    wrong, n = np.array([0, 2, 10, 50]), np.array([59, 100, 300, 1000])
    assert bounds.p_values(wrong, n, 0.05) == pytest.approx(stats.binom.cdf(wrong, n, 0.05), rel=1e-9)
    assert bounds.p_values(0, 0, 0.05) == 1.0


@pytest.mark.parametrize(("error", "n"), [(0.05, 59), (0.02, 149), (0.01, 299), (0.005, 598)])
def test_the_least_that_can_be_shown_without_a_mistake(error: float, n: int) -> None:
    assert bounds.needed(error, 0.95) == n
    assert bounds.upper_bound(0, n, 0.95) <= error < bounds.upper_bound(0, n - 1, 0.95)


def test_each_mistake_costs_more_answers() -> None:
    costs = [bounds.needed(0.02, 0.95, wrong) for wrong in range(6)]
    assert costs == [149, 236, 313, 386, 456, 523]
    for wrong, n in enumerate(costs):
        assert bounds.upper_bound(wrong, n, 0.95) <= 0.02 < bounds.upper_bound(wrong, n - 1, 0.95)


@given(counts, confidences)
def test_more_mistakes_raise_the_bound_and_more_answers_lower_it(at: tuple[int, int], confidence: float) -> None:
    wrong, n = at
    bound = bounds.upper_bound(wrong, n, confidence)
    assert 0 <= bounds.lower_bound(wrong, n, confidence) <= wrong / n <= bound <= 1
    assert bounds.upper_bound(wrong, n + 1, confidence) <= bound
    assert bounds.upper_bound(wrong + 1, n + 1, confidence) >= bound


@given(counts, st.integers(1, 400), st.floats(0.005, 0.4))
def test_the_finite_p_value_is_monotone_too(at: tuple[int, int], left: int, error: float) -> None:
    wrong, n = at
    p = bounds.finite_p_values(wrong, n, left, error)
    assert 0 <= p <= 1
    assert bounds.finite_p_values(wrong + 1, n + 1, left, error) >= p - 1e-12
    # One right answer more, out of what was left: not less evidence, as long as the allowed mistakes stay as many.
    if int(error * left + 1e-9) == int(error * (left - 1) + 1e-9):
        assert bounds.finite_p_values(wrong, n + 1, left - 1, error) <= p + 1e-12


@pytest.mark.parametrize(("wrong", "n", "left"), [(0, 60, 40), (1, 100, 100), (5, 300, 597), (0, 3, 4)])
def test_the_finite_p_value_is_the_tail_of_the_hypergeometric(wrong: int, n: int, left: int) -> None:
    error = 0.05
    pool_wrong = wrong + int(error * left) + 1
    wanted = stats.hypergeom.cdf(wrong, n + left, pool_wrong, n)
    assert bounds.finite_p_values(wrong, n, left, error) == pytest.approx(wanted, rel=1e-9)


@pytest.mark.parametrize(("n", "left"), [(20, 15), (12, 30), (25, 5)])
def test_no_pool_breaks_the_finite_bound_more_often_than_it_may(n: int, left: int) -> None:
    """Counted over every possible pool: the chance of passing with too many mistakes left."""
    error, delta = 0.2, 0.1
    drawn = np.arange(n + 1)
    passes = bounds.finite_p_values(drawn, n, left, error) <= delta
    for pool_wrong in range(n + left + 1):
        chances = stats.hypergeom.pmf(drawn, n + left, pool_wrong, n)
        broken = passes & (pool_wrong - drawn > error * left)
        assert chances[broken].sum() <= delta + 1e-12


def test_the_binomial_bound_alone_would_break_it() -> None:
    """Why the finite one is used: with half of the pool verified, what is left scatters as much as what was seen."""
    n = left = 59
    seen = stats.hypergeom.cdf(0, n + left, int(0.05 * left) + 1, n)
    assert bounds.p_values(0, n, 0.05) <= 0.05 < seen


def test_the_finite_bound_meets_the_binomial_one_in_a_large_pool() -> None:
    assert bounds.finite_p_values(3, 300, 10**7, 0.03) == pytest.approx(bounds.p_values(3, 300, 0.03), rel=1e-3)
    assert bounds.finite_upper_bound(3, 300, 10**6, 0.95) == pytest.approx(bounds.upper_bound(3, 300, 0.95), rel=1e-3)


def test_the_finite_bound_is_where_the_finite_test_passes() -> None:
    bound = bounds.finite_upper_bound(2, 200, 300, 0.95)
    allowed = round(bound * 300)
    assert bounds.finite_p_values(2, 200, 300, allowed / 300) <= 0.05
    assert bounds.finite_p_values(2, 200, 300, (allowed - 1) / 300) > 0.05
    assert bounds.finite_upper_bound(0, 0, 10, 0.95) == 1.0
    assert bounds.finite_upper_bound(5, 10, 0, 0.95) == 0.0


def test_nothing_left_is_nothing_wrong_and_nothing_seen_is_no_evidence() -> None:
    assert bounds.finite_p_values([3, 0], [10, 0], [0, 10], 0.05).tolist() == [0.0, 1.0]


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: bounds.upper_bound(3, 2, 0.95), "3 mistakes among 2"),
        (lambda: bounds.upper_bound(-1, 2, 0.95), "0 <= wrong"),
        (lambda: bounds.upper_bound(0, 2, 1.0), "confidence"),
        (lambda: bounds.p_values([3], [2], 0.05), "0 <= wrong"),
        (lambda: bounds.finite_p_values(1, 2, -1, 0.05), "left"),
        (lambda: bounds.needed(0.0, 0.95), "error"),
        (lambda: bounds.needed(0.05, 0.0), "confidence"),
        (lambda: bounds.needed(0.05, 0.95, -1), "not below 0"),
    ],
)
def test_impossible_counts_are_refused(call: object, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        call()  # type: ignore[operator]
