"""What is said of inputs comes back as it was said, whatever part of Data it is in."""

from __future__ import annotations

from typing import Any

import pytest
from clarifai_grpc.grpc.api import service_pb2
from clarifai_grpc.grpc.api.resources_pb2 import (
    Annotation,
    Cluster,
    Color,
    Concept,
    Data,
    Embedding,
    Frame,
    FrameInfo,
    Geo,
    GeoLimit,
    GeoPoint,
    Image,
    Input,
    Mask,
    Point,
    Polygon,
    Region,
    RegionInfo,
    Span,
    Text,
    TimeInfo,
    TimeSegment,
    Track,
)

from tests.integration.test_annotations import add_inputs, get, info_box, note, patch, post

Client = Any
"""The class of the fixture `client`."""


def region(**place: Any) -> Data:
    return Data(regions=[Region(id="r", region_info=RegionInfo(**place), track_id="t", value=0.5)])


def metadata() -> Data:
    made = Data()
    made.metadata.update({"n": 1.5, "deep": {"list": [1, None, "é"], "no": False}})
    return made


DATAS = {
    "text": Data(text=Text(raw="a caption")),
    "geo": Data(
        geo=Geo(geo_point=GeoPoint(longitude=-30, latitude=40), geo_limit=GeoLimit(type="withinMiles", value=2))
    ),
    "metadata": metadata(),
    "time_segments": Data(
        time_segments=[
            TimeSegment(
                id="s", time_info=TimeInfo(num_frames=3, begin_time=1.5, end_time=2), data=Data(text=Text(raw="said"))
            )
        ]
    ),
    "tracks": Data(
        tracks=[Track(id="t", quality=0.5, time_info=TimeInfo(num_frames=3), data=Data(text=Text(raw="x")))]
    ),
    "clusters": Data(clusters=[Cluster(id="c", score=0.5, projection=[1, 2])]),
    "embeddings": Data(embeddings=[Embedding(vector=[1, 2, 3], num_dimensions=3)]),
    "colors": Data(colors=[Color(raw_hex="#ff0000", value=0.5)]),
    "box": Data(regions=[Region(id="r", region_info=info_box(0, 0, 1, 0.5))]),
    "polygon": region(polygon=Polygon(points=[Point(row=0, col=0), Point(row=1, col=0), Point(row=1, col=1)])),
    "mask": region(mask=Mask(image=Image(base64=b"a png"))),
    "point": region(point=Point(row=0.25, col=0.5, visibility=Point.Visibility.VISIBLE)),
    "span": region(span=Span(char_start=2, char_end=5, raw_text="abc")),
    "keypoints": region(keypoint_locations=[Point(row=0.25, col=0.5)]),
    "frame": Data(
        frames=[Frame(id="f", frame_info=FrameInfo(index=1, time=40, number=1), data=Data(text=Text(raw="x")))]
    ),
    "values": Data(int_value=3, string_value="x", bool_value=True, float_value=0.5, bytes_value=b"\0"),
}


@pytest.mark.parametrize("name", DATAS)
def test_an_annotations_data_comes_back_whole(client: Client, name: str) -> None:
    add_inputs(client, "a")
    (made,) = post(client, note(DATAS[name], id="n")).annotations
    assert made.data == DATAS[name]
    assert get(client, "n") == made
    # A patch of something else takes nothing away.
    patch(client, "merge", Annotation(id="n", input_id="a", data=Data(concepts=[Concept(id="c", value=1)])))
    after = get(client, "n").data
    assert [c.id for c in after.concepts] == ["c"]
    after.ClearField("concepts")
    assert after == DATAS[name]


def test_concepts_within_segments_and_tracks_stay_as_they_are(client: Client) -> None:
    add_inputs(client, "a")
    said = Data(concepts=[Concept(id="c", name="C", value=0.5)])
    data = Data(
        time_segments=[TimeSegment(id="s", data=said)],
        tracks=[Track(id="t", data=said)],
        concepts=[Concept(id="d", value=1)],
    )
    (made,) = post(client, note(data, id="n")).annotations
    assert made.data.time_segments == data.time_segments
    assert made.data.tracks == data.tracks
    assert get(client, "n") == made


def test_what_is_said_of_an_input_is_patched_from_either_side(client: Client) -> None:
    item = Input(id="a", data=Data(text=Text(raw="words"), concepts=[Concept(id="x", value=1)]))
    item.data.metadata.update({"k": 1, "deep": {"l": 2}})
    item.data.geo.geo_point.latitude = 4
    client.call("PostInputs", service_pb2.PostInputsRequest(inputs=[item]))
    (level,) = client.call("ListAnnotations", service_pb2.ListAnnotationsRequest(input_ids=["a"])).annotations
    assert level.input_level

    def both(latitude: float, metadata: dict[str, Any], *concepts: str) -> None:
        """The input and its input-level annotation say the same."""
        seen = client.call("GetInput", service_pb2.GetInputRequest(input_id="a")).input.data
        annotation = get(client, level.id).data
        for data in (seen, annotation):
            assert data.geo.geo_point.latitude == latitude
            assert dict(data.metadata) == metadata
            assert [c.id for c in data.concepts] == list(concepts)
        assert seen.text.raw == "words"
        assert not annotation.HasField("text")

    change = Data(concepts=[Concept(id="y", value=1)])
    change.metadata.update({"deep": {"m": 3}})
    patch(client, "merge", Annotation(id=level.id, input_id="a", data=change))
    both(4, {"k": 1, "deep": {"l": 2, "m": 3}}, "x", "y")
    moved = Data(concepts=[Concept(id="x")])
    moved.geo.geo_point.latitude = 5
    client.call("PatchInputs", service_pb2.PatchInputsRequest(action="overwrite", inputs=[Input(id="a", data=moved)]))
    both(5, {"k": 1, "deep": {"l": 2, "m": 3}}, "x")
    taken = Data()
    taken.metadata.update({"deep": {"l": None}})
    client.call("PatchInputs", service_pb2.PatchInputsRequest(action="remove", inputs=[Input(id="a", data=taken)]))
    both(5, {"k": 1, "deep": {"m": 3}}, "x")
    client.call("DeleteAnnotations", service_pb2.DeleteAnnotationsRequest(input_ids=["a"]))
    both(5, {"k": 1, "deep": {"m": 3}}, "x")
    gone = Data(concepts=[Concept(id="x")], geo=Geo())
    gone.metadata.update({"k": None, "deep": {}})
    everything = service_pb2.PatchAnnotationsRequest(
        action="remove", delete_if_empty_data=True, annotations=[Annotation(id=level.id, input_id="a", data=gone)]
    )
    client.call("PatchAnnotations", everything)
    both(0, {})
