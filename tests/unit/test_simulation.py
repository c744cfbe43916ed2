"""The loop on labelled sets: sets are read, labels spread, people's labels counted, promises held."""

from __future__ import annotations

import json
import math
import pickle
import xml.etree.ElementTree as ET
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from labelwright.demo import chart
from labelwright.demo.simulated import Simulated, section
from labelwright.errors import ConfigurationError
from labelwright.training import simulation
from labelwright.training.data_sets import DataSet, load
from labelwright.training.propagation import prepare, spread
from labelwright.training.simulation import Opinion, Plan


def clouds(each: int = 60, concepts: int = 4, apart: float = 4.0, seed: int = 0) -> DataSet:
    """Concepts as clouds of points, some of which lie nearer to another cloud."""
    rng = np.random.default_rng(seed)
    labels = np.repeat(np.arange(concepts), each)
    centres = rng.normal(size=(concepts, 6)) * apart
    vectors = (centres[labels] + rng.normal(size=(len(labels), 6))).astype(np.float32)
    return DataSet("clouds", vectors, labels, tuple("abcdefgh"[:concepts]))


@pytest.fixture(scope="module")
def digits() -> DataSet:
    return load("digits")


# --- sets -----------------------------------------------------------------------------------------


def test_digits_are_described_as_images(digits: DataSet) -> None:
    assert digits.vectors.shape == (1797, 736)
    assert digits.concepts == tuple("0123456789")
    assert np.linalg.norm(digits.vectors, axis=1) == pytest.approx(1, abs=1e-4)


@pytest.mark.parametrize("shape", [(24, 9, 7), (24, 9, 7, 3)])
def test_images_in_a_file(tmp_path: Path, shape: tuple[int, ...]) -> None:
    x = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    np.savez(tmp_path / "set.npz", X=x, y=np.array(["no", "yes"] * 12), split=np.zeros(24))
    found = load(str(tmp_path / "set.npz"))
    assert (found.name, found.concepts, found.vectors.shape) == ("set", ("no", "yes"), (24, 736))
    assert list(found.labels) == [0, 1] * 12


def test_vectors_in_a_file(tmp_path: Path) -> None:
    x = np.random.default_rng(0).normal(size=(30, 5))
    np.savez(tmp_path / "set.npz", X=x, y=np.arange(30) % 3 * 10)
    found = load(str(tmp_path / "set.npz"))
    assert found.concepts == ("0", "10", "20")
    assert found.vectors == pytest.approx(x.astype(np.float32))


def test_a_folder_with_one_folder_a_concept(tmp_path: Path) -> None:
    for name in ("cat", "dog"):
        (tmp_path / name / "deeper").mkdir(parents=True)
        for i in range(10):
            Image.new("RGB", (20, 10), (i * 20, 0, 0)).save(tmp_path / name / "deeper" / f"{i}.png")
    (tmp_path / "dog" / "broken.jpg").write_bytes(b"\xff\xd8 no image")
    (tmp_path / "dog" / "notes.txt").write_text("not an image")
    (tmp_path / ".hidden").mkdir()
    found = load(str(tmp_path))
    assert (found.concepts, len(found.labels), found.left_out) == (("cat", "dog"), 20, 1)


@pytest.mark.parametrize(
    ("arrays", "said"),
    [
        ({"X": np.zeros((30, 4))}, "has no y"),
        ({"X": np.zeros((30, 4)), "y": np.zeros(29)}, "one label for each row"),
        ({"X": np.zeros((30, 4, 4)), "y": np.arange(30)}, "legal are uint8 images"),
        ({"X": np.zeros((30, 4)), "y": np.zeros(30)}, "one concept alone"),
        ({"X": np.zeros((10, 4)), "y": np.arange(10)}, "20 at least"),
        ({"X": np.full((30, 4), np.nan), "y": np.arange(30)}, "no finite number"),
        ({"X": np.zeros((30, 0)), "y": np.arange(30)}, "empty"),
        ({"X": np.zeros((30, 4)), "y": np.zeros(30, "M8[D]")}, "legal are numbers and texts"),
    ],
)
def test_a_file_that_is_no_set_is_refused(tmp_path: Path, arrays: dict[str, Any], said: str) -> None:
    np.savez(tmp_path / "set.npz", **arrays)
    with pytest.raises(ConfigurationError, match=said):
        load(str(tmp_path / "set.npz"))


def test_nothing_is_unpickled(tmp_path: Path) -> None:
    np.savez(tmp_path / "set.npz", X=np.zeros((30, 2)), y=np.array([object()] * 30, object))
    with pytest.raises(ConfigurationError, match="can't be read"):
        load(str(tmp_path / "set.npz"))
    (tmp_path / "bare.npz").write_bytes(pickle.dumps([1, 2]))
    with pytest.raises(ConfigurationError, match="can't be read"):
        load(str(tmp_path / "bare.npz"))


def test_what_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="legal are"):
        load(str(tmp_path / "nowhere.npz"))
    with pytest.raises(ConfigurationError, match="no images"):
        load(str(tmp_path))


# --- spreading ------------------------------------------------------------------------------------


def test_a_label_each_is_enough_for_clouds_that_lie_apart() -> None:
    data = clouds(apart=12)
    rows = np.array([0, 60, 120, 180])
    scores = spread(prepare(data.vectors), rows, data.labels[rows], 4)
    assert scores.dtype == np.float32
    assert (scores.argmax(axis=1) == data.labels).all()
    assert scores.sum(axis=1) == pytest.approx(1, abs=1e-5)
    assert scores.min() >= 0
    assert (scores[rows, data.labels[rows]] == 1).all()


def test_the_same_seed_gives_the_same_scores() -> None:
    data = clouds()
    rows = np.arange(0, 240, 12)
    one, other = (spread(prepare(data.vectors, seed=3), rows, data.labels[rows], 4) for _ in range(2))
    assert (one == other).all()


@pytest.mark.parametrize("vectors", [np.zeros((30, 3), np.float32), np.eye(25, dtype=np.float32)])
def test_vectors_that_say_nothing_give_scores_all_the_same(vectors: Any) -> None:
    scores = spread(prepare(vectors), np.array([0, 1]), np.array([0, 1]), 3)
    assert np.isfinite(scores).all()
    assert scores.sum(axis=1) == pytest.approx(1, abs=1e-5)


def test_one_concept_alone_is_spread_to_its_cloud_and_the_rest_is_doubted() -> None:
    data = clouds(concepts=2)
    scores = spread(prepare(data.vectors), np.array([0, 5]), np.array([1, 1]), 2)
    assert (scores[:60].argmax(axis=1) == 1).all()
    assert (np.abs(scores[:60, 1] - 0.5) > np.abs(scores[60:, 1] - 0.5).mean()).all()


def test_what_can_not_be_spread_is_refused() -> None:
    with pytest.raises(ValueError, match="two rows or more"):
        prepare(np.zeros((1, 3), np.float32))
    with pytest.raises(ValueError, match="no finite number"):
        prepare(np.full((3, 3), np.inf, np.float32))
    ground = prepare(clouds().vectors)
    with pytest.raises(ValueError, match="one at least"):
        spread(ground, np.array([], np.int64), np.array([], np.int64), 2)
    with pytest.raises(ValueError, match="not within 0 to 1"):
        spread(ground, np.array([0]), np.array([2]), 2)


# --- the loop -------------------------------------------------------------------------------------

SMALL = Plan(error=0.1, train=24, verify=80, rounds=3)


def test_every_item_is_counted_once() -> None:
    data = clouds(apart=3)
    learn = simulation.learner(data, SMALL)
    for plan in (SMALL, replace(SMALL, budget=130), replace(SMALL, final=0.97), replace(SMALL, final=0.97, budget=110)):
        for seed in range(4):
            p = simulation.play(data, plan, learn, seed)
            assert p.trained + p.verified + p.reviewed + p.auto + p.left + p.unproven == p.items == 240
            assert (p.trained, p.verified) == (24, 80)
            assert plan.budget is None or p.people <= plan.budget
            assert 0 <= p.final <= 1
            if plan.final is not None:
                assert p.left == 0
            if plan.final is not None and plan.budget is None:
                assert p.unproven == 0


def test_a_run_is_its_seed() -> None:
    data = clouds()
    learn = simulation.learner(data, SMALL)
    assert simulation.play(data, SMALL, learn, 5) == simulation.play(data, SMALL, learn, 5)
    assert simulation.play(data, SMALL, learn, 5) != simulation.play(data, SMALL, learn, 6)


def test_the_learner_is_told_no_more_than_people_were_asked() -> None:
    """Verified items are evidence only while the model has not learned from them."""
    data = clouds()
    told: set[int] = set()
    real = simulation.learner(data, SMALL)

    def learn(rows: Any, labels: Any) -> Opinion:
        told.update(rows.tolist())
        assert (labels == data.labels[rows]).all()
        return real(rows, labels)

    at = simulation.stand(data, SMALL, learn, 0)
    assert told == set(at.known.tolist())
    assert not told & {*at.verified.tolist(), *at.pool.tolist()}
    assert not set(at.verified.tolist()) & set(at.pool.tolist())


def a_model(wrong: float, data: DataSet, seed: int) -> simulation.Learner:
    """A model that is wrong about a share of items, whatever it is told, and that knows nothing of where."""
    rng = np.random.default_rng(seed)
    named = np.where(rng.random(len(data.labels)) < wrong, (data.labels + 1) % len(data.concepts), data.labels)
    return lambda _rows, _labels: Opinion(named, rng.random(len(named)))


@pytest.mark.parametrize("joint", [True, False])
def test_the_promise_is_broken_no_oftener_than_said(joint: bool) -> None:
    """The hardest model: its mistakes, as many as allowed, lie anywhere."""
    data = clouds(each=300, concepts=2)
    plan = Plan(error=0.05, confidence=0.9, train=10, verify=150, rounds=1, joint=joint)
    runs = [simulation.play(data, plan, a_model(0.055, data, s), s) for s in range(100)]
    found = simulation.summary(data, plan, runs)
    assert found["broken"] <= found["broken_within_chance"]
    assert found["broken_within_chance"] < 20


def test_a_model_that_is_always_wrong_labels_nothing() -> None:
    data = clouds()
    p = simulation.play(data, SMALL, a_model(1.0, data, 0), 0)
    assert (p.auto, p.wrong, p.true_error, p.bound, p.broken) == (0, 0, None, 1.0, False)
    assert simulation.summary(data, SMALL, [p])["true_error"] is None


def test_with_a_final_share_and_no_budget_people_review_what_the_promise_does_not_cover() -> None:
    data = clouds(apart=2.5, each=100)
    plan = replace(SMALL, final=0.95)
    p = simulation.play(data, plan, simulation.learner(data, plan), 1)
    assert p.auto + p.people == p.items
    assert p.error == pytest.approx(0.05 * 400 / (400 - 24 - 80))
    assert p.final >= 0.95 or p.broken


def test_review_makes_the_least_sure_right() -> None:
    data = clouds(apart=1)
    learn = simulation.learner(data, SMALL)
    without = simulation.play(data, replace(SMALL, final=0.9999, budget=104), learn, 2)
    with_some = simulation.play(data, replace(SMALL, final=0.9999, budget=164), learn, 2)
    assert with_some.reviewed == 60
    assert with_some.final > without.final


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"error": 0.0}, "error is 0"),
        ({"confidence": 1.0}, "confidence is 1"),
        ({"final": 1.5}, "final is 1.5"),
        ({"train": 0}, "1 or more"),
        ({"train": 200}, "leave nothing"),
        ({"budget": 50}, "the budget of 50"),
        ({"learner": "magic"}, "legal are graph, head"),
    ],
)
def test_a_plan_that_does_not_fit_is_refused(change: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigurationError, match=said):
        replace(SMALL, **change).check(240)


def test_the_head_of_the_server_can_play_too() -> None:
    data = clouds()
    plan = replace(SMALL, learner="head", rounds=2)
    p = simulation.play(data, plan, simulation.learner(data, plan), 0)
    assert p.model_right > 0.8


def test_digits_reach_their_figures(digits: DataSet) -> None:
    """300 to train and 600 verified: 0.95 of the rest at 5 %, 0.85 at 2 %."""
    for error, coverage in ((0.05, 0.95), (0.02, 0.85)):
        plan = Plan(error=error, rounds=1)
        learn = simulation.learner(digits, plan)
        found = simulation.summary(digits, plan, [simulation.play(digits, plan, learn, s) for s in range(5)])
        assert found["coverage"] >= coverage
        assert found["broken"] <= found["broken_within_chance"]
        assert json.loads(json.dumps(found)) == found


# --- charts ---------------------------------------------------------------------------------------


def test_dots_beyond_the_target_stand_out() -> None:
    svg = ET.fromstring(chart.strips([chart.Strip("<a> & b", (0.01, 0.03, 0.02), "note")], 0.02, "a <title>"))
    kinds = [e.get("class") for e in svg.iter("{http://www.w3.org/2000/svg}circle")]
    assert kinds == ["kept", "broken", "kept"]
    assert "<a> & b" in "".join(svg.itertext())


def test_a_curve_stays_within_its_frame() -> None:
    svg = ET.fromstring(chart.curve([100, 200, 300], {"mean": [0.97, 0.98, 1.0]}, 0.99, "right"))
    (line,) = svg.iter("{http://www.w3.org/2000/svg}polyline")
    for point in (line.get("points") or "").split():
        x, y = map(float, point.split(","))
        assert 0 <= x <= 760
        assert 0 <= y <= 340
    with pytest.raises(ValueError, match="legal are one or two"):
        chart.curve([1], {"mean": [1.0]}, 0.5, "x")


def test_the_second_part_of_the_report_escapes_what_it_shows() -> None:
    html = section(Simulated("<about>", (("<name>", "<value>"),), [0.0, 0.01], 0.02))
    assert "<about>" not in html
    assert "&lt;value&gt;" in html
    assert math.isclose(html.count("<circle"), 2)
