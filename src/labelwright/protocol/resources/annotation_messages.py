"""Annotations as clients see them, and what is legal in those that they send."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from clarifai_grpc.grpc.api.resources_pb2 import Annotation, Data
from google.protobuf.json_format import ParseDict
from google.protobuf.struct_pb2 import Struct
from sqlalchemy import Connection, Row

from labelwright.errors import AnnotationInvalidArgument, InvalidRequest
from labelwright.ids import free_id_problem
from labelwright.protocol.metadata import checked
from labelwright.protocol.resources.annotation_data import from_rows
from labelwright.protocol.wire import set_time, status
from labelwright.store import annotations as stored

MAX_ANNOTATIONS = 128

SUCCESS, PENDING, AWAITING_REVIEW, REVIEW_DENIED, AWAITING_CONSENSUS = 24150, 24151, 24157, 24158, 24159
STATUSES = {
    SUCCESS: "ANNOTATION_SUCCESS",
    PENDING: "ANNOTATION_PENDING",
    AWAITING_REVIEW: "ANNOTATION_AWAITING_REVIEW",
    REVIEW_DENIED: "ANNOTATION_REVIEW_DENIED",
    AWAITING_CONSENSUS: "ANNOTATION_AWAITING_CONSENSUS_REVIEW",
}


def to_wire(row: Row[Any], data: Data) -> Annotation:
    """An annotation as clients see it.

    Args:
        row: as from `store.annotations.by_pks`.
    """
    made = Annotation(
        id=row.id,
        input_id=row.input_id,
        data=data,
        user_id=row.user_id,
        model_version_id=row.model_version_id,
        status=status(row.status_code),
        trusted=row.trusted,
        input_level=row.input_level,
        task_id=row.task_id,
    )
    # A oneof: in whose name it stands. What made it shows in model_version_id, and the filters find both.
    made.worker.user.id = row.user_id
    if row.annotation_info is not None:
        made.annotation_info.CopyFrom(to_struct(row.annotation_info))
    set_time(made.created_at, row.created_at)
    set_time(made.modified_at, row.modified_at)
    return made


def all_to_wire(conn: Connection, app: Row[Any], rows: Sequence[Row[Any]]) -> list[Annotation]:
    """Several annotations with their concepts as clients see them."""
    concepts = stored.concepts_of(conn, [row.pk for row in rows])
    return [to_wire(row, from_rows(row.wire, concepts[row.pk], app)) for row in rows]


def to_struct(info: Mapping[str, Any] | None) -> Struct:
    """A column of JSON as a message."""
    return ParseDict(dict(info or {}), Struct())


def info(given: Struct) -> dict[str, Any] | None:
    """An annotation_info as the store keeps it; None for an empty one.

    Raises:
        AnnotationInvalidArgument: it holds what JSON has no way to write.
    """
    try:
        return checked(given) or None
    except InvalidRequest as e:
        raise AnnotationInvalidArgument(f"annotation_info: {e.details}") from None


def check_status(code: int) -> None:
    """Refuse a status that a client can't give.

    Raises:
        AnnotationInvalidArgument: it is none of STATUSES.
    """
    if code not in STATUSES:
        legal = ", ".join(f"{name} {number}" for number, name in STATUSES.items())
        raise AnnotationInvalidArgument(f"status.code is {code}; legal are {legal}")


def check_task(task_id: str) -> None:
    """Refuse a task id that can't be one; "" is none.

    Raises:
        AnnotationInvalidArgument: it is too long or can't be printed.
    """
    if task_id and (problem := free_id_problem(task_id)):
        raise AnnotationInvalidArgument(f"task_id: {problem}")


def check_places(data: Data, allowed: int = 1) -> None:
    """Refuse more regions or frames than one annotation may have.

    Raises:
        AnnotationInvalidArgument: there are more than ``allowed`` of either, or one within another.
    """
    regions = [*data.regions, *(r for f in data.frames for r in f.data.regions)]
    if len(regions) > allowed or len(data.frames) > allowed:
        raise AnnotationInvalidArgument(
            f"the annotation has {len(regions)} regions and {len(data.frames)} frames; legal is one of each: "
            "post an annotation for each, and to replace the one that is there use overwrite or its own id"
        )
    within = [*(r.data for r in regions), *(f.data for f in data.frames)]
    if any(d.frames for d in within) or any(r.data.regions for r in regions):
        raise AnnotationInvalidArgument("a region or frame within a region or frame is not legal")
