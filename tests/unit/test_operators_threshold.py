"""The concept thresholder: every comparator at its boundary, and that a pair of them splits what it gets."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
from clarifai_grpc.grpc.api.resources_pb2 import Concept, Data, Frame, Region, ValueComparator
from hypothesis import given
from hypothesis import strategies as st

from labelwright.annotator.labels import places
from labelwright.errors import ModelInvalidArgument
from labelwright.operators import registry
from labelwright.operators.concept_threshold import COMPARATORS
from labelwright.operators.registry import check_params
from labelwright.operators.values import Batch, Operator, Snapshot, Source
from tests.unit.some_data import LEFT, copied, datas, says, scores, wire

TYPE = registry.get("concept-threshold")
KINDS = [name for name, _ in COMPARATORS.values()]


def thresholder(kind: Any, *thresholds: tuple[str, float], **more: Any) -> Operator:
    assert TYPE.make is not None
    params = check_params(TYPE, {"concept_threshold_type": kind, **more})
    # Through the wire, as a stored version's thresholds come: what is not a float32 becomes one.
    return TYPE.make(params, copied(says(*thresholds)), Snapshot("me", "app"))


def passed(operator: Operator, data: Data) -> Data | None:
    return operator(Batch(Source([data]), [0], [data])).data[0]


def kept(operator: Operator, *concepts: tuple[str, float]) -> list[str]:
    made = passed(operator, copied(says(*concepts)))
    return [] if made is None else [c.id for c in made.concepts]


def test_the_comparators_are_the_apis() -> None:
    apis = {name: number for name, number in ValueComparator.items() if number}
    assert {name: number for number, (name, _) in COMPARATORS.items()} == apis


@pytest.mark.parametrize("threshold", [0.1, 0.95, 0.5, 0.7, 0.0, 1.0])
@pytest.mark.parametrize(
    ("kind", "below", "at", "above"),
    [
        ("GREATER_THAN", False, True, True),
        ("GREATER_THAN_OR_EQUAL", False, True, True),
        ("LESS_THAN", True, False, False),
        ("LESS_THAN_OR_EQUAL", True, True, False),
        ("EQUAL", False, True, False),
    ],
)
def test_each_comparator_at_its_boundary(kind: str, below: bool, at: bool, above: bool, threshold: float) -> None:
    operator = thresholder(kind, ("a", threshold))
    exact = np.float32(threshold)
    neighbours = (np.nextafter(exact, np.float32(-1)), exact, np.nextafter(exact, np.float32(2)))
    assert [bool(kept(operator, ("a", float(v)))) for v in neighbours] == [below, at, above]
    # 0.1 is another number in float32: an equal score is equal all the same.
    assert bool(kept(operator, ("a", threshold))) == at


_scored = st.lists(st.tuples(st.sampled_from("abcde"), scores), max_size=8)


@given(st.dictionaries(st.sampled_from("abc"), scores, min_size=1), _scored)
def test_a_pair_of_thresholders_sends_every_listed_concept_exactly_one_way(
    thresholds: dict[str, float], concepts: list[tuple[str, float]]
) -> None:
    data = says(*concepts)
    high = passed(thresholder("GREATER_THAN", *thresholds.items()), data)
    low = passed(thresholder("LESS_THAN", *thresholds.items()), data)
    both = [(c.id, c.value) for side in (high, low) if side is not None for c in side.concepts]
    assert sorted(both) == sorted((i, v) for i, v in concepts if i in thresholds)
    assert all(c.value >= thresholds[c.id] for c in (high.concepts if high else ()))
    assert all(c.value < thresholds[c.id] for c in (low.concepts if low else ()))


@given(st.sampled_from(KINDS), st.dictionaries(st.sampled_from("abc"), scores, min_size=1), _scored)
def test_a_thresholder_only_takes_away_keeps_the_order_and_is_done_after_one_go(
    kind: str, thresholds: Mapping[str, float], concepts: list[tuple[str, float]]
) -> None:
    operator = thresholder(kind, *thresholds.items())
    data = says(*concepts)
    once = passed(operator, data)
    if once is not None:
        rest = iter(data.concepts)
        assert all(c in rest for c in once.concepts)
        assert passed(operator, once) == once


def test_concepts_without_a_threshold_are_dropped_unless_it_is_told_otherwise() -> None:
    concepts = (("listed high", 0.9), ("listed low", 0.1), ("other", 0.9))
    thresholds = (("listed high", 0.5), ("listed low", 0.5))
    assert kept(thresholder("GREATER_THAN", *thresholds), *concepts) == ["listed high"]
    assert kept(thresholder("GREATER_THAN", *thresholds, filter_other_concepts=True), *concepts) == ["listed high"]
    assert kept(thresholder("GREATER_THAN", *thresholds, filter_other_concepts=False), *concepts) == [
        "listed high",
        "other",
    ]


def test_no_threshold_at_all_is_refused_unless_the_others_pass() -> None:
    with pytest.raises(ModelInvalidArgument, match="list concepts with their thresholds"):
        thresholder("GREATER_THAN")
    assert kept(thresholder("GREATER_THAN", filter_other_concepts=False), ("a", 0.1)) == ["a"]


@pytest.mark.parametrize(
    ("thresholds", "says_what"),
    [
        ((("a", 0.5), ("a", 0.5)), "'a' has two thresholds; give it one"),
        ((("a", float("nan")),), "the threshold of 'a' is nan; a finite number is legal"),
        ((("a", float("inf")),), "the threshold of 'a' is inf"),
        ((("", 0.5),), "has no id"),
    ],
    ids=["twice", "nan", "infinite", "no id"],
)
def test_thresholds_that_mean_nothing_are_refused(thresholds: tuple[tuple[str, float], ...], says_what: str) -> None:
    with pytest.raises(ModelInvalidArgument, match=says_what):
        thresholder("LESS_THAN", *thresholds)


@pytest.mark.parametrize("kind", [0, 0.0, "CONCEPT_THRESHOLD_NOT_SET", "greater_than", "1", 6, 1.5, True])
def test_a_comparator_that_is_none_is_refused_with_the_legal_ones(kind: Any) -> None:
    with pytest.raises(ModelInvalidArgument, match=r"legal is one of GREATER_THAN \(1\), .*EQUAL \(5\)"):
        thresholder(kind, ("a", 0.5))


@pytest.mark.parametrize("given_kind", [3, 3.0, "LESS_THAN"])
def test_a_comparator_may_be_a_number_a_double_or_a_name(given_kind: Any) -> None:
    assert kept(thresholder(given_kind, ("a", 0.5)), ("a", 0.4)) == ["a"]
    assert kept(thresholder(given_kind, ("a", 0.5)), ("a", 0.6)) == []


def test_a_score_that_is_no_number_passes_no_comparator() -> None:
    assert [kept(thresholder(kind, ("a", 0.5)), ("a", float("nan"))) for kind in KINDS] == [[]] * len(KINDS)


def test_where_nothing_is_left_nothing_is_handed_on() -> None:
    operator = thresholder("GREATER_THAN", ("a", 0.5))
    low = says(("a", 0.4))
    low.metadata.update({"k": "v"})
    nothing_left = (Data(), low, Data(regions=[Region(data=low)]), Data(frames=[Frame(data=low)]))
    assert [passed(operator, d) for d in nothing_left] == [None] * 4


def test_regions_and_frames_are_dropped_with_their_last_concept() -> None:
    high, low = says(("a", 0.9)), says(("a", 0.1))
    mixed = says(("a", 0.9), ("a", 0.1))
    mixed.text.raw = "stays"
    data = Data(
        regions=[
            Region(id="high", region_info=LEFT, value=0.5, track_id="t", data=mixed),
            Region(id="low", data=low),
            Region(id="bare"),
        ],
        frames=[
            Frame(id="low", data=Data(concepts=low.concepts, regions=[Region(data=low)])),
            Frame(id="inner", data=Data(concepts=low.concepts, regions=[Region(id="r", data=high), Region(data=low)])),
        ],
    )
    before = wire(data)
    made = passed(thresholder("GREATER_THAN", ("a", 0.5)), data)
    assert made is not None
    expected = Region(id="high", region_info=LEFT, value=0.5, track_id="t", data=high)
    expected.data.text.raw = "stays"
    assert list(made.regions) == [expected]
    assert [f.id for f in made.frames] == ["inner"]
    assert not made.frames[0].data.concepts
    assert [r.id for r in made.frames[0].data.regions] == ["r"]
    assert wire(data) == before


@given(datas())
def test_everything_but_concepts_is_carried_along(data: Data) -> None:
    made = passed(thresholder("LESS_THAN", ("cat", 2), ("dog", 2), ("owl", 2)), data)
    # All concepts pass, so only places without any are gone.
    if made is not None:
        assert [(c.id, c.value) for p in places(made) for c in p.concepts] == [
            (c.id, c.value) for p in places(data) for c in p.concepts
        ]
        assert made.metadata == data.metadata
        assert made.text == data.text
    else:
        assert not any(p.concepts for p in places(data))


def test_every_field_of_a_region_and_a_frame_is_carried_along() -> None:
    concept = Concept(id="a", value=0.9, app_id="main", language="en")
    region = Region(id="r", region_info=LEFT, data=Data(concepts=[concept]), value=0.5, track_id="t")
    frame = Frame(id="f", data=Data(concepts=[concept]))
    frame.frame_info.index, frame.frame_info.time, frame.frame_info.number = 1, 40, 2
    for message in (region, frame, frame.frame_info):
        assert len(message.ListFields()) == len(message.DESCRIPTOR.fields), "a field is new: carry it along too"
    data = Data(concepts=[concept], regions=[region], frames=[frame])
    assert passed(thresholder("GREATER_THAN", ("a", 0.5)), data) == data
