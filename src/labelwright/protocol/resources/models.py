"""Models. What a model is set by lies with its versions: see `model_settings`; for listings `model_listing`."""

from __future__ import annotations

from typing import Any

from clarifai_grpc.grpc.api import resources_pb2, service_pb2
from clarifai_grpc.grpc.api.status import status_pb2
from sqlalchemy import Connection, Row

from labelwright.annotator.plans import output_info, snapshot
from labelwright.errors import (
    InvalidRequest,
    ModelDoesNotExist,
    ModelInvalidArgument,
    ModelInvalidRequest,
)
from labelwright.ids import free_id_problem, new_id, resource_id_problem
from labelwright.operators.values import Snapshot
from labelwright.protocol import patches
from labelwright.protocol.dispatch import Call, serves
from labelwright.protocol.merging import check_action
from labelwright.protocol.resources import model_settings as settings
from labelwright.protocol.resources.model_wire import (
    COMPUTED,
    add_version,
    find,
    find_version,
    model_bytes,
    to_wire,
)
from labelwright.protocol.resources.trainings import drop
from labelwright.protocol.wire import SUCCESS, parse, status
from labelwright.store import models, trainings, workflows

MAX_MODELS = 128
MAX_NOTES = 64 * 1024
"""Bytes of a model's notes, the API's own limit."""


@serves("PostModels")
def post_models(call: Call, request: service_pb2.PostModelsRequest) -> service_pb2.SingleModelResponse:
    """Add models: all of them or, where one can't be added, none. The reply has room for the first."""
    given = _given(request)
    ids = [m.id or new_id() for m in given]
    for model in given:
        if model.id and (problem := resource_id_problem(model.id)):
            raise ModelInvalidRequest(f"model id: {problem}")
    with call.store.write() as conn:
        app = call.app(conn, request.user_app_id, change=True)
        if twice := sorted({i for i in ids if ids.count(i) > 1} | set(models.by_ids(conn, app.pk, ids))):
            raise ModelInvalidRequest(f"duplicate model id: {', '.join(twice)}; PatchModels changes one")
        snap = snapshot(conn, app)
        for model_id, model in zip(ids, given, strict=True):
            with settings.about(f"model {model_id!r}"):
                _add(conn, app, snap, model_id, model)
        row = models.by_ids(conn, app.pk, ids[:1])[ids[0]]
        made = to_wire(row, app, models.version(conn, row.pk))
    return service_pb2.SingleModelResponse(model=made)


def _given(request: service_pb2.PostModelsRequest) -> list[resources_pb2.Model]:
    if request.models and request.HasField("model"):
        raise ModelInvalidRequest("both models and the deprecated model are given; put all of them into models")
    given = list(request.models) or ([request.model] if request.HasField("model") else [])
    if not 1 <= len(given) <= MAX_MODELS:
        raise ModelInvalidRequest(f"{len(given)} models given; 1 to {MAX_MODELS} a call are legal")
    return given


def _add(conn: Connection, app: Row[Any], snap: Snapshot, model_id: str, model: resources_pb2.Model) -> None:
    model_type = settings.known_type(model.model_type_id)
    info = settings.given(model)
    # The SDK posts a model bare and then its version: without settings, where the type can't do without,
    # there is no version yet.
    bare = info is None and settings.needs_settings(model_type)
    info = info or resources_pb2.OutputInfo()
    if not bare:
        settings.with_defaults(model_type, info)
        settings.check(conn, app, snap, model_type, info)
    settings.check_json(model)
    _check_texts(model)
    learns = settings.learns(model_type)
    if learns:
        settings.refuse_weights(model.model_version)
    pk = models.add(
        conn,
        app.pk,
        id=model_id,
        name=model.name or model_id,
        model_type_id=model_type.id,
        wire=model_bytes(model),
    )
    if not bare:
        add_version(conn, pk, model.model_version, info, trained=not learns)


def _check_texts(model: resources_pb2.Model) -> None:
    size = len(model.notes.encode())
    if size > MAX_NOTES:
        raise ModelInvalidRequest(f"notes have {size} bytes; {MAX_NOTES} at most are legal")
    if model.name and (problem := free_id_problem(model.name)):
        raise ModelInvalidRequest(f"name: {problem}")


@serves("GetModel")
@serves("GetModelOutputInfo")
def get_model(call: Call, request: service_pb2.GetModelRequest) -> service_pb2.SingleModelResponse:
    """One model with the version named, else its newest."""
    with call.store.read() as conn:
        app, row = find(conn, call, request.user_app_id, request.model_id)
        if request.version_id:
            version: Row[Any] | None = find_version(conn, row, request.version_id)
        else:
            version = models.version(conn, row.pk)
        made = to_wire(row, app, version, asked=request.model_id)
    return service_pb2.SingleModelResponse(model=made)


@serves("PatchModels")
def patch_models(call: Call, request: service_pb2.PatchModelsRequest) -> service_pb2.MultiModelResponse:
    """Change models: all of them or, where one can't be changed, none. Changed settings make a new version."""
    check_action(request.action)
    ids = [m.id for m in request.models]
    _check_ids(ids)
    with call.store.write() as conn:
        app = call.app(conn, request.user_app_id, change=True)
        rows = _own(conn, app, ids)
        snap = snapshot(conn, app)
        for change in request.models:
            with settings.about(f"model {change.id!r}"):
                _patch(conn, app, snap, rows[change.id], change, request.action)
        rows = models.by_ids(conn, app.pk, ids)
        versions = models.newest_versions(conn, [row.pk for row in rows.values()])
    return service_pb2.MultiModelResponse(models=[to_wire(rows[i], app, versions.get(rows[i].pk)) for i in ids])


def _check_ids(ids: list[str]) -> None:
    if not 1 <= len(ids) <= MAX_MODELS:
        raise ModelInvalidRequest(f"{len(ids)} models given; 1 to {MAX_MODELS} a call are legal")
    if twice := sorted({i for i in ids if ids.count(i) > 1}):
        raise ModelInvalidRequest(f"model {', '.join(map(repr, twice))} is given twice; say each once")


def _own(conn: Connection, app: Row[Any], ids: list[str]) -> dict[str, Row[Any]]:
    rows = models.by_ids(conn, app.pk, ids)
    if missing := [i for i in ids if i not in rows]:
        raise ModelDoesNotExist(f"app {app.id!r} has no model {', '.join(map(repr, missing))}")
    return rows


def _patch(
    conn: Connection, app: Row[Any], snap: Snapshot, row: Row[Any], change: resources_pb2.Model, action: str
) -> None:
    if change.model_type_id not in ("", row.model_type_id):
        raise ModelInvalidArgument(
            f"its model_type_id is {row.model_type_id!r} for good, not {change.model_type_id!r}; post another model"
        )
    model = parse(resources_pb2.Model, row.wire)
    patches.apply(model, change, action, apart=COMPUTED)
    model.name = change.name if change.name and action != "remove" else row.name
    _check_texts(model)
    name = model.name
    if (name, model_bytes(model)) != (row.name, row.wire):
        models.change(conn, row.pk, name=name, wire=model_bytes(model))
    _patch_settings(conn, app, snap, row, change, action)
    # Last, since the settings have an error of their own for it.
    settings.check_json(change)


def _patch_settings(
    conn: Connection, app: Row[Any], snap: Snapshot, row: Row[Any], change: resources_pb2.Model, action: str
) -> None:
    named = change.model_version.id
    version = find_version(conn, row, named) if named else models.version(conn, row.pk)
    newest = models.version(conn, row.pk)
    current = output_info(version.wire) if version is not None else resources_pb2.OutputInfo()
    said = settings.given(change) if action == "remove" else settings.changed_since(change, current)
    after = resources_pb2.OutputInfo()
    after.CopyFrom(current)
    patches.apply(after, said or resources_pb2.OutputInfo(), action)
    stays = current if newest is None else output_info(newest.wire)
    if (after == current and not named) or after == stays:
        return
    model_type = settings.known_type(row.model_type_id)
    settings.with_defaults(model_type, after)
    settings.check(conn, app, snap, model_type, after)
    if after != stays:
        add_version(conn, row.pk, change.model_version, after, trained=not settings.learns(model_type))


@serves("PatchModelIds")
def patch_model_ids(call: Call, request: service_pb2.PatchModelIdsRequest) -> service_pb2.MultiModelResponse:
    """Rename models; workflows keep them, by whatever name."""
    if request.action != "overwrite":
        raise InvalidRequest(f"action is {request.action!r}; 'overwrite' is legal")
    ids, new = [i.id for i in request.ids], [i.new_id for i in request.ids]
    _check_ids(ids)
    for value in new:
        if problem := resource_id_problem(value):
            raise ModelInvalidRequest(f"new model id: {problem}")
    with call.store.write() as conn:
        app = call.app(conn, request.user_app_id, change=True)
        rows = _own(conn, app, ids)
        if twice := sorted({i for i in new if new.count(i) > 1} | set(models.by_ids(conn, app.pk, new))):
            raise ModelInvalidRequest(f"duplicate model id: {', '.join(twice)}")
        for old, value in zip(ids, new, strict=True):
            models.change(conn, rows[old].pk, id=value)
        changed = models.by_ids(conn, app.pk, new)
        versions = models.newest_versions(conn, [row.pk for row in changed.values()])
    made = [to_wire(changed[i], app, versions.get(changed[i].pk)) for i in new]
    return service_pb2.MultiModelResponse(models=made)


@serves("DeleteModel")
def delete_model(call: Call, request: service_pb2.DeleteModelRequest) -> status_pb2.BaseResponse:
    """Delete a model with its versions; workflow versions that name one are deprecated from then on."""
    with call.store.write() as conn:
        app = call.app(conn, request.user_app_id, change=True)
        left = _remove(conn, [row.pk for row in _own(conn, app, [request.model_id]).values()])
    drop(call, left)
    return status_pb2.BaseResponse(status=status(SUCCESS))


@serves("DeleteModels")
def delete_models(call: Call, request: service_pb2.DeleteModelsRequest) -> status_pb2.BaseResponse:
    """Delete several models, or all of an app's: all that are named or, where one is missing, none."""
    ids = list(dict.fromkeys(request.ids))
    if bool(ids) == request.delete_all:
        raise ModelInvalidRequest("give either ids or delete_all")
    with call.store.write() as conn:
        app = call.app(conn, request.user_app_id, change=True)
        if request.delete_all:
            keys = models.all_keys(conn, app.pk)
        else:
            _check_ids(ids)
            keys = [row.pk for row in _own(conn, app, ids).values()]
        left = _remove(conn, keys)
    drop(call, left)
    return status_pb2.BaseResponse(status=status(SUCCESS))


def _remove(conn: Connection, keys: list[int]) -> list[str]:
    """Delete models; returns where their versions' arrays lie in the media store."""
    left = trainings.forget(conn, models=keys)
    workflows.bump_users_of(conn, models=keys)
    models.remove(conn, keys)
    return left
