"""Changing annotations: a person's word, which no automatic run may undo."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from clarifai_grpc.grpc.api import service_pb2
from clarifai_grpc.grpc.api.resources_pb2 import Annotation, Data
from google.protobuf.struct_pb2 import Struct
from sqlalchemy import Connection, Row

from labelwright.errors import (
    AnnotationInvalidArgument,
    AnnotationPermissionDenied,
    DoesNotExist,
    InvalidRequest,
)
from labelwright.protocol.dispatch import Call
from labelwright.protocol.merging import check_action, patched, patched_struct
from labelwright.protocol.resources.annotation_data import (
    clean,
    from_rows,
    identify,
    is_empty,
    register,
    to_rows,
)
from labelwright.protocol.resources.annotation_messages import (
    MAX_ANNOTATIONS,
    REVIEW_DENIED,
    all_to_wire,
    check_places,
    check_status,
    check_task,
    info,
    to_struct,
)
from labelwright.protocol.resources.annotation_rejections import model_made, rejections, write_rejections
from labelwright.protocol.resources.input_messages import SAID
from labelwright.store import annotations as stored
from labelwright.store import history
from labelwright.store import tables as t
from labelwright.store.snapshots import digest, of


@dataclass(slots=True)
class State:
    """An annotation while a call changes it."""

    row: Row[Any]
    concepts: Sequence[Row[Any]]
    before: Data
    data: Data
    status_code: int
    task_id: str
    info: Struct


def patch(call: Call, request: service_pb2.PatchAnnotationsRequest) -> service_pb2.MultiAnnotationResponse:
    """Change all the annotations or, where one is not there or not legal, none.

    Raises:
        InvalidRequest: there are none or too many, or the action is not legal.
        AnnotationInvalidArgument: a patch holds, or would lead to, what an annotation can't have.
        DoesNotExist: an annotation is not there, or is another input's.
    """
    check_action(request.action)
    given = request.annotations
    if not 1 <= len(given) <= MAX_ANNOTATIONS:
        raise InvalidRequest(f"{len(given)} annotations given; 1 to {MAX_ANNOTATIONS} a call are legal")
    patches = [clean(p.data, AnnotationInvalidArgument) for p in given]
    with call.store.write() as conn:
        app = call.app(conn, request.user_app_id, change=True)
        states = _states(conn, app, given, call.user_id)
        for change, data in zip(given, patches, strict=True):
            _apply(states[change.id], change, data, request.action)
        gone, results = _write(conn, app, states.values(), call.user_id, delete_empty=_deletes(request))
        was = [
            (of(s.row, s.concepts), history.DELETE if s.row.pk in gone else history.PATCH, results[s.row.pk])
            for s in states.values()
            if s.row.pk in results
        ]
        history.remember(conn, app.pk, was, action=call.req_id, user_id=call.user_id)
        left = {row.id: row for row in stored.by_pks(conn, [s.row.pk for s in states.values()])}
        made = {a.id: a for a in all_to_wire(conn, app, list(left.values()))}
    return service_pb2.MultiAnnotationResponse(
        annotations=[made[p.id] for p in given if states[p.id].row.pk not in gone]
    )


def _deletes(request: service_pb2.PatchAnnotationsRequest) -> bool:
    return request.delete_if_empty_data and request.action == "remove"


def _states(conn: Connection, app: Row[Any], given: Sequence[Annotation], user_id: str) -> dict[str, State]:
    rows = stored.by_ids(conn, app.pk, {p.id for p in given}, lock=True)
    missing = [p.id for p in given if p.id not in rows or p.input_id not in ("", rows[p.id].input_id)]
    if missing:
        names = ", ".join(map(repr, sorted(set(missing))))
        raise DoesNotExist(f"app {app.id!r} has no annotation {names} of the input given with it")
    if app.user_id != user_id and any(row.user_id != user_id for row in rows.values()):
        raise AnnotationPermissionDenied("only the app's owner may change another user's annotations")
    concepts = stored.concepts_of(conn, [row.pk for row in rows.values()])
    states = {}
    for id_, row in rows.items():
        before = from_rows(row.wire, concepts[row.pk], app)
        states[id_] = State(
            row=row,
            concepts=concepts[row.pk],
            before=before,
            data=before,
            status_code=row.status_code,
            task_id=row.task_id,
            info=to_struct(row.annotation_info),
        )
    return states


def _apply(state: State, change: Annotation, data: Data, action: str) -> None:
    had = max(1, len(state.before.regions), len(state.before.frames))
    state.data = patched(state.data, data, action)
    check_places(state.data, allowed=had)
    if state.row.input_level:
        other = [f.name for f, _ in state.data.ListFields() if f.name not in SAID]
        if other:
            raise AnnotationInvalidArgument(
                f"annotation {state.row.id!r} is the input-level one, which has {', '.join(SAID)} and no "
                f"{', '.join(other)}: post an annotation of its own"
            )
    identify(state.data)
    if change.status.code:
        check_status(change.status.code)
        state.status_code = change.status.code
    if change.task_id:
        check_task(change.task_id)
        state.task_id = change.task_id
    if change.HasField("annotation_info"):
        info(change.annotation_info)
        state.info = patched_struct(state.info, change.annotation_info, action)


def _write(
    conn: Connection, app: Row[Any], states: Iterable[State], user_id: str, *, delete_empty: bool
) -> tuple[set[int], dict[int, dict[str, Any]]]:
    """Write the annotations as they are now.

    Returns:
        The keys of those that were deleted; and of each that is another by now, what undoing asks for, by its key.
    """
    known = register(conn, app, [s.data for s in states])
    gone: set[int] = set()
    changes: list[stored.Change] = []
    rejected: dict[int, list[stored.Rejection]] = {}
    digests: dict[int, dict[str, Any]] = {}
    for state in states:
        row = state.row
        scores = {(c.slot, c.concept): c.score for c in state.concepts}
        wire, concepts = to_rows(state.data, known, scores)
        kept = {(c.slot, c.concept) for c in concepts}
        denied = state.status_code == REVIEW_DENIED != row.status_code
        rejected[row.pk] = rejections(
            row,
            [c for c in state.concepts if denied or (c.slot, c.concept) not in kept],
            user_id,
        )
        empty = is_empty(state.data)
        if empty and delete_empty and not row.input_level:
            gone.add(row.pk)
            digests[row.pk] = {}
            continue
        change = stored.Change(
            pk=row.pk,
            status_code=state.status_code,
            origin=t.CONFIRMED if model_made(row) else row.origin,
            listed=not (row.input_level and empty),
            task_id=state.task_id,
            annotation_info=info(state.info),
            wire=wire,
            concepts=concepts,
        )
        changes.append(change)
        if _differs(state, change):
            said = [(i, c.slot, c.concept, c.value, c.score) for i, c in enumerate(concepts)]
            digests[row.pk] = {"digest": digest(row, change, said)}
    stored.change(conn, changes)
    stored.remove(conn, gone)
    written = write_rejections(conn, rejected)
    return gone, {pk: {**made, **written[pk]} for pk, made in digests.items()}


def _differs(state: State, change: stored.Change) -> bool:
    """Whether a patch made anything of an annotation; one that was sent twice makes nothing of it the second time."""
    row = state.row
    if not row.touched or bytes(row.wire) != change.wire or len(state.concepts) != len(change.concepts):
        return True
    if any(
        (a.position, a.slot, a.concept, a.value, a.score) != (i, b.slot, b.concept, b.value, b.score)
        for i, (a, b) in enumerate(zip(state.concepts, change.concepts, strict=True))
    ):
        return True
    return any(getattr(row, name) != getattr(change, name) for name in _PLAIN)


_PLAIN = ("status_code", "origin", "listed", "task_id", "annotation_info")
