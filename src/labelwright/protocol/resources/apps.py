"""Apps."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import structlog
from clarifai_grpc.grpc.api import resources_pb2, service_pb2
from clarifai_grpc.grpc.api.status import status_pb2
from google.protobuf.message import Message
from sqlalchemy import Connection, Row

from labelwright.errors import AppDuplicate, DoesNotExist, InsufficientScopes, InvalidRequest, LabelwrightError
from labelwright.ids import new_id, resource_id_problem
from labelwright.models.catalogue import DEFAULT_WORKFLOW, PUBLIC_APP, PUBLIC_USER
from labelwright.protocol.dispatch import Call, serves
from labelwright.protocol.metadata import checked, patched
from labelwright.protocol.resources.app_listing import matching, named, seen
from labelwright.protocol.wire import SUCCESS, offset_limit, parse, set_time, status, without
from labelwright.store import apps, jobs, reruns, resource_counts, workflows

log = structlog.get_logger("labelwright.apps")

MAX_APPS = 128
MAX_NOTES = 64 * 1024
"""Bytes of an app's notes, the API's own limit."""

_COLUMNS = ("id", "user_id", "created_at", "modified_at", "default_workflow", "default_workflow_id")
_COMPUTED = ("is_starred", "star_count", "extra_info")
_DETAILS = ("notes", "description", "image")
"""What PatchAppsDetails changes."""


def to_wire(rows: Iterable[Row[Any]], bases: dict[int, Row[Any]]) -> list[resources_pb2.App]:
    """Apps as clients see them.

    Args:
        bases: the default workflows by key, with the id and the owner of their apps beside them.
    """
    made = []
    for row in rows:
        app = parse(resources_pb2.App, row.wire)
        app.id, app.user_id, app.name = row.id, row.user_id, app.name or row.id
        base = bases.get(row.default_workflow)
        if base is not None:
            app.default_workflow_id = base.id
            app.default_workflow.id = base.id
            app.default_workflow.app_id, app.default_workflow.user_id = base.app_id, base.user_id
        app.visibility.gettable = app.visibility.gettable or resources_pb2.Visibility.PRIVATE
        set_time(app.created_at, row.created_at)
        set_time(app.modified_at, row.modified_at)
        made.append(app)
    return made


def reply(conn: Connection, rows: Sequence[Row[Any]], fields: Iterable[str] = ()) -> list[resources_pb2.App]:
    """Apps as clients see them, with their default workflows.

    Args:
        fields: what else is asked for: "counts", "stars" (nobody stars apps here) or "all".
    """
    keys = {row.default_workflow for row in rows} - {None}
    made = to_wire(rows, workflows.by_pks(conn, keys) if keys else {})
    if not {"counts", "all"}.isdisjoint(fields):
        counts = resource_counts.of_apps(conn, [row.pk for row in rows])
        for row, app in zip(rows, made, strict=True):
            app.extra_info.counts.CopyFrom(resources_pb2.AppResourceCounts(**counts[row.pk]))
    return made


def _wire(app: resources_pb2.App) -> bytes:
    if len(app.notes.encode()) > MAX_NOTES:
        raise InvalidRequest(f"app {app.id!r}: notes have {len(app.notes.encode())} bytes; {MAX_NOTES} are legal")
    checked(app.metadata)
    return without(app, *_COLUMNS, *_COMPUTED)


def _own(call: Call, user_app_id: resources_pb2.UserAppIDSet) -> str:
    owner = call.owner(user_app_id)
    if owner != call.user_id:
        raise InvalidRequest(f"this key is {call.user_id!r}'s, who can't add or change apps of user {owner!r}")
    return owner


def _base(app: resources_pb2.App) -> resources_pb2.Workflow | None:
    """The default workflow that a request names; None where it names none."""
    if app.HasField("default_workflow"):
        if not app.default_workflow.id:
            raise InvalidRequest(f"app {app.id!r}: default_workflow has no id")
        return app.default_workflow
    return resources_pb2.Workflow(id=app.default_workflow_id) if app.default_workflow_id else None


def _places(call: Call, of: str, app_id: str, base: resources_pb2.Workflow) -> list[tuple[str, str, str]]:
    """Where a default workflow for an app of user ``of`` is looked for, in order: owner, app and workflow id."""
    public = (PUBLIC_USER, PUBLIC_APP, base.id)
    if not base.app_id:
        return [(of, app_id, base.id), public]
    if base.app_id == PUBLIC_APP and base.user_id in ("", PUBLIC_USER):
        return [public]
    owner = call.user_id if base.user_id == "me" else base.user_id or of
    visible = owner == call.user_id or (owner, base.app_id) == (of, app_id)
    return [(owner, base.app_id, base.id)] if visible else []


def _find_bases(conn: Connection, call: Call, of: str, wanted: dict[str, resources_pb2.Workflow]) -> dict[str, int]:
    """App id to the key of the default workflow wanted for it."""
    places = {app_id: _places(call, of, app_id, base) for app_id, base in wanted.items()}
    names = {p for found in places.values() for p in found}
    keys = apps.workflow_keys(conn, names) if names else {}
    result = {}
    for app_id, base in wanted.items():
        found = [keys[p] for p in places[app_id] if p in keys]
        if not found:
            looked = " and ".join(f"{user}/{app}" for user, app, _ in places[app_id])
            where = f"looked in {looked}" if looked else "this key can't see that app"
            named = "/".join(filter(None, (base.user_id, base.app_id, base.id)))
            raise DoesNotExist(f"app {app_id!r}: there is no workflow {named!r} for its default ({where})")
        result[app_id] = found[0]
    return result


@serves("PostApps")
def post_apps(call: Call, request: service_pb2.PostAppsRequest) -> service_pb2.MultiAppResponse:
    """Add apps: all of them or, where one can't be added, none."""
    owner = _own(call, request.user_app_id)
    if not 1 <= len(request.apps) <= MAX_APPS:
        raise InvalidRequest(f"{len(request.apps)} apps given; 1 to {MAX_APPS} a call are legal")
    given = {}
    for app in request.apps:
        if app.id and (problem := resource_id_problem(app.id)):
            raise InvalidRequest(f"app id: {problem}")
        app_id = app.id or new_id()
        if app_id in given:
            raise AppDuplicate(f"duplicate app id: {app_id!r} is given twice")
        given[app_id] = app
    default = resources_pb2.Workflow(id=DEFAULT_WORKFLOW, user_id=PUBLIC_USER, app_id=PUBLIC_APP)
    with call.store.write() as conn:
        apps.lock_owner(conn, owner)
        if taken := sorted(apps.by_ids(conn, owner, given)):
            raise AppDuplicate(f"duplicate app id: {', '.join(taken)}; PatchApps changes an app")
        bases = _find_bases(conn, call, owner, {i: _base(a) or default for i, a in given.items()})
        apps.add_all(
            conn,
            owner,
            [{"id": i, "wire": _wire(a), "default_workflow": bases[i]} for i, a in given.items()],
        )
        rows = apps.by_ids(conn, owner, given)
        made = reply(conn, [rows[i] for i in given])
    return service_pb2.MultiAppResponse(apps=made)


@serves("GetApp")
def get_app(call: Call, request: service_pb2.GetAppRequest) -> service_pb2.SingleAppResponse:
    """One app."""
    with call.store.read() as conn:
        row = call.app(conn, request.user_app_id)
        return service_pb2.SingleAppResponse(app=reply(conn, [row], request.additional_fields)[0])


_UNFILTERED = ("user_app_id", "page", "per_page", "additional_fields")
"""Fields of a request for a plain listing."""


@serves("ListApps")
def list_apps(call: Call, request: service_pb2.ListAppsRequest) -> service_pb2.MultiAppResponse:
    """A user's apps, oldest first where nothing else is asked for."""
    offset, limit = offset_limit(request)
    owner = call.owner(request.user_app_id)
    with call.store.read() as conn:
        own = owner in (call.user_id, PUBLIC_USER)
        plain = own and all(f.name in _UNFILTERED for f, _ in request.ListFields())
        if plain:
            rows = apps.page(conn, owner, offset=offset, limit=limit)
        else:
            keys = matching(seen(conn, call, owner), request)[offset : offset + limit]
            rows = apps.in_order(conn, keys)
        return service_pb2.MultiAppResponse(apps=reply(conn, rows, request.additional_fields))


@serves("PostAppsSearches")
def post_apps_searches(call: Call, request: service_pb2.PostAppsSearchesRequest) -> service_pb2.MultiAppResponse:
    """The apps of a user whose name or id is like the query's name, oldest first."""
    offset, limit = offset_limit(request.pagination)
    owner = call.owner(request.user_app_id)
    with call.store.read() as conn:
        keys = named(seen(conn, call, owner), request.app_query.name)[offset : offset + limit]
        return service_pb2.MultiAppResponse(apps=reply(conn, apps.in_order(conn, keys)))


@serves("PatchApps")
def patch_apps(call: Call, request: service_pb2.PatchAppsRequest) -> service_pb2.MultiAppResponse:
    """Change apps: all of them or, where one can't be changed, none."""
    return service_pb2.MultiAppResponse(apps=_patch(call, list(request.apps), request))


@serves("PatchAppsDetails")
def patch_apps_details(call: Call, request: service_pb2.PatchAppsDetailsRequest) -> service_pb2.MultiAppResponse:
    """Change notes, descriptions and images of apps: all of them or, where one can't be changed, none."""
    for app in request.apps:
        if other := [f.name for f, _ in app.ListFields() if f.name not in ("id", *_DETAILS)]:
            raise InvalidRequest(
                f"app {app.id!r}: {', '.join(other)} can't be changed here, only {', '.join(_DETAILS)}; "
                "PatchApps changes the rest"
            )
    change = service_pb2.PatchAppsRequest(user_app_id=request.user_app_id, apps=request.apps, action=request.action)
    return service_pb2.MultiAppResponse(apps=_patch(call, list(request.apps), change))


@serves("PatchApp")
def patch_app(call: Call, request: service_pb2.PatchAppRequest) -> service_pb2.SingleAppResponse:
    """Change one app: the one that ``app.id`` names or, without it, ``user_app_id.app_id``."""
    app = resources_pb2.App()
    app.CopyFrom(request.app)
    app.id = app.id or request.user_app_id.app_id
    return service_pb2.SingleAppResponse(app=_patch(call, [app], request)[0])


def _patch(
    call: Call,
    changes: list[resources_pb2.App],
    request: service_pb2.PatchAppsRequest | service_pb2.PatchAppRequest,
) -> list[resources_pb2.App]:
    owner = call.owner(request.user_app_id)
    if not 1 <= len(changes) <= MAX_APPS:
        raise InvalidRequest(f"{len(changes)} apps given; 1 to {MAX_APPS} a call are legal")
    ids = [c.id for c in changes]
    if twice := sorted({i for i in ids if ids.count(i) > 1}):
        raise InvalidRequest(f"app {', '.join(map(repr, twice))} is given twice; say each change once")
    wanted = {c.id: base for c in changes if (base := _base(c)) is not None}
    if wanted and request.action != "overwrite":
        raise InvalidRequest(f"action is {request.action!r}; a default workflow is changed by 'overwrite'")
    with call.store.write() as conn:
        rows = apps.by_ids(conn, owner, ids, lock=True)
        if owner != call.user_id:
            for app_id in ids:
                call.app(conn, resources_pb2.UserAppIDSet(user_id=owner, app_id=app_id), change=True)
        if missing := sorted(set(ids) - set(rows)):
            raise DoesNotExist(f"user {owner!r} has no app {', '.join(map(repr, missing))}")
        bases = _find_bases(conn, call, owner, wanted) if wanted else {}
        moved = {i for i, base in bases.items() if base != rows[i].default_workflow}
        changed = []
        for change in changes:
            row = rows[change.id]
            after = _patched(parse(resources_pb2.App, row.wire), change, request)
            base = bases.get(change.id, row.default_workflow)
            moves = change.id in moved
            changed.append({"pk": row.pk, "wire": _wire(after), "default_workflow": base, "moved": moves})
        apps.change_all(conn, changed)
        if request.reindex and moved:
            _queue_reruns(conn, call, [rows[i].pk for i in ids if i in moved])
        rows = apps.by_ids(conn, owner, ids)
        made = reply(conn, [rows[i] for i in ids])
    if request.reindex and moved:
        call.server.wake()
    return made


def _patched(
    app: resources_pb2.App,
    change: resources_pb2.App,
    request: service_pb2.PatchAppsRequest | service_pb2.PatchAppRequest,
) -> resources_pb2.App:
    """The app after the change, less what is kept in columns."""
    said = parse(resources_pb2.App, without(change, *_COLUMNS, *_COMPUTED, "metadata"))
    if request.action == "overwrite":
        target: Message = app
        for field, _ in said.ListFields():
            target.ClearField(field.name)
        app.MergeFrom(said)
    elif request.action == "remove":
        _remove_image(app, said, metadata_too=change.HasField("metadata"))
    elif request.action or said.ListFields() or not request.metadata_action.op:
        raise InvalidRequest(f"action is {request.action!r}; legal are 'overwrite' and 'remove'")
    if change.HasField("metadata"):
        app.metadata.CopyFrom(patched(app.metadata, change.metadata, request.metadata_action))
    return app


def _remove_image(app: resources_pb2.App, said: resources_pb2.App, *, metadata_too: bool) -> None:
    given = [field.name for field, _ in said.ListFields()]
    if given == ["image"] and said.image.url == app.image.url and app.image.url:
        app.ClearField("image")
    elif given or not metadata_too:
        raise InvalidRequest(
            f"app {app.id!r}: action 'remove' takes the app's image and nothing else; give image.url, which "
            f"is now {app.image.url!r}"
        )


def _queue_reruns(conn: Connection, call: Call, pks: Iterable[int]) -> None:
    for pk in pks:
        params = {"workflow": "default", "missing": False, "user_id": call.user_id}
        # Counted here: a client that looks at once must see that something is to be done.
        jobs.add(conn, pk, kind="rerun", params=params, total=reruns.count_all(conn, pk))


@serves("DeleteApp")
def delete_app(call: Call, request: service_pb2.DeleteAppRequest) -> status_pb2.BaseResponse:
    """Delete an app with all that is in it."""
    with call.store.write() as conn:
        row = call.app(conn, request.user_app_id, change=True)
        if row.user_id != call.user_id:
            raise InsufficientScopes(f"app {row.id!r} is {row.user_id!r}'s, who alone may delete it")
        apps.remove(conn, row.pk)
    # The keys that were bound to it went with it.
    call.server.auth.forget()
    try:
        call.server.blobs.delete_prefix(f"{row.pk}")
    except LabelwrightError:
        # The app is gone all the same; its key is never given again, so nobody else finds these bytes.
        log.exception("the media of a deleted app could not be removed", app=row.pk)
    return status_pb2.BaseResponse(status=status(SUCCESS))
