"""Collaborators: other users whom an app is shared with, each with scopes of their own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from clarifai_grpc.grpc.api import resources_pb2, service_pb2
from clarifai_grpc.grpc.api.status import status_pb2
from sqlalchemy import Connection, Row

from labelwright.errors import CollaboratorDuplicate, DoesNotExist, InvalidRequest
from labelwright.models.catalogue import PUBLIC_USER
from labelwright.protocol import grants, scopes
from labelwright.protocol.auth import Rights
from labelwright.protocol.dispatch import Call, serves
from labelwright.protocol.resources import apps as app_messages
from labelwright.protocol.resources.users import shown
from labelwright.protocol.wire import offset_limit, parse, set_time
from labelwright.store import apps, users
from labelwright.store import collaborators as stored

MAX_COLLABORATORS = 128


def to_wire(app: Row[Any], row: Row[Any], user: resources_pb2.User) -> resources_pb2.Collaborator:
    """A collaborator as clients see them."""
    made = resources_pb2.Collaborator(
        id=row.id,
        app=resources_pb2.App(id=app.id, user_id=app.user_id),
        user=user,
        scopes=scopes.in_order(row.scopes),
        endpoints=sorted(row.endpoints or ()),
    )
    set_time(made.created_at, row.created_at)
    set_time(made.modified_at, row.modified_at)
    return made


def _reply(conn: Connection, app: Row[Any], rows: Sequence[Row[Any]]) -> service_pb2.MultiCollaboratorsResponse:
    people = shown(conn, {app.user_id, *(r.user_id for r in rows)})
    return service_pb2.MultiCollaboratorsResponse(
        collaborators=[to_wire(app, r, people[r.user_id]) for r in rows], app_owner=people[app.user_id]
    )


def _check_count(count: int) -> None:
    if not 1 <= count <= MAX_COLLABORATORS:
        raise InvalidRequest(f"{count} collaborators given; 1 to {MAX_COLLABORATORS} a call are legal")


def _columns(rights: Rights) -> dict[str, Any]:
    return {"scopes": scopes.in_order(rights.scopes), "endpoints": sorted(rights.endpoints) or None}


@serves("ListCollaborators")
def list_collaborators(
    call: Call, request: service_pb2.ListCollaboratorsRequest
) -> service_pb2.MultiCollaboratorsResponse:
    """Whom an app is shared with, oldest first. Who was removed is not kept, and so never listed."""
    offset, limit = offset_limit(request)
    with call.store.read() as conn:
        app = call.app(conn, request.user_app_id)
        return _reply(conn, app, stored.page(conn, app.pk, offset=offset, limit=limit))


@serves("PostCollaborators")
def post_collaborators(
    call: Call, request: service_pb2.PostCollaboratorsRequest
) -> service_pb2.MultiCollaboratorsResponse:
    """Share an app with users, all or none. They must be users of this server already."""
    given = list(request.collaborators)
    _check_count(len(given))
    with call.store.write() as conn:
        app = call.app(conn, request.user_app_id, change=True)
        ids = [_user_id(app, c) for c in given]
        twice = {i for i in ids if ids.count(i) > 1} | set(stored.by_users(conn, app.pk, ids))
        if twice:
            raise CollaboratorDuplicate(
                f"duplicate collaborator: {', '.join(sorted(twice))}; PatchCollaborators changes one"
            )
        if missing := sorted(set(ids) - users.by_ids(conn, ids).keys()):
            raise DoesNotExist(
                f"there is no user {', '.join(map(repr, missing))}: whoever runs the server adds users, with "
                "labelwright users add"
            )
        mine = call.rights(conn, app)
        new = []
        for user_id, collaborator in zip(ids, given, strict=True):
            rights = grants.asked(collaborator.scopes, collaborator.endpoints)
            grants.check_given(rights, mine)
            new.append({"user_id": user_id, **_columns(rights)})
        stored.add(conn, app.pk, new)
        apps.bump(conn, app.pk)
        rows = stored.by_users(conn, app.pk, ids)
        return _reply(conn, app, [rows[i] for i in ids])


def _user_id(app: Row[Any], given: resources_pb2.Collaborator) -> str:
    user_id = given.user.id
    if not user_id:
        raise InvalidRequest("a collaborator has no user.id; users have no other name here, no e-mail address either")
    if given.app.id not in ("", app.id) or given.app.user_id not in ("", app.user_id):
        raise InvalidRequest(f"collaborator {user_id!r} names another app than user_app_id does; leave it out")
    if user_id == app.user_id or user_id == PUBLIC_USER:
        raise InvalidRequest(f"{user_id!r} owns the app or is nobody in person, and can't be its collaborator")
    return user_id


@serves("PatchCollaborators")
def patch_collaborators(
    call: Call, request: service_pb2.PatchCollaboratorsRequest
) -> service_pb2.MultiCollaboratorsResponse:
    """Change what collaborators may do, all or none: the scopes or endpoints given replace those there."""
    if request.action != "overwrite":
        raise InvalidRequest(f"action is {request.action!r}; 'overwrite' is legal")
    given = list(request.collaborators)
    _check_count(len(given))
    with call.store.write() as conn:
        app = call.app(conn, request.user_app_id, change=True)
        mine = call.rights(conn, app)
        rows = [_find(conn, app, c.id, c.user.id) for c in given]
        for row, change in zip(rows, given, strict=True):
            old = Rights.of(row.scopes, row.endpoints)
            if change.scopes or change.endpoints:
                new = grants.asked(change.scopes or row.scopes, change.endpoints or row.endpoints or ())
                grants.check_given(new, mine, old)
                stored.change(conn, row.pk, **_columns(new))
        after = stored.by_ids(conn, app.pk, {r.id for r in rows})
        return _reply(conn, app, [after[r.id] for r in rows])


def _find(conn: Connection, app: Row[Any], id_: str, user_id: str = "") -> Row[Any]:
    """A collaborator by their id as such, or by the user's."""
    row = stored.by_ids(conn, app.pk, [id_]).get(id_) if id_ else stored.of(conn, app.pk, user_id)
    if row is None or user_id not in ("", row.user_id):
        raise DoesNotExist(f"app {app.id!r} has no collaborator {id_ or user_id!r}; ListCollaborators lists their ids")
    return row


@serves("DeleteCollaborators")
def delete_collaborators(call: Call, request: service_pb2.DeleteCollaboratorsRequest) -> status_pb2.BaseResponse:
    """Share an app no longer with these, all or none. It holds at once; what they said in it stays."""
    if request.user_emails:
        raise InvalidRequest("user_emails are given, and users have no e-mail addresses here: give collaborator_ids")
    ids = list(dict.fromkeys(request.collaborator_ids))
    _check_count(len(ids))
    with call.store.write() as conn:
        app = call.app(conn, request.user_app_id, change=True)
        stored.remove(conn, [_find(conn, app, i).pk for i in ids])
        # A writer that writes in their name must not go on.
        apps.bump(conn, app.pk)
    return status_pb2.BaseResponse()


@serves("ListCollaborations")
def list_collaborations(
    call: Call, request: service_pb2.ListCollaborationsRequest
) -> service_pb2.MultiCollaborationsResponse:
    """The apps of others that are shared with the caller, oldest share first."""
    offset, limit = offset_limit(request)
    if (owner := call.owner(request.user_app_id)) != call.user_id:
        raise DoesNotExist(f"this key is {call.user_id!r}'s, and sees no collaborations of user {owner!r}")
    with call.store.read() as conn:
        pairs = stored.of_user(conn, call.user_id)
        if request.template_only:
            pairs = [(row, app) for row, app in pairs if parse(resources_pb2.App, app.wire).is_template.value]
        made = _collaborations(conn, pairs[offset : offset + limit])
    return service_pb2.MultiCollaborationsResponse(collaborations=made)


def _collaborations(conn: Connection, pairs: Sequence[tuple[Row[Any], Row[Any]]]) -> list[resources_pb2.Collaboration]:
    made = []
    people = shown(conn, {app.user_id for _, app in pairs})
    for (row, app), message in zip(pairs, app_messages.reply(conn, [app for _, app in pairs]), strict=True):
        one = resources_pb2.Collaboration(
            app=message,
            app_owner=people[app.user_id],
            scopes=scopes.in_order(row.scopes),
            endpoints=sorted(row.endpoints or ()),
        )
        set_time(one.created_at, row.created_at)
        made.append(one)
    return made
