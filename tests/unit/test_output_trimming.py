"""What a client gets to see of the concepts in a reply."""

from __future__ import annotations

from typing import Any

from clarifai_grpc.grpc.api.resources_pb2 import Concept, Data, Frame, OutputConfig, Region
from hypothesis import given
from hypothesis import strategies as st

from labelwright.protocol.resources.output_trimming import Trim, trim, trim_of, unknown

CONCEPTS = st.lists(
    st.builds(Concept, id=st.sampled_from("abcdef"), value=st.floats(0, 1, width=32)),
    max_size=6,
    unique_by=lambda c: c.id,
)
PLACES = st.builds(lambda concepts: Data(concepts=concepts), CONCEPTS)
DATA = st.builds(
    lambda concepts, regions, frames: Data(
        concepts=concepts,
        regions=[Region(data=d) for d in regions],
        frames=[Frame(data=Data(regions=[Region(data=d)])) for d in frames],
    ),
    CONCEPTS,
    st.lists(PLACES, max_size=3),
    st.lists(PLACES, max_size=2),
)
TRIMS = st.builds(
    Trim,
    most=st.integers(1, 7),
    min_value=st.floats(0, 1, width=32),
    ids=st.frozensets(st.sampled_from("abcdef"), max_size=3),
)


def says(*concepts: tuple[str, float]) -> Data:
    return Data(concepts=[Concept(id=i, name=f"name of {i}", value=v) for i, v in concepts])


def ids(data: Any) -> list[str]:
    return [c.id for c in data.concepts]


def test_the_best_come_first_and_no_more_than_asked_for() -> None:
    data = says(*((f"c{i}", i / 64) for i in range(30)))
    trim(data, Trim())
    assert ids(data) == [f"c{i}" for i in range(29, 9, -1)]
    trim(data, Trim(most=2))
    assert ids(data) == ["c29", "c28"]


def test_regions_and_frames_are_cut_down_each_by_itself_and_go_when_nothing_is_left() -> None:
    data = Data(
        regions=[
            Region(id="both", data=says(("cat", 0.75), ("dog", 0.5))),
            Region(id="low", data=says(("cat", 0.125))),
            Region(id="silent"),
        ],
        frames=[
            Frame(id="seen", data=Data(regions=[Region(data=says(("cat", 0.5)))])),
            Frame(id="unseen", data=Data(regions=[Region(data=says(("dog", 0.125)))])),
        ],
    )
    assert trim(data, Trim(most=1, min_value=0.5))
    assert [(r.id, ids(r.data)) for r in data.regions] == [("both", ["cat"]), ("silent", [])]
    assert [f.id for f in data.frames] == ["seen"]


def test_concepts_are_selected_by_id_or_exact_name() -> None:
    data = says(("a", 0.5), ("b", 0.75), ("c", 0.25))
    trim(data, Trim(ids=frozenset("a"), names=frozenset({"name of c", "Name of b"})))
    assert ids(data) == ["a", "c"]


def test_a_score_that_is_no_number_is_not_shown() -> None:
    data = says(("a", float("nan")), ("b", 0.5))
    trim(data, Trim())
    assert ids(data) == ["b"]


def test_what_the_request_sets_counts_before_what_the_version_says() -> None:
    own = OutputConfig(max_concepts=3, min_value=0.5, select_concepts=[Concept(id="a")])
    assert trim_of(own, OutputConfig()) == Trim(3, 0.0, frozenset("a"))
    asked = OutputConfig(max_concepts=5, min_value=0.25, select_concepts=[Concept(name="b")])
    assert trim_of(own, asked) == Trim(5, 0.25, frozenset(), frozenset("b"))
    assert trim_of(OutputConfig(), OutputConfig()) == Trim(20)


def test_the_selected_that_a_model_does_not_know() -> None:
    known = [Concept(id="a", name="A"), Concept(id="b")]
    selected = [Concept(id="a"), Concept(name="A"), Concept(name="a"), Concept(id="c"), Concept()]
    assert unknown(selected, known) == selected[2:]


def places(data: Data) -> list[Data]:
    return [data, *(r.data for r in data.regions), *(r.data for f in data.frames for r in f.data.regions)]


@given(DATA, TRIMS)
def test_what_is_left_is_what_the_trim_lets_through_and_trimming_again_changes_nothing(data: Data, by: Trim) -> None:
    trim(data, by)
    for place in places(data):
        values = [c.value for c in place.concepts]
        assert values == sorted(values, reverse=True)
        assert len(values) <= by.most
        assert all(by.wants(c) for c in place.concepts)
    once = data.SerializeToString(deterministic=True)
    trim(data, by)
    assert data.SerializeToString(deterministic=True) == once
