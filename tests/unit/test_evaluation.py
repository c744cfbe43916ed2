"""Evaluation: the same figures as scikit-learn has, and honest where nothing can be said."""

from __future__ import annotations

import json
import threading
import warnings
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn import metrics

from labelwright.training import curves
from labelwright.training.evaluation import GRID, Evaluation, evaluate
from labelwright.training.evaluation_job import _beside
from labelwright.training.evaluation_record import record, summary

NAN = float("nan")

binary = st.lists(st.tuples(st.integers(0, 20).map(lambda n: n / 20), st.booleans()), min_size=1, max_size=60)


def arrays(pairs: list[tuple[float, bool]]) -> tuple[Any, Any]:
    return np.array([s for s, _ in pairs]), np.array([t for _, t in pairs])


def of_one(scores: Any, labels: Any) -> Evaluation:
    return evaluate(np.array(scores)[:, None], np.array(labels, float)[:, None], ["a"], exclusive=False)


# --- one concept, against scikit-learn ------------------------------------------------------------


@given(binary)
def test_areas_and_precision_are_those_of_scikit_learn(pairs: list[tuple[float, bool]]) -> None:
    scores, truth = arrays(pairs)
    (concept,) = of_one(scores, truth).concepts
    assert (concept.positives, concept.negatives) == (truth.sum(), (~truth).sum())
    if truth.any() and not truth.all():
        assert concept.roc_auc == pytest.approx(metrics.roc_auc_score(truth, scores))
    else:
        assert concept.roc_auc is None
        assert concept.roc is None
    if truth.any():
        assert concept.average_precision == pytest.approx(metrics.average_precision_score(truth, scores))
        assert concept.recall == pytest.approx(metrics.recall_score(truth, scores >= 0.5))
        assert concept.f1 == pytest.approx(metrics.f1_score(truth, scores >= 0.5, zero_division=0))
    else:
        assert concept.average_precision is None
        assert concept.f1 is None
    if (scores >= 0.5).any():
        assert concept.precision == pytest.approx(metrics.precision_score(truth, scores >= 0.5))
    else:
        assert concept.precision is None


@given(binary)
def test_the_curves_are_those_of_scikit_learn(pairs: list[tuple[float, bool]]) -> None:
    scores, truth = arrays(pairs)
    found = curves.steps(scores, truth)
    if truth.any() and not truth.all():
        fpr, tpr, thresholds = metrics.roc_curve(truth, scores, drop_intermediate=False)
        mine = curves.roc(found)
        assert mine is not None
        np.testing.assert_allclose(mine.x, fpr)
        np.testing.assert_allclose(mine.y, tpr)
        np.testing.assert_allclose(mine.thresholds[1:], thresholds[1:])
        assert mine.thresholds[0] > scores.max()
    if truth.any():
        precision, recall, thresholds = metrics.precision_recall_curve(truth, scores)
        mine = curves.precision_recall(found)
        assert mine is not None
        # Theirs rises, and ends with a point of nothing said.
        np.testing.assert_allclose(mine.x, recall[-2::-1])
        np.testing.assert_allclose(mine.y, precision[-2::-1])
        np.testing.assert_allclose(mine.thresholds, thresholds[::-1])


@given(binary, st.integers(3, 12))
def test_a_thinned_curve_keeps_its_ends_and_runs_through_points_of_the_whole(
    pairs: list[tuple[float, bool]], most: int
) -> None:
    whole = curves.roc(curves.steps(*arrays(pairs)))
    if whole is None:
        return
    thin = curves.thinned(whole, most)
    assert len(thin.x) <= max(most, 2)
    for ends in (whole, thin):
        assert (ends.x[0], ends.y[0], ends.x[-1], ends.y[-1]) == (0, 0, 1, 1)
    points = set(zip(whole.x, whole.y, whole.thresholds, strict=True))
    assert set(zip(thin.x, thin.y, thin.thresholds, strict=True)) <= points
    assert (np.diff(thin.x) >= 0).all()
    assert (np.diff(thin.thresholds) < 0).all()


def test_a_long_curve_is_thinned_and_keeps_its_shape() -> None:
    rng = np.random.default_rng(0)
    truth = rng.random(20_000) < 0.3
    scores = np.clip(rng.normal(0.35 + 0.3 * truth, 0.15), 0, 1)
    (concept,) = of_one(scores, truth).concepts
    assert concept.roc is not None
    assert concept.precision_recall is not None
    assert 50 < len(concept.roc.x) <= curves.POINTS
    assert 50 < len(concept.precision_recall.x) <= curves.POINTS
    assert curves.area(concept.roc) == pytest.approx(metrics.roc_auc_score(truth, scores), abs=1e-3)


@given(binary)
def test_the_grid_counts_what_lies_at_or_above_each_threshold(pairs: list[tuple[float, bool]]) -> None:
    scores, truth = arrays(pairs)
    (concept,) = of_one(scores, truth).concepts
    for at in (0, 5, 50, 99, 100):
        assert concept.grid_hits[at] == (truth & (scores >= GRID[at])).sum()
        assert concept.grid_alarms[at] == (~truth & (scores >= GRID[at])).sum()
    assert (concept.grid_hits[50], concept.grid_alarms[50]) == (concept.hits, concept.alarms)


@given(binary)
def test_reliability_counts_everything_once_and_the_error_is_between_0_and_1(pairs: list[tuple[float, bool]]) -> None:
    scores, truth = arrays(pairs)
    bins = curves.reliability(scores, truth)
    assert [b.low for b in bins] == [i / 10 for i in range(10)]
    assert sum(b.n for b in bins) == len(pairs)
    assert sum(b.n * b.share for b in bins) == pytest.approx(truth.sum())
    assert sum(b.n * b.score for b in bins) == pytest.approx(scores.sum())
    for b in bins:
        inside = (scores >= b.low) & ((scores < b.high) | (b.high == 1))
        assert b.n == inside.sum()
    error = curves.calibration_error(bins)
    assert error is not None
    assert 0 <= error <= 1


def test_calibration_of_scores_that_keep_their_word() -> None:
    assert curves.calibration_error(curves.reliability(np.full(10, 0.3), np.arange(10) < 3)) == pytest.approx(0)
    assert curves.calibration_error(curves.reliability(np.full(10, 0.9), np.arange(10) < 3)) == pytest.approx(0.6)
    assert curves.calibration_error(curves.reliability(np.empty(0), np.empty(0, bool))) is None


# --- several concepts -----------------------------------------------------------------------------


@given(st.integers(0, 2**32 - 1), st.integers(2, 6), st.integers(2, 40))
def test_exclusive_concepts_are_measured_as_scikit_learn_does(seed: int, c: int, n: int) -> None:
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, c, n)
    scores = rng.dirichlet(np.ones(c), n)
    labels = np.full((n, c), NAN)
    labels[np.arange(n), truth] = 1
    done = evaluate(scores, labels, [str(i) for i in range(c)], exclusive=True)
    said = scores.argmax(1)
    assert done.summary.inputs == n
    assert done.summary.accuracy == pytest.approx(metrics.accuracy_score(truth, said))
    assert done.summary.top1 == done.summary.accuracy
    np.testing.assert_array_equal(done.confusion, metrics.confusion_matrix(truth, said, labels=range(c)))
    there = [i for i in range(c) if (truth == i).any()]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        f1 = metrics.f1_score(truth, said, labels=there, average="macro", zero_division=0)
    assert done.summary.macro_f1 == pytest.approx(f1)
    assert done.summary.micro_f1 == pytest.approx(done.summary.accuracy)
    assert [len(done.mistakes)] == [int((truth != said).sum())]
    assert [m.wrong for m in done.mistakes] == sorted((m.wrong for m in done.mistakes), reverse=True)
    assert all(m.said == said[m.row] and m.missed == truth[m.row] for m in done.mistakes)


@given(st.integers(0, 2**32 - 1), st.integers(1, 5), st.integers(1, 40))
def test_concepts_side_by_side_are_measured_as_scikit_learn_does(seed: int, c: int, n: int) -> None:
    rng = np.random.default_rng(seed)
    truth, scores = rng.random((n, c)) < 0.4, rng.random((n, c))
    done = evaluate(scores, truth.astype(float), [str(i) for i in range(c)], exclusive=False)
    said = scores >= 0.5
    assert done.summary.accuracy == pytest.approx((truth == said).mean())
    np.testing.assert_array_equal(done.cooccurrence, truth.T.astype(int) @ truth.astype(int))
    np.testing.assert_array_equal(np.diag(done.confusion), (truth & said).sum(0))
    if truth.any():
        f1 = metrics.f1_score(truth.ravel(), said.ravel(), zero_division=0)
        assert done.summary.micro_f1 == pytest.approx(f1)
    assert len(done.mistakes) == (truth != said).sum()


@given(st.integers(0, 2**32 - 1))
def test_what_nobody_labelled_counts_for_nothing(seed: int) -> None:
    """Whatever the scores of unlabelled inputs are, the evaluation is the same."""
    rng = np.random.default_rng(seed)
    scores = rng.random((20, 3))
    labels = rng.choice([0.0, 1.0, NAN], (20, 3))
    labels[rng.random(20) < 0.3] = NAN
    other = np.where(np.isnan(labels), rng.random((20, 3)), scores)
    made = [evaluate(s, labels, ["a", "b", "c"], exclusive=False) for s in (scores, other)]
    for one, two in zip(made[0].concepts, made[1].concepts, strict=True):
        assert (one.roc_auc, one.f1, one.bins) == (two.roc_auc, two.f1, two.bins)
    assert made[0].summary.accuracy == made[1].summary.accuracy
    assert made[0].summary.micro_f1 == made[1].summary.micro_f1
    assert made[0].mistakes == made[1].mistakes


@given(st.integers(0, 2**32 - 1), st.booleans())
def test_the_order_of_the_inputs_does_not_matter(seed: int, exclusive: bool) -> None:
    rng = np.random.default_rng(seed)
    scores, labels = rng.random((15, 3)), rng.choice([0.0, 1.0, NAN], (15, 3))
    turned = rng.permutation(15)
    one = evaluate(scores, labels, ["a", "b", "c"], exclusive=exclusive)
    two = evaluate(scores[turned], labels[turned], ["a", "b", "c"], exclusive=exclusive)
    assert summary(one) == pytest.approx(summary(two))
    np.testing.assert_array_equal(one.confusion, two.confusion)


def test_two_that_are_both_there_are_not_confused() -> None:
    labels: npt.NDArray[Any] = np.array([[1, 1], [1, 0], [1, NAN]], float)
    done = evaluate(np.full((3, 2), 0.9), labels, ["dog", "animal"], exclusive=False)
    # Of three dogs one is known to be no animal; nobody said of the third.
    np.testing.assert_array_equal(done.confusion, [[3, 1], [0, 1]])
    np.testing.assert_array_equal(done.cooccurrence, [[3, 1], [1, 1]])


def test_a_label_of_an_exclusive_concept_is_one_against_the_others() -> None:
    scores = np.array([[0.7, 0.2], [0.6, 0.3], [0.1, 0.8]])
    labels = np.array([[1, NAN], [NAN, 1], [NAN, NAN]])
    done = evaluate(scores, labels, ["cat", "dog"], exclusive=True)
    assert done.summary.inputs == 2
    assert done.summary.accuracy == 0.5
    np.testing.assert_array_equal(done.confusion, [[1, 0], [1, 0]])
    assert [(m.row, m.said, m.missed, m.score) for m in done.mistakes] == [(1, 0, 1, 0.6)]
    assert [e.row for e in done.examples] == [1, 0]
    assert done.examples[0].labels == [(1, 1)]


# --- little data ----------------------------------------------------------------------------------


def test_one_concept_and_two_inputs() -> None:
    done = of_one([0.9, 0.2], [1, 0])
    (concept,) = done.concepts
    assert (concept.roc_auc, concept.f1, done.summary.accuracy) == (1, 1, 1)
    assert done.summary.top1 is None
    assert done.mistakes == []
    both = evaluate(np.array([[0.9], [0.8]]), np.ones((2, 1)), ["a"], exclusive=True)
    assert both.exclusive is False
    assert both.concepts[0].roc_auc is None
    assert both.concepts[0].f1 == 1


@pytest.mark.parametrize("exclusive", [True, False])
@pytest.mark.parametrize(("n", "c"), [(0, 0), (0, 3), (3, 0), (3, 2)])
def test_nothing_at_all_says_nothing(n: int, c: int, exclusive: bool) -> None:
    done = evaluate(np.zeros((n, c)), np.full((n, c), NAN), [str(i) for i in range(c)], exclusive=exclusive)
    assert {name: value for name, value in summary(done).items() if value is not None} == {"inputs": 0}
    assert (done.mistakes, done.examples) == ([], [])
    json.dumps(record(done, names={}, inputs=[""] * n), allow_nan=False)


def test_shapes_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ValueError, match="do not fit"):
        evaluate(np.zeros((2, 2)), np.zeros((2, 3)), ["a", "b"], exclusive=False)
    with pytest.raises(ValueError, match="3 concepts"):
        evaluate(np.zeros((2, 2)), np.zeros((2, 2)), ["a", "b", "c"], exclusive=False)


# --- what is kept ---------------------------------------------------------------------------------


def test_the_record_is_plain_json_of_bounded_size() -> None:
    rng = np.random.default_rng(1)
    n, c = 5000, 30
    truth = rng.integers(0, c, n)
    scores = rng.dirichlet(np.full(c, 0.2), n)
    labels = np.full((n, c), NAN)
    labels[np.arange(n), truth] = 1
    done = evaluate(scores, labels, [f"c{i}" for i in range(c)], exclusive=True)
    kept = record(done, names={"c0": "first"}, inputs=[f"input-{i}" for i in range(n)])
    assert kept["concepts"][0]["name"] == "first"
    assert kept["concepts"][1]["name"] == "c1"
    assert len(kept["mistakes"]) == 200
    assert len(kept["examples"]) == 1000
    assert all(m["input"].startswith("input-") for m in kept["mistakes"])
    assert json.loads(json.dumps(kept, allow_nan=False))["summary"]["inputs"] == n
    assert len(json.dumps(kept)) < 2_000_000
    cells = np.zeros((c, c), int)
    for row, column, count in kept["confusion"]:
        cells[row, column] = count
    np.testing.assert_array_equal(cells, done.confusion)


def test_long_work_is_abandoned_when_somebody_says_stop() -> None:
    never = threading.Event()
    asked: list[int] = []

    def stop() -> bool:
        asked.append(1)
        return len(asked) == 2

    assert _beside(never.wait, stop) is None
    assert len(asked) == 2
    never.set()
    assert _beside(lambda: 7, lambda: False) == 7
    with pytest.raises(ZeroDivisionError):
        _beside(lambda: 1 // 0, lambda: False)
