"""Taking concepts out of an annotation's data and putting them back."""

from __future__ import annotations

from clarifai_grpc.grpc.api.resources_pb2 import Concept, Data, Frame, Region
from hypothesis import given

from labelwright.annotator.labels import WHOLE, Label, places, put_together, take_apart
from tests.unit.some_data import copied, datas, says, wire


def _back(stored: bytes, labels: list[Label]) -> Data:
    return put_together(stored, [(x.slot, Concept(id=x.concept_id, name=x.name, value=x.value)) for x in labels])


@given(datas())
def test_data_comes_back_as_it_was_and_is_not_changed_on_the_way(data: Data) -> None:
    before = wire(data)
    stored, labels = take_apart(data)
    assert wire(_back(stored, labels)) == before
    assert wire(data) == before


@given(datas())
def test_the_bytes_hold_no_concept_and_the_labels_hold_all_of_them_in_order(data: Data) -> None:
    stored, labels = take_apart(data)
    assert not any(place.concepts for place in places(Data.FromString(stored)))
    expected = [(i, c.id, c.name, c.value) for i, place in enumerate(places(data), WHOLE) for c in place.concepts]
    assert [(x.slot, x.concept_id, x.name, x.value) for x in labels] == expected


def test_places_are_the_whole_the_regions_and_each_frame_with_its_regions() -> None:
    inner = Data(concepts=says(("frame", 1)).concepts, regions=[Region(data=says(("in frame", 1)))])
    data = Data(
        concepts=says(("whole", 1)).concepts,
        regions=[Region(data=says(("first", 1))), Region(), Region(data=says(("third", 1)))],
        frames=[Frame(data=inner), Frame(data=says(("second frame", 1)))],
    )
    _, labels = take_apart(data)
    assert [(x.slot, x.concept_id) for x in labels] == [
        (WHOLE, "whole"),
        (0, "first"),
        (2, "third"),
        (3, "frame"),
        (4, "in frame"),
        (5, "second frame"),
    ]


def test_concepts_alone_leave_no_bytes() -> None:
    assert take_apart(says(("a", 0.5), ("b", 1)))[0] == b""
    assert take_apart(Data()) == (b"", [])


def test_a_region_without_data_is_stored_without_data() -> None:
    stored, _ = take_apart(Data(regions=[Region(id="bare"), Region(data=says(("a", 1)))]))
    assert [r.HasField("data") for r in Data.FromString(stored).regions] == [False, True]


def test_a_label_for_a_place_that_is_not_there_is_dropped() -> None:
    stored, labels = take_apart(Data(regions=[Region(data=says(("a", 1)))]))
    beyond = Label(1, "b", "b", 1.0)
    assert wire(_back(stored, [*labels, beyond])) == wire(_back(stored, labels))


def test_a_taken_apart_data_is_the_same_every_time() -> None:
    data = Data()
    data.metadata.update({str(i): i for i in range(20)})
    assert {take_apart(copied(data))[0] for _ in range(5)} == {take_apart(data)[0]}
