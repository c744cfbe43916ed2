"""StreamAnnotations: a video's annotations in the order of its frames."""

from __future__ import annotations

import random
from typing import Any

import pytest
from clarifai_grpc.grpc.api import resources_pb2, service_pb2
from clarifai_grpc.grpc.api.resources_pb2 import (
    Annotation,
    App,
    Concept,
    Data,
    Frame,
    FrameInfo,
    Input,
    Model,
    ModelVersion,
    Point,
    Region,
    RegionInfo,
    User,
    UserAppIDSet,
    Video,
    Worker,
)
from sqlalchemy import update

from labelwright.protocol.resources import annotation_streams as handlers
from labelwright.store import tables as t
from tests.integration.test_annotations import by_model, info_box, post

Client = Any
"""The class of the fixture `client`."""


@pytest.fixture
def video(client: Client) -> Client:
    """The client, with a video a and a video b in its app, both done with."""
    given = [Input(id=i, data=Data(video=Video(url=f"https://x.test/{i}.mp4"))) for i in ("a", "b")]
    client.call("PostInputs", service_pb2.PostInputsRequest(inputs=given))
    with client.server.store.write() as conn:
        conn.execute(update(t.inputs).values(status_code=t.DONE))
    return client


def framed(number: int, data: Data, *, ms: int | None = None, id: str = "", input_id: str = "a") -> Annotation:
    place = FrameInfo(number=number, time=number * 40 if ms is None else ms)
    return Annotation(id=id, input_id=input_id, data=Data(frames=[Frame(frame_info=place, data=data)]))


def box(track: str = "", *concepts: Concept) -> Data:
    region = Region(region_info=info_box(0.1, 0.1, 0.5, 0.5), track_id=track, data=Data(concepts=concepts))
    return Data(regions=[region])


def point(track: str = "") -> Data:
    return Data(regions=[Region(region_info=RegionInfo(point=Point(row=0.5, col=0.5)), track_id=track)])


def tag(value: float = 1) -> Data:
    return Data(concepts=[Concept(id="c", value=value)])


def streamed(client: Client, expect: int = 10000, **fields: Any) -> list[Any]:
    """The replies; the last one's status must be ``expect``."""
    request = service_pb2.StreamAnnotationsRequest(**{"input_id": "a", "user_app_id": client.user_app_id, **fields})
    replies = list(client.stub.StreamAnnotations(request, metadata=client.metadata, timeout=60))
    assert {r.status.code for r in replies} <= {expect}
    return replies


def ids(client: Client, **fields: Any) -> list[str]:
    return [r.annotation.id for r in streamed(client, **fields)]


def test_in_the_order_of_the_frames_whatever_the_page(video: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(handlers, "PAGE", 3)
    monkeypatch.setattr(handlers, "MAX_PER_PAGE", 4)
    numbers = list(range(20))
    random.Random(1).shuffle(numbers)
    post(video, *(framed(n, tag(), id=f"f{n}") for n in numbers))
    post(video, Annotation(id="whole", input_id="a", data=tag()), framed(3, tag(), id="other", input_id="b"))
    assert ids(video) == [f"f{n}" for n in range(20)]
    first = streamed(video)[0]
    assert first.frame_fully_processed
    request = service_pb2.GetAnnotationRequest(input_id="a", annotation_id="f0")
    assert first.annotation == video.call("GetAnnotation", request).annotation


def test_several_in_one_frame_come_in_the_order_in_which_they_were_made(video: Client) -> None:
    post(video, framed(1, tag(), id="late"), framed(0, tag(), id="a"), framed(0, box(), id="b"))
    assert ids(video) == ["a", "b", "late"]


def test_a_range_of_frames_or_of_times(video: Client) -> None:
    post(video, *(framed(n, tag(), id=f"f{n}") for n in range(10)))
    assert ids(video, frame_number_start=7) == ["f7", "f8", "f9"]
    assert ids(video, frame_number_start=5, max_frames=3) == ["f5", "f6", "f7"]
    assert ids(video, max_frames=1) == ["f0"]
    assert ids(video, frame_time_start=320) == ["f8", "f9"]
    assert ids(video, frame_time_start=80, max_duration=40) == ["f2"]
    assert ids(video, frame_time_start=80, max_duration=41) == ["f2", "f3"]
    assert ids(video, frame_time_start=80, frame_number_start=9) == ["f9"]
    assert ids(video, frame_number_start=10) == []


def test_the_bounds_of_a_stream(video: Client) -> None:
    post(video, framed(215_999, tag(), id="last", ms=0), framed(216_000, tag(), id="behind", ms=3_600_000))
    assert ids(video) == ["last"]
    assert ids(video, frame_number_start=1) == ["last", "behind"]
    assert ids(video, frame_time_start=1) == ["behind"]
    (error,) = streamed(video, 11102, max_frames=216_001)
    assert "216000" in error.status.details
    streamed(video, 11102, max_duration=3_600_001)
    streamed(video, 11102, min_prediction_score=1.5)


def test_by_track_kind_worker_and_score(video: Client) -> None:
    post(video, framed(0, box("one"), id="box"), framed(1, point("two"), id="point"), framed(2, tag(), id="tag"))
    score = Concept(id="c", value=0.75)
    place = FrameInfo(number=3, time=120)
    (model,) = by_model(video, Data(frames=[Frame(frame_info=place, data=box("one", score))]))
    assert ids(video) == ["box", "point", "tag", model]
    assert ids(video, track_ids=["one"]) == ["box", model]
    assert ids(video, track_ids=["two", "one"]) == ["box", "point", model]
    assert ids(video, annotation_type=resources_pb2.BOUNDING_BOX) == ["box", model]
    assert ids(video, annotation_type=resources_pb2.POINT) == ["point"]
    assert ids(video, annotation_type=resources_pb2.TAG) == ["tag"]
    assert ids(video, annotation_type=resources_pb2.MASK) == []
    version = Worker(model=Model(model_version=ModelVersion(id="mv")))
    assert ids(video, worker=version) == [model]
    assert ids(video, worker=Worker(user=User(id="nobody"))) == []
    assert ids(video, min_prediction_score=0.75) == ["tag", model]
    assert ids(video, min_prediction_score=0.8) == ["tag"]


def test_an_input_that_is_still_worked_on_says_so(video: Client) -> None:
    post(video, framed(0, tag()))
    with video.server.store.write() as conn:
        conn.execute(update(t.inputs).values(status_code=t.IN_PROGRESS))
    assert [r.frame_fully_processed for r in streamed(video)] == [False]


def test_an_input_without_frames_has_nothing_to_stream(video: Client) -> None:
    assert streamed(video) == []


def test_another_apps_video_is_as_good_as_absent(video: Client) -> None:
    post(video, framed(0, tag()))
    video.call("PostApps", service_pb2.PostAppsRequest(apps=[App(id="other")]))
    streamed(video, 11101, user_app_id=UserAppIDSet(user_id=video.user_id, app_id="other"))
    streamed(video, 11101, user_app_id=UserAppIDSet(user_id="nobody", app_id="app"))
    streamed(video, 11101, input_id="none")
