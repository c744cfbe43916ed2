"""Annotations."""

from __future__ import annotations

from typing import Any

from clarifai_grpc.grpc.api import service_pb2
from clarifai_grpc.grpc.api.status import status_pb2
from sqlalchemy import Connection, Row

from labelwright.errors import AnnotationInvalidArgument, AnnotationPermissionDenied, DoesNotExist, InvalidRequest
from labelwright.protocol.dispatch import Call, serves
from labelwright.protocol.resources import annotation_patches, annotation_posts
from labelwright.protocol.resources.annotation_messages import MAX_ANNOTATIONS, all_to_wire
from labelwright.protocol.resources.annotation_rejections import rejections, write_rejections
from labelwright.protocol.wire import MAX_PER_PAGE, offset_limit
from labelwright.store import annotation_lists, history, inputs
from labelwright.store import annotations as stored
from labelwright.store.snapshots import of

_FILTERS = ("ids", "input_ids", "user_ids", "model_version_ids", "workflow_version_ids", "statuses")


@serves("PostAnnotations")
def post_annotations(call: Call, request: service_pb2.PostAnnotationsRequest) -> service_pb2.MultiAnnotationResponse:
    """Add annotations; each succeeds or fails by itself."""
    return annotation_posts.post(call, request)


@serves("GetAnnotation")
def get_annotation(call: Call, request: service_pb2.GetAnnotationRequest) -> service_pb2.SingleAnnotationResponse:
    """One annotation."""
    with call.store.read() as conn:
        app = call.app(conn, request.user_app_id)
        row = stored.by_ids(conn, app.pk, [request.annotation_id]).get(request.annotation_id)
        if row is None or request.input_id not in ("", row.input_id):
            raise DoesNotExist(f"app {app.id!r} has no annotation {request.annotation_id!r} of that input")
        made = all_to_wire(conn, app, [row])
    return service_pb2.SingleAnnotationResponse(annotation=made[0])


@serves("ListAnnotations")
def list_annotations(call: Call, request: service_pb2.ListAnnotationsRequest) -> service_pb2.MultiAnnotationResponse:
    """The app's annotations, newest first."""
    for name in _FILTERS:
        if (count := len(getattr(request, name))) > MAX_PER_PAGE:
            raise InvalidRequest(f"{count} {name} given; {MAX_PER_PAGE} at most are legal")
    if request.ids and request.input_ids:
        _check_pairs(request)
    offset, limit = offset_limit(request)
    workers = request.user_ids or request.model_version_ids or request.workflow_version_ids
    which = annotation_lists.Filter(
        ids=list(request.ids),
        input_ids=list(request.input_ids),
        user_ids=[call.user_id if u == "me" else u for u in request.user_ids],
        model_version_ids=list(request.model_version_ids),
        workflow_version_ids=list(request.workflow_version_ids),
        status_codes=[s.code for s in request.statuses if s.code],
        task_id=request.task_id,
        all=request.list_all_annotations or bool(workers),
    )
    with call.store.read() as conn:
        app = call.app(conn, request.user_app_id)
        rows = annotation_lists.page(conn, app.pk, which, offset=offset, limit=limit)
        made = all_to_wire(conn, app, rows)
    return service_pb2.MultiAnnotationResponse(annotations=made)


@serves("PatchAnnotations")
def patch_annotations(call: Call, request: service_pb2.PatchAnnotationsRequest) -> service_pb2.MultiAnnotationResponse:
    """Change annotations: all of them or, where one can't be changed, none."""
    return annotation_patches.patch(call, request)


@serves("DeleteAnnotation")
def delete_annotation(call: Call, request: service_pb2.DeleteAnnotationRequest) -> status_pb2.BaseResponse:
    """Delete one annotation."""
    with call.store.write() as conn:
        app = call.app(conn, request.user_app_id, change=True)
        row = stored.by_ids(conn, app.pk, [request.annotation_id], lock=True).get(request.annotation_id)
        if row is None or request.input_id not in ("", row.input_id):
            raise DoesNotExist(f"app {app.id!r} has no annotation {request.annotation_id!r} of that input")
        _delete(call, conn, app, [row])
    return status_pb2.BaseResponse()


@serves("DeleteAnnotations")
def delete_annotations(call: Call, request: service_pb2.DeleteAnnotationsRequest) -> status_pb2.BaseResponse:
    """Delete the annotations named, or all of the inputs named except the input-level ones."""
    if not 1 <= len(request.input_ids) <= MAX_ANNOTATIONS:
        raise InvalidRequest(f"{len(request.input_ids)} input_ids given; 1 to {MAX_ANNOTATIONS} are legal")
    if request.ids:
        _check_pairs(request)
    with call.store.write() as conn:
        app = call.app(conn, request.user_app_id, change=True)
        if request.ids:
            found = stored.by_ids(conn, app.pk, set(request.ids), lock=True)
            pairs = set(zip(request.ids, request.input_ids, strict=True))
            rows = [row for row in found.values() if (row.id, row.input_id) in pairs]
            if not rows:
                raise DoesNotExist(f"app {app.id!r} has none of these annotations of these inputs")
        else:
            keys = inputs.keys(conn, app.pk, set(request.input_ids))
            if not keys:
                raise DoesNotExist(f"app {app.id!r} has none of these inputs")
            rows = stored.of_inputs(conn, keys.values())
        _delete(call, conn, app, rows)
    return status_pb2.BaseResponse()


def _check_pairs(request: service_pb2.ListAnnotationsRequest | service_pb2.DeleteAnnotationsRequest) -> None:
    if len(request.ids) != len(request.input_ids):
        raise InvalidRequest(
            f"{len(request.ids)} ids and {len(request.input_ids)} input_ids given; where both are given they "
            "go in pairs: the n-th input is the n-th annotation's"
        )


def _delete(call: Call, conn: Connection, app: Row[Any], rows: list[Row[Any]]) -> None:
    """Delete annotations; what a model made in them does not come back."""
    user_id = call.user_id
    if app.user_id != user_id and any(row.user_id != user_id for row in rows):
        raise AnnotationPermissionDenied("only the app's owner may delete another user's annotations")
    if level := [row.id for row in rows if row.input_level]:
        raise AnnotationInvalidArgument(
            f"annotation {', '.join(map(repr, level))} is an input-level one, which goes with its input only; "
            "PatchInputs or PatchAnnotations with the action remove takes from it what it holds"
        )
    concepts = stored.concepts_of(conn, [row.pk for row in rows])
    rejected = write_rejections(conn, {row.pk: rejections(row, concepts[row.pk], user_id) for row in rows})
    stored.remove(conn, [row.pk for row in rows])
    was = [(of(row, concepts[row.pk]), history.DELETE, rejected[row.pk]) for row in rows]
    history.remember(conn, app.pk, was, action=call.req_id, user_id=user_id)
