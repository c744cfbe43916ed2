"""The annotation writer: in whose name and with which status, and what becomes an annotation of its own."""

from __future__ import annotations

from typing import Any

import pytest
from clarifai_grpc.grpc.api.resources_pb2 import Cluster, Data, Embedding, Frame, FrameInfo, Image, Region
from clarifai_grpc.grpc.api.status import status_code_pb2
from hypothesis import given

from labelwright.annotator.labels import places
from labelwright.errors import ModelInvalidArgument
from labelwright.operators import registry
from labelwright.operators.annotation_writer import STATUSES, split
from labelwright.operators.registry import check_params
from labelwright.operators.values import Batch, Draft, Operator, Output, Snapshot, Source
from labelwright.workflows import engine
from tests.unit.some_data import LEFT, copied, datas, says, wire

TYPE = registry.get("annotation-writer")
SNAPSHOT = Snapshot("owner", "app", people=frozenset(("owner", "friend")))


def writer(**params: Any) -> Operator:
    assert TYPE.make is not None
    return TYPE.make(check_params(TYPE, {"annotation_status": "ANNOTATION_SUCCESS", **params}), Data(), SNAPSHOT)


def drafts(operator: Operator, data: Data) -> list[Draft]:
    made = operator(Batch(Source([data]), [0], [data]))
    assert made.data == [data], "whatever reaches it is handed on"
    assert made.drafts is not None
    return made.drafts[0]


@pytest.mark.parametrize(("name", "number"), STATUSES.items())
def test_a_status_may_be_a_number_a_double_or_a_name(name: str, number: int) -> None:
    assert status_code_pb2.StatusCode.Value(name) == number
    for said in (name, number, float(number)):
        assert [d.status_code for d in drafts(writer(annotation_status=said), says(("a", 1)))] == [number]


@pytest.mark.parametrize("status", [24158, 24152, 10000, 0, "ANNOTATION_REVIEW_DENIED", "24150", "success", True])
def test_another_status_is_refused_with_the_legal_ones(status: Any) -> None:
    with pytest.raises(ModelInvalidArgument, match=r"ANNOTATION_SUCCESS \(24150\), .*_CONSENSUS_REVIEW \(24159\)"):
        writer(annotation_status=status)


def test_a_status_is_needed() -> None:
    assert TYPE.make is not None
    with pytest.raises(ModelInvalidArgument, match="needs the parameter 'annotation_status'"):
        check_params(TYPE, {})


@pytest.mark.parametrize(("said", "author"), [({}, "owner"), ({"annotation_user_id": ""}, "owner")])
def test_without_a_name_it_writes_in_the_owners(said: dict[str, str], author: str) -> None:
    assert [d.user_id for d in drafts(writer(**said), says(("a", 1)))] == [author]


def test_it_writes_in_the_name_of_a_collaborator_and_of_nobody_else() -> None:
    assert drafts(writer(annotation_user_id="friend"), says(("a", 1)))[0].user_id == "friend"
    with pytest.raises(ModelInvalidArgument, match=r"'stranger', who is neither .* legal are: friend, owner"):
        writer(annotation_user_id="stranger")


def test_each_annotation_carries_the_info() -> None:
    data = Data(concepts=says(("a", 1)).concepts, regions=[Region(data=says(("b", 1)))])
    assert [d.annotation_info for d in drafts(writer(annotation_info={"task_id": "t"}), data)] == [{"task_id": "t"}] * 2
    assert [d.annotation_info for d in drafts(writer(), data)] == [None, None]


def everything() -> Data:
    """Data with something in every field that the writer knows, and media and embeddings at every depth."""
    heavy = Data(embeddings=[Embedding(vector=[1.0], num_dimensions=1)])
    heavy.image.base64 = b"pixels"
    heavy.video.url = "http://video"
    heavy.audio.url = "http://audio"
    data = Data(concepts=says(("whole", 1)).concepts, clusters=[Cluster(id="c", score=1)])
    data.metadata.update({"k": "v"})
    data.geo.geo_point.longitude = 1
    data.text.raw = "said"
    for name in ("left", "right"):
        data.regions.append(Region(id=name, region_info=LEFT, value=0.5, track_id="t", data=says((name, 1))))
        data.regions[-1].data.MergeFrom(heavy)
        frame = Frame(id=name, frame_info=FrameInfo(time=40), data=says((name, 1)))
        frame.data.regions.append(Region(id="inner", data=says((name, 1))))
        frame.data.MergeFrom(heavy)
        frame.data.regions[0].data.MergeFrom(heavy)
        data.frames.append(frame)
    data.MergeFrom(heavy)
    return data


def test_the_whole_is_one_annotation_each_region_one_and_each_frame_one() -> None:
    data = everything()
    before = wire(data)
    whole, left, right, first, second = split(data)
    assert wire(data) == before
    assert [f.name for f, _ in whole.ListFields()] == ["concepts", "metadata", "geo", "clusters", "text"]
    for field, value in whole.ListFields():
        assert value == getattr(data, field.name)
    assert left == Data(regions=[Region(id="left", region_info=LEFT, value=0.5, track_id="t", data=says(("left", 1)))])
    assert [r.id for r in right.regions] == ["right"]
    inner = Data(concepts=says(("left", 1)).concepts, regions=[Region(id="inner", data=says(("left", 1)))])
    assert first == Data(frames=[Frame(id="left", frame_info=FrameInfo(time=40), data=inner)])
    assert [f.id for f in second.frames] == ["right"]


@pytest.mark.parametrize("field", ["image", "video", "audio", "embeddings"])
def test_media_and_embeddings_are_never_written(field: str) -> None:
    for part in split(everything()):
        assert not [p for p in places(part) if field in {f.name for f, _ in p.ListFields()}]


@pytest.mark.parametrize("data", [Data(), Data(embeddings=[Embedding(vector=[1.0])])], ids=["nothing", "embedding"])
def test_what_says_nothing_is_not_written(data: Data) -> None:
    assert drafts(writer(), data) == []


def test_an_image_alone_or_parts_that_are_empty_are_not_written() -> None:
    data = Data()
    data.image.url = "http://image"
    data.metadata.SetInParent()
    data.geo.SetInParent()
    data.text.SetInParent()
    assert drafts(writer(), data) == []


def test_a_region_without_concepts_is_written_all_the_same() -> None:
    region = Region(region_info=LEFT)
    region.data.text.raw = "read in the image"
    assert [d.data for d in drafts(writer(), Data(regions=[region]))] == [Data(regions=[region])]


@given(datas())
def test_no_concept_is_lost_or_doubled_by_the_split(data: Data) -> None:
    before = wire(data)
    parts = split(data)
    assert wire(data) == before
    assert [(c.id, c.value) for part in parts for p in places(part) for c in p.concepts] == [
        (c.id, c.value) for p in places(data) for c in p.concepts
    ]
    assert all(len(part.regions) + len(part.frames) <= 1 for part in parts)
    assert len(parts) - len(data.regions) - len(data.frames) in (0, 1)


def test_nodes_behind_a_writer_leave_its_drafts_as_they_were() -> None:
    """Drafts may hold the very message that is handed on; whatever the engine does with it, they stay."""
    threshold = registry.get("concept-threshold")
    assert threshold.make is not None
    above = threshold.make(
        check_params(threshold, {"concept_threshold_type": "GREATER_THAN"}), says(("a", 0.5)), SNAPSHOT
    )
    predictor = registry.get("visual-classifier")
    ref = engine.ModelRef("owner", "app", "m", "v")

    def predict(batch: Batch) -> Output:
        return Output([says(("a", 0.9), ("b", 0.4)) for _ in batch.rows])

    nodes = [
        engine.Node("predict", predictor, ref, predict),
        engine.Node("write", TYPE, ref, writer(), ("predict",)),
        engine.Node("above", threshold, ref, above, ("write",)),
        engine.Node("both", TYPE, ref, writer(), ("predict", "write", "above")),
        engine.Node("floor", predictor, ref, lambda batch: Output(list(batch.data)), ("write",), floor=0.5),
    ]
    done = engine.run(engine.plan("w", "v", nodes), Source([Data(image=Image(url="http://somewhere/x.jpg"))]))
    assert done.failed == {}
    written = {name: result.drafts[0] for name, result in done.nodes.items() if result.drafts}
    assert {
        name: [(c.id, round(c.value, 4)) for d in made for c in d.data.concepts] for name, made in written.items()
    } == {
        "write": [("a", 0.9), ("b", 0.4)],
        "both": [("a", 0.9), ("b", 0.4)],
    }


def test_drafts_share_nothing_with_regions_that_are_handed_on() -> None:
    data = everything()
    made = drafts(writer(), data)
    before = [wire(d.data) for d in made]
    changed = copied(data)
    data.Clear()
    assert [wire(d.data) for d in made] == before
    assert changed.regions
