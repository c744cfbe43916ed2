"""Giving many annotations another status at once."""

from __future__ import annotations

from typing import Any

from clarifai_grpc.grpc.api import service_pb2
from sqlalchemy import Connection, Row

from labelwright.errors import AnnotationPermissionDenied, InvalidRequest
from labelwright.protocol.dispatch import Call, serves
from labelwright.protocol.resources.annotation_messages import REVIEW_DENIED, check_status
from labelwright.protocol.resources.annotation_rejections import model_made, rejections, write_rejections
from labelwright.protocol.wire import MAX_PER_PAGE
from labelwright.store import annotation_lists, history
from labelwright.store import annotations as stored
from labelwright.store.snapshots import of

AT_ONCE = 1000
"""Annotations that a transaction changes: others, the annotators too, have their turn in between."""


@serves("PatchAnnotationsStatus")
def patch_annotations_status(
    call: Call, request: service_pb2.PatchAnnotationsStatusRequest
) -> service_pb2.PatchAnnotationsStatusResponse:
    """Give the annotations of users or of a task, with one of some statuses, another one.

    It goes over them a thousand at a time; called again it goes on where it was stopped.
    """
    if request.action != "overwrite":
        raise InvalidRequest(f"action is {request.action!r}; 'overwrite' is legal")
    check_status(request.status_code)
    if not (request.user_ids or request.task_id or request.status_codes):
        raise InvalidRequest("nothing says which annotations are meant: give user_ids, task_id or status_codes")
    for name in ("user_ids", "status_codes"):
        if (count := len(getattr(request, name))) > MAX_PER_PAGE:
            raise InvalidRequest(f"{count} {name} given; {MAX_PER_PAGE} at most are legal")
    which = annotation_lists.Filter(
        user_ids=[call.user_id if u == "me" else u for u in request.user_ids],
        task_id=request.task_id,
        status_codes=list(request.status_codes),
        all=True,
    )
    users: set[str] = set()
    count = after = 0
    while True:
        with call.store.write() as conn:
            app = call.app(conn, request.user_app_id, change=True)
            if app.user_id != call.user_id and set(which.user_ids) != {call.user_id}:
                raise AnnotationPermissionDenied(
                    "only the app's owner may change another user's annotations: give your own user id in user_ids"
                )
            keys = annotation_lists.following(conn, app.pk, which, after=after, limit=AT_ONCE)
            if not keys:
                break
            after = keys[-1]
            changed = _change(call, conn, app, keys, request.status_code, which)
        users |= changed.keys()
        count += sum(changed.values())
    return service_pb2.PatchAnnotationsStatusResponse(user_ids=sorted(users), updated_count=count)


def _change(
    call: Call, conn: Connection, app: Row[Any], keys: list[int], code: int, which: annotation_lists.Filter
) -> dict[str, int]:
    """Change those that don't have the status yet; returns how many of each user it were."""
    rows = [
        row
        for row in stored.lock(conn, keys)
        # Another may have changed it between the look and the lock.
        if row.status_code != code and (not which.status_codes or row.status_code in which.status_codes)
    ]
    if not rows:
        return {}
    concepts = stored.concepts_of(conn, [row.pk for row in rows])
    rejected: dict[int, dict[str, Any]] = {}
    if code == REVIEW_DENIED:
        rejected = write_rejections(
            conn, {row.pk: rejections(row, concepts[row.pk], call.user_id) for row in rows if model_made(row)}
        )
    stored.change_status(conn, [row.pk for row in rows], code)
    # Without their data, which stays: masks of a thousand annotations are large.
    was = [
        (of(row, concepts[row.pk]), history.PATCH, {"status_code": code, **rejected.get(row.pk, {})}) for row in rows
    ]
    history.remember(conn, app.pk, was, action=call.req_id, user_id=call.user_id, wire=False)
    counts: dict[str, int] = {}
    for row in rows:
        counts[row.user_id] = counts.get(row.user_id, 0) + 1
    return counts
