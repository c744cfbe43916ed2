"""A person's word over a model's: what is protected, and that everything else passes."""

from __future__ import annotations

import pytest
from clarifai_grpc.grpc.api.resources_pb2 import Data, Frame, FrameInfo, Region, RegionInfo
from hypothesis import given
from hypothesis import strategies as st

from labelwright.annotator.labels import WHOLE, places, take_apart
from labelwright.annotator.precedence import Box, Said, allowed, overlap, said
from tests.unit.some_data import LEFT, box, copied, datas, polygon, says, wire


def region(concept: str, info: RegionInfo | None) -> Data:
    return Data(regions=[Region(region_info=info, data=says((concept, 0.9)))])


def frame(time: int, data: Data) -> Data:
    return Data(frames=[Frame(frame_info=FrameInfo(time=time), data=data)])


def words(*datas: Data) -> list[Said]:
    return [w for data in datas for w in said(data, [(x.slot, x.concept_id) for x in take_apart(data)[1]])]


TEXT = RegionInfo()
TEXT.span.char_start, TEXT.span.char_end = 3, 9
OTHER_TEXT = RegionInfo()
OTHER_TEXT.span.char_start, OTHER_TEXT.span.char_end = 10, 12
TRIANGLE = polygon((0, 0), (1, 0), (1, 0.5))

PROTECTED = [
    ("whole", says(("cat", 1)), says(("cat", 0.7))),
    ("whole, rejected", says(("cat", 0)), says(("cat", 0.7))),
    ("same box", region("cat", LEFT), region("cat", LEFT)),
    ("half of a box", region("cat", LEFT), region("cat", box(0, 0, 0.5, 0.5))),
    ("polygon in its box", region("cat", TRIANGLE), region("cat", LEFT)),
    ("same polygon", region("cat", TRIANGLE), region("cat", TRIANGLE)),
    ("same point", region("cat", polygon((0.5, 0.5))), region("cat", polygon((0.5, 0.5)))),
    ("same span", region("cat", TEXT), region("cat", TEXT)),
    ("region without a place", says(("cat", 1)), region("cat", None)),
    ("same frame", frame(40, says(("cat", 1))), frame(40, says(("cat", 0.7)))),
    ("box in the same frame", frame(40, region("cat", LEFT)), frame(40, region("cat", LEFT))),
]

FREE = [
    ("other concept", says(("cat", 1)), says(("dog", 0.7))),
    ("region where the whole was spoken of", says(("cat", 1)), region("cat", LEFT)),
    ("whole where a region was spoken of", region("cat", LEFT), says(("cat", 0.7))),
    ("box with less than half in common", region("cat", LEFT), region("cat", box(0, 0, 0.49, 0.5))),
    ("box elsewhere", region("cat", LEFT), region("cat", box(0, 0.5, 1, 1))),
    ("polygon elsewhere", region("cat", TRIANGLE), region("cat", polygon((0, 0.6), (1, 0.6), (1, 1)))),
    ("other point", region("cat", polygon((0.5, 0.5))), region("cat", polygon((0.5, 0.6)))),
    ("other span", region("cat", TEXT), region("cat", OTHER_TEXT)),
    ("span where the whole was spoken of", says(("cat", 1)), region("cat", TEXT)),
    ("other frame", frame(40, says(("cat", 1))), frame(80, says(("cat", 0.7)))),
    ("frame where the input was spoken of", says(("cat", 1)), frame(0, says(("cat", 0.7)))),
    ("box in another frame", frame(40, region("cat", LEFT)), frame(80, region("cat", LEFT))),
    ("frame where its box was spoken of", frame(40, region("cat", LEFT)), frame(40, says(("cat", 0.7)))),
]


@pytest.mark.parametrize(("person", "model"), [c[1:] for c in PROTECTED], ids=[c[0] for c in PROTECTED])
def test_what_a_person_has_spoken_of_is_left_alone(person: Data, model: Data) -> None:
    assert allowed(model, words(person)) is None


@pytest.mark.parametrize(("person", "model"), [c[1:] for c in FREE], ids=[c[0] for c in FREE])
def test_what_a_person_did_not_speak_of_passes_untouched(person: Data, model: Data) -> None:
    assert allowed(model, words(person)) is model


def test_only_the_concept_that_was_spoken_of_goes() -> None:
    model = says(("cat", 0.7), ("dog", 0.6))
    before = wire(model)
    made = allowed(model, words(says(("cat", 0))))
    assert made is not None
    assert [c.id for c in made.concepts] == ["dog"]
    assert wire(model) == before, "drafts are shared"


def test_a_region_goes_with_its_last_concept_and_its_neighbours_stay() -> None:
    model = Data(
        regions=[
            Region(id="gone", region_info=LEFT, data=says(("cat", 0.9))),
            Region(id="less", region_info=LEFT, data=says(("cat", 0.9), ("dog", 0.8))),
            Region(id="bare", region_info=LEFT),
            Region(id="far", region_info=box(0, 0.5, 1, 1), data=says(("cat", 0.9))),
        ]
    )
    made = allowed(model, words(region("cat", LEFT)))
    assert made is not None
    assert [(r.id, [c.id for c in r.data.concepts]) for r in made.regions] == [
        ("less", ["dog"]),
        ("bare", []),
        ("far", ["cat"]),
    ]


def test_a_frame_that_lost_nothing_stays_even_if_it_says_nothing() -> None:
    bare, spoken = Frame(id="bare", frame_info=FrameInfo(time=80)), frame(40, says(("cat", 0.9))).frames[0]
    made = allowed(Data(frames=[bare, spoken]), words(frame(40, says(("cat", 1)))))
    assert made is not None
    assert [f.id for f in made.frames] == ["bare"]
    assert not made.frames[0].HasField("data")


@pytest.mark.parametrize(
    "model", [says(("cat", 0.7)), region("cat", LEFT), frame(0, says(("cat", 1)))], ids=["whole", "region", "frame"]
)
def test_metadata_alone_is_no_annotation(model: Data) -> None:
    model = copied(model)
    model.metadata.update({"source": "model"})
    assert allowed(model, words(says(("cat", 1)), region("cat", LEFT), frame(0, says(("cat", 1))))) is None


def test_said_skips_places_that_are_not_there() -> None:
    assert list(said(says(), [(3, "cat"), (WHOLE, "dog")])) == [Said("dog")]


def everything(data: Data) -> list[tuple[str, float]]:
    return sorted((c.id, c.value) for place in places(data) for c in place.concepts)


@given(datas(), st.lists(datas(), max_size=3))
def test_allowed_never_adds_and_is_done_after_one_go(model: Data, people: list[Data]) -> None:
    spoken = words(*people)
    before = wire(model)
    once = allowed(model, spoken)
    assert wire(model) == before
    if once is None:
        return
    rest = everything(model)
    for found in everything(once):
        rest.remove(found)
    assert wire(once) == before or len(everything(once)) < len(everything(model))
    assert allowed(once, spoken) is once


@given(datas())
def test_without_words_the_data_is_the_very_same(model: Data) -> None:
    assert allowed(model, []) is model


@given(datas(), st.lists(datas(), max_size=2))
def test_more_words_never_allow_more(model: Data, people: list[Data]) -> None:
    fewer, more = allowed(model, words(*people[:1])), allowed(model, words(*people))
    assert more is None or (fewer is not None and set(everything(more)) <= set(everything(fewer)))


@given(datas())
def test_a_persons_own_words_leave_no_concept_of_them(data: Data) -> None:
    left = allowed(data, words(data))
    assert left is None or everything(left) == []


_boxes = st.tuples(*[st.sampled_from((0.0, 0.25, 0.5, 0.75, 1.0))] * 4).map(
    lambda b: (min(b[0], b[2]), min(b[1], b[3]), max(b[0], b[2]), max(b[1], b[3]))
)


@given(_boxes, _boxes)
def test_overlap_is_symmetric_from_0_to_1_and_1_for_the_same(a: Box, b: Box) -> None:
    assert overlap(a, b) == overlap(b, a)
    assert 0 <= overlap(a, b) <= 1
    assert overlap(a, a) == 1
    # Quarters are exact in floats, so counting small squares must give the same.
    cells = [
        [(i, j) for i in range(4) for j in range(4) if t <= i / 4 < bot and le <= j / 4 < r] for t, le, bot, r in (a, b)
    ]
    either = len({*cells[0], *cells[1]})
    if either:
        assert overlap(a, b) == pytest.approx(len(set(cells[0]) & set(cells[1])) / either)
