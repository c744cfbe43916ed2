"""Inputs."""

from __future__ import annotations

from clarifai_grpc.grpc.api import service_pb2
from clarifai_grpc.grpc.api.status import status_pb2

from labelwright.errors import DoesNotExist, InputInvalidRequest, InvalidRequest
from labelwright.protocol.dispatch import Call, serves
from labelwright.protocol.hosted import Hosting
from labelwright.protocol.resources import input_patches, input_posts
from labelwright.protocol.resources.annotation_data import from_rows
from labelwright.protocol.resources.input_messages import (
    MAX_INPUTS,
    all_to_wire,
    forget_media,
    said_of,
    to_wire,
)
from labelwright.protocol.wire import MAX_PER_PAGE, offset_limit
from labelwright.store import annotations as annotation_rows
from labelwright.store import inputs, jobs
from labelwright.store import tables as t

STREAM_PER_PAGE = 20
"""The API's own default for StreamInputs."""


@serves("PostInputs")
def post_inputs(call: Call, request: service_pb2.PostInputsRequest) -> service_pb2.MultiInputResponse:
    """Add inputs; each succeeds or fails by itself."""
    return input_posts.post(call, request)


@serves("GetInput")
def get_input(call: Call, request: service_pb2.GetInputRequest) -> service_pb2.SingleInputResponse:
    """One input."""
    with call.store.glance() as conn:
        owner, app_id = call.named(conn, request.user_app_id)
        app, row = inputs.with_app(conn, owner, app_id, request.input_id) or (None, None)
        app = call.let_in(conn, app, owner, app_id)
        if row is None:
            raise DoesNotExist(f"app {app.id!r} has no input {request.input_id!r}")
        said = None
        if row.level is not None:
            said = from_rows(row.level_wire, annotation_rows.concepts_of(conn, [row.level])[row.level], app)
    return service_pb2.SingleInputResponse(input=to_wire(row, said, Hosting(call)))


@serves("ListInputs")
def list_inputs(call: Call, request: service_pb2.ListInputsRequest) -> service_pb2.MultiInputResponse:
    """The app's inputs, newest first."""
    if len(request.ids) > MAX_PER_PAGE:
        raise InvalidRequest(f"{len(request.ids)} ids given; {MAX_PER_PAGE} at most are legal")
    offset, limit = offset_limit(request)
    with call.store.read() as conn:
        app = call.app(conn, request.user_app_id)
        rows = inputs.page(conn, app.pk, status_code=request.status.code, ids=request.ids, offset=offset, limit=limit)
        said = said_of(conn, app, rows)
    return service_pb2.MultiInputResponse(inputs=all_to_wire(rows, said, Hosting(call)))


@serves("StreamInputs")
def stream_inputs(call: Call, request: service_pb2.StreamInputsRequest) -> service_pb2.MultiInputResponse:
    """The app's inputs behind the one with ``last_id``, oldest first: what is added meanwhile moves no page."""
    limit = request.per_page or STREAM_PER_PAGE
    if limit > MAX_PER_PAGE:
        raise InvalidRequest(f"per_page is {limit}; legal are 1 to {MAX_PER_PAGE}")
    with call.store.read() as conn:
        app = call.app(conn, request.user_app_id)
        if request.order_by_id:
            rows = inputs.following_by_id(
                conn, app.pk, after=request.last_id, descending=request.descending, limit=limit
            )
        else:
            after = None
            if request.last_id:
                after = inputs.keys(conn, app.pk, [request.last_id]).get(request.last_id)
                if after is None:
                    raise DoesNotExist(
                        f"app {app.id!r} has no input {request.last_id!r} to go on from; with order_by_id an input "
                        "that is gone will do"
                    )
            rows = inputs.following(conn, app.pk, after=after, descending=request.descending, limit=limit)
        said = said_of(conn, app, rows)
    return service_pb2.MultiInputResponse(inputs=all_to_wire(rows, said, Hosting(call)))


@serves("PatchInputs")
def patch_inputs(call: Call, request: service_pb2.PatchInputsRequest) -> service_pb2.MultiInputResponse:
    """Change concepts, metadata and geo of inputs: all of them or, where one can't be changed, none."""
    return input_patches.patch(call, request)


@serves("DeleteInput")
def delete_input(call: Call, request: service_pb2.DeleteInputRequest) -> status_pb2.BaseResponse:
    """Delete one input with all that is said of it."""
    return _delete(call, request, [request.input_id])


@serves("DeleteInputs")
def delete_inputs(call: Call, request: service_pb2.DeleteInputsRequest) -> status_pb2.BaseResponse:
    """Delete inputs with all that is said of them; none named is none deleted."""
    if len(request.ids) > MAX_INPUTS:
        raise InputInvalidRequest(f"{len(request.ids)} ids given; {MAX_INPUTS} at most a call are legal")
    return _delete(call, request, list(request.ids))


def _delete(
    call: Call, request: service_pb2.DeleteInputRequest | service_pb2.DeleteInputsRequest, ids: list[str]
) -> status_pb2.BaseResponse:
    with call.store.write() as conn:
        app = call.app(conn, request.user_app_id, change=True)
        gone = inputs.remove(conn, app.pk, set(ids)) if ids else []
        if ids and not gone:
            raise DoesNotExist(f"app {app.id!r} has no input {', '.join(map(repr, sorted(set(ids))))}")
    # What a worker fetches lies under the input's own key, and the row names it only once that is committed.
    forget_media(call.server.blobs, [row.media or f"{app.pk}/u{row.pk}" for row in gone])
    return status_pb2.BaseResponse()


@serves("GetInputCount")
def get_input_count(call: Call, request: service_pb2.GetInputCountRequest) -> service_pb2.SingleInputCountResponse:
    """How many inputs wait, are worked on, are done and have failed; and how far re-runs are."""
    with call.store.read() as conn:
        app = call.app(conn, request.user_app_id)
        by_code = inputs.counts(conn, app.pk)
        reruns = jobs.unfinished(conn, app.pk, "rerun")
    reply = service_pb2.SingleInputCountResponse()
    counts = reply.counts
    counts.processed = by_code.pop(t.DONE, 0)
    counts.to_process = by_code.pop(t.PENDING, 0)
    counts.processing = by_code.pop(t.IN_PROGRESS, 0)
    counts.errors = sum(by_code.values())
    for job in reruns:
        # What failed is among what is done.
        counts.reindexed += job.done - job.failed
        counts.reindex_errors += job.failed
        ahead = max(job.total - job.done, 0)
        if job.state == jobs.RUNNING:
            counts.reindexing += ahead
        else:
            counts.to_reindex += ahead
    return reply
