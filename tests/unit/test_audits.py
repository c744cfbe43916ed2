"""What audited auto-labels say, and when they call for an alarm."""

from __future__ import annotations

import math

import numpy as np
import pytest

from labelwright.training import bounds
from labelwright.training.audits import (
    BROKEN,
    DOUBTFUL,
    HOLDS,
    UNSURE,
    Answer,
    Promise,
    answers_needed,
    estimate,
    standing,
    watch,
)


def answers(wrong: int, n: int) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    return np.arange(n) >= wrong


def test_equal_chances_give_the_exact_interval() -> None:
    found = estimate(answers(3, 200), np.full(200, 0.02))
    assert (found.answered, found.wrong, found.error) == (200, 3, 0.015)
    assert (found.low, found.high) == bounds.interval(3, 200, 0.95)
    assert estimate(answers(3, 200)) == found


def test_unequal_chances_are_weighed_out() -> None:
    """Half of the labels were drawn five times as often as the others and are wrong ten times as often."""
    rng = np.random.default_rng(0)
    size = 40_000
    often = np.arange(size) < size // 2
    right = rng.random(size) >= np.where(often, 0.1, 0.01)
    chances = np.where(often, 0.1, 0.02)
    inside, found = 0, []
    for _ in range(100):
        drawn = rng.random(size) < chances
        one = estimate(right[drawn], chances[drawn])
        found.append(one.error)
        inside += one.low <= (~right).mean() <= one.high
    assert np.mean(found) == pytest.approx((~right).mean(), abs=0.004)
    assert inside >= 95


def test_no_answers_say_nothing() -> None:
    found = estimate([])
    assert (found.answered, found.low, found.high) == (0, 0.0, 1.0)
    assert math.isnan(found.error)
    assert standing([], promise=Promise(0.05)).state == ""


@pytest.mark.parametrize(
    ("wrong", "n", "state"), [(0, 20, UNSURE), (1, 400, HOLDS), (4, 60, DOUBTFUL), (40, 300, BROKEN)]
)
def test_the_states_of_a_promise(wrong: int, n: int, state: str) -> None:
    found = standing(answers(wrong, n), promise=Promise(0.05), concept="dog", version="v1")
    assert found.state == state
    assert found.alarm == (state == BROKEN)
    if state == HOLDS:
        assert found.reason == ""
    else:
        assert '"dog", model version v1' in found.reason
        assert f"{wrong} of {n} audited" in found.reason
        assert "5.00%" in found.reason


def test_watching_all_the_time_makes_no_false_alarms() -> None:
    """A promise that is just kept, looked at after every ten answers, 300 times over."""
    rng = np.random.default_rng(1)
    alarms = 0
    for _ in range(300):
        right = rng.random(600) >= 0.05
        alarms += any(standing(right[:n], promise=Promise(0.05)).alarm for n in range(10, 601, 10))
    assert alarms <= 300 * 0.05 + 2.33 * math.sqrt(300 * 0.05 * 0.95)


def test_unequal_chances_raise_an_alarm_too() -> None:
    rng = np.random.default_rng(2)
    chances = np.where(np.arange(800) < 400, 0.1, 0.3)
    assert standing(rng.random(800) >= 0.2, chances, promise=Promise(0.05)).alarm
    assert not standing(rng.random(800) >= 0.02, chances, promise=Promise(0.05)).alarm


def test_each_concept_and_version_stands_by_itself() -> None:
    given = [Answer("dog", "v1", i >= 60) for i in range(200)]
    given += [Answer("cat", "v1", True) for _ in range(200)]
    given += [Answer("cat", "v2", i >= 1) for i in range(300)]
    found = watch(given, {("v1", "dog"): Promise(0.05), ("v1", "cat"): Promise(0.05), ("v2", ""): Promise(0.05)})
    states = {(s.version, s.concept): s.state for s in found}
    assert states == {
        ("v1", ""): "",
        ("v1", "cat"): HOLDS,
        ("v1", "dog"): BROKEN,
        ("v2", ""): HOLDS,
        ("v2", "cat"): "",
    }
    assert [(s.version, s.concept) for s in found if s.alarm] == [("v1", "dog")]
    assert watch([], {}) == []


def test_alarms_that_share_a_risk_are_slower() -> None:
    n = next(n for n in range(20, 500) if standing(answers(n // 8, n), promise=Promise(0.05)).alarm)
    assert not standing(answers(n // 8, n), promise=Promise(0.05), sharing=20).alarm


def test_how_many_answers_an_alarm_takes() -> None:
    n = answers_needed(0.05, 0.1)
    assert n is not None
    assert standing(answers(round(0.1 * n), n), promise=Promise(0.05)).alarm
    assert answers_needed(0.05, 0.05) is None
    quick = answers_needed(0.05, 0.3)
    assert quick is not None
    assert quick < n


@pytest.mark.parametrize(
    ("right", "chances", "words"),
    [
        ([True], [0.5, 0.5], "one chance"),
        ([True], [0.0], "above 0"),
        ([True], [1.5], "at most 1"),
        ([[True]], None, "list"),
    ],
)
def test_impossible_answers_are_refused(right: object, chances: object, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        estimate(right, chances)  # type: ignore[arg-type]
