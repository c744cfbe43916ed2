"""The versions of models."""

from __future__ import annotations

import heapq
from collections.abc import Iterable
from typing import Any

from clarifai_grpc.grpc.api import resources_pb2, service_pb2
from clarifai_grpc.grpc.api.status import status_code_pb2, status_pb2
from sqlalchemy import Connection, Row

from labelwright.annotator.plans import output_info, snapshot
from labelwright.errors import ModelDoesNotExist, ModelInvalidRequest
from labelwright.protocol import patches
from labelwright.protocol.dispatch import Call, serves
from labelwright.protocol.merging import check_action
from labelwright.protocol.resources import model_settings as settings
from labelwright.protocol.resources.model_wire import (
    VERSION_COMPUTED,
    add_version,
    find,
    find_version,
    to_wire,
    version_bytes,
    version_to_wire,
)
from labelwright.protocol.resources.trainings import drop, enqueue, inherited, what_is_asked
from labelwright.protocol.text_filters import every, sliced
from labelwright.protocol.wire import SUCCESS, offset_limit, parse, status
from labelwright.store import models, trainings, workflows

MAX_VERSIONS = 128


@serves("PostModelVersions")
def post_model_versions(call: Call, request: service_pb2.PostModelVersionsRequest) -> service_pb2.SingleModelResponse:
    """Add a version with other settings; one of a type that learns is queued for training."""
    if len(request.model_versions) > 1:
        raise ModelInvalidRequest(
            f"{len(request.model_versions)} versions given; 1 a call is legal, since each becomes the newest"
        )
    posted = request.model_versions[0] if request.model_versions else resources_pb2.ModelVersion()
    with call.store.write() as conn:
        app = call.app(conn, request.user_app_id, change=True)
        row = models.get(conn, app.pk, request.model_id)
        if row is None:
            raise ModelDoesNotExist(f"app {app.id!r} has no model {request.model_id!r}")
        with settings.about(f"model {row.id!r}"):
            model_type = settings.known_type(row.model_type_id)
            if not (request.model_versions or settings.learns(model_type)):
                raise ModelInvalidRequest("0 versions given; 1 a call is legal")
            learns = settings.learns(model_type)
            info = inherited(conn, row, posted) if learns else settings.only_settings(posted.output_info)
            settings.with_defaults(model_type, info)
            settings.check(conn, app, snapshot(conn, app), model_type, info)
            settings.check_json(posted)
            asked = what_is_asked(conn, call, app, model_type, posted, info) if learns else None
        if request.description and not posted.description:
            posted.description = request.description
        pk = add_version(conn, row.pk, posted, info, trained=not learns)
        if asked is not None:
            enqueue(conn, app, pk, asked)
        row = models.by_ids(conn, app.pk, [row.id])[row.id]
        made = to_wire(row, app, models.version(conn, row.pk))
    return service_pb2.SingleModelResponse(model=made)


@serves("GetModelVersion")
def get_model_version(
    call: Call, request: service_pb2.GetModelVersionRequest
) -> service_pb2.SingleModelVersionResponse:
    """One version."""
    with call.store.read() as conn:
        app, row = find(conn, call, request.user_app_id, request.model_id)
        version = find_version(conn, row, request.version_id)
    return service_pb2.SingleModelVersionResponse(model_version=version_to_wire(version, app))


@serves("ListModelVersions")
def list_model_versions(
    call: Call, request: service_pb2.ListModelVersionsRequest
) -> service_pb2.MultiModelVersionResponse:
    """A model's versions, newest first where not ascending; by status or description where that is asked for."""
    offset, limit = offset_limit(request)
    with call.store.read() as conn:
        app, row = find(conn, call, request.user_app_id, request.model_id)
        if request.min_replicas:
            # No version runs anywhere but in this server itself.
            return service_pb2.MultiModelVersionResponse()

        def fetch(skip: int, most: int) -> list[Row[Any]]:
            return models.version_page(
                conn,
                row.pk,
                offset=skip,
                limit=most,
                status_code=status_code_pb2.MODEL_TRAINED if request.trained_only else None,
                by_status=request.sort_by_status_code,
                ascending=request.sort_ascending,
            )

        wanted = set(request.concept_ids)
        if request.sort_by_description:
            rows = _by_description(conn, filter(lambda r: _has(r, wanted), every(fetch)), request, offset, limit)
        elif wanted:
            rows = sliced(filter(lambda r: _has(r, wanted), every(fetch)), offset, limit)
        else:
            rows = fetch(offset, limit)
    return service_pb2.MultiModelVersionResponse(model_versions=[version_to_wire(r, app) for r in rows])


def _has(version: Row[Any], concept_ids: set[str]) -> bool:
    """Whether a version names all of these concepts."""
    return not concept_ids or concept_ids <= {c.id for c in output_info(version.wire).data.concepts}


def _by_description(
    conn: Connection,
    rows: Iterable[Row[Any]],
    request: service_pb2.ListModelVersionsRequest,
    offset: int,
    limit: int,
) -> list[Row[Any]]:
    best = heapq.nsmallest if request.sort_ascending else heapq.nlargest
    # Of the others only what they are sorted by is kept, and no more of it than the page and those before it.
    keys = best(offset + limit, ((parse(resources_pb2.ModelVersion, r.wire).description, r.pk) for r in rows))
    page = [pk for _, pk in keys[offset:]]
    found = models.versions_of(conn, page)
    return [found[pk] for pk in page]


@serves("PatchModelVersions")
def patch_model_versions(
    call: Call, request: service_pb2.PatchModelVersionsRequest
) -> service_pb2.MultiModelVersionResponse:
    """Change what is said about versions. What they are set by is fixed: PatchModels makes a new version."""
    check_action(request.action)
    ids = [v.id for v in request.model_versions]
    if not 1 <= len(set(ids)) == len(ids) <= MAX_VERSIONS:
        raise ModelInvalidRequest(f"{len(ids)} versions given; 1 to {MAX_VERSIONS} different ones are legal")
    with call.store.write() as conn:
        app = call.app(conn, request.user_app_id, change=True)
        row = models.get(conn, app.pk, request.model_id)
        if row is None:
            raise ModelDoesNotExist(f"app {app.id!r} has no model {request.model_id!r}")
        made = []
        for change in request.model_versions:
            version = find_version(conn, row, change.id)
            info = output_info(version.wire)
            if change.HasField("output_info") and settings.only_settings(change.output_info) != info:
                raise ModelInvalidRequest(
                    f"the output_info of version {change.id!r} is fixed; PatchModels makes a new version"
                )
            after = parse(resources_pb2.ModelVersion, version.wire)
            patches.apply(after, change, request.action, apart=(*VERSION_COMPUTED, "output_info"))
            settings.check_json(after)
            models.change_version(conn, version.pk, wire=version_bytes(after, info, learned=True))
            made.append(version_to_wire(find_version(conn, row, change.id), app))
    return service_pb2.MultiModelVersionResponse(model_versions=made)


@serves("DeleteModelVersion")
def delete_model_version(call: Call, request: service_pb2.DeleteModelVersionRequest) -> status_pb2.BaseResponse:
    """Delete a version; workflow versions that name it are deprecated from then on."""
    with call.store.write() as conn:
        app = call.app(conn, request.user_app_id, change=True)
        row = models.get(conn, app.pk, request.model_id)
        if row is None:
            raise ModelDoesNotExist(f"app {app.id!r} has no model {request.model_id!r}")
        version = find_version(conn, row, request.version_id)
        left = trainings.forget(conn, versions=[version.pk])
        workflows.bump_users_of(conn, versions=[version.pk])
        models.remove_version(conn, version.pk)
    drop(call, left)
    return status_pb2.BaseResponse(status=status(SUCCESS))
