"""Thresholds with a guarantee: what is promised is kept in simulations that know the truth."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from labelwright.training import thresholds
from labelwright.training.ordered import KEPT, Slices, fallback, plan, slices
from labelwright.training.thresholds import UNREACHABLE, curve, tune

RUNS = 400
DELTA = 0.05
ALLOWED = stats.binom.ppf(0.99, RUNS, DELTA)
"""A procedure that breaks its promise in one of twenty runs breaks more than this in one of a hundred suites."""

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]


@pytest.fixture
def planned_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """A plan rests on scores alone, and the made-up pools of one test all have the same."""
    plans: dict[Any, Floats] = {}

    def remembered(cut: Slices, error: float, delta: float) -> Floats:
        key = (cut.thresholds.tobytes(), int(cut.verified[-1]), error, delta)
        if key not in plans:
            plans[key] = plan(cut, error, delta)
        return plans[key]

    monkeypatch.setattr(thresholds, "plan", remembered)


@pytest.fixture
def no_forecast(monkeypatch: pytest.MonkeyPatch) -> None:
    """How many more to verify is two thirds of a tuning that labels nothing, and no part of the promise."""
    monkeypatch.setattr(thresholds, "_more", lambda *_: UNREACHABLE)


def pool(kind: str, size: int, error: float, rng: np.random.Generator) -> tuple[Floats, Bools]:
    """Scores from the highest down, and which of the answers are right; the error curve is known."""
    rank = np.arange(size) / size
    wrong = {
        # Scores that mean what they say.
        "calibrated": 0.9 * rank**12,
        # Every threshold labels a little too many mistakes.
        "flat": np.full(size, error * 1.1),
        # Bad among the surest, good below, bad again: the error among the labelled falls and rises.
        "waves": np.where((rank * 6).astype(int) % 2 == 0, error * 1.7, error * 0.4),
        # Good, and then a cliff.
        "cliff": np.where(rank < 0.4, 0.0, error * 2.5),
    }[kind]
    return 1 - 0.9 * rank**12, rng.random(size) >= wrong


def too_many(threshold: Any, scores: Floats, right: Bools, error: float) -> bool:
    labelled = scores >= threshold
    return bool(labelled.any() and (~right[labelled]).mean() > error)


def draw(size: int, n: int, rng: np.random.Generator) -> Bools:
    drawn = np.zeros(size, bool)
    drawn[rng.choice(size, n, replace=False)] = True
    return drawn


@pytest.mark.usefixtures("planned_once", "no_forecast")
@pytest.mark.parametrize("kind", ["calibrated", "flat", "waves", "cliff"])
def test_a_joint_threshold_keeps_its_promise(kind: str) -> None:
    """Two fifths of the pool are verified, so that the truth about the rest scatters as it does in small pools."""
    broken = labelled = 0.0
    for seed in range(RUNS):
        rng = np.random.default_rng(seed)
        scores, right = pool(kind, 1000, 0.05, rng)
        drawn = draw(1000, 400, rng)
        tuning = tune(scores[drawn], right[drawn], error=0.05, confidence=0.95, pool_scores=scores[~drawn])
        broken += too_many(tuning.thresholds[0].threshold, scores[~drawn], right[~drawn], 0.05)
        labelled += tuning.covered.coverage / RUNS
    assert broken <= ALLOWED
    if kind == "calibrated":
        # 0.93 of the pool could be labelled by one who knew the truth.
        assert labelled > 0.8


@pytest.mark.usefixtures("planned_once", "no_forecast")
def test_thresholds_per_concept_keep_their_promise_all_at_once() -> None:
    broken = 0
    for seed in range(RUNS):
        rng = np.random.default_rng(seed)
        parts = [pool(kind, 400, 0.1, rng) for kind in ("flat", "waves", "calibrated")]
        scores, right = (np.concatenate([p[i] for p in parts]) for i in (0, 1))
        group = np.repeat(np.arange(3), 400)
        drawn = np.concatenate([draw(400, 200, rng) for _ in parts])
        tuning = tune(
            scores[drawn],
            right[drawn],
            error=0.1,
            confidence=0.95,
            pool_scores=scores[~drawn],
            groups=group[drawn],
            pool_groups=group[~drawn],
            joint=False,
        )
        broken += any(
            too_many(c.threshold, scores[~drawn & (group == c.group)], right[~drawn & (group == c.group)], 0.1)
            for c in tuning.thresholds
        )
    assert broken <= ALLOWED


@pytest.mark.usefixtures("planned_once", "no_forecast")
@pytest.mark.parametrize("kind", ["flat", "calibrated"])
def test_unequal_chances_keep_the_promise(kind: str) -> None:
    """The surer half is drawn a third as often, a fixed number from either."""
    broken = labelled = 0.0
    for seed in range(RUNS):
        rng = np.random.default_rng(seed)
        scores, right = pool(kind, 3000, 0.05, rng)
        chances = np.where(np.arange(3000) < 1500, 0.1, 0.3)
        drawn = np.concatenate([draw(1500, 150, rng), draw(1500, 450, rng)])
        tuning = tune(
            scores[drawn],
            right[drawn],
            error=0.05,
            confidence=0.95,
            pool_scores=scores[~drawn],
            weights=1 / chances[drawn],
        )
        broken += too_many(tuning.thresholds[0].threshold, scores[~drawn], right[~drawn], 0.05)
        labelled += tuning.covered.coverage / RUNS
    assert broken <= ALLOWED
    assert kind == "flat" or labelled > 0.6


@pytest.mark.usefixtures("planned_once", "no_forecast")
@pytest.mark.parametrize("sharing", [{"looks": 5}, {"anytime": True}, {}])
def test_five_looks_keep_the_promise_where_the_risk_is_shared(sharing: dict[str, Any]) -> None:
    """The same pool and model, looked at after every 80 answers; the first threshold that is found is used."""
    broken = 0
    for seed in range(RUNS):
        rng = np.random.default_rng(seed)
        scores, right = pool("flat", 3000, 0.05, rng)
        order = rng.permutation(3000)
        for k in range(1, 6):
            drawn, rest = order[: 80 * k], order[80 * k :]
            own = sharing or {"look": k}
            tuning = tune(scores[drawn], right[drawn], error=0.05, confidence=0.95, pool_scores=scores[rest], **own)
            if tuning.covered.items:
                broken += too_many(tuning.thresholds[0].threshold, scores[rest], right[rest], 0.05)
                break
    assert broken <= ALLOWED


def test_more_verified_items_label_more() -> None:
    rng = np.random.default_rng(0)
    scores, right = pool("calibrated", 20_000, 0.02, rng)
    order = rng.permutation(20_000)
    shares = []
    for n in (100, 400, 3000):
        drawn, rest = order[:n], order[n:]
        tuning = tune(scores[drawn], right[drawn], error=0.02, confidence=0.95, pool_scores=scores[rest])
        shares.append(tuning.covered.coverage)
    assert shares[0] == 0
    assert 0.5 < shares[1] <= shares[2]


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000), st.integers(0, 300), st.integers(0, 500), st.floats(0.01, 0.3))
def test_a_threshold_is_one_that_was_tested_and_passed(seed: int, n: int, left: int, error: float) -> None:
    rng = np.random.default_rng(seed)
    scores, rest = rng.random(n).round(2), rng.random(left).round(2)
    right = rng.random(n) < scores**0.1
    chosen = tune(scores, right, error=error, confidence=0.9, pool_scores=rest).thresholds[0]
    assert chosen.verified == n
    assert chosen.pool == left
    assert 0 <= chosen.coverage_low <= chosen.coverage <= chosen.coverage_high <= 1
    if chosen.threshold == math.inf:
        assert (chosen.coverage, chosen.verified_above, chosen.bound) == (0.0, 0, 1.0)
        assert chosen.more == UNREACHABLE or 0 < chosen.more < left
    else:
        assert chosen.threshold in slices(scores, ~right, rest).thresholds
        assert chosen.verified_above == (scores >= chosen.threshold).sum()
        assert chosen.wrong_above == (~right[scores >= chosen.threshold]).sum()
        assert chosen.coverage == pytest.approx((rest >= chosen.threshold).mean() if left else 0.0)
        assert chosen.bound <= error
        assert chosen.more == 0


def test_the_order_and_the_levels_are_fixed_before_an_answer_is_seen() -> None:
    rng = np.random.default_rng(1)
    scores, rest = rng.random(300), rng.random(900)
    one = slices(scores, rng.random(300) < 0.5, rest)
    other = slices(scores, np.zeros(300, bool), rest)
    # Neither do they depend on which of the items were drawn, apart from their number.
    mixed = rng.permutation(np.concatenate([scores, rest]))
    redrawn = slices(mixed[:300], np.zeros(300, bool), mixed[300:])
    assert np.array_equal(one.thresholds, other.thresholds)
    assert np.array_equal(one.thresholds, redrawn.thresholds)
    levels = plan(one, 0.05, 0.05)
    assert np.array_equal(levels, plan(other, 0.05, 0.05))
    assert np.array_equal(levels, plan(redrawn, 0.05, 0.05))
    assert levels.sum() <= 0.05 + 1e-12
    assert (levels >= 0).all()


@pytest.mark.parametrize("seed", range(4))
def test_a_start_that_dies_by_chance_does_not_end_what_thousands_of_answers_show(seed: int) -> None:
    """0.3 % are wrong, 1 % may be: 500 answers fail to show it in most draws, and 5,000 in none."""
    rng = np.random.default_rng(seed)
    scores = rng.uniform(0.5, 1, 60_000)
    right = rng.random(60_000) < np.where(scores > 0.6, 0.997, 0.7)
    drawn = draw(60_000, 20_000, rng)
    tuning = tune(scores[drawn], right[drawn], error=0.01, confidence=0.95, pool_scores=scores[~drawn])
    # Above 0.6 lie four fifths of the pool.
    assert tuning.covered.coverage > 0.75


def test_a_share_of_delta_is_kept_for_late_starts() -> None:
    rng = np.random.default_rng(0)
    scores = rng.random(30_000)
    cut = slices(scores[:10_000], np.zeros(10_000, bool), scores[10_000:])
    levels = plan(cut, 0.01, 0.05)
    assert levels.sum() == pytest.approx(0.05)
    # 299 are the least: eight times that, twice and four times as many.
    for late in (2392, 4784):
        assert levels[np.searchsorted(cut.expected, late)] >= KEPT * 0.05 / 3 - 1e-12
    few = slices(scores[:600], np.zeros(600, bool), scores[600:])
    # Two times the least: nothing is late here, and nothing kept back from the start.
    assert plan(few, 0.01, 0.05).max() >= 0.05 / 2


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize(("verified", "left", "error"), [(20_000, 40_000, 0.05), (5_000, 5_000, 0.3)])
def test_a_plan_for_so_many_answers_that_p_values_vanish(verified: int, left: int, error: float) -> None:
    """Without a mistake among them both p-values are below the smallest number that there is."""
    assert (1 - error) ** verified == 0
    scores = np.random.default_rng(0).random(verified + left)
    levels = plan(slices(scores[:verified], np.zeros(verified, bool), scores[verified:]), error, 0.05)
    assert np.isfinite(levels).all()
    assert levels.sum() == pytest.approx(0.05)


@pytest.mark.parametrize(
    ("p_values", "levels", "passed"),
    [
        # One start: on until the first that fails.
        ([0.01, 0.05, 0.06, 0.0], [0.05, 0, 0, 0], [True, True, False, False]),
        # Two starts: the second has its own half, and all of it where the first got so far.
        ([0.9, 0.0, 0.02, 0.03], [0.025, 0, 0.025, 0], [False, False, True, False]),
        ([0.02, 0.0, 0.04, 0.05], [0.025, 0, 0.025, 0], [True, True, True, True]),
        ([0.0, 0.0], [0.0, 0.0], [False, False]),
        ([], [], []),
    ],
)
def test_what_passes_hands_its_level_on(p_values: list[float], levels: list[float], passed: list[bool]) -> None:
    assert fallback(np.array(p_values), np.array(levels)).tolist() == passed


def test_scores_that_mean_nothing_cost_coverage_and_no_promise() -> None:
    """Raw margins far above 1: nothing is planned well, and nothing breaks."""
    rng = np.random.default_rng(2)
    scores, right = pool("calibrated", 5000, 0.05, rng)
    drawn = draw(5000, 600, rng)
    margins = 40 * scores - 20
    tuning = tune(margins[drawn], right[drawn], error=0.05, confidence=0.95, pool_scores=margins[~drawn])
    assert not too_many(tuning.thresholds[0].threshold, margins[~drawn], right[~drawn], 0.05)


def test_how_many_more_to_verify() -> None:
    rest = np.linspace(0.5, 1, 10_000)
    few = np.linspace(0.5, 1, 20)
    chosen = tune(few, np.ones(20, bool), error=0.05, confidence=0.95, pool_scores=rest).thresholds[0]
    assert chosen.threshold == math.inf
    # 59 are the least at 95 %, 72 at the half of the risk that one of two starts has.
    assert 72 - 20 <= chosen.more <= 72 - 20 + 2
    none = tune([], [], error=0.01, confidence=0.95, pool_scores=rest).thresholds[0]
    assert (none.verified, none.coverage_low) == (0, 0.0)
    assert 368 <= none.more <= 372
    hopeless = tune(few, np.zeros(20, bool), error=0.05, confidence=0.95, pool_scores=rest).thresholds[0]
    assert hopeless.more == UNREACHABLE
    small = tune(few, np.ones(20, bool), error=0.01, confidence=0.95, pool_scores=rest[:50]).thresholds[0]
    assert small.more == UNREACHABLE


def test_a_concept_without_verified_items_labels_nothing() -> None:
    rest = np.linspace(0.5, 1, 600)
    tuning = tune(
        np.linspace(0.9, 1, 300),
        np.ones(300, bool),
        error=0.05,
        confidence=0.95,
        pool_scores=rest,
        groups=np.zeros(300, int),
        pool_groups=np.arange(600) % 2,
        joint=False,
    )
    assert [c.group for c in tuning.thresholds] == [0, 1]
    assert tuning.thresholds[0].coverage > 0
    assert tuning.thresholds[1].threshold == math.inf
    assert tuning.covered.items == round(tuning.thresholds[0].coverage * 300)


def test_nothing_at_all_is_a_tuning_too() -> None:
    chosen = tune([], [], error=0.05, confidence=0.95, pool_scores=[]).thresholds[0]
    assert (chosen.threshold, chosen.more, chosen.coverage) == (math.inf, UNREACHABLE, 0.0)
    everything = tune([0.9] * 100, [True] * 100, error=0.05, confidence=0.95, pool_scores=[])
    assert everything.covered.items == 0
    assert curve([], [], confidence=0.95, pool_scores=[]) == []


def test_equal_weights_are_no_weights() -> None:
    rng = np.random.default_rng(3)
    scores, right = pool("calibrated", 2000, 0.05, rng)
    drawn = draw(2000, 500, rng)
    plain = tune(scores[drawn], right[drawn], error=0.05, confidence=0.95, pool_scores=scores[~drawn])
    weighed = tune(
        scores[drawn], right[drawn], error=0.05, confidence=0.95, pool_scores=scores[~drawn], weights=np.full(500, 4.0)
    )
    assert plain == weighed


def test_a_curve_to_drag_along() -> None:
    rng = np.random.default_rng(4)
    scores, right = pool("calibrated", 2000, 0.05, rng)
    drawn = draw(2000, 500, rng)
    points = curve(scores[drawn], right[drawn], confidence=0.95, pool_scores=scores[~drawn], points=20)
    assert len(points) == 20
    assert [p.threshold for p in points] == sorted((p.threshold for p in points), reverse=True)
    assert [p.coverage for p in points] == sorted(p.coverage for p in points)
    assert points[-1].coverage == 1
    assert points[-1].verified_above == 500
    assert all(p.bound >= p.estimate for p in points if p.verified_above)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"error": 0}, "error"),
        ({"confidence": 1}, "confidence"),
        ({"looks": 0}, "looks"),
        ({"look": 0}, "looks"),
        ({"right": [True]}, "right has the shape"),
        ({"scores": [math.nan, 0.1]}, "finite"),
        ({"pool_scores": [[0.1]]}, "lists"),
        ({"weights": [1.0, 0.0]}, "weights"),
        ({"weights": [1.0]}, "weights has the shape"),
        ({"groups": [1]}, "groups has the shape"),
        ({"joint": False}, "need groups"),
    ],
)
def test_what_makes_no_sense_is_refused(change: dict[str, Any], words: str) -> None:
    given = {
        "scores": [0.5, 0.9],
        "right": [True, True],
        "error": 0.05,
        "confidence": 0.95,
        "pool_scores": [0.1],
        **change,
    }
    with pytest.raises(ValueError, match=words):
        tune(given.pop("scores"), given.pop("right"), **given)
