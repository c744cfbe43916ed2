"""The annotations of a video, one by one, in the order of its frames."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, cast

from clarifai_grpc.grpc.api import resources_pb2, service_pb2
from clarifai_grpc.grpc.api.resources_pb2 import Data, Frame, Region
from sqlalchemy import Connection, Row

from labelwright.errors import DoesNotExist, InvalidRequest
from labelwright.protocol.dispatch import Call, serves
from labelwright.protocol.resources.annotation_messages import all_to_wire
from labelwright.protocol.wire import MAX_PER_PAGE, parse
from labelwright.store import annotation_lists, inputs
from labelwright.store import annotations as stored
from labelwright.store import tables as t

MAX_FRAMES = 216_000
MAX_DURATION = 3_600_000
"""Milliseconds. Both bounds, which are defaults too, are the API's own."""
PAGE = 100
"""Annotations that are in memory at a time while they are sent."""

_SHAPES: dict[str, int] = {
    "bounding_box": resources_pb2.BOUNDING_BOX,
    "polygon": resources_pb2.POLYGON,
    "point": resources_pb2.POINT,
    "span": resources_pb2.SPAN,
    "mask": resources_pb2.MASK,
}


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which annotations a request means."""

    numbers: range | None
    """Of frames; None: any."""
    times: range | None
    """Milliseconds; None: any."""
    tracks: frozenset[str]
    """None named: any."""
    kind: int
    """AnnotationDataType; 0: any."""
    score: float

    @classmethod
    def of(cls, request: service_pb2.StreamAnnotationsRequest) -> Wanted:
        """As a request says.

        Raises:
            InvalidRequest: it asks for more than a stream may have, or for a score that there is not.
        """
        for name, most in (("max_frames", MAX_FRAMES), ("max_duration", MAX_DURATION)):
            if getattr(request, name) > most:
                raise InvalidRequest(f"{name} is {getattr(request, name)}; {most} at most are legal")
        if not 0 <= request.min_prediction_score <= 1:
            raise InvalidRequest(f"min_prediction_score is {request.min_prediction_score:g}; 0 to 1 are legal")
        timed = bool(request.frame_time_start or request.max_duration)
        numbered = bool(request.frame_number_start or request.max_frames) or not timed
        first, begin = request.frame_number_start, request.frame_time_start
        return cls(
            numbers=range(first, first + (request.max_frames or MAX_FRAMES)) if numbered else None,
            times=range(begin, begin + (request.max_duration or MAX_DURATION)) if timed else None,
            tracks=frozenset(request.track_ids),
            kind=request.annotation_type,
            score=request.min_prediction_score,
        )

    def takes(self, frame: Frame, concepts: Iterable[Row[Any]]) -> bool:
        """Whether an annotation's frame is meant; ``concepts`` as from `annotations.concepts_of`."""
        place, regions = frame.frame_info, frame.data.regions
        if self.numbers is not None and place.number not in self.numbers:
            return False
        if self.times is not None and place.time not in self.times:
            return False
        if self.tracks and not any(r.track_id in self.tracks for r in regions):
            return False
        if self.kind and not any(self.kind & k for k in _kinds(regions)):
            return False
        # What a person said has no score, and is as sure as its value.
        return not self.score or any((c.value if c.score is None else c.score) >= self.score for c in concepts)


def _kinds(regions: Iterable[Region]) -> set[int]:
    found: set[int] = set()
    for region in regions:
        found |= {kind for name, kind in _SHAPES.items() if region.region_info.HasField(cast(Any, name))}
    return found or {resources_pb2.TAG}


@serves("StreamAnnotations")
def stream_annotations(
    call: Call, request: service_pb2.StreamAnnotationsRequest
) -> Iterator[service_pb2.SingleStreamAnnotationResponse]:
    """The annotations that stand in a frame of an input, by the frames' numbers and times.

    Of those in memory there are only places and keys; the rest is read as it is sent.
    """
    wanted = Wanted.of(request)
    with call.store.read() as conn:
        app = call.app(conn, request.user_app_id)
        row = inputs.by_ids(conn, app.pk, [request.input_id]).get(request.input_id)
        if row is None:
            raise DoesNotExist(f"app {app.id!r} has no input {request.input_id!r}")
        keys = [pk for _, _, pk in sorted(_places(conn, app, _filter(call, request), wanted))]
    settled = row.status_code not in (t.PENDING, t.IN_PROGRESS)
    for at in range(0, len(keys), PAGE):
        with call.store.read() as conn:
            order = {pk: n for n, pk in enumerate(keys[at : at + PAGE])}
            rows = sorted(stored.by_pks(conn, list(order)), key=lambda r: order[r.pk])
            made = all_to_wire(conn, app, rows)
        for annotation in made:
            yield service_pb2.SingleStreamAnnotationResponse(annotation=annotation, frame_fully_processed=settled)


def _filter(call: Call, request: service_pb2.StreamAnnotationsRequest) -> annotation_lists.Filter:
    worker = request.worker
    user = call.user_id if worker.user.id == "me" else worker.user.id
    ids = [[i] if i else [] for i in (user, worker.model.model_version.id, worker.workflow.version.id)]
    return annotation_lists.Filter(
        input_ids=[request.input_id],
        user_ids=ids[0],
        model_version_ids=ids[1],
        workflow_version_ids=ids[2],
        all=any(ids),
    )


def _places(
    conn: Connection, app: Row[Any], which: annotation_lists.Filter, wanted: Wanted
) -> Iterator[tuple[int, int, int]]:
    """The frame's number, its time and the key of each annotation that is meant."""
    after = 0
    while keys := annotation_lists.following(conn, app.pk, which, after=after, limit=MAX_PER_PAGE):
        after = keys[-1]
        concepts = stored.concepts_of(conn, keys) if wanted.score else {}
        for row in stored.by_pks(conn, keys):
            for frame in parse(Data, row.wire).frames[:1]:
                if wanted.takes(frame, concepts.get(row.pk, ())):
                    yield frame.frame_info.number, frame.frame_info.time, row.pk
