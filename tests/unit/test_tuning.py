"""Choosing thresholds from answers, on arrays alone: what the tests of `thresholds` do not know of."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from labelwright.training.thresholds import UNREACHABLE, Chosen
from labelwright.training.tuning import (
    HALF,
    NEVER,
    Answers,
    Decision,
    Target,
    decide,
    fingerprint,
    float32_above,
    verify_more,
)

FIVE = Target(0.05, 0.95)


def answers(n: int, seed: int = 0, low: float = 0.0, good_from: float = 0.6, concepts: int = 1) -> Answers:
    """Claims of which those at or above a score are right, and of the others half."""
    rng = np.random.default_rng(seed)
    scores = rng.uniform(low, 1, n).astype(np.float32).astype(np.float64)
    right = (scores >= good_from) | (rng.random(n) < 0.5)
    return Answers(scores, right, rng.integers(0, concepts, n))


def nobody() -> Answers:
    return Answers(np.empty(0), np.empty(0, bool), np.empty(0, np.int64))


def test_a_threshold_where_the_answers_support_it() -> None:
    verified, pool = answers(400), answers(2000, seed=1)
    made = decide(verified, pool.scores, pool.concepts, FIVE, exclusive=False)
    (limit,) = made.limits
    assert 0.5 < limit.threshold < 0.75
    assert limit.threshold == float(np.float32(limit.threshold)), "as the wire has it"
    assert limit.coverage == pytest.approx((pool.scores >= limit.threshold).mean())
    assert limit.coverage_low < limit.coverage < limit.coverage_high
    assert limit.bound <= 0.05
    assert verify_more(limit) == ""
    assert made.thresholds(["cat", "dog"]) == dict.fromkeys(["cat", "dog"], limit.threshold)
    told = made.as_json(["cat"])
    assert (told["limits"][0]["concept"], told["look"], told["target"]["error"]) == (None, 1, 0.05)


def test_without_answers_nothing_may_be_labelled_and_it_says_how_many_are_missing() -> None:
    pool = answers(2000)
    made = decide(nobody(), pool.scores, pool.concepts, FIVE, exclusive=False)
    (limit,) = made.limits
    assert (limit.threshold, made.coverage) == (NEVER, 0.0)
    assert verify_more(limit) == f"verify {limit.more} more"
    assert limit.more >= 59


def test_a_pool_that_is_empty() -> None:
    made = decide(answers(100), np.empty(0), np.empty(0, np.int64), FIVE, exclusive=False)
    assert (made.coverage, made.coverage_low, made.coverage_high) == (0.0, 0.0, 1.0)


def test_each_look_spends_less_than_the_one_before() -> None:
    verified, pool = answers(300, good_from=0.3), answers(2000, seed=1)
    chosen = [
        decide(verified, pool.scores, pool.concepts, FIVE, exclusive=False, look=k).limits[0].threshold
        for k in (1, 2, 5, 50)
    ]
    assert chosen == sorted(chosen)
    assert chosen[0] < chosen[-1]


def test_of_exclusive_concepts_no_threshold_lets_two_pass() -> None:
    verified = answers(600, low=0.2, good_from=0.0)
    pool = answers(2000, seed=1, low=0.2)
    loose = decide(verified, pool.scores, pool.concepts, FIVE, exclusive=False).limits[0]
    strict = decide(verified, pool.scores, pool.concepts, FIVE, exclusive=True).limits[0]
    assert loose.threshold < 0.5 < strict.threshold
    assert strict.threshold >= float(np.float32(HALF))
    # Coverage is told of the whole pool, not of what could be labelled at all.
    assert strict.coverage == pytest.approx((pool.scores >= strict.threshold).mean())
    assert strict.pool == 2000


def test_one_threshold_for_each_concept_and_none_where_nothing_was_verified() -> None:
    verified, pool = answers(900, concepts=2), answers(3000, seed=1, concepts=3)
    made = decide(verified, pool.scores, pool.concepts, Target(0.1, 0.9, joint=False), exclusive=False)
    assert [limit.group for limit in made.limits] == [0, 1, 2]
    chosen = made.thresholds(["cat", "dog", "owl", "emu"])
    assert chosen["cat"] < 1 > chosen["dog"]
    assert (chosen["owl"], chosen["emu"]) == (NEVER, NEVER), "no evidence, and not even a claim"


def test_audits_add_evidence_from_where_they_begin_and_nothing_below() -> None:
    verified, pool = answers(60, good_from=0.0), answers(2000, seed=1)
    audited = answers(300, seed=2, low=0.8, good_from=0.0)
    alone = decide(verified, pool.scores, pool.concepts, Target(0.02, 0.95), exclusive=False)
    both = decide(
        verified,
        pool.scores,
        pool.concepts,
        Target(0.02, 0.95),
        exclusive=False,
        audited=audited,
        audited_from={0: 0.8},
    )
    assert alone.coverage == 0
    assert 0.8 <= both.limits[0].threshold < 0.95


def test_audits_without_a_mistake_hide_none_below_where_they_begin() -> None:
    verified, pool = answers(200, good_from=0.8), answers(2000, seed=1)
    verified = Answers(verified.scores, verified.scores >= 0.8, verified.concepts)
    audited = answers(600, seed=2, low=0.8, good_from=0.0)
    together = verified.and_also(audited)
    fooled = decide(together, pool.scores, pool.concepts, FIVE, exclusive=False)
    assert fooled.limits[0].threshold < 0.75, "one sample of both would be no sample of the pool"
    made = decide(verified, pool.scores, pool.concepts, FIVE, exclusive=False, audited=audited, audited_from={0: 0.8})
    assert 0.78 < made.limits[0].threshold < 0.82


@given(st.floats(0, 1))
def test_as_float32_a_threshold_lets_the_same_scores_pass(threshold: float) -> None:
    near = np.float32(threshold)
    scores = [near, np.nextafter(near, np.float32(0)), np.nextafter(near, np.float32(2))]
    chosen = float32_above(threshold)
    assert chosen == float(np.float32(chosen))
    assert [float(s) >= threshold for s in scores] == [s >= np.float32(chosen) for s in scores]


def test_infinity_is_never() -> None:
    assert float32_above(math.inf) == NEVER


def test_the_same_look_is_told_from_another() -> None:
    some, pool = answers(10), answers(20, seed=1)
    first = fingerprint(FIVE, some, nobody(), pool.scores, pool.concepts)
    assert first == fingerprint(FIVE, answers(10), nobody(), pool.scores.copy(), pool.concepts)
    flipped = Answers(some.scores, ~some.right, some.concepts)
    others = {
        fingerprint(Target(0.05, 0.9), some, nobody(), pool.scores, pool.concepts),
        fingerprint(FIVE, flipped, nobody(), pool.scores, pool.concepts),
        fingerprint(FIVE, nobody(), some, pool.scores, pool.concepts),
        fingerprint(FIVE, some, nobody(), pool.scores[1:], pool.concepts[1:]),
    }
    assert len(others | {first}) == 5


def test_where_no_number_is_enough_it_says_so() -> None:
    limit = Chosen(None, NEVER, 1.0, 0, 0, 10, 0.0, 0.0, 1.0, UNREACHABLE, 20)
    assert "no number of answers" in verify_more(limit)
    assert isinstance(Decision(FIVE, 1, (limit,), 0.0, 0.0, 1.0).as_json([]), dict)


def test_the_target_is_kept_as_often_as_promised() -> None:
    """A head that is as wrong as it says: the target may be broken in a tenth of the tunings, and noise."""
    rng = np.random.default_rng(0)
    broken = 0
    for _ in range(100):
        scores = rng.beta(4, 1, 800)
        right = rng.random(800) < scores
        drawn = np.zeros(800, bool)
        drawn[rng.choice(800, 200, replace=False)] = True
        zeros = np.zeros(800, np.int64)
        made = decide(
            Answers(scores[drawn], right[drawn], zeros[drawn]),
            scores[~drawn],
            zeros[~drawn],
            Target(0.1, 0.9),
            exclusive=False,
        )
        labelled = ~drawn & (scores >= made.limits[0].threshold)
        broken += bool(labelled.any() and (~right[labelled]).mean() > 0.1)
    # Four standard deviations of 100 tries at 0.1 are 12.
    assert broken <= 22
