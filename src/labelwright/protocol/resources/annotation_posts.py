"""Adding annotations: what people say of inputs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from clarifai_grpc.grpc.api import service_pb2
from clarifai_grpc.grpc.api.resources_pb2 import Annotation, Data
from sqlalchemy import Connection, Row

from labelwright.errors import (
    AnnotationInvalidArgument,
    AnnotationPermissionDenied,
    InputDoesNotExist,
    InvalidRequest,
    LabelwrightError,
)
from labelwright.ids import free_id_problem, new_id
from labelwright.protocol.dispatch import Call
from labelwright.protocol.items import overall
from labelwright.protocol.resources.annotation_data import (
    clean,
    dressed,
    identify,
    is_empty,
    register,
    to_rows,
)
from labelwright.protocol.resources.annotation_messages import (
    MAX_ANNOTATIONS,
    SUCCESS,
    check_places,
    check_status,
    check_task,
    info,
    to_wire,
)
from labelwright.protocol.wire import error_status
from labelwright.store import annotations as stored
from labelwright.store import inputs
from labelwright.store import tables as t


@dataclass(slots=True)
class Draft:
    """One annotation of a call on its way."""

    given: Annotation
    id: str
    author: str = ""
    """Who is said to have made it; "" for the caller."""
    data: Data = field(default_factory=Data)
    info: dict[str, Any] | None = None
    error: LabelwrightError | None = None


def post(call: Call, request: service_pb2.PostAnnotationsRequest) -> service_pb2.MultiAnnotationResponse:
    """Accept annotations one by one, and write those that are good in one transaction.

    Raises:
        InvalidRequest: there are none, or too many.
        DoesNotExist: the app is not there.
    """
    if not 1 <= len(request.annotations) <= MAX_ANNOTATIONS:
        raise InvalidRequest(f"{len(request.annotations)} annotations given; 1 to {MAX_ANNOTATIONS} a call are legal")
    drafts = [_draft(given) for given in request.annotations]
    with call.store.write() as conn:
        app = call.app(conn, request.user_app_id, change=True)
        keys = _settle(conn, app, drafts, call.user_id)
        made = iter(_write(conn, app, [d for d in drafts if d.error is None], keys, call.user_id))
    return service_pb2.MultiAnnotationResponse(
        status=overall([d.error for d in drafts]),
        annotations=[next(made) if d.error is None else _failed(d.given, d.error) for d in drafts],
    )


def _draft(given: Annotation) -> Draft:
    draft = Draft(given, given.id or new_id())
    try:
        if problem := free_id_problem(draft.id):
            raise AnnotationInvalidArgument(f"annotation id: {problem}")
        if not given.input_id:
            raise AnnotationInvalidArgument("input_id is empty: say which input is meant")
        if is_empty(given.data):
            raise AnnotationInvalidArgument("data is empty: give concepts, a region or whatever is to be said")
        authors = {given.user_id, given.worker.user.id} - {""}
        if len(authors) > 1:
            raise AnnotationInvalidArgument("user_id and worker.user.id differ; give one of them")
        draft.author = next(iter(authors), "")
        if draft.author and (problem := free_id_problem(draft.author)):
            raise AnnotationInvalidArgument(f"user_id: {problem}")
        check_task(given.task_id)
        check_status(given.status.code or SUCCESS)
        check_places(given.data)
        draft.data = clean(given.data, AnnotationInvalidArgument)
        identify(draft.data)
        draft.info = info(given.annotation_info)
    except LabelwrightError as e:
        draft.error = e
    return draft


def _settle(conn: Connection, app: Row[Any], drafts: Sequence[Draft], user_id: str) -> dict[str, int]:
    """Find the drafts that can't be written into this app; returns the keys of the inputs by id."""
    good = [d for d in drafts if d.error is None]
    # What no input can be called is not looked for: PostgreSQL refuses a NUL, and with it the whole call.
    sought = {d.given.input_id for d in good if free_id_problem(d.given.input_id) is None}
    keys = inputs.keys(conn, app.pk, sought) if sought else {}
    named = {d.id for d in good if d.given.id}
    taken = set(stored.keys(conn, app.pk, list(named))) if named else set()
    for draft in good:
        if draft.given.input_id not in keys:
            draft.error = InputDoesNotExist(f"app {app.id!r} has no input {draft.given.input_id!r}")
        elif draft.author not in ("", "me", user_id) and app.user_id != user_id:
            draft.error = AnnotationPermissionDenied(
                f"only the app's owner may write an annotation as another user, {draft.author!r}"
            )
        elif draft.id in taken:
            draft.error = AnnotationInvalidArgument(
                f"duplicate annotation id: {draft.id}; PatchAnnotations changes one"
            )
        else:
            taken.add(draft.id)
    return keys


def _write(
    conn: Connection, app: Row[Any], good: Sequence[Draft], keys: dict[str, int], user_id: str
) -> list[Annotation]:
    if not good:
        return []
    known = register(conn, app, [d.data for d in good])
    new = []
    for draft in good:
        wire, concepts = to_rows(draft.data, known)
        new.append(
            stored.NewAnnotation(
                id=draft.id,
                input=keys[draft.given.input_id],
                user_id=user_id if draft.author in ("", "me") else draft.author,
                status_code=draft.given.status.code or SUCCESS,
                origin=t.PERSON,
                wire=wire,
                concepts=concepts,
                task_id=draft.given.task_id,
                annotation_info=draft.info,
            )
        )
    stored.add(conn, app.pk, new)
    rows = stored.by_ids(conn, app.pk, [d.id for d in good])
    return [to_wire(rows[d.id], dressed(d.data, known, app)) for d in good]


def _failed(given: Annotation, error: LabelwrightError) -> Annotation:
    made = Annotation()
    made.CopyFrom(given)
    made.status.CopyFrom(error_status(error))
    return made
